/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of system calls on machines that this one is not, as far as libseccomp's tables say: a name that an
 * architecture lacks is no gap, as what its libc calls instead is allowed.
 */
#include "tests/unit/suite.h"

#include "harden_internal.h"

#include <seccomp.h>

static const struct row {
    const char *name;
    bool is_allowed;
} rows[] = {
#define ALLOW(name)                                                              {#name, true},
#define ALLOW_IF(name, argument, mask, value)                                    {#name, true},
#define ALLOW_IF_BOTH(name, first, mask, value, second, other_mask, other_value) {#name, true},
#define REFUSE_IF(name, argument, mask, value)                                   {#name, false},
#define QUIET(name)                                                              {#name, false},
#define KILL(name)                                                               {#name, false},
#include "harden_calls.def"
};

/* What arm64 never had (asm-generic/unistd.h), and what its libc calls. */
static const char *const successors[][2] = {{"open", "openat"},
                                            {"stat", "newfstatat"},
                                            {"lstat", "newfstatat"},
                                            {"access", "faccessat"},
                                            {"readlink", "readlinkat"},
                                            {"getdents", "getdents64"},
                                            {"dup2", "dup3"},
                                            {"pipe", "pipe2"},
                                            {"rename", "renameat"},
                                            {"unlink", "unlinkat"},
                                            {"mkdir", "mkdirat"},
                                            {"rmdir", "unlinkat"},
                                            {"link", "linkat"},
                                            {"chmod", "fchmodat"},
                                            {"poll", "ppoll"},
                                            {"select", "pselect6"},
                                            {"epoll_wait", "epoll_pwait"},
                                            {"alarm", "setitimer"},
                                            {"time", "clock_gettime"}};

static bool exists(uint32_t architecture, const char *name)
{
    return seccomp_syscall_resolve_name_arch(architecture, name) >= 0;
}

static bool is_allowed(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].is_allowed && !strcmp(rows[i].name, name))
            return true;
    return false;
}

static const char *find_successor(const char *name)
{
    for (size_t i = 0; i < sizeof successors / sizeof *successors; i++)
        if (!strcmp(successors[i][0], name))
            return successors[i][1];
    return NULL;
}

TEST(amd64_has_all_of_them)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(exists(SCMP_ARCH_X86_64, rows[i].name), "%s", rows[i].name);
}

TEST(arm64_has_them_or_what_took_their_place)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *successor = find_successor(rows[i].name);
        bool is_there = exists(SCMP_ARCH_AARCH64, rows[i].name);
        EXPECT(!is_there || !successor, "%s is there: no row for it", rows[i].name);
        if (rows[i].is_allowed && !is_there)
            EXPECT(successor && exists(SCMP_ARCH_AARCH64, successor) && is_allowed(successor), "%s", rows[i].name);
    }
}

TEST(architectures_without_a_list)
{
    EXPECT(harden_has_list(SCMP_ARCH_X86_64) && harden_has_list(SCMP_ARCH_AARCH64), "two have one");
    static const uint32_t others[] = {SCMP_ARCH_X86,   SCMP_ARCH_X32,     SCMP_ARCH_ARM,   SCMP_ARCH_PPC64LE,
                                      SCMP_ARCH_S390X, SCMP_ARCH_RISCV64, SCMP_ARCH_MIPS64};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        EXPECT(!harden_has_list(others[i]), "%#x", others[i]);
    EXPECT_INTEGER(harden_has_list(0), harden_has_list(seccomp_arch_native()));
}

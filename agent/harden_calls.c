/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter: harden_calls.def as a binary tree of a few comparisons a call. Called by harden.c. What nobody
 * may do kills the process: whoever tries has taken it over, and a kill is what the ledger is made for. What was merely
 * forgotten must not lose a call in flight: it answers ENOSYS, and the kernel's audit log names it.
 */
#include "harden_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define NAMESPACES                                                                                                     \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |       \
     CLONE_NEWTIME)
#define EVERY_BIT     UINT32_MAX /* the kernel reads these arguments as 32 bits */

#define CREATES       (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define SPECIAL_MODES (S_ISUID | S_ISGID | S_ISVTX)
#define SOCKET_TYPE   (EVERY_BIT & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))

static const struct rule {
    const char *name;
    uint32_t action;
    unsigned count; /* 0: whatever the arguments are */
    struct scmp_arg_cmp only[2];
} rules[] = {
#define ALLOW(name)                           {#name, SCMP_ACT_ALLOW, 0, {{0}}},
#define ALLOW_IF(name, argument, mask, value) {#name, SCMP_ACT_ALLOW, 1, {{argument, SCMP_CMP_MASKED_EQ, mask, value}}},
#define ALLOW_IF_BOTH(name, first, mask, value, second, other_mask, other_value)                                       \
    {#name,                                                                                                            \
     SCMP_ACT_ALLOW,                                                                                                   \
     2,                                                                                                                \
     {{first, SCMP_CMP_MASKED_EQ, mask, value}, {second, SCMP_CMP_MASKED_EQ, other_mask, other_value}}},
#define REFUSE_IF(name, argument, mask, value)                                                                         \
    {#name, SCMP_ACT_ERRNO(EACCES), 1, {{argument, SCMP_CMP_MASKED_EQ, mask, value}}},
#define QUIET(name) ALLOW(name) /* the other filter refuses it */
#define KILL(name)
#include "harden_calls.def"
};
#undef ALLOW
#undef ALLOW_IF
#undef ALLOW_IF_BOTH
#undef REFUSE_IF
#undef QUIET
#undef KILL

#define ALLOW(name)
#define ALLOW_IF(name, argument, mask, value)
#define ALLOW_IF_BOTH(name, first, mask, value, second, other_mask, other_value)
#define REFUSE_IF(name, argument, mask, value)
#define QUIET(name)
#define KILL(name) #name,
static const char *const deadly[] = {
#include "harden_calls.def"
};
#undef QUIET
#undef KILL
#define QUIET(name) #name,
#define KILL(name)
static const char *const quiet[] = {
#include "harden_calls.def"
};
#undef ALLOW
#undef ALLOW_IF
#undef ALLOW_IF_BOTH
#undef REFUSE_IF
#undef QUIET
#undef KILL

/* What each call gets in a filter; one that the machine does not have is left out. */
static bool add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const int number = seccomp_syscall_resolve_name(names[i]);
        ok = number < 0 || seccomp_rule_add(filter, action, number, 0) == 0;
    }
    return ok;
}

static bool add_rule(scmp_filter_ctx filter, const struct rule *rule)
{
    const int number = seccomp_syscall_resolve_name(rule->name);
    return number < 0 || seccomp_rule_add_array(filter, rule->action, number, rule->count, rule->only) == 0;
}

/* SSB: without it kernels before 5.16 slow the whole process down for having a filter. Another architecture's calls (32
 * bits) are killed by default. */
static scmp_filter_ctx make_filter(uint32_t action, bool is_logged)
{
    scmp_filter_ctx filter = seccomp_init(action);
    if (!filter)
        return NULL;
    (void)!seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)!seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)!seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, is_logged);
    (void)!seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)!seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    return filter;
}

/* A filter of its own, as the log is a whole filter's. */
static bool refuse_quietly(void)
{
    scmp_filter_ctx filter = make_filter(SCMP_ACT_ALLOW, false);
    bool ok = filter && add_names(filter, SCMP_ACT_ERRNO(ENOSYS), quiet, sizeof quiet / sizeof *quiet) &&
              seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

bool harden_has_list(uint32_t architecture)
{
    static const uint32_t known[] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};
    const uint32_t wanted = architecture ? architecture : seccomp_arch_native();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == wanted)
            return true;
    return false;
}

bool harden_restrict_calls(enum harden_list list)
{
    const bool is_agent = list == HARDEN_LIST_AGENT;
    if (is_agent && !refuse_quietly())
        return false;
    scmp_filter_ctx filter = make_filter(is_agent ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW, true);
    bool ok = filter && add_names(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof *deadly);
    for (size_t i = 0; ok && is_agent && i < sizeof rules / sizeof *rules; i++)
        ok = add_rule(filter, &rules[i]);
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

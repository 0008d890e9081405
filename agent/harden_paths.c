/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock, by its system calls: what of the file system may be changed, that nothing is executed, and that no socket
 * without a path is reached. Reading is not
 * restricted: see "Where we left the design" in ARCHITECTURE.md. Called by harden.c.
 */
#include "harden_internal.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface (Documentation/userspace-api/landlock.rst), as far as it is used here: the header of the
 * machine that builds may be older than the kernel of the one that runs. */
struct ruleset {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
struct __attribute__((packed)) rule_beneath {
    uint64_t allowed_access;
    int32_t parent_fd;
};
enum { RULE_PATH_BENEATH = 1, ASK_VERSION = 1, VERSION_WITH_SCOPES = 6, SCOPE_ABSTRACT_UNIX_SOCKET = 1 };

enum {
    ACCESS_EXECUTE = 1 << 0,
    ACCESS_WRITE_FILE = 1 << 1,
    ACCESS_REMOVE_DIR = 1 << 4,
    ACCESS_REMOVE_FILE = 1 << 5,
    ACCESS_MAKE_CHAR = 1 << 6,
    ACCESS_MAKE_DIR = 1 << 7,
    ACCESS_MAKE_REG = 1 << 8,
    ACCESS_MAKE_SOCK = 1 << 9,
    ACCESS_MAKE_FIFO = 1 << 10,
    ACCESS_MAKE_BLOCK = 1 << 11,
    ACCESS_MAKE_SYM = 1 << 12,
    ACCESS_REFER = 1 << 13,     /* rename and link between directories */
    ACCESS_TRUNCATE = 1 << 14,  /* by path, and of files opened from now on */
    ACCESS_IOCTL_DEV = 1 << 15, /* of devices opened from now on */
};

/* What a kernel of this version lets us forbid: all but reading. */
static uint64_t handled_by(int version)
{
    uint64_t handled = ACCESS_EXECUTE | ACCESS_WRITE_FILE | ACCESS_REMOVE_DIR | ACCESS_REMOVE_FILE | ACCESS_MAKE_CHAR |
                       ACCESS_MAKE_DIR | ACCESS_MAKE_REG | ACCESS_MAKE_SOCK | ACCESS_MAKE_FIFO | ACCESS_MAKE_BLOCK |
                       ACCESS_MAKE_SYM;
    handled |= version >= 2 ? ACCESS_REFER : 0;
    handled |= version >= 3 ? ACCESS_TRUNCATE : 0;
    handled |= version >= 5 ? ACCESS_IOCTL_DEV : 0;
    return handled;
}

/* Sockets of the abstract name space that were not made by what is restricted here: not the manager's, where it has
 * named one. Signals are not scoped: the agent ends helpers that hang, which are outside. */
static uint64_t scoped_by(int version)
{
    const char *manager = getenv("NOTIFY_SOCKET");
    return version >= VERSION_WITH_SCOPES && !(manager && manager[0] == '@') ? SCOPE_ABSTRACT_UNIX_SOCKET : 0;
}

/* A kernel refuses fields that it does not know. */
static size_t ruleset_bytes(int version)
{
    return version >= VERSION_WITH_SCOPES ? sizeof(struct ruleset) : sizeof(uint64_t);
}

static const uint64_t allowed[] = {
    [HARDEN_ALL] = ACCESS_WRITE_FILE | ACCESS_REMOVE_DIR | ACCESS_REMOVE_FILE | ACCESS_MAKE_DIR | ACCESS_MAKE_REG |
                   ACCESS_MAKE_SOCK | ACCESS_REFER | ACCESS_TRUNCATE,
    [HARDEN_APPEND] = ACCESS_WRITE_FILE | ACCESS_MAKE_REG | ACCESS_TRUNCATE,
    [HARDEN_ROTATE] = ACCESS_WRITE_FILE | ACCESS_MAKE_REG | ACCESS_REMOVE_FILE | ACCESS_TRUNCATE,
    [HARDEN_FILE] = ACCESS_WRITE_FILE,
};

static bool allow(int ruleset, uint64_t handled, const struct harden_place *place)
{
    struct rule_beneath rule = {.allowed_access = handled & allowed[place->access]};
    struct stat status;
    rule.parent_fd = open(place->path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return true;
    if (fstat(rule.parent_fd, &status) != 0 || !S_ISDIR(status.st_mode))
        rule.allowed_access &= ACCESS_WRITE_FILE | ACCESS_TRUNCATE; /* the kernel refuses the others for a file */
    bool ok = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return ok;
}

int harden_restrict_paths(const struct harden_place *places, size_t count)
{
    const int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
    if (version < 1)
        return 0;
    const struct ruleset wanted = {handled_by(version), 0, scoped_by(version)};
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, ruleset_bytes(version), 0);
    if (ruleset < 0)
        return 0;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = allow(ruleset, wanted.handled_access_fs, &places[i]);
    ok = ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return ok ? version : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter: harden_calls.def as a binary tree of a few comparisons a call. Called by harden.c. What nobody
 * may do kills the process: whoever tries has taken it over, and a kill is what the ledger is made for. What was merely
 * forgotten must not lose a call in flight: it answers ENOSYS, and the kernel's audit log names it.
 */
#include "harden_internal.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { ALWAYS = -1 };

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define NAMESPACES                                                                                                     \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |       \
     CLONE_NEWTIME)
#define EVERY_BIT UINT32_MAX /* the kernel reads these arguments as 32 bits */

static const struct call {
    const char *name;
    int argument; /* ALWAYS, or the one that decides */
    uint64_t mask, value;
} allowed[] = {
#define ALLOW(name)                           {#name, ALWAYS, 0, 0},
#define ALLOW_IF(name, argument, mask, value) {#name, argument, mask, value},
#define QUIET(name)                           {#name, ALWAYS, 0, 0}, /* the other filter refuses it */
#define KILL(name)
#include "harden_calls.def"
};
#undef ALLOW
#undef ALLOW_IF
#undef QUIET
#undef KILL

#define ALLOW(name)
#define ALLOW_IF(name, argument, mask, value)
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

static bool add_allowed(scmp_filter_ctx filter, const struct call *call)
{
    const int number = seccomp_syscall_resolve_name(call->name);
    if (number < 0)
        return true;
    if (call->argument == ALWAYS)
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0;
    const struct scmp_arg_cmp only = {(unsigned)call->argument, SCMP_CMP_MASKED_EQ, call->mask, call->value};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &only) == 0;
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

bool harden_restrict_calls(enum harden_list list)
{
    const bool is_agent = list == HARDEN_LIST_AGENT;
    if (is_agent && !refuse_quietly())
        return false;
    scmp_filter_ctx filter = make_filter(is_agent ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW, true);
    bool ok = filter && add_names(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof *deadly);
    for (size_t i = 0; ok && is_agent && i < sizeof allowed / sizeof *allowed; i++)
        ok = add_allowed(filter, &allowed[i]);
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter of a supervised program, and the question whether one is in force here. Called by supervise.c, in
 * the process that becomes the program. The filter stops only what opens a TCP connection: connect, and sends with
 * MSG_FASTOPEN; it cannot look behind pointers, so the supervisor sees every connect. It also keeps the program
 * from going around it (io_uring, other system call tables) and from hiding its memory from the supervisor.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif
#define FILTER_X32_BIT           0x40000000u /* __X32_SYSCALL_BIT */
#define FILTER_LOAD(field)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define FILTER_ANSWER(value)     BPF_STMT(BPF_RET | BPF_K, (value))
#define FILTER_UNLESS(value, to) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (to)) /* skips `to` instructions */
#define FILTER_REFUSE            FILTER_ANSWER(SECCOMP_RET_ERRNO | ENOSYS)
#define FILTER_NOTIFY            FILTER_ANSWER(SECCOMP_RET_USER_NOTIF)
#define FILTER_ALLOW             FILTER_ANSWER(SECCOMP_RET_ALLOW)
#define FILTER_IF(test, value)   BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), 0, 1)
/* A system call whose argument number `index` holds flags: five instructions. */
#define FILTER_FASTOPEN(call, index)                                                                                   \
    FILTER_UNLESS(call, 4), FILTER_LOAD(args[index]), FILTER_IF(BPF_JSET, MSG_FASTOPEN), FILTER_NOTIFY, FILTER_ALLOW

bool filter_is_in_force(void)
{
    int saved = errno;
    bool is_answered = prctl(TOLLGATE_PROBE_OPTION, 0, 0, 0, 0) == -1 && errno == TOLLGATE_PROBE_ERRNO;
    errno = saved;
    return is_answered;
}

int filter_install(int *ret_listener)
{
    static struct sock_filter program[] = {
        FILTER_LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        FILTER_REFUSE, /* i386 */
        FILTER_LOAD(nr),
        FILTER_IF(BPF_JGE, FILTER_X32_BIT),
        FILTER_REFUSE,
        FILTER_IF(BPF_JEQ, SYS_io_uring_setup),
        FILTER_REFUSE,
        FILTER_IF(BPF_JEQ, SYS_connect),
        FILTER_NOTIFY,
        FILTER_FASTOPEN(SYS_sendto, 3),
        FILTER_FASTOPEN(SYS_sendmsg, 2),
        FILTER_FASTOPEN(SYS_sendmmsg, 3),
        FILTER_UNLESS(SYS_prctl, 7),
        FILTER_LOAD(args[0]),
        FILTER_IF(BPF_JEQ, TOLLGATE_PROBE_OPTION),
        FILTER_ANSWER(SECCOMP_RET_ERRNO | TOLLGATE_PROBE_ERRNO),
        FILTER_UNLESS(PR_SET_DUMPABLE, 3),
        FILTER_LOAD(args[1]),
        FILTER_IF(BPF_JEQ, 0),
        FILTER_ANSWER(SECCOMP_RET_ERRNO | 0), /* success: an undumpable process would close its memory to us */
        FILTER_ALLOW,
    };
    static const struct sock_fprog whole = {.len = sizeof program / sizeof program[0], .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    /* Without SPEC_ALLOW older kernels would slow the program down with mitigations that it did not ask for. */
    unsigned long flags =
        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole);
    if (listener < 0)
        return errno;
    *ret_listener = (int)listener;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall(2)'s wrapper. Only connect, execve and execveat are looked at; every other number jumps to the real function
 * with registers, stack and return address as they came, because a C frame in between would break callers that return
 * twice on one stack (vfork, clone).
 */
#include "shim/preload/shim.h"

long syscall_hooked(long number, long a, long b, long c, long d, long e, long f);

__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "    endbr64\n"
        "    cmpq $42, %rdi\n" /* connect */
        "    je 1f\n"
        "    cmpq $59, %rdi\n" /* execve */
        "    je 1f\n"
        "    cmpq $322, %rdi\n" /* execveat */
        "    je 1f\n"
        "    movq real_syscall_function(%rip), %r11\n"
        "    testq %r11, %r11\n"
        "    jz 1f\n"
        "    jmp *%r11\n"
        "1:  jmp syscall_hooked\n"
        ".size syscall, .-syscall\n");

_Static_assert(SYS_connect == 42 && SYS_execve == 59 && SYS_execveat == 322, "numbers in the assembly above");

/* An argument as the pointer that it is. */
static void *syscall_pointer(long argument)
{
    return (void *)(uintptr_t)argument;
}

long syscall_hooked(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
    case SYS_connect:
        return hook_connect((int)a, syscall_pointer(b), (socklen_t)c);
    case SYS_execve:
        return hook_execve(syscall_pointer(a), syscall_pointer(b), syscall_pointer(c));
    case SYS_execveat:
        return hook_execveat((int)a, syscall_pointer(b), syscall_pointer(c), syscall_pointer(d), (int)e);
    default:
        break;
    }
    /* Before the constructor ran. */
    long (*real)(long, ...) = (long (*)(long, ...))real_get(REAL_syscall);
    return real ? real(number, a, b, c, d, e, f) : raw_result(raw_call(number, a, b, c, d, e, f));
}

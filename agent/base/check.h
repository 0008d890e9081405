/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programmer errors are not errors: check(x) stays on in release and panics. The panic prints the expression, its
 * place and a short trail that the flow engine keeps (step names), never a header value or a body. What nothing can go
 * on without (memory, a thread at the start) is checked likewise; the panic then says that there was no memory.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define check(condition)                                                                                               \
    do {                                                                                                               \
        if (__builtin_expect(!(condition), 0))                                                                         \
            check_panic(#condition, __FILE__, __LINE__);                                                               \
    } while (0)

/* Prints to standard error and aborts. */
_Noreturn void check_panic(const char *condition, const char *file, int line);

/* What this thread is doing, for the panic message: a static string, e.g. a step's name. NULL clears it. */
void check_set_trail(const char *trail);

#endif

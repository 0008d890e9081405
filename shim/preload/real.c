/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real functions behind the hooks. They are found once, in the constructor, through a weak dlsym: a look-up takes
 * the loader's lock, which is unsafe in a signal handler or a vfork child. A hook called before the constructor (from
 * another library's) finds its own on the way. A libc without one of them leaves its slot NULL.
 */
#include <dlfcn.h>

#include "shim/preload/shim.h"

extern void *dlsym(void *restrict handle, const char *restrict name) __attribute__((weak));
extern char *dlerror(void) __attribute__((weak));

static const char *const real_names[REAL_COUNT] = {
#define HOOK(name, result, parameters) [REAL_##name] = #name,
#define LIST(name, result, parameters)
#define TRUST(name, result, parameters)
#include "shim/preload/hooks.def"
    [REAL_syscall] = "syscall",
    [REAL_fdopen] = "fdopen",
};
static void *real_functions[REAL_COUNT];

/* Read by the assembly in syscall.c, which may not call into C before it knows the number. */
void *real_syscall_function;

void *real_find(void *handle, const char *name)
{
    if (dlsym == NULL)
        return NULL;
    int saved = real_get_errno();
    void *found = dlsym(handle, name);
    /* The program must not read our miss out of dlerror. */
    if (found == NULL && dlerror != NULL)
        dlerror();
    real_set_errno(saved);
    return found;
}

void *real_get(enum real which)
{
    void *function = __atomic_load_n(&real_functions[which], __ATOMIC_RELAXED);
    if (function == NULL) {
        function = real_find(RTLD_NEXT, real_names[which]);
        __atomic_store_n(&real_functions[which], function, __ATOMIC_RELAXED);
    }
    return function;
}

void real_resolve(void)
{
    for (int which = 0; which < REAL_COUNT; which++)
        real_get((enum real)which);
    __atomic_store_n(&real_syscall_function, real_get(REAL_syscall), __ATOMIC_RELEASE);
}

void real_set_errno(int number)
{
    if (__errno_location != NULL)
        *__errno_location() = number;
}

int real_get_errno(void)
{
    return __errno_location != NULL ? *__errno_location() : 0;
}

long raw_result(long kernel_answer)
{
    if (!raw_is_error(kernel_answer))
        return kernel_answer;
    real_set_errno((int)-kernel_answer);
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one private header of libtollgate.so, included by every file of shim/preload/ and by nothing else.
 * The library lives inside other people's programs: it calls no libc function but the real ones behind its hooks
 * (found by dlsym), makes raw system calls for its own needs, and has no DT_NEEDED, so that one file loads in glibc and
 * in musl programs. It never prints, exits, blocks, allocates, locks, starts threads or keeps a descriptor open.
 */
#ifndef TOLLGATE_SHIM_H
#define TOLLGATE_SHIM_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "shim/contract.h"

#ifndef SYS_faccessat2 /* Linux 5.8 */
#define SYS_faccessat2 439
#endif

#ifndef __x86_64__
#error "the shim knows the system calls of x86-64 only"
#endif

/* The hooks. An asm label keeps them clear of libc's own declarations (transparent unions, LFS redirects). */
#define HOOK(name, result, parameters)                                                                                 \
    __attribute__((visibility("default"))) result hook_##name parameters __asm__(#name);
#define LIST(name, result, parameters)  HOOK(name, result, parameters)
#define TRUST(name, result, parameters) HOOK(name, result, parameters)
#include "shim/preload/hooks.def"
#undef HOOK
#undef LIST
#undef TRUST

/* real.c: the functions behind the hooks. */
enum real {
#define HOOK(name, result, parameters) REAL_##name,
#define LIST(name, result, parameters)
#define TRUST(name, result, parameters)
#include "shim/preload/hooks.def"
#undef HOOK
    REAL_syscall,
    REAL_fdopen,
    REAL_COUNT
};
#define HOOK(name, result, parameters) typedef result(*real_##name##_call) parameters;
#undef TRUST
#define TRUST(name, result, parameters) HOOK(name, result, parameters)
#include "shim/preload/hooks.def"
#undef HOOK
#undef LIST
#undef TRUST

/* The real function as a callable pointer; NULL when this libc has none (an old glibc without dlsym, say). */
#define REAL(name) ((real_##name##_call)real_get(REAL_##name))
void *real_get(enum real which);

/* Finds them all. Called by the constructor; a hook that runs earlier finds its own on the way. */
void real_resolve(void);

/* dlsym and its family as weak symbols; NULL where this libc lacks them. dlerror's state is left clean. */
void *real_find(void *handle, const char *name);

extern char **environ __attribute__((weak));
extern int *__errno_location(void) __attribute__((weak));

/* errno through the weak symbol: set only where the real call would have set it. */
void real_set_errno(int number);
int real_get_errno(void);

/* start.c: what the constructor found out. Constant afterwards. */
struct shim_state {
    bool is_active;        /* TOLLGATE_RUNTIME named a directory and this process is neither agent nor launcher */
    const char *runtime;   /* absolute, no trailing slash */
    const char *map;       /* its map; NULL: there was none that could be read */
    const char *library;   /* path of libtollgate.so: what LD_PRELOAD must contain */
    const char *launcher;  /* path of tollgate: what supervises static programs */
    const char *ca_file;   /* our roots */
    const char *ca_bundle; /* user's and system roots and ours */
    const char *keystore;  /* the same for Java */
};
extern struct shim_state shim;

/* map.c: the agent's map, in anonymous memory. Every look-up answers "not governed" until map_open succeeded. */
bool map_open(const char *path);
bool map_is_there(const char *path); /* would a program that starts now find one */
bool map_is_open(void);
bool map_is_strict(void);                              /* what cannot be governed must not run */
bool map_is_governed(uint32_t address);                /* host order */
bool map_is_base_url(uint32_t address, uint16_t port); /* host order */
/* Addresses of providers, as in struct tollgate_map_redirect, and their stand-ins (host order); 0, NULL: none. */
uint32_t map_find_redirect(const uint8_t original[16]);
const uint8_t *map_find_redirected(uint32_t address);
uint16_t map_find_agent(uint16_t original);                         /* host order; 0: not governed */
uint16_t map_find_original(uint16_t agent);                         /* host order; 0: no agent port */
const char *map_find_name(const char *name, uint32_t *ret_address); /* the map's own spelling, lives for ever */
/* By position in the map; NULL after the last. */
const char *map_get_name(uint32_t index, uint32_t *ret_address);
const char *map_names(void); /* all governed names, comma separated; "" without a map */

/* hello.c: the datagram that introduces a connection. */
void hello_prepare(const char *runtime, const char *group, const char *project);
void hello_send(int fd);

/* elf.c: what an exec's target is. Looks at the file only; a few system calls, no state. */
enum target_kind {
    TARGET_DYNAMIC,    /* takes a preload; also anything unreadable or unknown */
    TARGET_STATIC,     /* no interpreter, or Go: a preload does nothing, the supervisor governs it */
    TARGET_PRIVILEGED, /* gains rights by setuid or setgid: left alone */
    TARGET_FOREIGN,    /* another architecture's or another user's: cannot use what we would hand it */
    TARGET_AGENT       /* tollgated: never governed */
};
struct target {
    enum target_kind kind;
    bool has_asan; /* links gcc's libasan first, which refuses to start behind any preload unless told */
};
/* `directory` and `flags` as for execveat; `search`: look `path` up in PATH as execvp does. */
struct target elf_look(int directory, const char *path, int flags, bool search);
/* Where execvp would find a program. */
#define ELF_PATH_BYTES 2048
bool elf_find(const char *name, char room[ELF_PATH_BYTES]);

/* exec.c: false: under strict, what starts now would find no map, and go past us. */
bool exec_has_map(void);

/* supervise.c: static and Go programs are started by the launcher, which supervises them. */
struct supervise_target {
    int directory;    /* as for execveat; without a path: the program itself */
    const char *path; /* NULL: `directory` is the program */
    bool is_search;   /* in PATH */
    /* supervise_prepare: */
    char order[ELF_PATH_BYTES]; /* value of TOLLGATE_EXECUTE */
    int opened;                 /* a descriptor that supervise_undo closes, -1: none */
    int uncovered;              /* one that it makes close-on-exec again, -1: none */
};
/* True: a supervisor of ours is above this process, whatever the environment says. */
bool supervise_is_above(void);
/* False: the launcher cannot take the target's place. Then nothing is to be undone. */
bool supervise_prepare(struct supervise_target *target);
/* After an exec that failed, or a spawn. */
void supervise_undo(const struct supervise_target *target);

/* environment.c: what a governed process must find in its environment. */
/* False: the process became a user who may not read what we would hand its children (sudo, su, setpriv). */
bool environment_is_readable(void);
#define ENVIRONMENT_ROWS 40
struct environment_plan {
    const char *const *entries;
    const char *order; /* added as TOLLGATE_EXECUTE; NULL: nothing to supervise */
    size_t count;
    enum target_kind kind;
    uint64_t append;                     /* rows to add, as a set of bits */
    uint64_t rewrite;                    /* rows whose entry is replaced, or dropped when nothing of it is left */
    const char *found[ENVIRONMENT_ROWS]; /* first entry of each row */
    size_t array_bytes;
    size_t text_bytes;
};
/* Remembers our values in static storage; `entries` is the process's environment. Fills `shim`. */
void environment_remember(const char *const *entries);
/* The value of NAME in entries, or NULL. */
const char *environment_find(const char *const *entries, const char *name);
/* True: something must change, and array_bytes and text_bytes of memory suffice for environment_build. */
bool environment_plan(char *const *entries, struct target target, const char *order, struct environment_plan *ret_plan);
void environment_build(const struct environment_plan *plan, const char **array, char *text);

/* bytes.c: text and memory without libc. */
size_t text_length(const char *text);
bool text_equal(const char *a, const char *b);
int text_compare(const char *a, const char *b);
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
const char *text_find(const char *text, const char *part);
const char *text_base(const char *path);
/* Appends text at `at` (room is the caller's business) and answers the new end; the end is always NUL. */
char *text_append(char *at, const char *text);
char *text_append_number(char *at, uint32_t number);

/* A pointer that cannot belong to user space: the kernel shall answer EFAULT for it, not we with a crash. */
static inline bool pointer_is_plausible(const void *pointer)
{
    return (uintptr_t)pointer - 4096u < 0x7fffffffe000u - 4096u;
}

/* Raw system call: the kernel's answer, errno untouched. */
static inline long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
/* The kernel answers -4095 … -1 for errors; a pointer is none of them. */
static inline bool raw_is_error(long answer)
{
    return (unsigned long)answer > -4096ul;
}
#define RAW3(number, a, b, c) raw_call((number), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define RAW6(number, a, b, c, d, e, f)                                                                                 \
    raw_call((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* For a hook whose libc has no such function: the system call itself, with errno as libc would set it. */
long raw_result(long kernel_answer);

#endif

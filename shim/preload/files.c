/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that read differently below the shim, rows of one table. Java's roots: a JVM opens its own
 * lib/security/cacerts, and reads the key store that the agent wrote (system roots and ours), silently, where
 * JAVA_TOOL_OPTIONS would print a notice. /etc/hosts: libraries that resolve names without getaddrinfo (c-ares) read
 * it, and find the governed names at its end. Everybody else gets the real file, as for any other path or mode and when
 * something fails: what a program reads it may write back, or copy to where others read it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shim/preload/shim.h"

extern int dladdr(const void *address, Dl_info *ret_info) __attribute__((weak));

#define FILES_HOSTS            "/etc/hosts"
#define FILES_HOSTS_BYTES_MAX  (1 << 20)
#define FILES_LINES_BYTES      2048
#define FILES_NAME_BYTES_MAX   256
#define FILES_HOSTS_LINE_BYTES (FILES_NAME_BYTES_MAX + 32) /* with an address */

/* ---- /etc/hosts ---- */

struct files_lines {
    int fd;
    size_t used;
    char bytes[FILES_LINES_BYTES];
};

static bool files_flush(struct files_lines *lines)
{
    bool is_written = RAW3(SYS_write, lines->fd, lines->bytes, lines->used) == (long)lines->used;
    lines->used = 0;
    return is_written;
}

static bool files_append_names(int fd)
{
    struct files_lines lines = {.fd = fd};
    uint32_t address;
    const char *name;
    lines.used =
        (size_t)(text_append(lines.bytes, "\n# for programs below tollgate, not in the file itself\n") - lines.bytes);
    for (uint32_t i = 0; (name = map_get_name(i, &address)) != NULL; i++) {
        if (text_length(name) >= FILES_NAME_BYTES_MAX)
            continue;
        if (lines.used + FILES_HOSTS_LINE_BYTES > sizeof lines.bytes && !files_flush(&lines))
            return false;
        char *at = lines.bytes + lines.used;
        for (int shift = 24; shift >= 0; shift -= 8) {
            at = text_append_number(at, address >> shift & 0xff);
            at = text_append(at, shift > 0 ? "." : " ");
        }
        at = text_append(text_append(at, name), "\n");
        lines.used = (size_t)(at - lines.bytes);
    }
    return files_flush(&lines);
}

static bool files_copy_hosts(int fd)
{
    struct stat facts = {.st_mode = 0};
    long hosts = RAW6(SYS_openat, AT_FDCWD, FILES_HOSTS, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, 0, 0);
    if (hosts < 0)
        return hosts == -ENOENT;
    bool is_copied =
        RAW3(SYS_fstat, hosts, &facts, 0) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= FILES_HOSTS_BYTES_MAX;
    for (off_t left = facts.st_size; is_copied && left > 0;) {
        long sent = RAW6(SYS_sendfile, fd, hosts, 0, left, 0, 0);
        is_copied = sent > 0;
        left -= is_copied ? sent : 0;
    }
    RAW3(SYS_close, hosts, 0, 0);
    return is_copied;
}

/* Opened anew, so that it is as read-only, and at its beginning, as the real one would be. */
static long files_open_hosts(int flags)
{
    long answer = -ENOENT;
    long memory = RAW3(SYS_memfd_create, "hosts", MFD_CLOEXEC, 0);
    if (memory < 0)
        return memory;
    char path[32];
    text_append_number(text_append(path, "/proc/self/fd/"), (uint32_t)memory);
    if (files_copy_hosts((int)memory) && files_append_names((int)memory))
        answer = RAW6(SYS_openat, AT_FDCWD, path, flags & ~O_NOFOLLOW, 0, 0, 0);
    RAW3(SYS_close, memory, 0, 0);
    return answer;
}

static bool files_is_hosts(const char *path)
{
    return text_equal(path, FILES_HOSTS);
}

/* ---- Java's roots ---- */

static long files_open_keystore(int flags)
{
    return shim.keystore != NULL ? RAW6(SYS_openat, AT_FDCWD, shim.keystore, flags, 0, 0, 0) : -ENOENT;
}

static bool files_is_keystore(const char *path)
{
    return text_ends(path, "/lib/security/cacerts");
}

/* ---- the table ---- */

/* keytool would write into the real file what it read here. */
static bool files_is_no_keytool(const void *caller)
{
    char program[512];
    (void)caller;
    long length = RAW3(SYS_readlink, "/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return true;
    program[length] = '\0';
    return !text_equal(text_base(program), "keytool");
}

/* libcares, Python's _cares, and gRPC, which carries it. */
static bool files_is_resolver(const void *caller)
{
    Dl_info owner;
    if (dladdr == NULL || dladdr(caller, &owner) == 0 || owner.dli_fname == NULL)
        return false;
    const char *name = text_base(owner.dli_fname);
    return text_find(name, "cares") != NULL || text_find(name, "grpc") != NULL;
}

static const struct files_row {
    bool (*is_path)(const char *path);
    bool (*is_reader)(const void *caller); /* asked once the path has matched */
    long (*open)(int flags);               /* a descriptor, or the kernel's error */
} files_rows[] = {
    {files_is_keystore, files_is_no_keytool, files_open_keystore},
    {files_is_hosts, files_is_resolver, files_open_hosts},
};

/* A descriptor of what is to be read in the file's place; negative: the file itself. errno is left alone. */
static int files_find(const void *caller, const char *path, int flags)
{
    if (!shim.is_active || !map_is_open() || !pointer_is_plausible(path))
        return -1;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC | O_PATH | O_DIRECTORY)))
        return -1;
    for (size_t i = 0; i < sizeof files_rows / sizeof files_rows[0]; i++)
        if (files_rows[i].is_path(path) && files_rows[i].is_reader(caller))
            return (int)files_rows[i].open(flags);
    return -1;
}

static int files_open(const void *caller, enum real which, const char *path, int flags, unsigned mode)
{
    real_open_call real = (real_open_call)real_get(which);
    int fd = files_find(caller, path, flags);
    if (fd >= 0)
        return fd;
    return real ? real(path, flags, mode) : (int)raw_result(RAW6(SYS_openat, AT_FDCWD, path, flags, mode, 0, 0));
}

static int files_open_at(const void *caller, enum real which, int directory, const char *path, int flags, unsigned mode)
{
    real_openat_call real = (real_openat_call)real_get(which);
    int fd = files_find(caller, path, flags);
    if (fd >= 0)
        return fd;
    return real ? real(directory, path, flags, mode)
                : (int)raw_result(RAW6(SYS_openat, directory, path, flags, mode, 0, 0));
}

/* The stream is libc's own (fdopen): only it knows how to make and close one. */
static FILE *files_open_stream(const void *caller, enum real which, const char *path, const char *mode)
{
    real_fopen_call real = (real_fopen_call)real_get(which);
    FILE *(*real_fdopen)(int, const char *) = (FILE * (*)(int, const char *)) real_get(REAL_fdopen);
    bool is_reading =
        pointer_is_plausible(mode) && mode[0] == 'r' && text_find(mode, "+") == NULL && text_find(mode, ",") == NULL;
    int fd = is_reading && real_fdopen
                 ? files_find(caller, path, text_find(mode, "e") ? O_RDONLY | O_CLOEXEC : O_RDONLY)
                 : -1;
    if (fd >= 0) {
        int saved = real_get_errno();
        FILE *stream = real_fdopen(fd, mode);
        if (stream != NULL)
            return stream;
        RAW3(SYS_close, fd, 0, 0);
        real_set_errno(saved);
    }
    return real ? real(path, mode) : NULL;
}

/* The mode counts only with O_CREAT; reading it always is reading a register. */
static unsigned files_mode(va_list *list)
{
    return va_arg(*list, unsigned);
}

int hook_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = files_mode(&list);
    va_end(list);
    return files_open(__builtin_return_address(0), REAL_open, path, flags, mode);
}

int hook_open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = files_mode(&list);
    va_end(list);
    return files_open(__builtin_return_address(0), REAL_open64, path, flags, mode);
}

int hook_openat(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = files_mode(&list);
    va_end(list);
    return files_open_at(__builtin_return_address(0), REAL_openat, directory, path, flags, mode);
}

int hook_openat64(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = files_mode(&list);
    va_end(list);
    return files_open_at(__builtin_return_address(0), REAL_openat64, directory, path, flags, mode);
}

FILE *hook_fopen(const char *path, const char *mode)
{
    return files_open_stream(__builtin_return_address(0), REAL_fopen, path, mode);
}

FILE *hook_fopen64(const char *path, const char *mode)
{
    return files_open_stream(__builtin_return_address(0), REAL_fopen64, path, mode);
}

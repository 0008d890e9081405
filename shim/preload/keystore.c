/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Java's roots. A JVM opens its own lib/security/cacerts; reading that path yields the key store that the agent wrote
 * (system roots and ours), silently, where JAVA_TOOL_OPTIONS would print a notice. Any other path or mode, a missing
 * key store, and keytool (which would write what it read back into the real file) get the real file.
 */
#include <fcntl.h>
#include <stdarg.h>

#include "shim/preload/shim.h"

/* keytool is told apart only once the path matched: one readlink per trust store, none per open. */
static bool keystore_is_tool(void)
{
    char program[512];
    long length = RAW3(SYS_readlink, "/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    return text_equal(text_base(program), "keytool");
}

static const char *keystore_find(const char *path, int flags)
{
    if (!shim.is_active || shim.keystore == NULL || !map_is_open() || !pointer_is_plausible(path))
        return NULL;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC | O_PATH)))
        return NULL;
    return text_ends(path, "/lib/security/cacerts") && !keystore_is_tool() ? shim.keystore : NULL;
}

static int keystore_open(enum real which, const char *path, int flags, unsigned mode)
{
    real_open_call real = (real_open_call)real_get(which);
    const char *keystore = keystore_find(path, flags);
    if (keystore != NULL) {
        int saved = real_get_errno();
        int fd = real ? real(keystore, flags, mode) : -1;
        if (fd >= 0)
            return fd;
        real_set_errno(saved);
    }
    return real ? real(path, flags, mode) : (int)raw_result(RAW6(SYS_openat, AT_FDCWD, path, flags, mode, 0, 0));
}

static int keystore_open_at(enum real which, int directory, const char *path, int flags, unsigned mode)
{
    real_openat_call real = (real_openat_call)real_get(which);
    const char *keystore = keystore_find(path, flags);
    if (keystore != NULL) {
        int saved = real_get_errno();
        int fd = real ? real(AT_FDCWD, keystore, flags, mode) : -1;
        if (fd >= 0)
            return fd;
        real_set_errno(saved);
    }
    return real ? real(directory, path, flags, mode)
                : (int)raw_result(RAW6(SYS_openat, directory, path, flags, mode, 0, 0));
}

static FILE *keystore_open_stream(enum real which, const char *path, const char *mode)
{
    real_fopen_call real = (real_fopen_call)real_get(which);
    bool is_reading = pointer_is_plausible(mode) && mode[0] == 'r' && text_find(mode, "+") == NULL;
    const char *keystore = is_reading ? keystore_find(path, O_RDONLY) : NULL;
    if (keystore != NULL) {
        int saved = real_get_errno();
        FILE *stream = real ? real(keystore, mode) : NULL;
        if (stream != NULL)
            return stream;
        real_set_errno(saved);
    }
    return real ? real(path, mode) : NULL;
}

/* The mode counts only with O_CREAT; reading it always is reading a register. */
static unsigned keystore_mode(va_list *list)
{
    return va_arg(*list, unsigned);
}

int hook_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = keystore_mode(&list);
    va_end(list);
    return keystore_open(REAL_open, path, flags, mode);
}

int hook_open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = keystore_mode(&list);
    va_end(list);
    return keystore_open(REAL_open64, path, flags, mode);
}

int hook_openat(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = keystore_mode(&list);
    va_end(list);
    return keystore_open_at(REAL_openat, directory, path, flags, mode);
}

int hook_openat64(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = keystore_mode(&list);
    va_end(list);
    return keystore_open_at(REAL_openat64, directory, path, flags, mode);
}

FILE *hook_fopen(const char *path, const char *mode)
{
    return keystore_open_stream(REAL_fopen, path, mode);
}

FILE *hook_fopen64(const char *path, const char *mode)
{
    return keystore_open_stream(REAL_fopen64, path, mode);
}

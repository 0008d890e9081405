/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CA variables that replace a client's trust store must keep the user's own choice trusted: this merges the user's
 * file with ours into merged/HASH.pem of a directory of this user. The hash names the contents, so the file is written
 * once (by rename) and found again by every later run; nothing is read but our own small CA file.
 */
#include "shim/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define BUNDLE_BYTES_MAX (16u << 20)
#define BUNDLE_OWN_BYTES 16384 /* a few roots of ours, 600 bytes each */

/* Where systems keep what the agent's bundle was made from. */
static const char *const bundle_system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/ssl/cert.pem",
    NULL,
};

static bool bundle_is_system(const struct stat *file)
{
    struct stat facts;
    for (const char *const *path = bundle_system_files; *path; path++)
        if (stat(*path, &facts) == 0 && facts.st_dev == file->st_dev && facts.st_ino == file->st_ino)
            return true;
    return false;
}

/* Our roots by content, the rest by what changes when a file does: a restarted agent writes the same bundle again. */
static uint64_t bundle_hash(const char *ca, const struct stat *ours, const char *user_path, const struct stat *user)
{
    char *bytes = text_allocate(BUNDLE_OWN_BYTES);
    int fd = open(ca, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, bytes, BUNDLE_OWN_BYTES) : 0;
    if (fd >= 0)
        close(fd);
    uint64_t roots = tollgate_hash(TOLLGATE_HASH_START, bytes, got > 0 ? (size_t)got : 0);
    const char *key =
        text_format("%" PRIx64 " %lld %lld %llu %llu %lld.%09ld %s", roots, (long long)ours->st_size,
                    (long long)user->st_size, (unsigned long long)user->st_dev, (unsigned long long)user->st_ino,
                    (long long)user->st_mtim.tv_sec, user->st_mtim.tv_nsec, user_path);
    return tollgate_hash(TOLLGATE_HASH_START, key, strlen(key));
}

static bool bundle_write(int to, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t done = write(to, bytes, count);
        if (done < 0)
            return false;
        bytes += done;
        count -= (size_t)done;
    }
    return true;
}

/* A file without a final newline would swallow the next certificate's first line. */
static int bundle_copy(const char *path, int to)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return errno;
    char bytes[65536];
    size_t total = 0;
    ssize_t got;
    int error = 0;
    while (error == 0 && (got = read(from, bytes, sizeof bytes)) > 0) {
        total += (size_t)got;
        if (total > BUNDLE_BYTES_MAX)
            error = EFBIG;
        else if (!bundle_write(to, bytes, (size_t)got))
            error = errno;
    }
    if (error == 0 && got < 0)
        error = errno;
    close(from);
    return error ? error : bundle_write(to, "\n", 1) ? 0 : errno;
}

static int bundle_create(const char *path, const char *user_path, const char *ours)
{
    const char *temporary = text_format("%s.%d", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    int error = bundle_copy(user_path, fd);
    if (error == 0)
        error = bundle_copy(ours, fd);
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(temporary, path) != 0)
        error = errno;
    if (error)
        unlink(temporary);
    return error;
}

int bundle_merge(const struct launch_place *place, const char *user_value, const char *ours, const char **ret_value)
{
    struct stat user, bundle;
    /* A value that leads nowhere gives a client no roots at all; ours must still work. */
    if (!user_value || stat(user_value, &user) != 0) {
        *ret_value = ours;
        return EX_OK;
    }
    if (!S_ISREG(user.st_mode)) {
        *ret_value = user_value;
        return EX_OK;
    }
    if (bundle_is_system(&user)) {
        *ret_value = place_file(place, TOLLGATE_FILE_BUNDLE);
        return EX_OK;
    }
    if (stat(ours, &bundle) != 0) {
        text_complain("%s: %s; is the agent damaged? tollgate doctor", ours, strerror(errno));
        return EX_UNAVAILABLE;
    }
    const char *directory = text_format("%s/merged", place->own);
    uint64_t hash = bundle_hash(place_file(place, TOLLGATE_FILE_CA), &bundle, user_value, &user);
    const char *path = text_format("%s/%016" PRIx64 ".pem", directory, hash);
    int error = place_make_directory(directory, 0700);
    if (error == 0 && place_verify_own(place) != EX_OK) /* in /tmp somebody else may have been there first */
        return EX_NOPERM;
    if (error == 0 && access(path, R_OK) != 0)
        error = bundle_create(path, user_value, ours);
    if (error) {
        text_complain("cannot merge %s with our CA into %s: %s", user_value, path, strerror(error));
        return error == EACCES ? EX_NOPERM : EX_IOERR;
    }
    *ret_value = path;
    return EX_OK;
}

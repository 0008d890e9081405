/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A .tar.gz in memory: POSIX ustar within gzip members that are stored, not compressed (RFC 1952, RFC 1951 3.2.4), so
 * that any tar reads it and the client links no library for it. For support bundles: some megabytes at most.
 */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

struct archive {
    const char *directory; /* before every name */
    long long time_s;      /* of every entry */
    char *bytes;
    size_t length, capacity;
};

/* Of at most 90 characters with the directory. The bytes are copied. */
void archive_add(struct archive *archive, const char *name, const char *bytes, size_t length);
/* A new file, 0600; 0, or errno (EEXIST: nothing is overwritten, no link followed), and then no file is left. */
int archive_write(struct archive *archive, const char *path);

#endif

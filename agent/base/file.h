/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files written, replaced and read. A file is either the old one or the new one, whatever happens in between. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#include <sys/types.h>

/* All of it, whatever interrupts; false: errno says why. Not synced. */
bool file_write_all(int fd, struct slice contents) MUST_USE;
/* By a file PATH.new in the same directory, fsync, rename; the directory is not synced. FILE_UNWRITABLE. */
enum error file_swap(const char *path, struct slice contents, mode_t mode) MUST_USE;
enum error file_sync_directory(const char *path) MUST_USE;
/* Appends the contents; FILE_UNREADABLE when missing or beyond the buffer's bound. */
enum error file_read_into(const char *path, struct buffer *buffer) MUST_USE;

#endif

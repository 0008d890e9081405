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
/* A file that is written in pieces: it has no name (where the file system can do that), so that nothing is left of it
 * whatever happens, until it becomes PATH. */
struct file_draft {
    int fd;
    bool is_named;
    char path[4096], temporary[4096];
};
enum error file_draft_open(const char *path, struct file_draft *ret_draft) MUST_USE; /* FILE_UNWRITABLE */
/* fsync, link; the directory is not synced. Replaces nothing. FILE_UNWRITABLE (also where PATH is there): nothing is
 * left of the draft, PATH is as it was. */
enum error file_draft_publish(struct file_draft *draft, mode_t mode) MUST_USE;
void file_draft_discard(struct file_draft *draft); /* also after publish, or when open failed: nothing happens */
/* The directory, and those above it that are not there, each with `mode`; who has made one of them meanwhile is as
 * welcome. False: errno says why it is none now. */
bool file_make_directory(const char *path, mode_t mode) MUST_USE;
/* Why this process could not write in the directory, made first where it is not there: an errno; 0: nothing is in the
 * way. Changes nothing. */
int file_find_obstacle(const char *directory);
enum error file_sync_directory(const char *path) MUST_USE;
/* Appends the contents; FILE_UNREADABLE when missing or beyond the buffer's bound. */
enum error file_read_into(const char *path, struct buffer *buffer) MUST_USE;

#endif

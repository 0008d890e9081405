/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernelspec as a directory: made beside the place where it belongs, with a copy of another one's resources (logos,
 * kernel.js), and moved there when it is whole. Only what is ours is ever replaced or removed.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { COPY_DEPTH_MAX = 4, COPY_FILES_MAX = 1000, COPY_BYTES_MAX = 64 << 20 };

struct copying {
    size_t files;
    long long bytes;
};

static bool copy_bytes(int from, int to, struct copying *copying)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0) {
        copying->bytes += got;
        errno = EFBIG;
        if (copying->bytes > COPY_BYTES_MAX || write(to, bytes, (size_t)got) != got)
            return false;
    }
    return got == 0;
}

static bool copy_file(const char *from, const char *to, struct copying *copying)
{
    struct stat facts;
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in < 0)
        return false;
    bool is_file = fstat(in, &facts) == 0 && S_ISREG(facts.st_mode);
    int out = is_file ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (facts.st_mode & 0777) | 0600) : -1;
    bool is_copied = !is_file || (out >= 0 && copy_bytes(in, out, copying)); /* a pipe is no resource */
    if (out >= 0 && close(out) != 0)
        is_copied = false;
    close(in);
    return is_copied;
}

static bool copy_directory(const char *from, const char *to, int depth, struct copying *copying)
{
    DIR *directory = opendir(from);
    bool is_copied = directory != NULL;
    struct dirent *entry;
    while (is_copied && (entry = readdir(directory))) {
        struct stat facts;
        const char *name = entry->d_name, *file = text_format("%s/%s", from, name);
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (depth == 0 && strcmp(name, "kernel.json") == 0) ||
            lstat(file, &facts) != 0)
            continue;
        const char *copy = text_format("%s/%s", to, name);
        errno = EFBIG;
        if (++copying->files > COPY_FILES_MAX || depth == COPY_DEPTH_MAX)
            is_copied = false;
        else if (S_ISDIR(facts.st_mode))
            is_copied = mkdir(copy, 0755) == 0 && copy_directory(file, copy, depth + 1, copying);
        else
            is_copied = copy_file(file, copy, copying);
    }
    if (directory)
        closedir(directory);
    return is_copied;
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *place)
{
    (void)facts;
    (void)type;
    (void)place;
    return remove(path);
}

static bool remove_tree(const char *directory)
{
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0;
}

static bool write_spec(const json_t *spec, const char *file, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool is_written = fd >= 0 && json_dumpfd(spec, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
    return fd >= 0 && close(fd) == 0 && is_written;
}

/* Moved aside, not removed first: there is a kernel of this name all the time but for two renames. */
static bool put_in_place(const char *made, const char *target, const char *aside)
{
    bool was_there = rename(target, aside) == 0;
    if (rename(made, target) == 0)
        return true;
    int error = errno;
    if (was_there && rename(aside, target) != 0)
        text_complain("%s is now %s", terminal_clean(target), terminal_clean(aside));
    errno = error;
    return false;
}

int kernel_write(const struct kernel *from, const json_t *spec, const char *data, const char *name)
{
    const char *kernels = text_format("%s/kernels", data), *target = text_format("%s/%s", kernels, name);
    char *workshop = text_format("%s/.tollgate-XXXXXX", data); /* on the same file system, and no kernel for Jupyter */
    struct copying copying = {0};
    errno = place_make_directory(kernels, 0755);
    bool is_open = errno == 0 && mkdtemp(workshop);
    const char *made = text_format("%s/new", workshop);
    bool is_done = is_open && mkdir(made, 0755) == 0 && copy_directory(from->directory, made, 0, &copying) &&
                   write_spec(spec, text_format("%s/kernel.json", made), from->mode) &&
                   put_in_place(made, target, text_format("%s/old", workshop));
    int error = errno;
    if (is_open)
        remove_tree(workshop);
    if (is_done)
        return EX_OK;
    text_complain("%s could not be written: %s", terminal_clean(target), strerror(error));
    return EX_CANTCREAT;
}

int kernel_remove(const char *directory)
{
    if (remove_tree(directory))
        return EX_OK;
    text_complain("%s could not be removed: %s", terminal_clean(directory), strerror(errno));
    return EX_CANTCREAT;
}

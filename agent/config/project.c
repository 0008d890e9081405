/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A project's .tollgate.yaml: a small file that comes with other people's work. It is read with the policy's own
 * reader and table, from one descriptor: owner and mode, bytes, digest and meaning are of the same file. Whether it is
 * obeyed is not decided here (the client asks its user's `tollgate trust`).
 */
#include "config/loader.h"

#include "base/digest.h"
#include "config/problems.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROJECT_BYTES_MAX = 16384 };

_Static_assert(sizeof(((struct project_file *)0)->digest) == DIGEST_TEXT_MAX, "digest_format");

/* NULL: it may be read. As ssh and its keys: who could write it could speak for the user. */
static const char *refuse_kept(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return "cannot be examined";
    if (!S_ISREG(status.st_mode))
        return "is no regular file";
    if (status.st_uid != geteuid() && status.st_uid != 0)
        return "belongs to another user";
    if (status.st_mode & 022)
        return "can be written by others (chmod go-w)";
    return NULL;
}

static const char *refuse_unread(int error)
{
    return error == EFBIG     ? "is larger than 16 KiB"
           : error == ELOOP   ? "is a loop of symbolic links"
           : error == ENOENT  ? "is not there"
           : error == EAGAIN  ? "changes while it is read"
           : error == EACCES  ? "may not be read"
           : error == ENOTDIR ? "is not there"
           : error == ENXIO   ? "is no regular file"
                              : "cannot be read";
}

static const char *read_kept(const char *file, struct arena *arena, char **ret_bytes, size_t *ret_length)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return refuse_unread(errno);
    const char *refused = refuse_kept(fd);
    if (!refused && file_read_open(fd, PROJECT_BYTES_MAX, arena, ret_bytes, ret_length))
        refused = refuse_unread(errno);
    close(fd);
    return refused;
}

static void take_digest(struct slice bytes, struct project_file *project)
{
    unsigned char digest[DIGEST_BYTES];
    digest_sha256(bytes, digest);
    digest_format(digest, project->digest);
}

/* An empty file, or one of comments alone, says what the defaults say. */
static bool is_empty(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '#')
            while (i + 1 < text.length && text.data[i + 1] != '\n')
                i++;
        else if (text.data[i] == '\0' || !strchr(" \t\r\n", text.data[i]))
            return false;
    }
    return true;
}

static void parse(struct loader *loader, char *bytes, size_t length, struct project_file *project)
{
    struct document *document = loader->document;
    size_t first_problem = loader->problems->count;
    apply_defaults(loader, &table_project_file, project);
    if (is_empty((struct slice){bytes, length}))
        return;
    if (document_parse(document->file, bytes, length, loader->scratch, loader->problems, document)) {
        if (document->root->kind == NODE_MAPPING)
            apply_object(loader, &table_project_file, document->root, project);
        else
            report(loader, SEVERITY_ERROR, document->root, "e.g. environment: dev",
                   "the file must be a mapping (key: value)");
    }
    mask_quote_lines(loader, document, first_problem);
}

/* The path is other people's too; problems are for a terminal. */
static const char *printable(const char *file, struct arena *arena)
{
    char *copy = arena_strdup(arena, file);
    for (char *at = copy; *at; at++)
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
    return copy;
}

enum error config_read_project(const char *file, struct arena *arena, struct config_problems *problems,
                               const char **ret_refused, struct project_file *ret_project)
{
    struct arena *scratch = arena_new(16384);
    struct settings settings = {0};
    struct document document = {.file = printable(file, arena)};
    struct loader loader = {
        .problems = problems, .settings = &settings, .arena = arena, .scratch = scratch, .document = &document};
    struct project_file project = {0};
    size_t errors_before = problems->error_count, length = 0;
    char *bytes = NULL;
    enum error error = ERROR_OK;
    const char *refused = read_kept(file, scratch, &bytes, &length);
    if (refused) {
        *ret_refused = refused;
        error = ERROR_FILE_UNREADABLE;
    } else {
        take_digest((struct slice){bytes, length}, &project);
        parse(&loader, bytes, length, &project);
        problems_sort(problems);
        error = problems->error_count > errors_before ? ERROR_SETTINGS_INVALID : ERROR_OK;
        *ret_project = project;
    }
    arena_free(scratch);
    return error;
}

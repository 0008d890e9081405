/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate export: a window's file from the agent, to standard output or into a file with its manifest beside it. The
 * files have no names until they are whole, so that nothing is left of those that fail. --list: what the agent wrote by
 * itself.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define EXPORT_TRAILER     "tollgate-manifest: "
#define EXPORT_PROGRESS_MS 200
#define EXPORT_SHORT_MS    1000 /* what takes less is not worth a word */

struct draft {
    const char *path;
    const char *temporary; /* a name of ours; NULL: it has none */
    bool has_replaced;     /* `temporary` is the older file */
    int fd;
};
struct download {
    struct http_stream *stream;
    struct draft file; /* fd -1: to standard output */
    long long bytes;
    bool has_terminal, has_progress; /* that progress can be shown on, that it was */
    long long due_ms;                /* monotonic: when it is shown next */
};

/* ---- a file without a name ---- */

static int draft_complain(const char *path)
{
    text_complain("%s cannot be written: %s", path, strerror(errno));
    return EX_CANTCREAT;
}

static const char *draft_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? "." : slash == path ? "/" : text_format("%.*s", (int)(slash - path), path);
}

/* A name that nobody else has, or can foresee; NULL: there is none. */
static const char *draft_new_name(const char *path)
{
    uint64_t number;
    return getrandom(&number, sizeof number, 0) == sizeof number
               ? text_format("%s.%016llx.new", path, (unsigned long long)number)
               : NULL;
}

/* Replaces regular files only: a rename over /dev/null would be a rename. */
static int draft_open(const char *path, struct draft *ret_draft)
{
    struct stat status;
    struct draft draft = {.path = path};
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        text_complain("%s is no regular file", path);
        return EX_CANTCREAT;
    }
    draft.fd = open(draft_directory(path), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (draft.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        const char *name = draft_new_name(path);
        draft.fd = name ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
        draft.temporary = draft.fd < 0 ? NULL : name;
    }
    *ret_draft = draft;
    return draft.fd < 0 ? draft_complain(path) : EX_OK;
}

static void draft_discard(struct draft *draft)
{
    if (draft->fd < 0)
        return;
    if (draft->temporary)
        unlink(draft->temporary);
    close(draft->fd);
    draft->fd = -1;
}

static bool draft_write(struct draft *draft, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(draft->fd, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

static bool draft_name(struct draft *draft)
{
    const char *name = draft->temporary ? NULL : draft_new_name(draft->path);
    if (name && linkat(AT_FDCWD, text_format("/proc/self/fd/%d", draft->fd), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0)
        draft->temporary = name;
    return draft->temporary != NULL;
}

/* Where two files cannot change names (NFS): the older one gets a second name first. */
static bool draft_replace(struct draft *draft)
{
    const char *older = draft_new_name(draft->path);
    if (!older)
        return false;
    draft->has_replaced = link(draft->path, older) == 0;
    if (!draft->has_replaced && errno != ENOENT)
        return false;
    if (rename(draft->temporary, draft->path) != 0) {
        int error = errno;
        if (draft->has_replaced)
            unlink(older);
        errno = error;
        draft->has_replaced = false;
        return false;
    }
    draft->temporary = draft->has_replaced ? older : NULL;
    return true;
}

/* An older file and the new one change names: it is taken away by draft_discard, or comes back. */
static bool draft_publish(struct draft *draft)
{
    draft->has_replaced = renameat2(AT_FDCWD, draft->temporary, AT_FDCWD, draft->path, RENAME_EXCHANGE) == 0;
    return draft->has_replaced || ((errno == ENOENT || errno == EINVAL || errno == ENOSYS) && draft_replace(draft));
}

static void draft_withdraw(struct draft *draft)
{
    if (!draft->has_replaced)
        unlink(draft->path);
    else
        rename(draft->temporary, draft->path);
    draft->temporary = NULL; /* should that fail, the older file keeps this name */
}

/* Both are on disk before either has a name. */
static int draft_publish_both(struct draft *file, struct draft *manifest)
{
    if (fsync(file->fd) != 0 || fsync(manifest->fd) != 0 || !draft_name(file) || !draft_name(manifest) ||
        !draft_publish(file))
        return draft_complain(file->path);
    if (!draft_publish(manifest)) {
        int code = draft_complain(manifest->path);
        draft_withdraw(file);
        return code;
    }
    int directory = open(draft_directory(file->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        fsync(directory);
        close(directory);
    }
    return EX_OK;
}

/* ---- the bytes ---- */

static void export_show_progress(struct download *download)
{
    long long now_ms = launch_now_ms();
    if (!download->has_terminal || now_ms < download->due_ms)
        return;
    fprintf(stderr, "\r%.1f MB", (double)download->bytes / 1e6);
    download->due_ms = now_ms + EXPORT_PROGRESS_MS;
    download->has_progress = true;
}

static bool export_put(struct download *download, const char *bytes, size_t count)
{
    download->bytes += (long long)count;
    return download->file.fd >= 0 ? draft_write(&download->file, bytes, count)
                                  : fwrite(bytes, 1, count, stdout) == count;
}

static int export_copy(const struct cli *cli, struct download *download)
{
    char bytes[16384];
    long got;
    download->has_terminal = isatty(STDERR_FILENO) && !(isatty(STDOUT_FILENO) && download->file.fd < 0);
    download->due_ms = launch_now_ms() + EXPORT_SHORT_MS;
    while ((got = http_read(download->stream, bytes, sizeof bytes)) > 0) {
        if (!export_put(download, bytes, (size_t)got))
            return draft_complain(download->file.path ? download->file.path : "standard output");
        export_show_progress(download);
    }
    if (download->has_progress)
        fputs("\r\033[K", stderr);
    if (got == -EPROTO) {
        text_complain("the agent of %s ended the export before its end; its log says why", cli->place.environment);
        return EX_TEMPFAIL;
    }
    return got < 0 ? api_complain_absent(cli, (int)got) : EX_OK;
}

/* ---- the manifest ---- */

static json_t *export_find_manifest(const struct download *download)
{
    json_error_t ignored;
    const char *line = strstr(download->stream->trailer, EXPORT_TRAILER);
    const char *text = line ? line + strlen(EXPORT_TRAILER) : "";
    json_t *manifest = json_loadb(text, strcspn(text, "\n"), 0, &ignored);
    if (json_is_object(manifest) && api_integer(manifest, "bytes", -1) == download->bytes)
        return manifest;
    json_decref(manifest);
    text_complain("the export came without a manifest that fits it");
    return NULL;
}

static int export_write_manifest(const struct draft *file, const json_t *manifest, struct draft *draft)
{
    const char *slash = strrchr(file->path, '/');
    json_t *copy = json_copy((json_t *)(size_t)manifest);
    json_object_set_new(copy, "file", json_string(slash ? slash + 1 : file->path));
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    bool ok = text && draft_write(draft, text, strlen(text)) && draft_write(draft, "\n", 1);
    free(text);
    return ok ? EX_OK : draft_complain(draft->path);
}

static void export_say(const struct cli *cli, const struct draft *file, const json_t *manifest)
{
    const json_t *sums = json_object_get(manifest, "reconciliation");
    if (cli->options.json) {
        json_dumpf(manifest, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        printf("%s: %s rows, %s USD paid, as the ledger says: %s\n", file->path, api_text(manifest, "rows", "-"),
               terminal_money(api_text(sums, "paid", "-")), api_text(manifest, "reconciled", "-"));
    }
}

static int export_judge(const json_t *manifest)
{
    if (json_is_true(json_object_get(manifest, "reconciled")))
        return EX_OK;
    text_complain("the export differs from the ledger: %s",
                  terminal_clean(api_text(json_object_get(manifest, "reconciliation"), "problem", "-")));
    return CLI_NEGATIVE;
}

/* ---- the command ---- */

static int export_open(const struct cli *cli, struct http_stream *ret_stream)
{
    const struct options *options = &cli->options;
    const char *path =
        text_format("/v1/export?format=%s&period=%s&timezone=%s", api_encode(options->format ? options->format : "csv"),
                    api_encode(options->window ? options->window : "last-week"),
                    api_encode(options->time_zone ? options->time_zone : "UTC"));
    const struct http_request request = {.method = "GET", .path = path};
    int code = place_verify(&cli->place);
    if (code != EX_OK)
        return code;
    int error = http_open(&cli->place, &request, ret_stream);
    if (error)
        return api_complain_absent(cli, error);
    if (ret_stream->status == 200)
        return EX_OK;
    code = api_refuse(ret_stream);
    http_close(ret_stream);
    return code;
}

static int export_to_file(const struct cli *cli, struct download *download)
{
    struct draft *file = &download->file, manifest_file = {.fd = -1};
    json_t *manifest = NULL;
    int code = draft_open(cli->options.output, file);
    if (code == EX_OK)
        code = draft_open(text_format("%s.manifest.json", file->path), &manifest_file);
    if (code == EX_OK)
        code = export_copy(cli, download);
    if (code == EX_OK && !(manifest = export_find_manifest(download)))
        code = EX_PROTOCOL;
    if (code == EX_OK)
        code = export_write_manifest(file, manifest, &manifest_file);
    if (code == EX_OK)
        code = draft_publish_both(file, &manifest_file);
    if (code == EX_OK) {
        export_say(cli, file, manifest);
        code = export_judge(manifest);
    }
    draft_discard(file);
    draft_discard(&manifest_file);
    json_decref(manifest);
    return code;
}

static int export_to_output(const struct cli *cli, struct download *download)
{
    json_t *manifest = NULL;
    int code = export_copy(cli, download);
    if (code == EX_OK && !(manifest = export_find_manifest(download)))
        code = EX_PROTOCOL;
    if (code == EX_OK)
        code = export_judge(manifest);
    json_decref(manifest);
    return code;
}

static int export_list(const struct cli *cli)
{
    static const struct table_column columns[] = {{"SINCE", 0},      {"UNTIL", TABLE_WIDE}, {"SCHEDULE", TABLE_WIDE},
                                                  {"FORMAT", 0},     {"ROWS", TABLE_RIGHT}, {"COST", TABLE_RIGHT},
                                                  {"RECONCILED", 0}, {"FILE", TABLE_FLEX}};
    struct answer answer;
    int code = api_get(cli, "/v1/exports", &answer);
    if (code != EX_OK)
        return code;
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    const json_t *exports = json_object_get(answer.json, "exports");
    for (size_t i = 0; i < json_array_size(exports); i++) {
        const json_t *row = json_array_get(exports, i);
        table_add(&table, terminal_time(api_text(row, "since", "-"), true));
        table_add(&table, terminal_time(api_text(row, "until", "-"), true));
        table_add(&table, api_text(row, "schedule", "-"));
        table_add(&table, api_text(row, "format", "-"));
        table_add(&table, api_text(row, "rows", "-"));
        table_add(&table, terminal_money(api_text(row, "cost", "-")));
        table_add(&table, api_text(row, "reconciled", "-"));
        table_add(&table, api_text(row, "file", "-"));
    }
    if (cli->options.json)
        terminal_print_json(&answer);
    else
        table_print(&table, stdout);
    json_decref(answer.json);
    return EX_OK;
}

int export_command(struct cli *cli)
{
    if (cli->options.list)
        return export_list(cli);
    struct http_stream *stream = text_allocate(sizeof *stream);
    struct download download = {.stream = stream, .file = {.fd = -1}};
    int code = export_open(cli, stream);
    if (code != EX_OK)
        return code;
    code = cli->options.output ? export_to_file(cli, &download) : export_to_output(cli, &download);
    http_close(stream);
    return code;
}

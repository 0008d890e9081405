/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file and its manifest in a directory, both or none. The file comes first: a manifest that is there says that its
 * file is whole. Called by schedule.c.
 */
#include "evidence/export.h"

#include "base/file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MANIFEST_BYTES_MAX = 16 << 10, FILE_MODE = 0600 };

struct sink {
    const struct file_draft *draft;
    uint64_t low_water_bytes; /* limits.disk_low_water_bytes */
};

/* An export must not be what fills the ledger's disk. */
static bool write_bytes(void *context, struct slice bytes)
{
    const struct sink *sink = context;
    struct statvfs room;
    if (fstatvfs(sink->draft->fd, &room) != 0 ||
        (uint64_t)room.f_bavail * room.f_frsize < sink->low_water_bytes + bytes.length)
        return false;
    return file_write_all(sink->draft->fd, bytes);
}

static enum error draft_manifest(const struct export_order *order, const struct export_result *result, const char *name,
                                 struct file_draft *draft)
{
    struct buffer text;
    buffer_init(&text, MANIFEST_BYTES_MAX);
    export_write_manifest(order, result, name, &text);
    bool ok = buffer_append(&text, SLICE_LITERAL("\n")) && file_write_all(draft->fd, buffer_contents(&text));
    buffer_done(&text);
    return ok ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

/* What can fail for want of room has been done before: both are on disk, without names. */
static enum error publish(struct file_draft *file, struct file_draft *manifest, const char *directory)
{
    if (fsync(manifest->fd) != 0)
        return ERROR_FILE_UNWRITABLE;
    enum error error = file_draft_publish(file, FILE_MODE);
    if (error)
        return error;
    error = file_draft_publish(manifest, FILE_MODE);
    if (error) {
        unlink(file->path); /* ours: nothing was there before */
        return error;
    }
    error = file_sync_directory(directory);
    if (error) {
        unlink(manifest->path);
        unlink(file->path);
    }
    return error;
}

enum error export_save(const struct export_order *order, const char *directory, const char *name, bool must_reconcile,
                       struct export_result *ret_result, bool *ret_is_written)
{
    char path[4096], manifest_path[4096];
    struct file_draft file = {.fd = -1}, manifest = {.fd = -1};
    struct export_result result = {0};
    mkdir(directory, 0700); /* when that fails, so does what follows */
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    int manifest_length = snprintf(manifest_path, sizeof manifest_path, "%s/%s.manifest.json", directory, name);
    if (length < 0 || manifest_length < 0 || (size_t)manifest_length >= sizeof manifest_path)
        return ERROR_FILE_UNWRITABLE;
    enum error error = file_draft_open(path, &file);
    if (!error)
        error = file_draft_open(manifest_path, &manifest);
    struct sink sink = {&file, order->settings->limits.disk_low_water_bytes};
    if (!error)
        error = export_run(order, write_bytes, &sink, &result);
    bool is_wanted = !error && (result.is_reconciled || !must_reconcile);
    if (is_wanted)
        error = draft_manifest(order, &result, name, &manifest);
    if (is_wanted && !error)
        error = publish(&file, &manifest, directory);
    file_draft_discard(&file);
    file_draft_discard(&manifest);
    if (error)
        return error;
    *ret_result = result;
    *ret_is_written = is_wanted;
    return ERROR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the chores thread looks at each second: is there room on the disk, and are the files still there. It decides
 * whether new holds are granted (is_disk_low) and what is saved of a ledger that has failed. It never writes money.
 */
#include "wallet/backup.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { RESCUE_S_MAX = 10, NS_PER_S = 1000000000, MIB = 1 << 20, LOW_CHECKPOINT_LOG_BYTES = 1 << 20 };

/* ---- room ---- */

/* Well again only with a quarter more than low, or half a MiB above when nothing was asked for, so that it does not
 * flicker; and with the ballast whole, which takes its own room first. */
static bool is_low(struct wallet_ledger *ledger, uint64_t *ret_free_bytes)
{
    struct store *store = ledger->tables.store;
    const uint64_t water = atomic_load(&ledger->low_water_bytes), margin = water / 4 > MIB / 2 ? water / 4 : MIB / 2;
    bool was_low = atomic_load(&ledger->is_disk_low);
    struct store_room room;
    if (!store_find_room(store, &room))
        return was_low;
    if (!room.has_ballast && room.free_bytes >= water + margin + STORE_BALLAST_BYTES && store_make_ballast(store) &&
        !store_find_room(store, &room))
        return was_low;
    *ret_free_bytes = room.free_bytes;
    return !room.has_ballast || room.free_bytes < water + (was_low ? margin : 0);
}

void watch_shrink_log(struct wallet_ledger *ledger)
{
    if (store_checkpoint(ledger->tables.store, LOW_CHECKPOINT_LOG_BYTES) == ERROR_OK)
        store_trim_logs(ledger->tables.store, 0);
}

void watch_disk(struct wallet_ledger *ledger, bool is_first)
{
    uint64_t free_bytes = 0;
    if (store_is_failed(ledger->tables.store))
        return;
    bool was_low = !is_first && atomic_load(&ledger->is_disk_low), is = is_low(ledger, &free_bytes);
    atomic_store(&ledger->is_disk_low, is);
    if (is && !was_low)
        ledger_note(ledger, WALLET_NOTE_DISK_LOW, "%llu MiB are left: no new holds, settles go on",
                    (unsigned long long)(free_bytes / MIB));
    else if (!is && was_low)
        ledger_note(ledger, WALLET_NOTE_DISK_WELL, "%llu MiB are left: holds are granted again",
                    (unsigned long long)(free_bytes / MIB));
    if (is)
        watch_shrink_log(ledger);
}

/* ---- files ---- */

/* The handles of deleted files still lead to their bytes, as long as this process lives. */
static void rescue(struct wallet_ledger *ledger)
{
    char path[PATH_MAX], time[DIRECTORY_TIME_MAX];
    struct store *store = ledger->tables.store;
    snprintf(path, sizeof path, "%s.rescue-%s.jsonl", ledger->options.directory, directory_time(clock_wall_ns(), time));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        if (fd >= 0)
            close(fd);
        return;
    }
    store_allow_reading(store);
    enum error error = dump_write(&ledger->tables, clock_monotonic_ns() + (int64_t)RESCUE_S_MAX * NS_PER_S, out);
    (void)error; /* its last line says whether it is whole */
    (void)!fsync(fd);
    fclose(out);
    (void)!directory_sync_parent(path);
}

void watch_files(struct wallet_ledger *ledger, bool *is_rescued)
{
    if (*is_rescued || store_look(ledger->tables.store))
        return;
    *is_rescued = true;
    rescue(ledger);
    ledger_stop(ledger, ERROR_STORE_IO);
}

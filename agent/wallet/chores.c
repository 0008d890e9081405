/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chores of a ledger, in a thread of their own, so that no batch waits for one: checkpoints, a look at the disk and
 * at the files each second (and at once when the kernel says that one is gone), daily backups.
 */
#include "wallet/backup.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 1000,
    NS_PER_S = 1000000000,
    RETRY_S = 600,             /* after a backup that failed */
    LOGS_KEPT_BYTES = 64 << 20 /* that recovery does not need: the last resort when a table is damaged */
};

struct chores {
    struct wallet_ledger *ledger;
    int notify_fd; /* -1: the look each second must do */
    bool is_rescued;
    int64_t looked_ns; /* monotonic */
};

static void set_due(struct wallet_ledger *ledger, int64_t wait_ns)
{
    atomic_store(&ledger->backup_due_ns, wait_ns == INT64_MAX ? INT64_MAX : clock_monotonic_ns() + wait_ns);
}

static void plan_backup(struct wallet_ledger *ledger)
{
    struct backup_plan plan = {0};
    upkeep_find_backups(ledger, &plan);
    set_due(ledger, daily_wait_ns(&plan));
}

static void open_notify(struct chores *chores)
{
    chores->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (chores->notify_fd >= 0 &&
        inotify_add_watch(chores->notify_fd, chores->ledger->options.directory,
                          IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0) {
        close(chores->notify_fd);
        chores->notify_fd = -1;
    }
}

/* The ballast gives way in the middle of a batch: no new hold may be granted until the next look. It is another file
 * each time it is made again; watching the same one twice is one watch. */
static void watch_ballast(struct chores *chores)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", chores->ledger->options.directory, STORE_BALLAST_NAME);
    if (chores->notify_fd >= 0)
        (void)!inotify_add_watch(chores->notify_fd, path, IN_MODIFY);
}

/* What happened does not matter: store_look sees what is missing. False: nothing, or a watch that has ended. */
static bool drain_notify(struct chores *chores)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool has_event = false;
    while (chores->notify_fd >= 0 && read(chores->notify_fd, events, sizeof events) > 0)
        has_event = true;
    return has_event;
}

static void wait_for_work(struct chores *chores)
{
    struct pollfd ready[] = {{.fd = chores->ledger->chores_event_fd, .events = POLLIN},
                             {.fd = chores->notify_fd, .events = POLLIN}};
    uint64_t count;
    int result = poll(ready, 2, LOOK_EVERY_MS);
    check(result >= 0 || errno == EINTR);
    (void)!read(chores->ledger->chores_event_fd, &count, sizeof count);
}

static bool take(struct wallet_ledger *ledger, bool *wanted)
{
    pthread_mutex_lock(&ledger->chores_lock);
    bool is_wanted = *wanted;
    *wanted = false;
    pthread_mutex_unlock(&ledger->chores_lock);
    return is_wanted;
}

static void checkpoint(struct wallet_ledger *ledger)
{
    enum error error = store_checkpoint(ledger->tables.store, CHECKPOINT_LOG_BYTES);
    if (!error) /* a failure has marked the store: the next batch sees it */
        store_trim_logs(ledger->tables.store, LOGS_KEPT_BYTES);
}

static void look(struct chores *chores)
{
    bool is_told = drain_notify(chores);
    if (!is_told && clock_monotonic_ns() - chores->looked_ns < LOOK_EVERY_MS * INT64_C(1000000))
        return;
    chores->looked_ns = clock_monotonic_ns();
    watch_files(chores->ledger, &chores->is_rescued);
    watch_disk(chores->ledger, false);
    watch_ballast(chores);
}

static void back_up(struct chores *chores)
{
    struct wallet_ledger *ledger = chores->ledger;
    struct backup_plan plan = {0};
    if (clock_monotonic_ns() < atomic_load(&ledger->backup_due_ns) || chores->is_rescued)
        return;
    upkeep_find_backups(ledger, &plan);
    const int64_t every_ns = (int64_t)plan.every_s * NS_PER_S, retry_ns = (int64_t)RETRY_S * NS_PER_S;
    const bool is_made = daily_make(ledger);
    set_due(ledger, is_made || every_ns < retry_ns ? every_ns : retry_ns);
}

static void *chores_main(void *context)
{
    struct chores chores = {.ledger = context};
    struct wallet_ledger *ledger = context;
    open_notify(&chores);
    watch_ballast(&chores);
    for (bool is_ending = false; !is_ending;) {
        wait_for_work(&chores);
        if (take(ledger, &ledger->wants_checkpoint))
            checkpoint(ledger);
        if (take(ledger, &ledger->wants_plan))
            plan_backup(ledger);
        look(&chores);
        is_ending = take(ledger, &ledger->wants_end);
        if (!is_ending)
            back_up(&chores);
    }
    if (chores.notify_fd >= 0)
        close(chores.notify_fd);
    return NULL;
}

static void want(struct wallet_ledger *ledger, bool *wanted)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&ledger->chores_lock);
    *wanted = true;
    pthread_mutex_unlock(&ledger->chores_lock);
    check(write(ledger->chores_event_fd, &one, sizeof one) == (ssize_t)sizeof one);
}

void chores_want_checkpoint(struct wallet_ledger *ledger)
{
    want(ledger, &ledger->wants_checkpoint);
}

void chores_want_plan(struct wallet_ledger *ledger)
{
    want(ledger, &ledger->wants_plan);
}

/* The first look is taken before anybody is granted anything. */
void chores_start(struct wallet_ledger *ledger)
{
    ledger->chores_event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(ledger->chores_event_fd >= 0);
    store_look(ledger->tables.store);
    watch_disk(ledger, true);
    plan_backup(ledger);
    check(pthread_create(&ledger->chores, NULL, chores_main, ledger) == 0);
}

void chores_stop(struct wallet_ledger *ledger)
{
    want(ledger, &ledger->wants_end);
    pthread_join(ledger->chores, NULL);
    close(ledger->chores_event_fd);
}

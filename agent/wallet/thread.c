/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger thread: takes everything that waits, runs it, commits once, answers. Nothing is answered before it is on
 * disk. What may take longer than a batch is the chores thread's (chores.c).
 */
#include "wallet/backup.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/plant.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

enum { NS_PER_S = 1000000000, SWEEP_EVERY_NS = NS_PER_S, NOTE_TEXT_MAX = 320 };

/* What was taken from the mailbox and not run yet. */
struct queue {
    struct task *first, **last;
    unsigned count;
    bool is_urgent; /* somebody waits for one of them */
    bool is_stopping;
};

struct batch {
    struct wallet_operation *operations[BATCH_MAX];
    unsigned count;
};

struct waiter {
    struct wallet_operation operation;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_answered;
};

/* ---- answers ---- */

static void deliver(struct task *task)
{
    struct wallet_operation *operation = list_entry(task, struct wallet_operation, task);
    operation->done(operation);
}

/* An operation is not ours any more once it is answered. */
static void reply(struct wallet_ledger *ledger, struct batch *batch)
{
    unsigned refusals = 0;
    for (unsigned i = 0; i < batch->count; i++)
        refusals += batch->operations[i]->error != ERROR_OK;
    atomic_fetch_add_explicit(&ledger->refusals, refusals, memory_order_relaxed);
    atomic_fetch_add_explicit(&ledger->operations, batch->count, memory_order_relaxed);
    for (unsigned i = 0; i < batch->count; i++) {
        struct wallet_operation *operation = batch->operations[i];
        operation->batch_size = batch->count;
        operation->task.run = deliver;
        if (!operation->done)
            continue;
        if (operation->reply_to)
            mailbox_post(operation->reply_to, &operation->task);
        else
            operation->done(operation);
    }
}

static void wake_waiter(struct wallet_operation *operation)
{
    struct waiter *waiter = list_entry(operation, struct waiter, operation);
    pthread_mutex_lock(&waiter->lock);
    waiter->is_answered = true;
    pthread_cond_signal(&waiter->answered);
    pthread_mutex_unlock(&waiter->lock);
}

void wallet_submit(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    mailbox_post(&ledger->mailbox, &operation->task);
}

void wallet_run(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    struct waiter waiter = {.operation = *operation};
    check(pthread_mutex_init(&waiter.lock, NULL) == 0 && pthread_cond_init(&waiter.answered, NULL) == 0);
    waiter.operation.reply_to = NULL;
    waiter.operation.done = wake_waiter;
    wallet_submit(ledger, &waiter.operation);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_answered)
        pthread_cond_wait(&waiter.answered, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.answered);
    pthread_mutex_destroy(&waiter.lock);
    waiter.operation.reply_to = operation->reply_to;
    waiter.operation.done = operation->done;
    *operation = waiter.operation;
}

/* ---- a batch ---- */

void ledger_note(struct wallet_ledger *ledger, enum wallet_note note, const char *format, ...)
{
    char text[NOTE_TEXT_MAX];
    va_list arguments;
    if (!ledger->options.noted)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ledger->options.noted(ledger->options.context, note, text);
}

void ledger_stop(struct wallet_ledger *ledger, enum error why)
{
    if (atomic_exchange(&ledger->is_stopped, true) || !ledger->options.stopped)
        return;
    const char *failure = store_failure(ledger->tables.store);
    ledger->options.stopped(ledger->options.context, failure[0] ? failure : error_row(why)->text);
}

/* What is in memory may differ from what is on disk, so it decides nothing any more. Whether the batch survived is
 * known after the next start only; nobody was told that it did. */
static void refuse_batch(struct batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        batch->operations[i]->error = ERROR_LEDGER_STOPPED;
}

bool ledger_has_room(const struct wallet_ledger *ledger)
{
    return ledger->row_count + OPERATION_ROWS_MAX <= ROWS_MAX &&
           ledger->touched_count + OPERATION_TOUCHED_MAX <= TOUCHED_MAX;
}

/* On a full disk this thread does it itself: settles must not use up the room before the log files in it are freed. */
static void look_at_log(struct wallet_ledger *ledger)
{
    const bool is_low = atomic_load(&ledger->is_disk_low);
    if (ledger->head.sequence - ledger->transfers_at_checkpoint < (is_low ? LOW_CHECKPOINT_EVERY : CHECKPOINT_EVERY))
        return;
    ledger->transfers_at_checkpoint = ledger->head.sequence;
    if (is_low)
        watch_shrink_log(ledger);
    else
        chores_want_checkpoint(ledger);
}

enum error ledger_commit_batch(struct wallet_ledger *ledger)
{
    if (ledger->broken)
        return ledger->broken;
    if (ledger->row_count == 0)
        return store_is_failed(ledger->tables.store) ? ERROR_STORE_IO : ERROR_OK;
    int64_t start_ns = clock_monotonic_ns();
    enum error error = ledger_commit(ledger);
    histogram_observe(&ledger->commits, clock_monotonic_ns() - start_ns);
    if (!error)
        look_at_log(ledger);
    return error;
}

/* ---- the queue ---- */

static bool is_waited_for(const struct wallet_operation *operation)
{
    bool resolves = operation->kind == WALLET_SETTLE || operation->kind == WALLET_VOID;
    return !resolves || operation->done == wake_waiter;
}

static void take(struct wallet_ledger *ledger, struct queue *queue)
{
    for (struct task *task = mailbox_take(&ledger->mailbox), *next; task; task = next) {
        next = task->next;
        if (task == &ledger->stop) {
            queue->is_stopping = true;
            continue;
        }
        task->next = NULL;
        *queue->last = task;
        queue->last = &task->next;
        queue->count++;
        queue->is_urgent |= is_waited_for(list_entry(task, struct wallet_operation, task));
    }
}

static void wait_for_mail(struct wallet_ledger *ledger, int64_t wait_ns)
{
    struct pollfd ready = {.fd = ledger->mailbox.event_fd, .events = POLLIN};
    const struct timespec wait = {.tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S};
    int result = ppoll(&ready, 1, wait_ns < 0 ? NULL : &wait, NULL);
    check(result >= 0 || errno == EINTR);
}

/* Settles alone wait a moment for a reserve to share its flush: their money is safe as it is (a crash now would charge
 * the hold), and a flush costs more than all else that the ledger does for a request. */
static void linger(struct wallet_ledger *ledger, struct queue *queue)
{
    int64_t end_ns = clock_monotonic_ns() + LINGER_NS;
    while (!queue->is_urgent && !queue->is_stopping && queue->count < LINGER_OPERATIONS_MAX) {
        int64_t left_ns = end_ns - clock_monotonic_ns();
        if (left_ns <= 0)
            return;
        wait_for_mail(ledger, left_ns);
        take(ledger, queue);
    }
}

static void finish_batch(struct wallet_ledger *ledger, struct batch *batch)
{
    if (PLANTED(PLANT_EARLY_REPLY))
        reply(ledger, batch);
    enum error error = ledger_commit_batch(ledger);
    if (error) {
        ledger_stop(ledger, error);
        refuse_batch(batch);
    }
    atomic_fetch_add_explicit(&ledger->batches, 1, memory_order_relaxed);
    if (!PLANTED(PLANT_EARLY_REPLY))
        reply(ledger, batch);
}

/* As many as one transaction may hold. */
static void run_batch(struct wallet_ledger *ledger, struct queue *queue)
{
    struct batch batch = {.count = 0};
    const bool is_stopped = atomic_load(&ledger->is_stopped);
    ledger->now_ns = clock_wall_ns();
    for (; queue->first && batch.count < BATCH_MAX && ledger_has_room(ledger); queue->count--) {
        struct wallet_operation *operation = list_entry(queue->first, struct wallet_operation, task);
        queue->first = queue->first->next;
        batch.operations[batch.count++] = operation;
        if (!is_stopped)
            ledger_operate(ledger, operation);
    }
    if (!queue->first)
        queue->last = &queue->first;
    queue->is_urgent = queue->first != NULL; /* what is left has waited already */
    if (!is_stopped) {
        finish_batch(ledger, &batch);
        return;
    }
    refuse_batch(&batch);
    reply(ledger, &batch);
}

static bool may_become_due(const struct wallet_ledger *ledger)
{
    return ledger->deferred || (atomic_load(&ledger->hold_deadline_s) && ledger->holds);
}

static void *ledger_main(void *context)
{
    struct wallet_ledger *ledger = context;
    struct queue queue = {.last = &queue.first};
    while (!queue.is_stopping || queue.first) {
        if (!queue.first)
            wait_for_mail(ledger, may_become_due(ledger) ? SWEEP_EVERY_NS : -1);
        take(ledger, &queue);
        ledger_sweep(ledger);
        if (!queue.first)
            continue;
        linger(ledger, &queue);
        run_batch(ledger, &queue);
    }
    return NULL;
}

void ledger_start_threads(struct wallet_ledger *ledger)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's business */
    chores_start(ledger);
    check(pthread_create(&ledger->thread, NULL, ledger_main, ledger) == 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void ledger_stop_threads(struct wallet_ledger *ledger)
{
    mailbox_post(&ledger->mailbox, &ledger->stop);
    pthread_join(ledger->thread, NULL);
    chores_stop(ledger);
}

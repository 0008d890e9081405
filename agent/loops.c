/* SPDX-License-Identifier: Apache-2.0 */
/* See loops.h. Draining is a task posted to every loop; each reports back once no exchange of it is open. */
#include "loops.h"

#include "base/check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOPS_MAX = 16,
    LOOPS_DEFAULT_MAX = 4,
    DRAIN_SLICE_MS = 100,
    SPLICES_SILENT_MS = 3000,
    ABORT_MS = 10000,
    SETTLE_MS = 500
};

struct loop_thread {
    struct loops *loops;
    struct loop *loop;
    struct flow_worker *worker;
    pthread_t thread;
    struct task drain, abort, question;
    atomic_bool is_asked; /* and has not answered yet */
    bool is_running;
};

struct loops {
    struct loop_thread rows[LOOPS_MAX];
    unsigned count;
    struct flow_workers workers;
    pthread_mutex_t lock; /* leaf */
    pthread_cond_t drained;
    unsigned drained_count;
};

static void *run_loop(void *argument)
{
    struct loop_thread *thread = argument;
    prctl(PR_SET_NAME, "loop");
    loop_run(thread->loop);
    return NULL;
}

static void loop_drained(void *context)
{
    struct loops *loops = context;
    pthread_mutex_lock(&loops->lock);
    loops->drained_count++;
    pthread_cond_signal(&loops->drained);
    pthread_mutex_unlock(&loops->lock);
}

static void drain_loop(struct task *task)
{
    struct loop_thread *thread = list_entry(task, struct loop_thread, drain);
    flow_worker_drain(thread->worker, loop_drained, thread->loops);
}

static void abort_loop(struct task *task)
{
    flow_worker_abort(list_entry(task, struct loop_thread, abort)->worker);
}

static void answer(struct task *task)
{
    atomic_store(&list_entry(task, struct loop_thread, question)->is_asked, false);
}

bool loops_answer(struct loops *loops)
{
    bool have_all_answered = true;
    for (unsigned i = 0; i < loops->count; i++) {
        struct loop_thread *thread = &loops->rows[i];
        if (atomic_exchange(&thread->is_asked, true))
            have_all_answered = false;
        else
            mailbox_post(loop_mailbox(thread->loop), &thread->question);
    }
    return have_all_answered;
}

static unsigned choose_count(const struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = settings->limits.loops;
    if (!count)
        count = cores < 1 ? 1 : cores > LOOPS_DEFAULT_MAX ? LOOPS_DEFAULT_MAX : (unsigned)cores;
    return count > LOOPS_MAX ? LOOPS_MAX : count;
}

struct loops *loops_new(const struct settings *settings, const struct flow_services *services)
{
    struct loops *loops = calloc(1, sizeof *loops);
    check(loops != NULL);
    pthread_cond_init(&loops->drained, NULL);
    pthread_mutex_init(&loops->lock, NULL);
    loops->count = choose_count(settings);
    for (unsigned i = 0; i < loops->count; i++) {
        struct loop_thread *thread = &loops->rows[i];
        thread->loops = loops;
        thread->loop = loop_new();
        thread->worker = flow_worker_new(thread->loop, services);
        thread->drain.run = drain_loop;
        thread->abort.run = abort_loop;
        thread->question.run = answer;
        loops->workers.rows[i] = thread->worker;
    }
    loops->workers.count = loops->count;
    return loops;
}

struct flow_workers *loops_workers(struct loops *loops)
{
    return &loops->workers;
}

void loops_start(struct loops *loops, struct listener *listener, struct listener *base_url_listener)
{
    for (unsigned i = 0; i < loops->count; i++) {
        listener_join(listener, loops->rows[i].loop);
        if (base_url_listener)
            listener_join(base_url_listener, loops->rows[i].loop);
        check(pthread_create(&loops->rows[i].thread, NULL, run_loop, &loops->rows[i]) == 0);
        loops->rows[i].is_running = true;
    }
}

/* Waits until every loop is drained, at most so long; true when they are. */
static bool wait_drained(struct loops *loops, uint32_t timeout_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&loops->lock);
    int outcome = 0;
    while (loops->drained_count < loops->count && outcome == 0)
        outcome = pthread_cond_clockwait(&loops->drained, &loops->lock, CLOCK_MONOTONIC, &deadline);
    bool is_drained = loops->drained_count == loops->count;
    pthread_mutex_unlock(&loops->lock);
    return is_drained;
}

/* Calls end by themselves; what is passed on, when its two ends say so, or when nothing has come on any of it for a
 * while: idle connections of HTTP clients stay open for minutes. */
struct calm {
    uint64_t reads;
    uint32_t silent_ms;
};

static bool wait_calm(struct loops *loops, const struct listener *listener, struct calm *calm)
{
    if (!wait_drained(loops, DRAIN_SLICE_MS))
        return false;
    if (listener_splice_count(listener) == 0)
        return true;
    poll(NULL, 0, DRAIN_SLICE_MS);
    uint64_t reads = listener_splice_reads(listener);
    calm->silent_ms = reads == calm->reads ? calm->silent_ms + DRAIN_SLICE_MS : 0;
    calm->reads = reads;
    return listener_splice_count(listener) == 0 || calm->silent_ms >= SPLICES_SILENT_MS;
}

/* Who was accepted just before the listeners stopped, and has not asked yet, asks within this. */
void loops_settle(const struct listener *listener)
{
    for (unsigned waited_ms = 0; waited_ms < SETTLE_MS && listener_connection_count(listener) > 0; waited_ms += 10)
        poll(NULL, 0, 10);
}

bool loops_drain(struct loops *loops, const struct listener *listener, uint32_t timeout_ms, bool (*is_cut_short)(void))
{
    for (unsigned i = 0; i < loops->count; i++)
        mailbox_post(loop_mailbox(loops->rows[i].loop), &loops->rows[i].drain);
    struct calm calm = {.reads = listener_splice_reads(listener)};
    for (uint32_t waited_ms = 0; waited_ms < timeout_ms && !is_cut_short(); waited_ms += DRAIN_SLICE_MS)
        if (wait_calm(loops, listener, &calm))
            return true;
    if (wait_drained(loops, 0))
        return true; /* what is passed on ends with its listener */
    for (unsigned i = 0; i < loops->count; i++)
        mailbox_post(loop_mailbox(loops->rows[i].loop), &loops->rows[i].abort);
    return wait_drained(loops, ABORT_MS);
}

void loops_join(struct loops *loops)
{
    for (unsigned i = 0; i < loops->count; i++)
        if (loops->rows[i].is_running) {
            loop_stop(loops->rows[i].loop);
            pthread_join(loops->rows[i].thread, NULL);
            loops->rows[i].is_running = false;
        }
}

void loops_free(struct loops *loops)
{
    if (!loops)
        return;
    for (unsigned i = 0; i < loops->count; i++) {
        flow_worker_free(loops->rows[i].worker);
        loop_free(loops->rows[i].loop);
    }
    pthread_cond_destroy(&loops->drained);
    pthread_mutex_destroy(&loops->lock);
    free(loops);
}

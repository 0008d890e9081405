/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: put-off work, then epoll_wait, then what is ready, then timers that are due. One system call per
 * iteration. Nothing here blocks except epoll_wait. Everything but loop_stop and the mailbox belongs to the loop's
 * thread (or to whoever owns the loop before it runs).
 */
#include "net/loop.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Removing a watch looks through what is left of the batch, so the batch is small. */
enum { EVENTS_PER_WAIT = 64 };

struct loop {
    int epoll_fd;
    bool is_stopping;
    atomic_bool stop_is_posted;
    struct task stop_task;
    struct mailbox mailbox;
    struct watch mailbox_watch;
    struct timers timers;
    struct list deferred;
    int64_t now_ns;
    int event_next, event_count; /* the batch being dispatched */
    struct epoll_event events[EVENTS_PER_WAIT];
    struct loop_scratch scratch;
};

static void loop_mailbox_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    mailbox_run(&list_entry(watch, struct loop, mailbox_watch)->mailbox);
}

static void loop_stop_run(struct task *task)
{
    list_entry(task, struct loop, stop_task)->is_stopping = true;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    check(loop != NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    check(loop->epoll_fd >= 0);
    loop->now_ns = clock_monotonic_ns();
    loop->stop_task.run = loop_stop_run;
    timers_init(&loop->timers);
    list_init(&loop->deferred);
    mailbox_init(&loop->mailbox);
    loop->mailbox_watch = (struct watch){.fd = loop->mailbox.event_fd, .events = EPOLLIN, .ready = loop_mailbox_ready};
    watch_add(loop, &loop->mailbox_watch);
    return loop;
}

/* Work queued while the batch runs waits for the next one: a task that puts itself off again cannot starve I/O. */
static void loop_run_deferred(struct loop *loop)
{
    if (list_is_empty(&loop->deferred))
        return;
    struct list batch = loop->deferred;
    batch.next->previous = batch.previous->next = &batch;
    list_init(&loop->deferred);
    while (!list_is_empty(&batch)) {
        struct list *node = batch.next;
        list_remove(node);
        struct deferred *deferred = list_entry(node, struct deferred, node);
        deferred->run(deferred);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    mailbox_run(&loop->mailbox); /* what was posted after the loop stopped: its owners may wait for it */
    while (!list_is_empty(&loop->deferred))
        loop_run_deferred(loop);
    watch_remove(loop, &loop->mailbox_watch);
    mailbox_done(&loop->mailbox);
    timers_done(&loop->timers);
    close(loop->epoll_fd);
    free(loop);
}

/* Rounded up: a timer never fires early, and a wait of 0.3 ms does not become a busy loop. */
static int loop_timeout_ms(const struct loop *loop)
{
    if (!list_is_empty(&loop->deferred) || loop->is_stopping)
        return 0;
    const struct timer *timer = timers_first(&loop->timers);
    if (!timer)
        return -1;
    int64_t wait_ns = timer->due_ns - clock_monotonic_ns();
    if (wait_ns <= 0)
        return 0;
    int64_t wait_ms = (wait_ns + 999999) / 1000000;
    return wait_ms > 3600000 ? 3600000 : (int)wait_ms;
}

static void loop_dispatch(struct loop *loop)
{
    for (loop->event_next = 0; loop->event_next < loop->event_count;) {
        const struct epoll_event *event = &loop->events[loop->event_next++];
        struct watch *watch = event->data.ptr;
        if (watch)
            watch->ready(watch, event->events);
    }
    loop->event_count = 0;
}

/* A timer armed by a callback waits for the next iteration, even when it is due at once. */
static void loop_expire_timers(struct loop *loop)
{
    struct timer *timer;
    for (unsigned left = loop->timers.count; left > 0; left--) {
        timer = timers_first(&loop->timers);
        if (!timer || timer->due_ns > loop->now_ns)
            break;
        timers_remove(&loop->timers, timer);
        timer->expired(timer);
    }
}

void loop_run(struct loop *loop)
{
    for (;;) {
        loop_run_deferred(loop);
        if (loop->is_stopping)
            break;
        int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_WAIT, loop_timeout_ms(loop));
        check(count >= 0 || errno == EINTR);
        loop->event_count = count > 0 ? count : 0;
        loop->now_ns = clock_monotonic_ns();
        loop_dispatch(loop);
        loop_expire_timers(loop);
    }
    loop->is_stopping = false;
    atomic_store(&loop->stop_is_posted, false);
}

void loop_stop(struct loop *loop)
{
    if (!atomic_exchange(&loop->stop_is_posted, true))
        mailbox_post(&loop->mailbox, &loop->stop_task);
}

struct mailbox *loop_mailbox(struct loop *loop)
{
    return &loop->mailbox;
}

int64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

struct loop_scratch *loop_scratch(struct loop *loop)
{
    return &loop->scratch;
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
    if (list_is_empty(&deferred->node))
        list_append(&loop->deferred, &deferred->node);
}

static void watch_control(struct loop *loop, int operation, struct watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.ptr = watch};
    int result = epoll_ctl(loop->epoll_fd, operation, watch->fd, &event);
    /* A library may have closed its descriptor before it says so: the kernel has forgotten the watch already. */
    bool is_gone = operation == EPOLL_CTL_DEL && (errno == EBADF || errno == ENOENT || errno == EPERM);
    check(result == 0 || is_gone);
}

void watch_add(struct loop *loop, struct watch *watch)
{
    watch_control(loop, EPOLL_CTL_ADD, watch);
}

void watch_change(struct loop *loop, struct watch *watch)
{
    watch_control(loop, EPOLL_CTL_MOD, watch);
}

void watch_remove(struct loop *loop, struct watch *watch)
{
    watch_control(loop, EPOLL_CTL_DEL, watch);
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    }
}

/* The clock is read anew: the iteration's time would make timers armed late in a long iteration, or before the loop
 * runs, fire early. */
void timer_arm(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
    timer_disarm(loop, timer);
    timer->due_ns = clock_monotonic_ns() + delay_ms * 1000000;
    timers_insert(&loop->timers, timer);
}

void timer_disarm(struct loop *loop, struct timer *timer)
{
    if (timer->heap_index)
        timers_remove(&loop->timers, timer);
}

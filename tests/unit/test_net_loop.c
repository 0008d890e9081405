/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: timers against a list kept beside them, removal of watches from inside callbacks (freed at once, so
 * that a late callback is a sanitizer report), and mailboxes under several threads.
 */
#include "base/clock.h"
#include "base/list.h"
#include "net/loop.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (random_state >> 8) % bound;
}

/* ---- timers ---- */

enum { TIMERS = 500 };

struct timed {
    struct timer timer;
    bool is_wanted;
    unsigned fired;
};

static struct timed timed_rows[TIMERS];
static struct loop *timer_loop;
static int64_t last_due_ns;
static unsigned early_count, disorder_count;

static void timed_expired(struct timer *timer)
{
    struct timed *row = list_entry(timer, struct timed, timer);
    row->fired++;
    early_count += clock_monotonic_ns() < timer->due_ns;
    disorder_count += timer->due_ns < last_due_ns;
    last_due_ns = timer->due_ns;
    struct timed *other = &timed_rows[random_below(TIMERS)];
    if (other != row && other->timer.heap_index && random_below(4) == 0) {
        timer_disarm(timer_loop, &other->timer);
        other->is_wanted = false;
    }
}

static void stop_expired(struct timer *timer)
{
    (void)timer;
    loop_stop(timer_loop);
}

TEST(timers_fire_in_order_and_never_early)
{
    timer_loop = loop_new();
    last_due_ns = 0;
    early_count = disorder_count = 0;
    for (int i = 0; i < TIMERS; i++) {
        timed_rows[i] = (struct timed){.timer.expired = timed_expired, .is_wanted = true};
        timer_arm(timer_loop, &timed_rows[i].timer, random_below(60));
    }
    for (int i = 0; i < 2 * TIMERS; i++) {
        struct timed *row = &timed_rows[random_below(TIMERS)];
        if (random_below(3) == 0) {
            timer_disarm(timer_loop, &row->timer);
            timer_disarm(timer_loop, &row->timer); /* harmless */
            row->is_wanted = false;
        } else {
            timer_arm(timer_loop, &row->timer, random_below(60));
            row->is_wanted = true;
        }
    }
    struct timer stop = {.expired = stop_expired};
    timer_arm(timer_loop, &stop, 80);
    loop_run(timer_loop);
    unsigned wrong = 0;
    for (int i = 0; i < TIMERS; i++)
        wrong += timed_rows[i].fired != (timed_rows[i].is_wanted ? 1U : 0U) || timed_rows[i].timer.heap_index != 0;
    EXPECT_INTEGER(wrong, 0);
    EXPECT_INTEGER(early_count, 0);
    EXPECT_INTEGER(disorder_count, 0);
    loop_free(timer_loop);
}

static unsigned chain_left;

static void chain_expired(struct timer *timer)
{
    if (--chain_left > 0)
        timer_arm(timer_loop, timer, 0);
    else
        loop_stop(timer_loop);
}

TEST(timer_that_rearms_itself_does_not_starve_the_mailbox)
{
    timer_loop = loop_new();
    struct timer timer = {.expired = chain_expired};
    chain_left = 1000;
    timer_arm(timer_loop, &timer, 0);
    loop_run(timer_loop);
    EXPECT_INTEGER(chain_left, 0);
    loop_free(timer_loop);
}

/* ---- watches ---- */

enum { WATCHES = 48, ROUNDS = 4000 };

struct watched {
    struct watch watch;
    unsigned slot;
};

static struct loop *watch_loop;
static struct watched *watched_rows[WATCHES];
static unsigned watch_calls;

static void watched_ready(struct watch *watch, uint32_t events);

static void watched_add(unsigned slot)
{
    struct watched *row = calloc(1, sizeof *row);
    row->watch = (struct watch){.fd = eventfd(1, EFD_CLOEXEC), .events = EPOLLIN, .ready = watched_ready};
    row->slot = slot;
    watched_rows[slot] = row;
    watch_add(watch_loop, &row->watch);
}

static void watched_remove(unsigned slot)
{
    struct watched *row = watched_rows[slot];
    watched_rows[slot] = NULL;
    watch_remove(watch_loop, &row->watch);
    close(row->watch.fd);
    free(row);
}

/* Every watch is always ready, so each batch holds all of them; each callback takes others away, itself included. */
static void watched_ready(struct watch *watch, uint32_t events)
{
    struct watched *row = list_entry(watch, struct watched, watch);
    EXPECT(events & EPOLLIN, "events %u", events);
    EXPECT(watched_rows[row->slot] == row, "a watch was called after it was removed");
    if (++watch_calls == ROUNDS)
        loop_stop(watch_loop);
    for (int i = 0; i < 3; i++) {
        unsigned slot = random_below(WATCHES);
        if (watched_rows[slot])
            watched_remove(slot);
        else
            watched_add(slot);
    }
    if (!watched_rows[0])
        watched_add(0); /* at least one stays, or nothing would ever happen again */
}

TEST(watches_may_be_removed_and_freed_in_any_callback)
{
    watch_loop = loop_new();
    watch_calls = 0;
    for (unsigned i = 0; i < WATCHES; i++)
        watched_add(i);
    loop_run(watch_loop);
    EXPECT(watch_calls >= ROUNDS, "%u calls", watch_calls);
    for (unsigned i = 0; i < WATCHES; i++) {
        if (watched_rows[i])
            watched_remove(i);
    }
    loop_free(watch_loop);
}

static void unexpected_ready(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    EXPECT(false, "a watch whose events are 0 was called");
    loop_stop(watch_loop);
}

TEST(changed_events_take_effect)
{
    watch_loop = timer_loop = loop_new();
    struct watch watch = {.fd = eventfd(1, EFD_CLOEXEC), .events = EPOLLIN, .ready = unexpected_ready};
    watch_add(watch_loop, &watch);
    watch.events = 0;
    watch_change(watch_loop, &watch);
    struct timer stop = {.expired = stop_expired};
    timer_arm(watch_loop, &stop, 10);
    loop_run(watch_loop);
    watch_remove(watch_loop, &watch);
    close(watch.fd);
    loop_free(watch_loop);
}

TEST(watch_whose_descriptor_was_closed_can_still_be_removed)
{
    watch_loop = loop_new();
    struct watch watch = {.fd = eventfd(0, EFD_CLOEXEC), .events = EPOLLIN, .ready = unexpected_ready};
    watch_add(watch_loop, &watch);
    close(watch.fd);
    watch_remove(watch_loop, &watch);
    loop_free(watch_loop);
    EXPECT(true, "no panic");
}

/* ---- deferred work ---- */

static struct deferred again;
static unsigned deferred_runs;

static void deferred_run(struct deferred *deferred)
{
    if (++deferred_runs < 100)
        loop_defer(watch_loop, deferred);
    else
        loop_stop(watch_loop);
}

TEST(deferred_work_may_put_itself_off_again)
{
    watch_loop = loop_new();
    deferred_runs = 0;
    again.run = deferred_run;
    list_init(&again.node);
    loop_defer(watch_loop, &again);
    loop_defer(watch_loop, &again); /* once */
    loop_run(watch_loop);
    EXPECT_INTEGER(deferred_runs, 100);
    loop_free(watch_loop);
}

/* ---- mailboxes ---- */

enum { POSTERS = 4, POSTS = 5000 };

struct letter {
    struct task task;
    unsigned poster, number;
};

static struct loop *mail_loop;
static pthread_t mail_thread;
static unsigned next_number[POSTERS], letters_misplaced;
static atomic_uint letters_read;

static void letter_run(struct task *task)
{
    struct letter *letter = list_entry(task, struct letter, task);
    letters_misplaced += letter->number != next_number[letter->poster] || !pthread_equal(pthread_self(), mail_thread);
    next_number[letter->poster] = letter->number + 1;
    free(letter);
    if (atomic_fetch_add(&letters_read, 1) + 1 == POSTERS * POSTS)
        loop_stop(mail_loop);
}

static void *poster_run(void *argument)
{
    for (unsigned i = 0; i < POSTS; i++) {
        struct letter *letter = calloc(1, sizeof *letter);
        *letter = (struct letter){.task.run = letter_run, .poster = (unsigned)(uintptr_t)argument, .number = i};
        mailbox_post(loop_mailbox(mail_loop), &letter->task);
    }
    return NULL;
}

static void *mail_loop_run(void *argument)
{
    mail_thread = pthread_self();
    loop_run(argument);
    return NULL;
}

TEST(mailbox_keeps_order_per_sender_and_loses_nothing)
{
    mail_loop = loop_new();
    atomic_store(&letters_read, 0);
    pthread_t posters[POSTERS];
    for (uintptr_t i = 0; i < POSTERS; i++)
        pthread_create(&posters[i], NULL, poster_run, (void *)i);
    pthread_t thread;
    pthread_create(&thread, NULL, mail_loop_run, mail_loop);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i], NULL);
    pthread_join(thread, NULL);
    EXPECT_INTEGER(atomic_load(&letters_read), POSTERS * POSTS);
    EXPECT_INTEGER(letters_misplaced, 0);
    loop_free(mail_loop);
}

static void *stopper_run(void *argument)
{
    for (int i = 0; i < 1000; i++)
        loop_stop(argument);
    return NULL;
}

TEST(loop_may_be_stopped_from_several_threads_at_once)
{
    struct loop *loop = loop_new();
    pthread_t stoppers[POSTERS];
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&stoppers[i], NULL, stopper_run, loop);
    loop_run(loop);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(stoppers[i], NULL);
    loop_free(loop); /* a stop that came too late is in the mailbox: it must not be in the way */
    EXPECT(true, "stopped");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One answer for all who ask at once: followers on their own threads, leaders that die, followers that leave or are
 * slow, answers that are too long to be kept.
 */
#include "tests/unit/cache_world.h"

#include <pthread.h>

enum { THREADS = 100, CHUNKS = 40 };

static struct mailbox mailbox;

static struct cache *begin(void)
{
    const struct cache_options options = {.entries_max = 1000, .now_ns = scripted_now};
    atomic_store(&scripted_ns, 1000000000000);
    mailbox_init(&mailbox);
    return cache_open(&options);
}

static void end(struct cache *cache)
{
    struct cache_statistics statistics;
    cache_clear(cache, NULL, NULL);
    cache_read_statistics(cache, &statistics);
    EXPECT_INTEGER(statistics.bytes_in_memory, 0); /* no flight is left, no byte of one is still counted */
    cache_close(cache);
    mailbox_run(&mailbox);
    mailbox_done(&mailbox);
}

static enum cache_progress read_some(struct cache *cache, struct caller *caller, char *text, size_t *length)
{
    return cache_follow_read(cache, &caller->ask, text, 4096, length);
}

TEST(a_follower_gets_head_bytes_and_end)
{
    struct cache *cache = begin();
    struct caller leader, follower;
    const struct cache_made made = some_made();
    char text[4096];
    size_t length = 7;
    init_caller(&leader, 1, &mailbox);
    init_caller(&follower, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &leader.ask), CACHE_LEAD);
    EXPECT(!cache_is_followed(cache, &leader.ask), "nobody yet");
    EXPECT_INTEGER(cache_ask(cache, &follower.ask), CACHE_FOLLOW);
    EXPECT(cache_is_followed(cache, &leader.ask) && !cache_is_followed(cache, &follower.ask), "somebody");
    EXPECT(cache_follow_head(cache, &follower.ask) == NULL, "no head yet");
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_NOTHING);
    EXPECT_INTEGER(length, 0);
    send_head(cache, &leader.ask, true);
    EXPECT(wait_for_mail(&mailbox) && follower.resumed == 1, "woken by the head");
    const struct cache_head *head = cache_follow_head(cache, &follower.ask);
    EXPECT(head && head->status == 200 && head->is_stream && head->field_count == 1, "head");
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_NOTHING);
    cache_lead_bytes(cache, &leader.ask, SLICE_LITERAL("abc"));
    cache_lead_bytes(cache, &leader.ask, SLICE_LITERAL("def"));
    EXPECT(wait_for_mail(&mailbox) && follower.resumed == 2, "woken once for both");
    EXPECT(read_some(cache, &follower, text, &length) == CACHE_BYTES &&
               slice_is((struct slice){text, length}, "abcdef"),
           "bytes");
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_NOTHING);
    EXPECT(cache_lead_finish(cache, &leader.ask, &good_outcome, &made) == NULL, "stored");
    EXPECT(wait_for_mail(&mailbox), "woken by the end");
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_END);
    EXPECT_INTEGER(cache_follow_made(&follower.ask)->charge.nano, 123456);
    EXPECT_STRING(cache_follow_made(&follower.ask)->target, "openai-x");
    cache_leave(cache, &leader.ask);
    cache_leave(cache, &follower.ask);
    cache_leave(cache, &follower.ask);
    end(cache);
}

TEST(one_who_joins_late_gets_all_of_it)
{
    struct cache *cache = begin();
    struct caller leader, late;
    char text[4096];
    size_t length;
    init_caller(&leader, 1, &mailbox);
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &leader.ask), CACHE_LEAD);
    send_head(cache, &leader.ask, true);
    cache_lead_bytes(cache, &leader.ask, SLICE_LITERAL("abc"));
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_FOLLOW);
    EXPECT(cache_follow_head(cache, &late.ask) != NULL, "head");
    EXPECT(read_some(cache, &late, text, &length) == CACHE_BYTES && length == 3, "what was before");
    cache_leave(cache, &leader.ask);
    const char *detail = NULL;
    EXPECT_INTEGER(read_some(cache, &late, text, &length), CACHE_FAILED);
    EXPECT_INTEGER(cache_follow_error(&late.ask, &detail), ERROR_CLIENT_GONE);
    EXPECT(detail && detail[0], "no detail");
    cache_leave(cache, &late.ask);
    end(cache);
}

/* Of a provider that hangs each would wait for its own time-out, one after the other. */
TEST(what_the_provider_failed_at_is_not_tried_one_by_one)
{
    struct cache *cache = begin();
    static struct caller callers[5], late;
    char text[4096];
    size_t length;
    for (unsigned i = 0; i < 5; i++) {
        init_caller(&callers[i], 1, &mailbox);
        EXPECT_INTEGER(cache_ask(cache, &callers[i].ask), i ? CACHE_FOLLOW : CACHE_LEAD);
        if (i % 2)
            EXPECT_INTEGER(read_some(cache, &callers[i], text, &length), CACHE_NOTHING);
    }
    cache_lead_fail(cache, &callers[0].ask, ERROR_UPSTREAM_CONNECT, "refused");
    cache_leave(cache, &callers[0].ask);
    mailbox_run(&mailbox);
    for (unsigned i = 1; i < 5; i++) {
        EXPECT_INTEGER(read_some(cache, &callers[i], text, &length), CACHE_LEFT);
        EXPECT_INTEGER(callers[i].ask.reply, CACHE_ALONE);
        cache_leave(cache, &callers[i].ask);
    }
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_LEAD);
    cache_leave(cache, &late.ask);
    end(cache);
}

TEST(who_gives_up_is_not_followed_any_more)
{
    struct cache *cache = begin();
    static struct caller first, second, third;
    init_caller(&first, 1, &mailbox);
    init_caller(&second, 1, &mailbox);
    init_caller(&third, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &first.ask), CACHE_LEAD);
    EXPECT_INTEGER(cache_ask(cache, &second.ask), CACHE_FOLLOW);
    EXPECT(cache_is_followed(cache, &first.ask) && !cache_lead_close(cache, &first.ask), "one follows");
    EXPECT_INTEGER(cache_ask(cache, &third.ask), CACHE_FOLLOW); /* a refusal to close leaves it open */
    cache_leave(cache, &second.ask);
    cache_leave(cache, &third.ask);
    EXPECT(cache_lead_close(cache, &first.ask), "nobody follows");
    init_caller(&second, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &second.ask), CACHE_LEAD);
    cache_leave(cache, &second.ask);
    cache_leave(cache, &first.ask);
    mailbox_run(&mailbox);
    end(cache);
}

TEST(before_the_head_one_takes_over)
{
    struct cache *cache = begin();
    static struct caller callers[5];
    char text[4096];
    size_t length;
    unsigned took = 0;
    for (unsigned i = 0; i < 5; i++) {
        init_caller(&callers[i], 1, &mailbox);
        EXPECT_INTEGER(cache_ask(cache, &callers[i].ask), i ? CACHE_FOLLOW : CACHE_LEAD);
        if (i % 2)
            EXPECT_INTEGER(read_some(cache, &callers[i], text, &length), CACHE_NOTHING);
    }
    cache_lead_fail(cache, &callers[0].ask, ERROR_CLIENT_GONE, NULL);
    cache_lead_fail(cache, &callers[0].ask, ERROR_CLIENT_GONE, NULL); /* once is once */
    cache_leave(cache, &callers[0].ask);
    mailbox_run(&mailbox);
    struct caller *leader = NULL;
    for (unsigned i = 1; i < 5; i++)
        if (read_some(cache, &callers[i], text, &length) == CACHE_TOOK) {
            took++;
            leader = &callers[i];
        }
    EXPECT_INTEGER(took, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(leader);
    EXPECT_INTEGER(leader->ask.reply, CACHE_LEAD);
    EXPECT(!lead_to_the_end(cache, &leader->ask, false, SLICE_LITERAL("ok")), "stored");
    for (unsigned i = 1; i < 5; i++) {
        if (&callers[i] == leader)
            continue;
        EXPECT(read_some(cache, &callers[i], text, &length) == CACHE_BYTES && length == 2, "caller %u", i);
        EXPECT_INTEGER(read_some(cache, &callers[i], text, &length), CACHE_END);
    }
    for (unsigned i = 1; i < 5; i++)
        cache_leave(cache, &callers[i].ask);
    end(cache);
}

/* It was made the leader, and left before it knew. */
TEST(a_leader_that_does_not_know_it_may_leave)
{
    struct cache *cache = begin();
    struct caller first, second, third;
    char text[4096];
    size_t length;
    init_caller(&first, 1, &mailbox);
    init_caller(&second, 1, &mailbox);
    init_caller(&third, 1, &mailbox);
    cache_ask(cache, &first.ask);
    cache_ask(cache, &second.ask);
    cache_ask(cache, &third.ask);
    cache_leave(cache, &first.ask);
    cache_leave(cache, &second.ask);
    EXPECT_INTEGER(read_some(cache, &third, text, &length), CACHE_TOOK);
    cache_leave(cache, &third.ask);
    EXPECT_INTEGER(cache_ask(cache, &first.ask), CACHE_LEAD); /* nothing is left of it */
    cache_leave(cache, &first.ask);
    end(cache);
}

TEST(a_leader_hears_that_nobody_follows_any_more)
{
    struct cache *cache = begin();
    struct caller leader, follower;
    init_caller(&leader, 1, &mailbox);
    init_caller(&follower, 1, &mailbox);
    cache_ask(cache, &leader.ask);
    cache_ask(cache, &follower.ask);
    cache_leave(cache, &follower.ask);
    EXPECT(wait_for_mail(&mailbox) && leader.resumed == 1 && !cache_is_followed(cache, &leader.ask), "not told");
    cache_leave(cache, &leader.ask);
    end(cache);
}

TEST(an_incomplete_answer_fails_and_an_error_is_shared)
{
    struct cache *cache = begin();
    struct caller leader, follower;
    const struct cache_made made = some_made();
    const struct cache_outcome incomplete = {.status = 200};
    const struct cache_head error_head = {.status = 429, .fields = some_fields, .field_count = 1};
    const struct cache_outcome error_outcome = {.status = 429, .is_complete = true};
    char text[4096];
    size_t length;
    init_caller(&leader, 1, &mailbox);
    init_caller(&follower, 1, &mailbox);
    cache_ask(cache, &leader.ask);
    cache_ask(cache, &follower.ask);
    send_head(cache, &leader.ask, true);
    cache_lead_bytes(cache, &leader.ask, SLICE_LITERAL("half"));
    EXPECT(cache_lead_finish(cache, &leader.ask, &incomplete, &made) != NULL, "stored");
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_BYTES);
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_FAILED);
    cache_leave(cache, &leader.ask);
    cache_leave(cache, &follower.ask);
    EXPECT_INTEGER(cache_ask(cache, &leader.ask), CACHE_LEAD);
    EXPECT_INTEGER(cache_ask(cache, &follower.ask), CACHE_FOLLOW);
    cache_lead_head(cache, &leader.ask, &error_head);
    cache_lead_bytes(cache, &leader.ask, SLICE_LITERAL("slow down"));
    EXPECT(cache_lead_finish(cache, &leader.ask, &error_outcome, &made) != NULL, "stored");
    EXPECT_INTEGER(cache_follow_head(cache, &follower.ask)->status, 429);
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_BYTES);
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_END);
    cache_leave(cache, &leader.ask);
    cache_leave(cache, &follower.ask);
    end(cache);
}

TEST(a_fresh_answer_does_not_wait_for_an_old_one)
{
    struct cache *cache = begin();
    struct caller leader, fresh, hit;
    init_caller(&leader, 1, &mailbox);
    init_caller(&fresh, 1, &mailbox);
    init_caller(&hit, 1, &mailbox);
    fresh.ask.wishes.no_cache = true;
    cache_ask(cache, &leader.ask);
    EXPECT_INTEGER(cache_ask(cache, &fresh.ask), CACHE_LEAD);
    EXPECT(!lead_to_the_end(cache, &fresh.ask, false, SLICE_LITERAL("fresh")), "stored");
    EXPECT_INTEGER(cache_ask(cache, &hit.ask), CACHE_HIT);
    EXPECT(slice_is(hit.ask.answer->body, "fresh"), "another");
    cache_leave(cache, &leader.ask);
    cache_leave(cache, &fresh.ask);
    cache_leave(cache, &hit.ask);
    end(cache);
}

/* ---- answers that are too long to be kept ---- */

static size_t read_all(struct cache *cache, struct caller *caller, uint64_t *sum, enum cache_progress *ret_progress)
{
    static _Thread_local char bytes[64 << 10];
    size_t length, total = 0;
    while ((*ret_progress = cache_follow_read(cache, &caller->ask, bytes, sizeof bytes, &length)) == CACHE_BYTES) {
        total += length;
        for (size_t i = 0; i < length; i++)
            *sum = *sum * 31 + (unsigned char)bytes[i];
    }
    return total;
}

enum { LONG_CHUNK = 50000, LONG_COUNT = 400 }; /* 20 MB */

/* The next piece of it, unless the leader must wait; *sum is of all that was given. */
static bool lead_on(struct cache *cache, struct cache_ask *ask, unsigned number, uint64_t *sum)
{
    static _Thread_local char chunk[LONG_CHUNK];
    if (cache_lead_must_wait(cache, ask))
        return false;
    fill_body(number, chunk, LONG_CHUNK);
    for (size_t i = 0; i < LONG_CHUNK; i++)
        *sum = *sum * 31 + (unsigned char)chunk[i];
    cache_lead_bytes(cache, ask, (struct slice){chunk, LONG_CHUNK});
    return true;
}

static void begin_long(struct cache *cache, struct caller *callers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        init_caller(&callers[i], 1, &mailbox);
        EXPECT_INTEGER(cache_ask(cache, &callers[i].ask), i ? CACHE_FOLLOW : CACHE_LEAD);
    }
    send_head(cache, &callers[0].ask, false);
}

static void expect_bounded(struct cache *cache)
{
    struct cache_statistics statistics;
    cache_read_statistics(cache, &statistics);
    EXPECT(statistics.bytes_in_memory <= CACHE_ENTRY_BYTES_MAX + (256 << 10), "%llu bytes",
           (unsigned long long)statistics.bytes_in_memory);
}

TEST(a_long_answer_waits_for_the_slowest_and_is_not_stored)
{
    struct cache *cache = begin();
    static struct caller callers[4], late;
    struct caller *leader = &callers[0], *quick = &callers[1], *slow = &callers[2], *unserved = &callers[3];
    const struct cache_made made = some_made();
    enum cache_progress progress = CACHE_NOTHING;
    uint64_t wanted = 0, sum = 0, slow_sum = 0;
    size_t total = 0, slow_total = 0, length;
    unsigned waits = 0;
    char bytes[20000];
    begin_long(cache, callers, 4);
    EXPECT(cache_follow_head(cache, &quick->ask) && cache_follow_head(cache, &slow->ask), "heads");
    for (unsigned i = 0; i < LONG_COUNT;) {
        bool is_given = lead_on(cache, &leader->ask, i, &wanted);
        i += is_given;
        waits += !is_given;
        total += read_all(cache, quick, &sum, &progress);
        expect_bounded(cache);
        unsigned resumed = leader->resumed;
        if (i % 3 && is_given)
            continue;
        EXPECT_INTEGER(cache_follow_read(cache, &slow->ask, bytes, sizeof bytes, &length), CACHE_BYTES);
        for (size_t j = 0; j < length; j++)
            slow_sum = slow_sum * 31 + (unsigned char)bytes[j];
        slow_total += length;
        mailbox_run(&mailbox);
        EXPECT(is_given || leader->resumed > resumed || cache_lead_must_wait(cache, &leader->ask), "not woken");
    }
    EXPECT(waits > 50, "it waited %u times only", waits);
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_LEAD); /* it cannot have it from its beginning */
    EXPECT_INTEGER(cache_follow_read(cache, &unserved->ask, bytes, 1, &length), CACHE_LEFT);
    EXPECT_INTEGER(unserved->ask.reply, CACHE_ALONE);
    EXPECT_STRING(cache_lead_finish(cache, &leader->ask, &good_outcome, &made), "it is too long");
    total += read_all(cache, quick, &sum, &progress);
    EXPECT(progress == CACHE_END && total == (size_t)LONG_CHUNK * LONG_COUNT && sum == wanted, "quick: %zu", total);
    slow_total += read_all(cache, slow, &slow_sum, &progress);
    EXPECT(progress == CACHE_END && slow_total == total && slow_sum == wanted, "slow: %zu", slow_total);
    cache_leave(cache, &late.ask);
    for (unsigned i = 0; i < 4; i++)
        cache_leave(cache, &callers[i].ask);
    end(cache);
}

/* The one that nothing was given to learns of it at once, not when the answer is over. */
TEST(who_was_given_nothing_leaves_when_an_answer_becomes_too_long)
{
    struct cache *cache = begin();
    static struct caller callers[3], late;
    char byte[1];
    size_t length;
    uint64_t sum = 0;
    unsigned i = 0;
    begin_long(cache, callers, 2);
    while (i * LONG_CHUNK <= CACHE_ENTRY_BYTES_MAX - LONG_CHUNK)
        EXPECT(lead_on(cache, &callers[0].ask, i++, &sum), "nobody is behind");
    init_caller(&callers[2], 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &callers[2].ask), CACHE_FOLLOW);
    EXPECT(cache_is_followed(cache, &callers[0].ask), "followed");
    EXPECT(lead_on(cache, &callers[0].ask, i++, &sum) && !cache_is_followed(cache, &callers[0].ask), "too long");
    EXPECT(wait_for_mail(&mailbox) && callers[1].resumed && callers[2].resumed, "not told");
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_LEAD);
    for (unsigned j = 1; j < 3; j++) {
        EXPECT(cache_follow_head(cache, &callers[j].ask) == NULL, "a head after all");
        EXPECT_INTEGER(cache_follow_read(cache, &callers[j].ask, byte, 1, &length), CACHE_LEFT);
    }
    EXPECT(cache_lead_close(cache, &callers[0].ask), "nobody follows");
    for (unsigned j = 0; j < 3; j++)
        cache_leave(cache, &callers[j].ask);
    cache_leave(cache, &late.ask);
    end(cache);
}

TEST(who_sleeps_through_a_long_answer_holds_it_up_until_it_leaves)
{
    struct cache *cache = begin();
    static struct caller callers[4];
    struct caller *leader = &callers[0], *quick = &callers[1], *sleeper = &callers[2], *leaver = &callers[3];
    const struct cache_made made = some_made();
    enum cache_progress progress = CACHE_NOTHING;
    uint64_t wanted = 0, sum = 0;
    size_t total = 0;
    unsigned i = 0;
    begin_long(cache, callers, 4);
    for (unsigned j = 1; j < 4; j++)
        EXPECT(cache_follow_head(cache, &callers[j].ask) != NULL, "head");
    for (; i < LONG_COUNT && lead_on(cache, &leader->ask, i, &wanted); i++)
        total += read_all(cache, quick, &sum, &progress);
    EXPECT(i < LONG_COUNT && cache_lead_is_awaited(cache, &leader->ask), "it waits, and so does the quick one");
    mailbox_run(&mailbox);
    unsigned resumed = leader->resumed;
    cache_leave(cache, &leaver->ask);
    mailbox_run(&mailbox);
    EXPECT(leader->resumed > resumed && cache_lead_must_wait(cache, &leader->ask), "one of two has left");
    EXPECT(cache_follow_is_awaited(cache, &sleeper->ask) && !cache_follow_is_awaited(cache, &quick->ask), "who");
    cache_leave(cache, &sleeper->ask);
    EXPECT(!cache_lead_must_wait(cache, &leader->ask), "still waiting");
    for (; i < LONG_COUNT && lead_on(cache, &leader->ask, i, &wanted); i++) {
        total += read_all(cache, quick, &sum, &progress);
        expect_bounded(cache);
    }
    EXPECT(cache_lead_finish(cache, &leader->ask, &good_outcome, &made) != NULL, "stored");
    total += read_all(cache, quick, &sum, &progress);
    EXPECT(progress == CACHE_END && total == (size_t)LONG_CHUNK * LONG_COUNT && sum == wanted, "quick: %zu", total);
    for (unsigned j = 0; j < 4; j++)
        cache_leave(cache, &callers[j].ask);
    end(cache);
}

TEST(all_flights_together_have_a_bound)
{
    enum { FLIGHTS = 40, CHUNK = 64 << 10 };
    const struct cache_options options = {.entries_max = 1000, .flight_bytes_max = 1 << 20, .now_ns = scripted_now};
    static struct caller leaders[FLIGHTS];
    const struct cache_made made = some_made();
    unsigned stored = 0;
    mailbox_init(&mailbox);
    struct cache *cache = cache_open(&options);
    char *chunk = calloc(1, CHUNK);
    for (unsigned i = 0; i < FLIGHTS; i++) {
        init_caller(&leaders[i], i, &mailbox);
        EXPECT_INTEGER(cache_ask(cache, &leaders[i].ask), CACHE_LEAD);
        send_head(cache, &leaders[i].ask, false);
    }
    for (unsigned round = 0; round < 10; round++)
        for (unsigned i = 0; i < FLIGHTS; i++) {
            struct cache_statistics statistics;
            cache_lead_bytes(cache, &leaders[i].ask, (struct slice){chunk, CHUNK});
            cache_read_statistics(cache, &statistics);
            EXPECT(statistics.bytes_in_memory <= (1 << 20) + CHUNK, "%llu bytes",
                   (unsigned long long)statistics.bytes_in_memory);
        }
    for (unsigned i = 0; i < FLIGHTS; i++) {
        stored += !cache_lead_finish(cache, &leaders[i].ask, &good_outcome, &made);
        cache_leave(cache, &leaders[i].ask);
    }
    EXPECT(stored < FLIGHTS, "%u stored", stored);
    free(chunk);
    end(cache);
}

/* ---- a leader whose own program is slow, or whose answer is not for others ---- */

static size_t lead_read_all(struct cache *cache, struct caller *leader, uint64_t *sum)
{
    static _Thread_local char bytes[64 << 10];
    size_t length, total = 0;
    while ((length = cache_lead_read(cache, &leader->ask, bytes, sizeof bytes)) > 0) {
        total += length;
        for (size_t i = 0; i < length; i++)
            *sum = *sum * 31 + (unsigned char)bytes[i];
    }
    return total;
}

TEST(a_leader_that_fell_behind_reads_on_from_what_is_shared_even_after_the_end)
{
    struct cache *cache = begin();
    static struct caller callers[2];
    struct caller *leader = &callers[0], *follower = &callers[1];
    const struct cache_made made = some_made();
    enum cache_progress progress = CACHE_NOTHING;
    uint64_t wanted = 0, straight = 0, follower_sum = 0;
    begin_long(cache, callers, 2);
    EXPECT(cache_follow_head(cache, &follower->ask) != NULL, "head");
    for (unsigned i = 0; i < 10; i++)
        EXPECT(lead_on(cache, &leader->ask, i, &wanted), "waits");
    straight = wanted;
    EXPECT(cache_lead_fall_behind(cache, &leader->ask), "not followed");
    for (unsigned i = 10; i < 60; i++)
        EXPECT(lead_on(cache, &leader->ask, i, &wanted), "waits");
    EXPECT(cache_lead_finish(cache, &leader->ask, &good_outcome, &made) == NULL, "not stored");
    read_all(cache, follower, &follower_sum, &progress);
    EXPECT(progress == CACHE_END && follower_sum == wanted, "the follower");
    cache_leave(cache, &follower->ask);
    EXPECT_INTEGER(lead_read_all(cache, leader, &straight), 50 * LONG_CHUNK);
    EXPECT(straight == wanted, "the leader");
    cache_leave(cache, &leader->ask);
    end(cache);
}

TEST(a_leader_that_sleeps_holds_a_long_answer_up_no_more_than_a_follower)
{
    struct cache *cache = begin();
    static struct caller callers[2];
    struct caller *leader = &callers[0], *follower = &callers[1];
    enum cache_progress progress = CACHE_NOTHING;
    uint64_t wanted = 0, sum = 0, follower_sum = 0;
    size_t given = 0, total = 0;
    begin_long(cache, callers, 2);
    EXPECT(cache_follow_head(cache, &follower->ask) && cache_lead_fall_behind(cache, &leader->ask), "followed");
    for (unsigned i = 0; i < LONG_COUNT && lead_on(cache, &leader->ask, i, &wanted); i++) {
        given += LONG_CHUNK;
        read_all(cache, follower, &follower_sum, &progress);
        expect_bounded(cache);
    }
    EXPECT(given < (size_t)LONG_CHUNK * LONG_COUNT && cache_lead_is_awaited(cache, &leader->ask), "not held");
    total = lead_read_all(cache, leader, &sum);
    EXPECT(total == given && sum == wanted && !cache_lead_must_wait(cache, &leader->ask), "%zu of %zu", total, given);
    EXPECT(!cache_lead_fall_behind(cache, &leader->ask), "too long to be kept for it");
    cache_leave(cache, &leader->ask);
    cache_leave(cache, &follower->ask);
    end(cache);
}

TEST(a_program_that_left_holds_nothing_up)
{
    struct cache *cache = begin();
    static struct caller callers[2];
    enum cache_progress progress = CACHE_NOTHING;
    uint64_t wanted = 0, sum = 0;
    begin_long(cache, callers, 2);
    EXPECT(cache_follow_head(cache, &callers[1].ask) && cache_lead_fall_behind(cache, &callers[0].ask), "followed");
    unsigned i = 0;
    for (; lead_on(cache, &callers[0].ask, i, &wanted); i++)
        read_all(cache, &callers[1], &sum, &progress);
    mailbox_run(&mailbox);
    unsigned resumed = callers[0].resumed;
    cache_lead_forget(cache, &callers[0].ask);
    mailbox_run(&mailbox);
    EXPECT(callers[0].resumed > resumed && lead_on(cache, &callers[0].ask, i, &wanted), "still held");
    for (unsigned j = 0; j < 2; j++)
        cache_leave(cache, &callers[j].ask);
    end(cache);
}

TEST(what_is_not_for_others_is_asked_for_by_each)
{
    struct cache *cache = begin();
    static struct caller callers[3], late;
    const struct cache_made made = some_made();
    char text[4096];
    size_t length;
    for (unsigned i = 0; i < 3; i++) {
        init_caller(&callers[i], 1, &mailbox);
        EXPECT_INTEGER(cache_ask(cache, &callers[i].ask), i ? CACHE_FOLLOW : CACHE_LEAD);
    }
    EXPECT_INTEGER(read_some(cache, &callers[1], text, &length), CACHE_NOTHING);
    cache_lead_part(cache, &callers[0].ask);
    EXPECT(wait_for_mail(&mailbox) && callers[1].resumed && callers[2].resumed, "not told");
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_LEAD);
    send_head(cache, &callers[0].ask, false);
    cache_lead_bytes(cache, &callers[0].ask, SLICE_LITERAL("short"));
    for (unsigned i = 1; i < 3; i++) {
        EXPECT(cache_follow_head(cache, &callers[i].ask) == NULL, "its head");
        EXPECT_INTEGER(read_some(cache, &callers[i], text, &length), CACHE_LEFT);
        EXPECT_INTEGER(callers[i].ask.reply, CACHE_ALONE);
    }
    EXPECT(cache_lead_finish(cache, &callers[0].ask, &good_outcome, &made) == NULL, "it may be stored all the same");
    for (unsigned i = 0; i < 3; i++)
        cache_leave(cache, &callers[i].ask);
    cache_leave(cache, &late.ask);
    end(cache);
}

TEST(nobody_joins_what_is_shut_or_over)
{
    struct cache *cache = begin();
    static struct caller leader, follower, late;
    const struct cache_made made = some_made();
    const struct cache_outcome refusal = {.status = 200, .is_complete = true, .is_refusal = true};
    char text[4096];
    size_t length;
    init_caller(&leader, 1, &mailbox);
    init_caller(&follower, 1, &mailbox);
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &leader.ask), CACHE_LEAD);
    EXPECT_INTEGER(cache_ask(cache, &follower.ask), CACHE_FOLLOW);
    send_head(cache, &leader.ask, false);
    cache_lead_shut(cache, &leader.ask);
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_LEAD);
    cache_leave(cache, &late.ask);
    cache_lead_bytes(cache, &leader.ask, SLICE_LITERAL("no"));
    EXPECT(cache_follow_head(cache, &follower.ask) != NULL, "who followed stays");
    EXPECT_STRING(cache_lead_finish(cache, &leader.ask, &refusal, &made), "the provider refused or failed");
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_BYTES);
    EXPECT_INTEGER(read_some(cache, &follower, text, &length), CACHE_END);
    init_caller(&late, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &late.ask), CACHE_LEAD);
    cache_leave(cache, &late.ask);
    cache_leave(cache, &leader.ask);
    cache_leave(cache, &follower.ask);
    end(cache);
}

/* ---- a hundred at once, each on a loop of its own ---- */

struct play {
    struct cache *cache;
    unsigned key;
    enum { DIE_NEVER, DIE_BEFORE, DIE_AFTER } dies; /* how leaders end */
    unsigned deaths;                                /* of how many of them */
    pthread_barrier_t barrier;
    atomic_uint asked_upstream, answers, failures, wrong, hits;
};

struct runner {
    struct caller caller;
    struct play *play;
    struct mailbox mailbox;
    pthread_t thread;
    char answer[CHUNKS * 16 + 1];
    size_t length;
    unsigned number;
    bool has_ended;
};

static void lead(struct runner *runner)
{
    struct play *play = runner->play;
    struct cache *cache = play->cache;
    unsigned turn = atomic_fetch_add(&play->asked_upstream, 1);
    const struct cache_made made = some_made();
    char chunk[17];
    runner->length = 0;
    if (turn < play->deaths && play->dies == DIE_BEFORE) {
        usleep(500);
        cache_lead_fail(cache, &runner->caller.ask, ERROR_CLIENT_GONE, NULL);
        runner->has_ended = true;
        atomic_fetch_add(&play->failures, 1);
        return;
    }
    send_head(cache, &runner->caller.ask, true);
    for (unsigned i = 0; i < CHUNKS; i++) {
        snprintf(chunk, sizeof chunk, "chunk %09u\n", i);
        cache_lead_bytes(cache, &runner->caller.ask, slice_of(chunk));
        runner->length += strlen(chunk);
        if (i % 8 == 0)
            usleep(200);
        if (turn < play->deaths && play->dies == DIE_AFTER && i == CHUNKS / 2) {
            runner->has_ended = true;
            atomic_fetch_add(&play->failures, 1);
            return; /* its leave says so */
        }
    }
    cache_lead_finish(cache, &runner->caller.ask, &good_outcome, &made);
    runner->has_ended = true;
    atomic_fetch_add(&play->answers, 1);
}

static bool is_right(struct slice answer)
{
    char chunk[17];
    for (unsigned i = 0; i < CHUNKS; i++) {
        int length = snprintf(chunk, sizeof chunk, "chunk %09u\n", i);
        if (answer.length < (size_t)length || memcmp(answer.data, chunk, (size_t)length) != 0)
            return false;
        answer = slice_from(answer, (size_t)length);
    }
    return answer.length == 0;
}

static void finish(struct runner *runner, struct slice answer)
{
    runner->has_ended = true;
    atomic_fetch_add(is_right(answer) ? &runner->play->answers : &runner->play->wrong, 1);
}

static void follow(struct runner *runner)
{
    struct cache *cache = runner->play->cache;
    struct cache_ask *ask = &runner->caller.ask;
    size_t length;
    for (;;) {
        (void)cache_follow_head(cache, ask);
        switch (cache_follow_read(cache, ask, runner->answer + runner->length,
                                  sizeof runner->answer - 1 - runner->length, &length)) {
        case CACHE_BYTES:
            runner->length += length;
            break;
        case CACHE_END:
            finish(runner, (struct slice){runner->answer, runner->length});
            return;
        case CACHE_TOOK:
            if (runner->length)
                atomic_fetch_add(&runner->play->wrong, 1);
            lead(runner);
            return;
        case CACHE_FAILED:
            runner->has_ended = true;
            atomic_fetch_add(&runner->play->failures, 1);
            return;
        default:
            return;
        }
    }
}

static void act(struct cache_ask *ask)
{
    struct runner *runner = (struct runner *)(void *)ask;
    if (runner->has_ended)
        return;
    switch (ask->reply) {
    case CACHE_LEAD:
        lead(runner);
        break;
    case CACHE_FOLLOW:
        follow(runner);
        break;
    case CACHE_HIT:
        atomic_fetch_add(&runner->play->hits, 1);
        finish(runner, ask->answer->body);
        break;
    default:
        atomic_fetch_add(&runner->play->wrong, 1);
        runner->has_ended = true;
    }
}

/* A leader is not to lead twice because it was woken meanwhile. */
static void resume(struct cache_ask *ask)
{
    struct runner *runner = (struct runner *)(void *)ask;
    if (!runner->has_ended && ask->reply == CACHE_FOLLOW)
        follow(runner);
}

static void *run_one(void *context)
{
    struct runner *runner = context;
    mailbox_init(&runner->mailbox);
    init_caller(&runner->caller, runner->play->key, &runner->mailbox);
    runner->caller.ask.resume = resume;
    pthread_barrier_wait(&runner->play->barrier);
    cache_ask(runner->play->cache, &runner->caller.ask);
    act(&runner->caller.ask);
    while (!runner->has_ended && wait_for_mail(&runner->mailbox))
        ;
    if (!runner->has_ended)
        atomic_fetch_add(&runner->play->wrong, 1);
    cache_leave(runner->play->cache, &runner->caller.ask);
    mailbox_run(&runner->mailbox);
    mailbox_done(&runner->mailbox);
    return NULL;
}

static void perform(struct play *play)
{
    struct runner *runners = calloc(THREADS, sizeof *runners);
    pthread_barrier_init(&play->barrier, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        runners[i].play = play;
        runners[i].number = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&runners[i].thread, NULL, run_one, &runners[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(runners[i].thread, NULL);
    pthread_barrier_destroy(&play->barrier);
    free(runners);
}

TEST(of_a_hundred_one_asks)
{
    struct cache *cache = begin();
    for (unsigned round = 0; round < 10; round++) {
        struct play play = {.cache = cache, .key = round};
        perform(&play);
        EXPECT_INTEGER(play.asked_upstream, 1);
        EXPECT_INTEGER(play.answers, THREADS);
        EXPECT_INTEGER(play.wrong + play.failures, 0);
    }
    end(cache);
}

TEST(leaders_that_die_before_their_head_are_followed_by_others)
{
    struct cache *cache = begin();
    for (unsigned deaths = 1; deaths <= 5; deaths++) {
        struct play play = {.cache = cache, .key = deaths, .dies = DIE_BEFORE, .deaths = deaths};
        perform(&play);
        EXPECT_INTEGER(play.asked_upstream, deaths + 1); /* each was replaced by exactly one */
        EXPECT_INTEGER(play.answers, THREADS - deaths);
        EXPECT_INTEGER(play.failures, deaths);
        EXPECT_INTEGER(play.wrong, 0);
    }
    end(cache);
}

TEST(a_leader_that_dies_half_way_takes_those_with_it_who_followed)
{
    struct cache *cache = begin();
    for (unsigned round = 0; round < 5; round++) {
        struct play play = {.cache = cache, .key = round, .dies = DIE_AFTER, .deaths = 1};
        perform(&play);
        EXPECT(play.asked_upstream <= 2, "%u asked", play.asked_upstream);
        EXPECT_INTEGER(play.answers + play.failures, THREADS);
        EXPECT(play.failures >= 1 && play.wrong == 0, "%u failed, %u wrong", play.failures, play.wrong);
    }
    end(cache);
}

/* ---- leaving at any time ---- */

static void *come_and_go(void *context)
{
    struct runner *runner = context;
    unsigned seed = runner->number;
    mailbox_init(&runner->mailbox);
    for (unsigned round = 0; round < 60; round++) {
        init_caller(&runner->caller, (unsigned)rand_r(&seed) % 3, &runner->mailbox);
        runner->caller.ask.resume = resume;
        runner->has_ended = false;
        runner->length = 0;
        enum cache_reply reply = cache_ask(runner->play->cache, &runner->caller.ask);
        unsigned patience = (unsigned)rand_r(&seed) % 4;
        if (reply == CACHE_LEAD && patience) {
            lead(runner);
        } else if (reply == CACHE_FOLLOW) {
            follow(runner);
            for (unsigned i = 0; i < patience && !runner->has_ended; i++) {
                usleep(100);
                mailbox_run(&runner->mailbox);
            }
        }
        cache_leave(runner->play->cache, &runner->caller.ask);
        if (rand_r(&seed) % 20 == 0)
            cache_clear(runner->play->cache, NULL, NULL);
    }
    mailbox_run(&runner->mailbox);
    mailbox_done(&runner->mailbox);
    return NULL;
}

TEST(anybody_may_leave_at_any_time)
{
    enum { GUESTS = 16 };
    struct cache *cache = begin();
    struct play play = {.cache = cache};
    struct runner *runners = calloc(GUESTS, sizeof *runners);
    for (unsigned i = 0; i < GUESTS; i++) {
        runners[i].play = &play;
        runners[i].number = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&runners[i].thread, NULL, come_and_go, &runners[i]), 0);
    }
    for (unsigned i = 0; i < GUESTS; i++)
        pthread_join(runners[i].thread, NULL);
    EXPECT_INTEGER(play.wrong, 0);
    free(runners);
    end(cache);
}

/* ---- a long answer, each on a thread of its own ---- */

enum { READERS = 12 };

struct reader {
    struct runner runner;
    enum { READS_FAST, READS_SLOWLY, READS_NOT, READS_AND_LEAVES } habit;
    enum cache_progress progress;
    uint64_t sum;
    atomic_size_t total;
    atomic_bool has_ended;
    atomic_bool *is_over;
};

static void wake(struct cache_ask *ask)
{
    (void)ask;
}

static void *read_long(void *context)
{
    struct reader *reader = context;
    struct cache *cache = reader->runner.play->cache;
    struct cache_ask *ask = &reader->runner.caller.ask;
    char *bytes = malloc(64 << 10);
    size_t length, bytes_max = reader->habit == READS_SLOWLY ? 9000 : 64 << 10;
    while (!cache_follow_head(cache, ask) && wait_for_mail(&reader->runner.mailbox))
        ;
    while (reader->habit == READS_NOT && !atomic_load(reader->is_over) && !cache_follow_is_awaited(cache, ask))
        usleep(1000);
    if (cache_follow_is_awaited(cache, ask)) {
        cache_leave(cache, ask); /* it sleeps, and is cut off */
        free(bytes);
        atomic_store(&reader->has_ended, true);
        return NULL;
    }
    for (;;) {
        reader->progress = cache_follow_read(cache, ask, bytes, bytes_max, &length);
        for (size_t i = 0; i < length; i++)
            reader->sum = reader->sum * 31 + (unsigned char)bytes[i];
        reader->total += length;
        if (reader->habit == READS_AND_LEAVES && reader->total > CACHE_ENTRY_BYTES_MAX + (1 << 20))
            break;
        if (reader->progress == CACHE_NOTHING ? !wait_for_mail(&reader->runner.mailbox)
                                              : reader->progress != CACHE_BYTES)
            break;
    }
    free(bytes);
    cache_leave(cache, ask);
    atomic_store(&reader->has_ended, true);
    return NULL;
}

TEST(a_long_answer_is_right_for_all_who_read_it)
{
    struct cache *cache = begin();
    struct play play = {.cache = cache};
    struct reader *readers = calloc(READERS, sizeof *readers);
    struct caller leader;
    const struct cache_made made = some_made();
    uint64_t wanted = 0;
    atomic_bool is_over = false;
    init_caller(&leader, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &leader.ask), CACHE_LEAD);
    for (unsigned i = 0; i < READERS; i++) {
        struct reader *reader = &readers[i];
        reader->habit = i % 4;
        reader->is_over = &is_over;
        reader->runner.play = &play;
        mailbox_init(&reader->runner.mailbox);
        init_caller(&reader->runner.caller, 1, &reader->runner.mailbox);
        reader->runner.caller.ask.resume = wake;
        EXPECT_INTEGER(cache_ask(cache, &reader->runner.caller.ask), CACHE_FOLLOW);
    }
    send_head(cache, &leader.ask, true);
    for (unsigned i = 0; i < READERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&readers[i].runner.thread, NULL, read_long, &readers[i]), 0);
    usleep(20000); /* so that heads are seen; whoever is late is asked to leave, which is right as well */
    for (unsigned i = 0; i < LONG_COUNT;) {
        struct pollfd readable = {mailbox.event_fd, POLLIN, 0};
        if (lead_on(cache, &leader.ask, i, &wanted))
            i++;
        else if (poll(&readable, 1, 100) == 1)
            mailbox_run(&mailbox);
        expect_bounded(cache);
    }
    EXPECT(cache_lead_finish(cache, &leader.ask, &good_outcome, &made) != NULL, "stored");
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < READERS; i++) {
        struct reader *reader = &readers[i];
        pthread_join(reader->runner.thread, NULL);
        bool is_right = reader->progress == CACHE_END ? reader->sum == wanted : reader->habit >= READS_NOT;
        EXPECT(is_right || (reader->progress == CACHE_LEFT && reader->total == 0), "reader %u: progress %d, %zu bytes",
               i, reader->progress, atomic_load(&reader->total));
        mailbox_run(&reader->runner.mailbox);
        mailbox_done(&reader->runner.mailbox);
    }
    cache_leave(cache, &leader.ask);
    free(readers);
    end(cache);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that are kept: round trips, restarts, time, bounds, clearing, and a store that was tampered with.
 */
#include "store/store.h"
#include "tests/unit/cache_world.h"
#include "tests/unit/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifdef TOLLGATE_SANITIZED
enum { MANY = 2000, MANY_BYTES = 4000, FLIP_ROUNDS = 40 };
#else
enum { MANY = 20000, MANY_BYTES = 20000, FLIP_ROUNDS = 200 };
#endif

static struct mailbox mailbox;

static struct cache *begin(void)
{
    const struct cache_options options = some_options();
    make_directory();
    mailbox_init(&mailbox);
    return cache_open(&options);
}

static void end(struct cache *cache)
{
    cache_close(cache);
    mailbox_run(&mailbox);
    mailbox_done(&mailbox);
    remove_directory();
}

/* The same directory, another agent. */
static struct cache *restart(struct cache *cache, const struct cache_options *options)
{
    cache_close(cache);
    cache = cache_open(options);
    cache_flush(cache);
    return cache;
}

static struct cache_statistics statistics_of(struct cache *cache)
{
    struct cache_statistics statistics;
    cache_read_statistics(cache, &statistics);
    return statistics;
}

TEST(a_document_comes_back_as_it_was)
{
    struct cache *cache = begin();
    struct caller first, second;
    init_caller(&first, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &first.ask), CACHE_LEAD);
    EXPECT(lead_to_the_end(cache, &first.ask, false, SLICE_LITERAL("{\"ok\":1}")) == NULL, "not stored");
    cache_leave(cache, &first.ask);
    atomic_fetch_add(&scripted_ns, 100 * 1000000000LL);
    init_caller(&second, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &second.ask), CACHE_HIT);
    const struct cache_answer *answer = second.ask.answer;
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    EXPECT(slice_is(answer->body, "{\"ok\":1}") && !answer->is_stream && answer->frame_count == 0, "body");
    EXPECT_INTEGER(answer->field_count, 1);
    EXPECT(http_find_field(answer->fields, answer->field_count, "set-cookie").data == NULL, "a cookie");
    EXPECT(!http_find_field(answer->fields, answer->field_count, "x-request-id").data, "of one request");
    EXPECT_STRING(answer->made.model, "gpt-x-2026");
    EXPECT_STRING(answer->made.target, "openai-x");
    EXPECT_STRING(answer->made.id, "01J");
    EXPECT_INTEGER(answer->made.usage.output, 20);
    EXPECT_INTEGER(answer->made.charge.nano, 123456);
    EXPECT_INTEGER(second.ask.age_s, 100);
    EXPECT_INTEGER(second.ask.ttl_left_s, 3500);
    cache_leave(cache, &second.ask);
    end(cache);
}

static void stream(struct cache *cache, struct cache_ask *ask)
{
    const struct cache_made made = some_made();
    send_head(cache, ask, true);
    cache_lead_bytes(cache, ask, SLICE_LITERAL("data: 1\n\n"));
    usleep(15000);
    cache_lead_bytes(cache, ask, SLICE_LITERAL("data: 2\n\n"));
    usleep(15000);
    cache_lead_bytes(cache, ask, SLICE_LITERAL("data: [DONE]\n\n"));
    EXPECT(cache_lead_finish(cache, ask, &good_outcome, &made) == NULL, "not stored");
}

static void expect_stream(const struct cache_answer *answer, const char *where)
{
    EXPECT(answer && answer->is_stream && answer->frame_count == 3, "%s", where);
    if (!answer || answer->frame_count != 3)
        return;
    size_t sum = 0;
    for (size_t i = 0; i < answer->frame_count; i++)
        sum += answer->frames[i].length;
    EXPECT(slice_is(answer->body, "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n") && sum == answer->body.length, "%s: body",
           where);
    EXPECT(answer->frames[0].length == 9 && answer->frames[1].offset_ms >= answer->frames[0].offset_ms + 14 &&
               answer->frames[2].offset_ms >= answer->frames[1].offset_ms + 14,
           "%s: frames", where);
}

TEST(a_stream_comes_back_in_its_frames_also_from_disk)
{
    struct cache *cache = begin();
    struct cache_options options = some_options();
    struct caller caller;
    init_caller(&caller, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &caller.ask), CACHE_LEAD);
    stream(cache, &caller.ask);
    cache_leave(cache, &caller.ask);
    init_caller(&caller, 1, &mailbox);
    EXPECT_INTEGER(ask_and_wait(cache, &caller), CACHE_HIT);
    expect_stream(caller.ask.answer, "memory");
    cache_leave(cache, &caller.ask);
    cache = restart(cache, &options);
    init_caller(&caller, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &caller.ask), CACHE_WAIT);
    EXPECT(wait_for_mail(&mailbox) && caller.resumed == 1 && caller.ask.reply == CACHE_HIT, "from disk");
    expect_stream(caller.ask.answer, "disk");
    cache_leave(cache, &caller.ask);
    init_caller(&caller, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &caller.ask), CACHE_HIT); /* in memory by now */
    cache_leave(cache, &caller.ask);
    end(cache);
}

TEST(answers_of_every_length)
{
    static const size_t lengths[] = {16, 1000, 4095, 4096, 4097, 65536, 300000, CACHE_ENTRY_BYTES_MAX};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    struct cache *cache = begin();
    const struct cache_options options = some_options();
    for (unsigned i = 0; i < COUNT; i++) {
        EXPECT(store_number(cache, &mailbox, i, lengths[i]), "%zu bytes", lengths[i]);
        EXPECT_INTEGER(find_number(cache, &mailbox, i, lengths[i]), FOUND_RIGHT);
    }
    EXPECT(!store_number(cache, &mailbox, 100, CACHE_ENTRY_BYTES_MAX + 1), "too long, and stored");
    EXPECT(store_number(cache, &mailbox, 101, 16), "after it");
    cache = restart(cache, &options);
    for (unsigned i = 0; i < COUNT; i++)
        EXPECT(find_number(cache, &mailbox, i, lengths[i]) == FOUND_RIGHT, "%zu bytes from disk", lengths[i]);
    EXPECT_INTEGER(find_number(cache, &mailbox, 100, CACHE_ENTRY_BYTES_MAX + 1), FOUND_NOTHING);
    EXPECT_INTEGER(statistics_of(cache).corrupt, 0);
    end(cache);
}

TEST(what_may_not_be_stored_is_not)
{
    struct cache *cache = begin();
    struct caller caller;
    const struct cache_made made = some_made();
    struct cache_outcome rows[] = {{.status = 500, .is_complete = true},
                                   {.status = 200},
                                   {.status = 200, .is_complete = true, .is_clamped = true},
                                   {.status = 200, .is_complete = true, .wants_no_store = true}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        init_caller(&caller, i, &mailbox);
        EXPECT_INTEGER(cache_ask(cache, &caller.ask), CACHE_LEAD);
        send_head(cache, &caller.ask, false);
        cache_lead_bytes(cache, &caller.ask, SLICE_LITERAL("x"));
        EXPECT(cache_lead_finish(cache, &caller.ask, &rows[i], &made) != NULL, "row %u", i);
        cache_leave(cache, &caller.ask);
        EXPECT_INTEGER(find_number(cache, &mailbox, i, 16), FOUND_NOTHING);
    }
    init_caller(&caller, 9, &mailbox); /* one that never ends */
    EXPECT_INTEGER(cache_ask(cache, &caller.ask), CACHE_LEAD);
    send_head(cache, &caller.ask, false);
    cache_leave(cache, &caller.ask);
    EXPECT_INTEGER(find_number(cache, &mailbox, 9, 16), FOUND_NOTHING);
    EXPECT_INTEGER(statistics_of(cache).entries, 0);
    end(cache);
}

/* ---- knobs ---- */

static enum cache_reply ask_with(struct cache *cache, struct cache_wishes wishes, uint32_t ttl_s)
{
    struct caller caller;
    init_caller(&caller, 1, &mailbox);
    caller.ask.wishes = wishes;
    caller.ask.ttl_s = ttl_s;
    enum cache_reply reply = ask_and_wait(cache, &caller);
    cache_leave(cache, &caller.ask);
    return reply;
}

TEST(wishes_are_kept)
{
    struct cache *cache = begin();
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.only_if_cached = true, .max_age_s = -1}, 60), CACHE_ABSENT);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.no_store = true, .max_age_s = -1}, 60), CACHE_ALONE);
    EXPECT(store_number(cache, &mailbox, 1, 100), "stored");
    atomic_fetch_add(&scripted_ns, 10 * 1000000000LL);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.only_if_cached = true, .max_age_s = -1}, 60), CACHE_HIT);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.no_store = true, .max_age_s = -1}, 60), CACHE_HIT);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.no_cache = true, .max_age_s = -1}, 60), CACHE_LEAD);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.max_age_s = 11}, 60), CACHE_HIT);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.max_age_s = 9}, 60), CACHE_LEAD);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.max_age_s = 0}, 60), CACHE_LEAD);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.max_age_s = -1}, 60), CACHE_HIT);
    EXPECT_INTEGER(ask_with(cache, (struct cache_wishes){.max_age_s = -1}, 10),
                   CACHE_LEAD); /* the policy says less now */
    end(cache);
}

/* ---- time ---- */

enum { DAY_S = 86400 };

TEST(nothing_outlives_its_time_whatever_the_wall_clock_does)
{
    static const int64_t jumps_s[] = {0, DAY_S, -DAY_S};
    for (size_t i = 0; i < sizeof jumps_s / sizeof *jumps_s; i++) {
        struct cache *cache = begin();
        const struct cache_options options = some_options();
        EXPECT(store_number(cache, &mailbox, 1, 100), "stored");
        atomic_store(&wall_offset_ns, jumps_s[i] * 1000000000);
        atomic_fetch_add(&scripted_ns, 3599 * 1000000000LL);
        EXPECT(find_number(cache, &mailbox, 1, 100) == FOUND_RIGHT, "jump %zu: before its time", i);
        cache = restart(cache, &options);
        EXPECT(find_number(cache, &mailbox, 1, 100) == FOUND_RIGHT, "jump %zu: restarted", i);
        atomic_fetch_add(&scripted_ns, 1 * 1000000000LL);
        EXPECT(find_number(cache, &mailbox, 1, 100) == FOUND_NOTHING, "jump %zu: after its time", i);
        EXPECT_INTEGER(statistics_of(cache).expired, 1);
        cache = restart(cache, &options);
        EXPECT(find_number(cache, &mailbox, 1, 100) == FOUND_NOTHING, "jump %zu: restarted after its time", i);
        end(cache);
    }
}

TEST(another_boot_another_clock)
{
    struct cache *cache = begin();
    struct cache_options options = some_options();
    EXPECT(store_number(cache, &mailbox, 1, 100), "stored");
    options.boot_id = "boot-2";
    cache = restart(cache, &options);
    EXPECT_INTEGER(find_number(cache, &mailbox, 1, 100), FOUND_NOTHING);
    options.boot_id = "boot-1"; /* and it is gone from the disk, too */
    cache = restart(cache, &options);
    EXPECT_INTEGER(find_number(cache, &mailbox, 1, 100), FOUND_NOTHING);
    EXPECT(store_number(cache, &mailbox, 2, 100), "stored");
    atomic_fetch_sub(&scripted_ns, 10 * 1000000000LL); /* a clock that went back: cannot be, and is not believed */
    cache = restart(cache, &options);
    EXPECT_INTEGER(find_number(cache, &mailbox, 2, 100), FOUND_NOTHING);
    EXPECT_INTEGER(atomic_load(&notes), 0);
    end(cache);
}

TEST(what_is_past_its_time_goes_by_itself)
{
    struct cache *cache = begin();
    for (unsigned i = 0; i < 500; i++)
        EXPECT(store_number(cache, &mailbox, i, 100), "stored");
    cache_flush(cache);
    EXPECT_INTEGER(statistics_of(cache).entries, 500);
    atomic_fetch_add(&scripted_ns, 3600 * 1000000000LL);
    cache_flush(cache);
    EXPECT_INTEGER(statistics_of(cache).entries, 0);
    EXPECT_INTEGER(statistics_of(cache).bytes, 0);
    EXPECT_INTEGER(statistics_of(cache).expired, 500);
    end(cache);
}

/* ---- bounds ---- */

static int64_t resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

TEST(many_entries_stay_within_their_bounds)
{
    enum { HOT_BYTES = 8 << 20 };
    struct cache_options options = some_options();
    options.entries_max = MANY;
    options.hot_bytes_max = HOT_BYTES;
    make_directory();
    mailbox_init(&mailbox);
    struct cache *cache = cache_open(&options);
    int64_t before = resident_bytes();
    for (unsigned i = 0; i < MANY + MANY / 4; i++) {
        EXPECT(store_number(cache, &mailbox, i, MANY_BYTES), "entry %u", i);
        if (i % 200 == 199)
            cache_flush(cache);
        struct cache_statistics now = statistics_of(cache);
        EXPECT(now.entries <= MANY && now.bytes_in_memory <= HOT_BYTES + (16 << 20) + 512 * (uint64_t)MANY,
               "entry %u: %llu entries, %llu bytes in memory", i, (unsigned long long)now.entries,
               (unsigned long long)now.bytes_in_memory);
    }
    cache_flush(cache);
    struct cache_statistics statistics = statistics_of(cache);
    EXPECT_INTEGER(statistics.entries, MANY);
    EXPECT_INTEGER(statistics.evicted, MANY / 4);
    EXPECT_INTEGER(statistics.unkept, 0);
    EXPECT(statistics.bytes < (uint64_t)MANY * MANY_BYTES * 3 / 4, "%llu bytes", (unsigned long long)statistics.bytes);
#ifndef TOLLGATE_SANITIZED
    EXPECT(resident_bytes() - before < (64 << 20), "%lld bytes more", (long long)(resident_bytes() - before));
#endif
    (void)before;
    EXPECT_INTEGER(find_number(cache, &mailbox, MANY / 4 - 1, MANY_BYTES), FOUND_NOTHING); /* the oldest went */
    for (unsigned i = MANY / 4; i < MANY + MANY / 4; i += 97)
        EXPECT(find_number(cache, &mailbox, i, MANY_BYTES) == FOUND_RIGHT, "entry %u", i);
    cache = restart(cache, &options);
    EXPECT_INTEGER(statistics_of(cache).entries, MANY);
    for (unsigned i = MANY / 4; i < MANY + MANY / 4; i += 997)
        EXPECT(find_number(cache, &mailbox, i, MANY_BYTES) == FOUND_RIGHT, "entry %u after a restart", i);
    EXPECT_INTEGER(statistics_of(cache).corrupt, 0);
    end(cache);
}

TEST(what_was_used_stays)
{
    struct cache_options options = some_options();
    options.entries_max = 100;
    make_directory();
    mailbox_init(&mailbox);
    struct cache *cache = cache_open(&options);
    for (unsigned i = 0; i < 1000; i++) {
        EXPECT(store_number(cache, &mailbox, i, 100), "entry %u", i);
        EXPECT(find_number(cache, &mailbox, 0, 100) == FOUND_RIGHT, "the one in use, after %u", i);
    }
    EXPECT_INTEGER(statistics_of(cache).entries, 100);
    cache_set_limits(cache, 10, 0);
    cache_flush(cache);
    EXPECT_INTEGER(statistics_of(cache).entries, 10);
    EXPECT_INTEGER(find_number(cache, &mailbox, 0, 100), FOUND_RIGHT);
    cache_set_limits(cache, 1000, 5000);
    cache_flush(cache);
    EXPECT(statistics_of(cache).bytes <= 5000, "bytes");
    end(cache);
}

#ifndef TOLLGATE_SANITIZED
/* Of a store into a cache that is full, in microseconds of this thread's processor time. */
static double time_eviction(unsigned size)
{
    enum { STORES = 20000 };
    struct cache_options options = {.entries_max = size, .hot_bytes_max = (uint64_t)1 << 30};
    struct timespec from, to;
    mailbox_init(&mailbox);
    struct cache *cache = cache_open(&options);
    for (unsigned i = 0; i < size; i++)
        store_number(cache, &mailbox, i, 32);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (unsigned i = 0; i < STORES; i++)
        store_number(cache, &mailbox, size + i, 32);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    EXPECT_INTEGER(statistics_of(cache).evicted, STORES);
    cache_close(cache);
    mailbox_done(&mailbox);
    return ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) / STORES;
}
#endif

/* A walk would show in every round: what others do to the processor's caches meanwhile only adds, so the least counts.
 */
TEST(evictions_cost_the_same_however_many_there_are)
{
#ifndef TOLLGATE_SANITIZED
    double small = time_eviction(1000), large = time_eviction(64000);
    for (unsigned round = 1; round < 5; round++) {
        small = fmin(small, time_eviction(1000));
        large = fmin(large, time_eviction(64000));
    }
    EXPECT(large < 4 * small + 2, "%.2f µs at 1,000, %.2f at 64,000", small, large);
#endif
}

TEST(memory_alone_has_bounds_too)
{
    struct cache_options options = {.entries_max = 100000, .hot_bytes_max = 1 << 20, .now_ns = scripted_now};
    mailbox_init(&mailbox);
    struct cache *cache = cache_open(&options);
    for (unsigned i = 0; i < 500; i++)
        EXPECT(store_number(cache, &mailbox, i, 10000), "entry %u", i);
    struct cache_statistics statistics = statistics_of(cache);
    EXPECT(!statistics.is_on_disk && statistics.entries > 80 && statistics.entries < 105, "%llu entries",
           (unsigned long long)statistics.entries);
    EXPECT_INTEGER(statistics.unkept, 500);
    EXPECT_INTEGER(find_number(cache, &mailbox, 499, 10000), FOUND_RIGHT);
    EXPECT_INTEGER(find_number(cache, &mailbox, 0, 10000), FOUND_NOTHING);
    EXPECT(store_number(cache, &mailbox, 1000, 500000), "a long one"); /* taken, and gone at once */
    EXPECT_INTEGER(find_number(cache, &mailbox, 1000, 500000), FOUND_NOTHING);
    cache_close(cache);
    mailbox_done(&mailbox);
}

/* ---- clearing ---- */

static void store_as(struct cache *cache, unsigned number, const char *group, const char *model)
{
    struct caller caller;
    init_caller(&caller, number, &mailbox);
    caller.ask.group = group;
    caller.ask.model = model;
    EXPECT_INTEGER(cache_ask(cache, &caller.ask), CACHE_LEAD);
    EXPECT(!lead_to_the_end(cache, &caller.ask, false, SLICE_LITERAL("x")), "not stored");
    cache_leave(cache, &caller.ask);
}

static unsigned count_there(struct cache *cache, unsigned count)
{
    unsigned there = 0;
    for (unsigned i = 0; i < count; i++) {
        struct caller caller;
        init_caller(&caller, i, &mailbox);
        there += ask_and_wait(cache, &caller) == CACHE_HIT;
        cache_leave(cache, &caller.ask);
    }
    return there;
}

TEST(clearing_takes_what_it_is_told)
{
    static const struct {
        const char *group, *model;
        unsigned cleared;
    } rows[] = {{"a", "m", 5}, {"a", NULL, 10}, {NULL, "m", 10}, {NULL, NULL, 20}, {"c", NULL, 0}, {"m", "a", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cache *cache = begin();
        const struct cache_options options = some_options();
        for (unsigned j = 0; j < 20; j++)
            store_as(cache, j, j & 1 ? "a" : "b", j & 2 ? "m" : "n");
        if (i & 1) /* those on disk as well as those in memory */
            cache = restart(cache, &options);
        struct cache_part part, all, left;
        cache_count(cache, rows[i].group, rows[i].model, &part);
        cache_count(cache, NULL, NULL, &all);
        EXPECT_INTEGER(part.entries, rows[i].cleared);
        EXPECT(all.entries == 20 && all.bytes == statistics_of(cache).bytes, "all of them");
        EXPECT_INTEGER(cache_clear(cache, rows[i].group, rows[i].model), rows[i].cleared);
        cache_count(cache, NULL, NULL, &left);
        EXPECT(left.entries + part.entries == all.entries && left.bytes + part.bytes == all.bytes &&
                   left.bytes_in_memory + part.bytes_in_memory == all.bytes_in_memory,
               "row %zu: what is left and what went", i);
        EXPECT_INTEGER(count_there(cache, 20), 20 - rows[i].cleared);
        EXPECT_INTEGER(statistics_of(cache).cleared, rows[i].cleared);
        cache = restart(cache, &options);
        EXPECT_INTEGER(count_there(cache, 20), 20 - rows[i].cleared);
        end(cache);
    }
}

TEST(what_is_under_way_is_cleared_too)
{
    struct cache *cache = begin();
    struct caller leader, later;
    const struct cache_made made = some_made();
    init_caller(&leader, 1, &mailbox);
    init_caller(&later, 1, &mailbox);
    EXPECT_INTEGER(cache_ask(cache, &leader.ask), CACHE_LEAD);
    send_head(cache, &leader.ask, false);
    EXPECT_INTEGER(cache_clear(cache, "other", NULL), 0);
    EXPECT_INTEGER(cache_clear(cache, "group", "model"), 0);
    EXPECT_INTEGER(cache_ask(cache, &later.ask), CACHE_LEAD); /* it does not join what was asked before the clearing */
    const char *why = cache_lead_finish(cache, &leader.ask, &good_outcome, &made);
    EXPECT_STRING(why, "the cache was cleared meanwhile");
    cache_leave(cache, &leader.ask);
    cache_leave(cache, &later.ask);
    EXPECT_INTEGER(statistics_of(cache).entries, 0);
    end(cache);
}

/* ---- leaving while the disk is asked ---- */

TEST(one_may_leave_while_the_disk_is_asked)
{
    struct cache *cache = begin();
    const struct cache_options options = some_options();
    for (unsigned i = 0; i < 50; i++)
        EXPECT(store_number(cache, &mailbox, i, 20000), "stored");
    for (unsigned round = 0; round < 10; round++) {
        static struct caller callers[50];
        cache = restart(cache, &options);
        for (unsigned i = 0; i < 50; i++) {
            init_caller(&callers[i], i, &mailbox);
            cache_ask(cache, &callers[i].ask);
        }
        usleep(round * 100);
        for (unsigned i = 0; i < 50; i++)
            cache_leave(cache, &callers[i].ask);
        for (unsigned i = 0; i < 50; i++)
            EXPECT_INTEGER(callers[i].resumed, 0);
        cache_flush(cache);
        mailbox_run(&mailbox); /* nobody is called */
        for (unsigned i = 0; i < 50; i++)
            EXPECT_INTEGER(callers[i].resumed, 0);
    }
    end(cache);
}

/* ---- damage ---- */

enum { FLIP_ENTRIES = 60, FLIP_BYTES = 3000 };

static void flip_file(const char *name, unsigned *seed, unsigned flips)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR);
    struct stat status;
    if (fd < 0)
        return;
    for (unsigned i = 0; i < flips && fstat(fd, &status) == 0 && status.st_size; i++) {
        unsigned char byte = 0;
        off_t at = (off_t)((((uint64_t)rand_r(seed) << 31) | (uint64_t)rand_r(seed)) % (uint64_t)status.st_size);
        if (pread(fd, &byte, 1, at) != 1)
            break;
        byte ^= (unsigned char)(1 << rand_r(seed) % 8);
        if (pwrite(fd, &byte, 1, at) != 1)
            break;
    }
    if (rand_r(seed) % 10 == 0 && fstat(fd, &status) == 0)
        (void)!ftruncate(fd, status.st_size * (rand_r(seed) % 100) / 100);
    close(fd);
}

static void flip_files(unsigned *seed)
{
    DIR *entries = opendir(directory);
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0 && rand_r(seed) % 2)
            flip_file(entry->d_name, seed, 1 + (unsigned)rand_r(seed) % 20);
    if (entries)
        closedir(entries);
}

struct round {
    unsigned right, missing, wrong, not_stored;
    unsigned long long corrupt;
};

static void look_at_all(struct cache *cache, struct round *round)
{
    for (unsigned i = 0; i < FLIP_ENTRIES; i++)
        switch (find_number(cache, &mailbox, i, FLIP_BYTES)) {
        case FOUND_RIGHT:
            round->right++;
            break;
        case FOUND_NOTHING:
            round->missing++;
            break;
        default:
            round->wrong++;
        }
}

/* In a child: a failed environment stays in memory, and two hundred of them would be too many. */
static void run_round(unsigned number, int result_fd)
{
    struct cache_options options = some_options();
    struct round round = {0};
    unsigned seed = number * 7919 + 1;
    mailbox_init(&mailbox);
    options.hot_bytes_max = 1 << 20;
    struct cache *cache = cache_open(&options);
    for (unsigned i = 0; i < FLIP_ENTRIES; i++)
        store_number(cache, &mailbox, i, FLIP_BYTES);
    if (number % 2) {
        cache_close(cache);
        flip_files(&seed);
        cache = cache_open(&options);
        cache_flush(cache);
    } else { /* under its feet: nothing is in memory, all must be read */
        cache = restart(cache, &options);
        flip_files(&seed);
    }
    look_at_all(cache, &round);
    for (unsigned i = 0; i < 5; i++)
        round.not_stored += !store_number(cache, &mailbox, 1000 + i, FLIP_BYTES) ||
                            find_number(cache, &mailbox, 1000 + i, FLIP_BYTES) != FOUND_RIGHT;
    round.corrupt = statistics_of(cache).corrupt;
    cache_close(cache);
    mailbox_done(&mailbox);
    ssize_t ignored = write(result_fd, &round, sizeof round);
    (void)ignored;
}

TEST(a_damaged_store_is_a_store_that_misses)
{
    struct round sum = {0};
    for (unsigned i = 0; i < FLIP_ROUNDS; i++) {
        struct round round = {0};
        int ends[2], status = 0;
        make_directory();
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            run_round(i, ends[1]);
            _exit(0);
        }
        close(ends[1]);
        ssize_t length = read(ends[0], &round, sizeof round);
        close(ends[0]);
        waitpid(child, &status, 0);
        EXPECT(length == (ssize_t)sizeof round && WIFEXITED(status) && WEXITSTATUS(status) == 0,
               "round %u ended with %d", i, status);
        EXPECT(round.wrong == 0 && round.not_stored == 0 && round.right + round.missing == FLIP_ENTRIES,
               "round %u: %u wrong, %u not stored, %u right, %u missing", i, round.wrong, round.not_stored, round.right,
               round.missing);
        sum.right += round.right;
        sum.missing += round.missing;
        sum.corrupt += round.corrupt;
        remove_directory();
    }
    fprintf(stderr, "\n    %d rounds: %u right, %u missing, %llu noticed\n", FLIP_ROUNDS, sum.right, sum.missing,
            sum.corrupt);
    EXPECT(sum.missing > FLIP_ENTRIES && sum.right > FLIP_ENTRIES && sum.corrupt > 0, "nothing was damaged");
}

/* Berkeley DB's own checksums notice flipped bytes; these are changes that it vouches for. */
static const struct change {
    const char *what, *table;
    enum { FLIP_FIRST, FLIP_MIDDLE, FLIP_LAST, CUT, SWAP, REMOVE } kind;
} changes[] = {
    {"a body's first byte", "bodies", FLIP_FIRST},
    {"a body's middle", "bodies", FLIP_MIDDLE},
    {"a body's last byte", "bodies", FLIP_LAST},
    {"a shorter body", "bodies", CUT},
    {"another's body", "bodies", SWAP},
    {"no body", "bodies", REMOVE},
    {"a row's first byte", "rows", FLIP_FIRST},
    {"a row's middle", "rows", FLIP_MIDDLE},
    {"a row's last byte", "rows", FLIP_LAST},
    {"a shorter row", "rows", CUT},
    {"another's row", "rows", SWAP},
    {"no row", "rows", REMOVE},
};

static void change_value(struct store *store, struct store_table *table, int kind)
{
    static char value[100000];
    size_t length = 0;
    struct store_transaction *transaction = NULL;
    const struct cache_key mine = key_number(1), other = key_number(2);
    const struct slice key = {(const char *)mine.bytes, sizeof mine.bytes},
                       other_key = {(const char *)other.bytes, sizeof other.bytes};
    EXPECT_INTEGER(store_get(table, NULL, kind == SWAP ? other_key : key, value, sizeof value, &length), ERROR_OK);
    const size_t places[] = {[FLIP_FIRST] = 0, [FLIP_MIDDLE] = length / 2, [FLIP_LAST] = length - 1};
    if (kind <= FLIP_LAST)
        value[places[kind]] ^= 1;
    length -= kind == CUT ? 5 : 0;
    EXPECT_INTEGER(store_begin(store, &transaction), ERROR_OK);
    enum error error = kind == REMOVE ? store_delete(table, transaction, key)
                                      : store_put(table, transaction, key, (struct slice){value, length});
    EXPECT_INTEGER(error, ERROR_OK);
    EXPECT_INTEGER(store_commit(transaction), ERROR_OK);
}

TEST(what_the_store_says_is_not_believed)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct cache *cache = begin();
        const struct cache_options options = some_options();
        struct store *store = NULL;
        struct store_table *table = NULL;
        EXPECT(store_number(cache, &mailbox, 1, 2000) && store_number(cache, &mailbox, 2, 2000), "stored");
        cache_close(cache);
        CU_ASSERT_EQUAL_FATAL(store_open(directory, STORE_AUX, &store), ERROR_OK);
        CU_ASSERT_EQUAL_FATAL(store_table_open(store, changes[i].table, &table), ERROR_OK);
        change_value(store, table, changes[i].kind);
        store_table_close(table);
        store_close(store);
        cache = cache_open(&options);
        cache_flush(cache);
        EXPECT(find_number(cache, &mailbox, 1, 2000) == FOUND_NOTHING, "%s", changes[i].what);
        EXPECT(find_number(cache, &mailbox, 2, 2000) == FOUND_RIGHT, "%s: the other", changes[i].what);
        bool is_gone = changes[i].kind == REMOVE && changes[i].table[0] == 'r';
        EXPECT(statistics_of(cache).corrupt == !is_gone && atomic_load(&notes) == !is_gone, "%s: %llu noticed",
               changes[i].what, (unsigned long long)statistics_of(cache).corrupt);
        EXPECT(store_number(cache, &mailbox, 1, 2000), "%s: stored again", changes[i].what);
        end(cache);
    }
}

static void write_file(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

TEST(rubbish_is_deleted_and_made_anew)
{
    static const char *const names[] = {"rows.db", "bodies.db", "log.0000000001", "DB_CONFIG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct cache *cache = begin();
        const struct cache_options options = some_options();
        EXPECT(store_number(cache, &mailbox, 1, 100), "stored");
        cache_close(cache);
        write_file(names[i], "rubbish that is no table and no log\n");
        cache = cache_open(&options);
        EXPECT(find_number(cache, &mailbox, 1, 100) != FOUND_WRONG, "%s", names[i]);
        EXPECT(store_number(cache, &mailbox, 2, 100), "%s: stored", names[i]);
        EXPECT(atomic_load(&notes) > 0, "%s: nobody was told", names[i]);
        atomic_store(&notes, 0);
        cache = restart(cache, &options);
        EXPECT(find_number(cache, &mailbox, 2, 100) == FOUND_RIGHT, "%s: kept", names[i]);
        EXPECT(atomic_load(&notes) == 0, "%s: %s", names[i], last_note);
        end(cache);
    }
}

static bool is_in_memory_at_once(void)
{
    const struct cache_options options = some_options();
    struct cache *cache = cache_open(&options);
    bool is_in_memory = !statistics_of(cache).is_on_disk;
    cache_close(cache);
    return is_in_memory;
}

/* Opening fails at each of the descriptors that it takes, once. */
TEST(without_descriptors_what_is_kept_stays)
{
    enum { LEFT_MIN = 2, LEFT_MAX = 16 };
    struct cache *cache = begin();
    const struct cache_options options = some_options();
    unsigned failed = 0;
    EXPECT(store_number(cache, &mailbox, 1, 100), "stored");
    cache_close(cache);
    for (unsigned left = LEFT_MIN; left <= LEFT_MAX; left++)
        failed += says_with_descriptors(left, is_in_memory_at_once);
    EXPECT(failed > 2 && failed < LEFT_MAX - LEFT_MIN, "%u failed", failed);
    cache = cache_open(&options);
    cache_flush(cache);
    EXPECT_INTEGER(find_number(cache, &mailbox, 1, 100), FOUND_RIGHT);
    end(cache);
}

TEST(without_a_place_it_works_in_memory)
{
    struct cache_options options = some_options();
    make_directory();
    mailbox_init(&mailbox);
    int fd = open(directory, O_WRONLY | O_CREAT, 0600); /* a file where the directory should be */
    EXPECT(fd >= 0 && close(fd) == 0, "no file");
    struct cache *cache = cache_open(&options);
    EXPECT(atomic_load(&notes) > 0 && !statistics_of(cache).is_on_disk, "%s", last_note);
    EXPECT(store_number(cache, &mailbox, 1, 100), "stored");
    EXPECT_INTEGER(find_number(cache, &mailbox, 1, 100), FOUND_RIGHT);
    EXPECT_INTEGER(statistics_of(cache).unkept, 1);
    end(cache);
}

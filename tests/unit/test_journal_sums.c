/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and sums of the journal: what a line says is found again in its event; sums are those of the lines, made as
 * they come or anew; periods are exact to the millisecond, late payments included; what is too old goes, its sums stay.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "journal/journal.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <unistd.h>

enum { EVENTS = 3000, NAMES = 5 };
#define BEGUN_MS INT64_C(1790000000000)

static char root[40], directory[64];

static void make_directory(void)
{
    strcpy(root, "/tmp/tollgate-sums-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/aux", root);
}

static void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

static struct journal *open_journal(void)
{
    struct journal *journal = NULL;
    CU_ASSERT_EQUAL_FATAL(journal_open(directory, &journal), ERROR_OK);
    return journal;
}

static struct id id_at(int64_t ms, unsigned number)
{
    struct id id = {{0}};
    for (int i = 6; i-- > 0; ms >>= 8)
        id.bytes[i] = (uint8_t)ms;
    id.bytes[13] = (uint8_t)(number >> 8);
    id.bytes[14] = (uint8_t)number;
    return id;
}

/* ---- an event and its lines, as flow/record.c makes them ---- */

static const char *const groups[NAMES] = {"team \"quoted\"", "müller", "a", "b", "c"};
static const char *const models[NAMES] = {"gpt-x", "claude-\\y", "m1", "m2", "m3"};

struct sample {
    struct id id;
    char json[4096];
    struct journal_line lines[2];
    unsigned count;
};

static void write_attempt(struct buffer *out, const struct journal_line *line, bool is_last)
{
    char time[CLOCK_TEXT_MAX];
    json_write_raw(out, "{");
    json_write_member_string(out, "provider", line->names[DIMENSION_provider]);
    json_write_member_string(out, "model", line->names[DIMENSION_model]);
    json_write_member_money(out, "hold", (struct money){(int64_t)line->of[MEASURE_hold]});
    json_write_member_money(out, "charge", (struct money){(int64_t)line->of[MEASURE_cost]});
    json_write_member_string(out, "settled", clock_format(line->time_ms * 1000000, time));
    if (!is_last) {
        json_write_member(out, "tokens");
        json_write_raw(out, "{");
        json_write_member_integer(out, "input", (int64_t)line->of[MEASURE_buckets + BUCKET_input]);
        json_write_raw(out, "}");
    }
    json_write_raw(out, "}");
}

static void write_sample(const struct sample *sample, int64_t begun_ms, struct buffer *out)
{
    const struct journal_line *last = &sample->lines[sample->count - 1];
    char time[CLOCK_TEXT_MAX];
    json_write_raw(out, "{");
    json_write_member_string(out, "time", clock_format(begun_ms * 1000000, time));
    json_write_member_string(out, "group", last->names[DIMENSION_group]);
    json_write_member_string(out, "model", last->names[DIMENSION_requested]);
    json_write_member_integer(out, "uid", 7);
    json_write_member_string(out, "outcome", last->of[MEASURE_failed] ? "failed" : "answered");
    json_write_member_integer(out, "duration_us", (int64_t)last->of[MEASURE_duration]);
    json_write_member(out, "tokens");
    json_write_raw(out, "{");
    json_write_member_integer(out, "input", (int64_t)last->of[MEASURE_buckets + BUCKET_input]);
    json_write_member_integer(out, "output", (int64_t)last->of[MEASURE_buckets + BUCKET_output]);
    json_write_raw(out, "},\"attempts\":[");
    for (unsigned i = 0; i < sample->count; i++) {
        json_write_raw(out, i ? "," : "");
        write_attempt(out, &sample->lines[i], i + 1 == sample->count);
    }
    json_write_raw(out, "]}");
}

/* `late_ms`: between its beginning and what paid for it. */
static void make_sample(unsigned number, int64_t begun_ms, int64_t late_ms, struct sample *ret_sample)
{
    struct buffer out;
    *ret_sample = (struct sample){.id = id_at(begun_ms, number), .count = number % 3 == 0 ? 2 : 1};
    for (unsigned i = 0; i < ret_sample->count; i++) {
        struct journal_line *line = &ret_sample->lines[i];
        line->time_ms = begun_ms + late_ms + i;
        line->attempt = i;
        line->names[DIMENSION_group] = groups[number % NAMES];
        line->names[DIMENSION_requested] = models[number / 7 % NAMES];
        line->names[DIMENSION_model] = i ? "fallback" : models[number / 7 % NAMES];
        line->names[DIMENSION_provider] = i ? "other" : "openai";
        line->names[DIMENSION_uid] = "7";
        line->of[MEASURE_attempts] = 1;
        line->of[MEASURE_hold] = 5000 + number;
        line->of[MEASURE_cost] = 1 + number * 3 + i;
        line->of[MEASURE_buckets + BUCKET_input] = number + i;
    }
    struct journal_line *last = &ret_sample->lines[ret_sample->count - 1];
    if (ret_sample->count > 1)
        ret_sample->lines[0].of[MEASURE_retried] = 1;
    last->of[MEASURE_calls] = 1;
    last->of[MEASURE_failed] = number % 11 == 0;
    last->of[MEASURE_duration] = number;
    last->of[MEASURE_buckets + BUCKET_output] = number % 50;
    buffer_init(&out, sizeof ret_sample->json);
    write_sample(ret_sample, begun_ms, &out);
    CU_ASSERT_FATAL(buffer_append(&out, (struct slice){"", 1}));
    strcpy(ret_sample->json, buffer_contents(&out).data);
    buffer_done(&out);
}

static void append_sample(struct journal *journal, const struct sample *sample)
{
    journal_append(journal, sample->id, slice_of(sample->json), sample->lines, sample->count);
}

/* Over some hours; one in 50 is paid five hours after it began. */
static void append_samples(struct journal *journal)
{
    struct sample sample;
    for (unsigned i = 0; i < EVENTS; i++) {
        make_sample(i, BEGUN_MS + i * 7000, i % 50 == 1 ? 5 * 3600 * 1000 : i % 90, &sample);
        append_sample(journal, &sample);
        if (i % 1000 == 999)
            journal_flush(journal);
    }
    journal_flush(journal);
}

/* ---- sums as text, to be compared ---- */

struct listing {
    struct journal *journal;
    struct buffer text;
    uint64_t cost, calls, rows;
};

static bool list_sum(void *context, int64_t slot_s, uint32_t series, const uint64_t of[MEASURE_COUNT])
{
    struct listing *listing = context;
    const char *names[DIMENSION_COUNT];
    journal_find_series(listing->journal, series, names);
    CU_ASSERT_FATAL(buffer_append_format(&listing->text, "%lld", (long long)slot_s));
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        CU_ASSERT_FATAL(buffer_append_format(&listing->text, "|%s", names[i]));
    for (size_t i = 0; i < MEASURE_COUNT; i++)
        CU_ASSERT_FATAL(buffer_append_format(&listing->text, " %llu", (unsigned long long)of[i]));
    CU_ASSERT_FATAL(buffer_append(&listing->text, SLICE_LITERAL("\n")));
    listing->cost += of[MEASURE_cost];
    listing->calls += of[MEASURE_calls];
    listing->rows++;
    return true;
}

static struct listing list_sums(struct journal *journal, int64_t from_s, int64_t until_s)
{
    struct listing listing = {.journal = journal};
    buffer_init(&listing.text, 64 << 20);
    CU_ASSERT_EQUAL_FATAL(journal_scan_sums(journal, from_s, until_s, list_sum, &listing), ERROR_OK);
    return listing;
}

static uint64_t wanted_cost(unsigned from, unsigned until)
{
    uint64_t cost = 0;
    for (unsigned i = from; i < until; i++) {
        cost += 1 + i * 3;
        cost += i % 3 == 0 ? 2 + i * 3 : 0;
    }
    return cost;
}

TEST(lines_are_found_again_in_their_event)
{
    struct arena *arena = arena_new(4096);
    for (unsigned number = 0; number < 200; number++) {
        struct sample sample;
        struct journal_line lines[JOURNAL_LINES_MAX];
        make_sample(number, BEGUN_MS, number * 1000, &sample);
        unsigned count = journal_read_lines(slice_of(sample.json), arena, lines);
        CU_ASSERT_EQUAL_FATAL(count, sample.count);
        for (unsigned i = 0; i < count; i++) {
            EXPECT(lines[i].time_ms == sample.lines[i].time_ms, "%lld", (long long)lines[i].time_ms);
            EXPECT(!memcmp(lines[i].of, sample.lines[i].of, sizeof lines[i].of), "line %u of %u", i, number);
            for (size_t d = 0; d < DIMENSION_COUNT; d++) {
                const char *got = lines[i].names[d] ? lines[i].names[d] : "";
                const char *wanted = sample.lines[i].names[d] ? sample.lines[i].names[d] : "";
                EXPECT(!strcmp(got, wanted), "%s: '%s', not '%s'", journal_dimension_name((enum dimension)d), got,
                       wanted);
            }
        }
    }
    struct journal_line lines[JOURNAL_LINES_MAX];
    EXPECT(journal_read_lines(SLICE_LITERAL("{\"broken"), arena, lines) == 0, "no document");
    EXPECT(journal_read_lines(SLICE_LITERAL("{\"kind\":\"ungoverned\"}"), arena, lines) == 1 &&
               lines[0].of[MEASURE_ungoverned] == 1 && lines[0].of[MEASURE_calls] == 0,
           "a leak is no call");
    arena_free(arena);
}

TEST(sums_are_those_of_the_lines_and_the_same_made_anew)
{
    make_directory();
    struct journal *journal = open_journal();
    append_samples(journal);
    struct listing before = list_sums(journal, 0, INT64_MAX / 2);
    EXPECT(before.cost == wanted_cost(0, EVENTS), "%llu", (unsigned long long)before.cost);
    EXPECT(before.calls == EVENTS, "%llu", (unsigned long long)before.calls);
    uint64_t events = 0;
    CU_ASSERT_EQUAL(journal_rebuild_sums(journal, &events), ERROR_OK);
    EXPECT(events == EVENTS, "%llu", (unsigned long long)events);
    struct listing after = list_sums(journal, 0, INT64_MAX / 2);
    EXPECT(slice_is_equal(buffer_contents(&before.text), buffer_contents(&after.text)), "%llu rows, %llu rows",
           (unsigned long long)before.rows, (unsigned long long)after.rows);
    journal_close(journal);
    journal = open_journal();
    struct listing reopened = list_sums(journal, 0, INT64_MAX / 2);
    EXPECT(slice_is_equal(buffer_contents(&before.text), buffer_contents(&reopened.text)), "after a restart");
    struct sample sample; /* what comes now is added to what was read from disk */
    make_sample(5, BEGUN_MS + 5 * 7000, 5, &sample);
    append_sample(journal, &sample);
    journal_flush(journal);
    struct listing more = list_sums(journal, 0, INT64_MAX / 2);
    EXPECT(more.cost == before.cost + 16 && more.rows == before.rows, "%llu", (unsigned long long)more.cost);
    buffer_done(&before.text);
    buffer_done(&after.text);
    buffer_done(&reopened.text);
    buffer_done(&more.text);
    journal_close(journal);
    remove_directory();
}

struct period_sum {
    int64_t from_ms, until_ms;
    uint64_t cost, lines;
    bool is_outside;
};

static bool add_line(void *context, struct id id, const struct journal_line *line, struct slice json)
{
    struct period_sum *sum = context;
    (void)id, (void)json;
    sum->cost += line->of[MEASURE_cost];
    sum->lines++;
    sum->is_outside |= line->time_ms < sum->from_ms || line->time_ms >= sum->until_ms;
    return true;
}

TEST(lines_of_periods_are_exact_and_equal_the_sums)
{
    make_directory();
    struct journal *journal = open_journal();
    append_samples(journal);
    uint64_t total = 0;
    int64_t first_s = BEGUN_MS / 1000 / JOURNAL_SLOT_S * JOURNAL_SLOT_S;
    for (int64_t from_s = first_s; from_s < first_s + 14 * 3600; from_s += JOURNAL_SLOT_S) {
        struct period_sum sum = {.from_ms = from_s * 1000, .until_ms = (from_s + JOURNAL_SLOT_S) * 1000};
        CU_ASSERT_EQUAL(journal_scan_lines(journal, sum.from_ms, sum.until_ms, add_line, &sum), ERROR_OK);
        struct listing listing = list_sums(journal, from_s, from_s + JOURNAL_SLOT_S);
        EXPECT(!sum.is_outside && sum.cost == listing.cost, "at %lld: lines %llu, sums %llu", (long long)from_s,
               (unsigned long long)sum.cost, (unsigned long long)listing.cost);
        total += sum.cost;
        buffer_done(&listing.text);
    }
    EXPECT(total == wanted_cost(0, EVENTS), "%llu", (unsigned long long)total);
    journal_close(journal);
    remove_directory();
}

TEST(what_is_too_old_goes_and_its_sums_stay)
{
    make_directory();
    struct journal *journal = open_journal();
    append_samples(journal);
    struct listing before = list_sums(journal, 0, INT64_MAX / 2);
    int64_t cut_ms = (BEGUN_MS / 1000 / JOURNAL_SLOT_S + 8) * JOURNAL_SLOT_S * 1000;
    unsigned rounds = 0;
    while (journal_trim(journal, cut_ms, 0) && rounds < 100)
        rounds++;
    EXPECT(journal_oldest_ms(journal) >= cut_ms - 1000, "%lld", (long long)journal_oldest_ms(journal));
    uint64_t events;
    CU_ASSERT_EQUAL(journal_rebuild_sums(journal, &events), ERROR_OK);
    EXPECT(events < EVENTS && events > EVENTS / 4, "%llu are left", (unsigned long long)events);
    struct listing after = list_sums(journal, 0, INT64_MAX / 2);
    EXPECT(slice_is_equal(buffer_contents(&before.text), buffer_contents(&after.text)), "%llu and %llu",
           (unsigned long long)before.cost, (unsigned long long)after.cost);
    while (journal_trim(journal, 0, cut_ms / 1000) && rounds < 200)
        rounds++;
    struct listing rest = list_sums(journal, 0, INT64_MAX / 2);
    struct listing wanted = list_sums(journal, cut_ms / 1000, INT64_MAX / 2);
    EXPECT(rest.cost == wanted.cost && rest.cost < before.cost, "%llu", (unsigned long long)rest.cost);
    buffer_done(&before.text);
    buffer_done(&after.text);
    buffer_done(&rest.text);
    buffer_done(&wanted.text);
    journal_close(journal);
    remove_directory();
}

/* Programs choose names as they like: past the bound they share series, and no cost is lost. */
TEST(series_have_a_bound)
{
    make_directory();
    struct journal *journal = open_journal();
    for (unsigned i = 0; i < 9000; i++) {
        char name[32];
        snprintf(name, sizeof name, "/tmp/%u", i);
        struct journal_line line = {.time_ms = BEGUN_MS,
                                    .names[DIMENSION_directory] = name,
                                    .names[DIMENSION_executable] = name,
                                    .names[DIMENSION_model] = name,
                                    .of[MEASURE_cost] = 1};
        journal_append(journal, id_at(BEGUN_MS, i), SLICE_LITERAL("{}"), &line, 1);
        if (i % 1000 == 0)
            journal_flush(journal);
    }
    struct journal_line free_one = {
        .time_ms = BEGUN_MS, .names[DIMENSION_group] = "poor", .of[MEASURE_calls] = 1, .of[MEASURE_refused] = 1};
    uint32_t before = (journal_flush(journal), journal_count_series(journal));
    for (unsigned i = 0; i < 3000; i++) { /* refusals cost nobody anything: fewer of them have names of their own */
        char name[32];
        snprintf(name, sizeof name, "model-%u", i);
        free_one.names[DIMENSION_requested] = free_one.names[DIMENSION_model] = name;
        journal_append(journal, id_at(BEGUN_MS, i + 9000), SLICE_LITERAL("{}"), &free_one, 1);
        if (i % 1000 == 0)
            journal_flush(journal);
    }
    journal_flush(journal);
    EXPECT(journal_count_series(journal) < before + 600, "%u of refusals", journal_count_series(journal) - before);
    const struct journal_line other_group = {.time_ms = BEGUN_MS,
                                             .names[DIMENSION_group] = "rich",
                                             .names[DIMENSION_executable] = "/usr/bin/train",
                                             .of[MEASURE_cost] = 0,
                                             .of[MEASURE_attempts] = 1};
    journal_append(journal, id_at(BEGUN_MS, 20000), SLICE_LITERAL("{}"), &other_group, 1);
    journal_flush(journal);
    const char *names[DIMENSION_COUNT];
    journal_find_series(journal, journal_count_series(journal) - 1, names);
    EXPECT(!strcmp(names[DIMENSION_executable], "/usr/bin/train"), "another group has its names: %s",
           names[DIMENSION_executable]);
    journal_flush(journal);
    struct listing listing = list_sums(journal, 0, INT64_MAX / 2);
    EXPECT(listing.cost == 9000, "%llu", (unsigned long long)listing.cost);
    EXPECT(journal_count_series(journal) < 6000, "%u", journal_count_series(journal));
    buffer_done(&listing.text);
    journal_close(journal);
    remove_directory();
}

TEST(the_mark_stays_where_something_was_lost)
{
    make_directory();
    struct journal *journal = open_journal();
    CU_ASSERT_EQUAL(journal_get_mark(journal), 0);
    journal_set_mark(journal, 17);
    journal_close(journal);
    journal = open_journal();
    CU_ASSERT_EQUAL(journal_get_mark(journal), 17);
    journal_note_gap(journal);
    journal_set_mark(journal, 20);
    CU_ASSERT_EQUAL(journal_get_mark(journal), 17);
    journal_close(journal);
    remove_directory();
}

/* Found by tests/fuzz/fuzz_journal.c: the year of the first is 4294966297 to scanf. */
TEST(a_time_that_is_none_is_none)
{
    static const char *const times[] = {"-999-11-01T00:00:00.000Z", "2026--9-01T00:00:00.000Z",
                                        "2026-11-01T-1:00:00.000Z", "2026-11-01T00:-1:00.000Z",
                                        "2026-11-01T00:00:-1.000Z", "2026-11-01T00:00:00.-99Z"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char json[256];
        struct journal_line lines[JOURNAL_LINES_MAX];
        struct arena *arena = arena_new(1024);
        snprintf(json, sizeof json, "{\"time\":\"%s\",\"attempts\":[{}]}", times[i]);
        unsigned count = journal_read_lines(slice_of(json), arena, lines);
        EXPECT(count == 0 || lines[0].time_ms == -1, "%s: %lld", times[i], (long long)lines[0].time_ms);
        arena_free(arena);
    }
}

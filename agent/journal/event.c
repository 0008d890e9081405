/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of an event, from its document: what flow/record.c hands over beside it, found again. A call whose try
 * failed and was followed by another has a line for each; the last one counts the call.
 */
#include "journal/internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/money.h"
#include "base/zone.h"

enum { DEPTH_MAX = 16 };

static const char *text_of(struct arena *arena, const struct json_value *value)
{
    if (value->kind != JSON_KIND_STRING)
        return NULL;
    char *text = arena_alloc(arena, value->raw.length);
    return json_get_string(value, text, value->raw.length) ? text : NULL;
}

static uint64_t number_of(const struct json_value *value)
{
    int64_t number;
    return json_get_integer(value, &number) ? (uint64_t)number : 0;
}

static uint64_t money_of(const struct json_value *value)
{
    struct money money;
    char text[MONEY_TEXT_MAX];
    if (!json_get_string(value, text, sizeof text) || money_parse(slice_of(text), &money) || money.nano < 0)
        return 0;
    return (uint64_t)money.nano;
}

/* As clock_format writes it: "2026-11-23T20:30:00.123Z". -1: it is not that. */
static int64_t time_of(const struct json_value *value)
{
    char text[CLOCK_TEXT_MAX];
    unsigned year, month, day, hour, minute, second, millisecond;
    if (!json_get_string(value, text, sizeof text) ||
        sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ", &year, &month, &day, &hour, &minute, &second, &millisecond) != 7 ||
        year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 ||
        millisecond > 999) /* scanf takes a sign: "-999" would be a large year */
        return -1;
    int64_t days = zone_days_from_civil(year, month, day);
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millisecond;
}

static bool is_true(const struct json_value *value)
{
    return value->kind == JSON_KIND_TRUE;
}

static void read_tokens(const struct json_value *tokens, uint64_t of[MEASURE_COUNT])
{
    struct json_value values[BUCKET_COUNT];
    struct json_query queries[BUCKET_COUNT];
    if (tokens->kind != JSON_KIND_OBJECT)
        return;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        queries[i] = (struct json_query){bucket_rows[i].name, &values[i]};
    if (json_scan(tokens->raw, DEPTH_MAX, queries, BUCKET_COUNT, NULL))
        return;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        of[MEASURE_buckets + i] = number_of(&values[i]);
}

/* One element of `attempts`: what it cost, at whom, when. */
static void read_attempt(struct slice attempt, struct arena *arena, struct journal_line *line)
{
    struct json_value provider, model, target, hold, charge, written_off, settled, tokens, paid_for, is_sent;
    const struct json_query queries[] = {
        {"provider", &provider},  {"model", &model},
        {"target", &target},      {"hold", &hold},
        {"charge", &charge},      {"written_off", &written_off},
        {"bytes_sent", &is_sent}, {"settled", &settled},
        {"tokens", &tokens},      {"settled_hold", &paid_for},
    };
    if (json_scan(attempt, DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL))
        return;
    line->names[DIMENSION_provider] = text_of(arena, &provider);
    line->names[DIMENSION_model] = text_of(arena, &model);
    line->names[DIMENSION_target] = text_of(arena, &target);
    line->of[MEASURE_hold] = money_of(&hold);
    line->of[MEASURE_cost] = money_of(&charge);
    line->of[MEASURE_written_off] = money_of(&written_off);
    line->of[MEASURE_attempts] = hold.kind == JSON_KIND_STRING || is_true(&is_sent);
    line->paid_for = text_of(arena, &paid_for);
    int64_t settled_ms = time_of(&settled);
    if (settled_ms >= 0)
        line->time_ms = settled_ms;
    read_tokens(&tokens, line->of);
}

/* The members of the document itself, as far as lines are made of them. */
enum member {
    TIME,
    GROUP,
    WALLET,
    PROVIDER,
    MODEL,
    TARGET,
    PROJECT,
    EXECUTABLE,
    DIRECTORY,
    UID,
    ERROR,
    OUTCOME,
    STREAM,
    REROUTED,
    CHEAPER,
    CLAMPED,
    ITERATION,
    KIND,
    SOURCE,
    REQUEST_BYTES,
    ANSWER_BYTES,
    DURATION,
    CACHE,
    AVOIDED,
    ATTEMPTS,
    TOKENS,
    CHARGE,
    MEMBERS
};
static const char *const member_paths[MEMBERS] = {
    [TIME] = "time",
    [GROUP] = "group",
    [WALLET] = "wallet",
    [PROVIDER] = "provider",
    [MODEL] = "model",
    [TARGET] = "target",
    [PROJECT] = "project",
    [EXECUTABLE] = "executable",
    [DIRECTORY] = "directory",
    [UID] = "uid",
    [ERROR] = "error",
    [OUTCOME] = "outcome",
    [STREAM] = "stream",
    [REROUTED] = "route.rerouted",
    [CHEAPER] = "route.cheaper",
    [CLAMPED] = "clamped_output_tokens",
    [ITERATION] = "iteration",
    [KIND] = "kind",
    [SOURCE] = "source",
    [REQUEST_BYTES] = "request_bytes",
    [ANSWER_BYTES] = "answer_bytes",
    [DURATION] = "duration_us",
    [CACHE] = "cache_status",
    [AVOIDED] = "avoided_cost",
    [ATTEMPTS] = "attempts",
    [TOKENS] = "tokens",
    [CHARGE] = "charge",
};
static const struct {
    enum dimension dimension;
    enum member member;
} named[] = {
    {DIMENSION_group, GROUP},     {DIMENSION_wallet, WALLET},         {DIMENSION_provider, PROVIDER},
    {DIMENSION_model, MODEL},     {DIMENSION_requested, MODEL},       {DIMENSION_target, TARGET},
    {DIMENSION_project, PROJECT}, {DIMENSION_executable, EXECUTABLE}, {DIMENSION_directory, DIRECTORY},
    {DIMENSION_reason, ERROR},
};

static void read_counts(const struct json_value values[MEMBERS], uint64_t of[MEASURE_COUNT])
{
    bool is_call = values[KIND].kind != JSON_KIND_STRING;
    of[MEASURE_calls] = is_call;
    of[MEASURE_ungoverned] = !is_call;
    of[MEASURE_refused] = json_string_is(&values[OUTCOME], "refused");
    of[MEASURE_failed] = json_string_is(&values[OUTCOME], "failed");
    of[MEASURE_hits] = values[AVOIDED].kind == JSON_KIND_STRING && json_string_is(&values[OUTCOME], "answered");
    of[MEASURE_misses] = values[AVOIDED].kind == JSON_KIND_ABSENT && values[CACHE].kind == JSON_KIND_STRING &&
                         memmem(values[CACHE].raw.data, values[CACHE].raw.length, "fwd=miss", 8);
    of[MEASURE_streams] = is_true(&values[STREAM]);
    of[MEASURE_rerouted] = is_true(&values[REROUTED]) && of[MEASURE_attempts];
    of[MEASURE_cheaper] = is_true(&values[CHEAPER]);
    of[MEASURE_clamped] = values[CLAMPED].kind == JSON_KIND_NUMBER;
    of[MEASURE_iterations] = number_of(&values[ITERATION]) > 1;
    of[MEASURE_restored] = json_string_is(&values[SOURCE], "ledger");
    of[MEASURE_recovered] = of[MEASURE_restored] && json_string_is(&values[ERROR], "recovered");
    of[MEASURE_request_bytes] = number_of(&values[REQUEST_BYTES]);
    of[MEASURE_answer_bytes] = number_of(&values[ANSWER_BYTES]);
    of[MEASURE_duration] = number_of(&values[DURATION]);
    of[MEASURE_avoided] = money_of(&values[AVOIDED]);
}

unsigned journal_read_lines(struct slice json, struct arena *arena, struct journal_line lines[JOURNAL_LINES_MAX])
{
    struct json_value values[MEMBERS], attempt;
    struct json_query queries[MEMBERS];
    struct journal_line common = {0};
    for (size_t i = 0; i < MEMBERS; i++)
        queries[i] = (struct json_query){member_paths[i], &values[i]};
    if (json_scan(json, DEPTH_MAX, queries, MEMBERS, NULL))
        return 0;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        common.names[named[i].dimension] = text_of(arena, &values[named[i].member]);
    if (values[UID].kind == JSON_KIND_NUMBER)
        common.names[DIMENSION_uid] = arena_printf(arena, SLICE_FORMAT, SLICE_ARGUMENTS(values[UID].raw));
    common.time_ms = time_of(&values[TIME]) + (int64_t)(number_of(&values[DURATION]) / 1000);
    unsigned count = 0;
    for (size_t at = 0; count < JOURNAL_LINES_MAX && json_next_element(values[ATTEMPTS].raw, &at, &attempt); count++) {
        lines[count] = common;
        lines[count].attempt = count;
        read_attempt(attempt.raw, arena, &lines[count]);
        lines[count].of[MEASURE_retried] = lines[count].of[MEASURE_attempts];
    }
    if (count == 0) { /* nobody was asked, or only the ledger knows of it */
        lines[count++] = common;
        lines[0].of[MEASURE_cost] = money_of(&values[CHARGE]);
    }
    struct journal_line *last = &lines[count - 1];
    last->of[MEASURE_retried] = 0;
    read_counts(values, last->of);
    read_tokens(&values[TOKENS], last->of);
    return count;
}

void journal_append_event(struct journal *journal, struct id id, struct slice json)
{
    struct arena *arena = arena_new(4096);
    struct journal_line lines[JOURNAL_LINES_MAX];
    unsigned count = journal_read_lines(json, arena, lines);
    journal_append(journal, id, json, lines, count);
    arena_free(arena);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions that evidence must answer without anybody's reconstructing anything (evidence.md): a table of groupings
 * and figures, and for each the sentence that says it. Every figure has that of the period before beside it.
 */
#include "evidence/evidence.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIGURES_MAX = 8, UNKNOWN = -1 };
#define BIT(name) (1u << DIMENSION_##name)

/* A group's figures, now and before. */
struct pair {
    const struct report_row *names, *now, *before; /* the latter two may be NULL: nothing */
};
struct answering {
    const struct report *now, *before;
    const struct pair *pairs;
    size_t count;
    struct arena *arena;
};
typedef const char *make_sentence(const struct answering *answering);

static uint64_t figure(const struct report_row *row, enum measure measure)
{
    return row ? row->of[measure] : 0;
}

/* Tenths of a percent; UNKNOWN: of nothing. */
static int64_t share(uint64_t part, uint64_t whole)
{
    return whole ? (int64_t)((unsigned __int128)part * 1000 / whole) : UNKNOWN;
}

static const char *percent(struct arena *arena, int64_t tenths)
{
    return tenths == UNKNOWN ? "-" : arena_printf(arena, "%" PRId64 ".%" PRId64 " %%", tenths / 10, tenths % 10);
}

static const char *usd(struct arena *arena, uint64_t nano)
{
    char text[MONEY_TEXT_MAX];
    return arena_printf(arena, "%s USD", money_format((struct money){(int64_t)nano}, text));
}

/* "rose by 12.0 % (100 → 112)" */
static const char *change(struct arena *arena, uint64_t before, uint64_t now)
{
    if (before == now)
        return arena_printf(arena, "stayed at %" PRIu64, now);
    if (!before)
        return arena_printf(arena, "rose from 0 to %" PRIu64, now);
    bool is_more = now > before;
    return arena_printf(arena, "%s by %s (%" PRIu64 " → %" PRIu64 ")", is_more ? "rose" : "fell",
                        percent(arena, share(is_more ? now - before : before - now, before)), before, now);
}

static const char *name_of(const struct pair *pair, enum dimension dimension)
{
    const char *name = pair->names->names[dimension];
    return name && name[0] ? name : "(none)";
}

/* ---- sentences ---- */

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* What the team in the middle does. */
static uint64_t median_iterations(const struct answering *answering)
{
    uint64_t *values = arena_new_array(answering->arena, uint64_t, answering->count);
    for (size_t i = 0; i < answering->count; i++)
        values[i] = figure(answering->pairs[i].now, MEASURE_iterations);
    qsort(values, answering->count, sizeof *values, compare_numbers);
    return values[(answering->count - 1) / 2];
}

/* Far more than expected: twice what the team did before, or, without a before, twice the team in the middle. */
static const char *say_iterations(const struct answering *answering)
{
    enum { FAR = 2, FEW = 10 };
    const struct pair *most = &answering->pairs[0];
    for (size_t i = 1; i < answering->count; i++)
        if (figure(answering->pairs[i].now, MEASURE_iterations) > figure(most->now, MEASURE_iterations))
            most = &answering->pairs[i];
    uint64_t now = figure(most->now, MEASURE_iterations), before = figure(most->before, MEASURE_iterations);
    uint64_t expected = before ? before : answering->count > 1 ? median_iterations(answering) : now;
    if (now < FEW)
        return "No team iterates over prompts: fewer than ten calls repeat an earlier one but for the last message.";
    bool is_far = now >= FAR * expected && now > expected;
    return arena_printf(answering->arena,
                        "%s iterates most: %" PRIu64 " of its %" PRIu64 " calls repeat an earlier prompt, %s %s "
                        "(%" PRIu64 ").",
                        name_of(most, DIMENSION_group), now, figure(most->now, MEASURE_calls),
                        is_far ? "far more than" : "in line with",
                        before ? "in the period before" : "what other teams do", expected);
}

static const char *say_routes(const struct answering *answering)
{
    const uint64_t *now = answering->now->total.of, *before = answering->before->total.of;
    return arena_printf(
        answering->arena,
        "%s of the calls that reached a provider went to another model than the one named (before: %s), "
        "%" PRIu64 " because money was short; all cost %s.",
        percent(answering->arena, share(now[MEASURE_rerouted], now[MEASURE_attempts] - now[MEASURE_retried])),
        percent(answering->arena, share(before[MEASURE_rerouted], before[MEASURE_attempts] - before[MEASURE_retried])),
        now[MEASURE_cheaper], usd(answering->arena, now[MEASURE_cost]));
}

static int64_t hit_rate(const uint64_t of[MEASURE_COUNT])
{
    return share(of[MEASURE_hits], of[MEASURE_hits] + of[MEASURE_misses]);
}

static const char *say_cache(const struct answering *answering)
{
    const uint64_t *now = answering->now->total.of, *before = answering->before->total.of;
    return arena_printf(answering->arena,
                        "The cache answered %s of what it was asked (before: %s): %" PRIu64 " calls, which saved %s "
                        "(before: %s).",
                        percent(answering->arena, hit_rate(now)), percent(answering->arena, hit_rate(before)),
                        now[MEASURE_hits], usd(answering->arena, now[MEASURE_avoided]),
                        usd(answering->arena, before[MEASURE_avoided]));
}

static const char *say_volume(const struct answering *answering)
{
    const uint64_t *now = answering->now->total.of, *before = answering->before->total.of;
    return arena_printf(answering->arena, "Calls %s; they cost %s (before: %s).",
                        change(answering->arena, before[MEASURE_calls], now[MEASURE_calls]),
                        usd(answering->arena, now[MEASURE_cost]), usd(answering->arena, before[MEASURE_cost]));
}

/* The provider whose share of the cost moved most. */
static const char *say_mix(const struct answering *answering)
{
    const struct pair *most = &answering->pairs[0];
    int64_t most_moved = -1, most_now = 0, most_before = 0;
    uint64_t now_cost = answering->now->total.of[MEASURE_cost], before_cost = answering->before->total.of[MEASURE_cost];
    if (!now_cost || !before_cost)
        return arena_printf(answering->arena, "Nothing was spent in %s: the mix cannot be compared.",
                            now_cost ? "the period before" : "this period");
    for (size_t i = 0; i < answering->count; i++) {
        const struct pair *pair = &answering->pairs[i];
        int64_t now = share(figure(pair->now, MEASURE_cost), now_cost);
        int64_t before = share(figure(pair->before, MEASURE_cost), before_cost);
        int64_t moved = now > before ? now - before : before - now;
        if (moved > most_moved) {
            most = pair;
            most_moved = moved;
            most_now = now;
            most_before = before;
        }
    }
    return arena_printf(answering->arena, "%s %s: %s → %s of the cost.", name_of(most, DIMENSION_provider),
                        most_moved < 50 ? "moved most, and little" : "moved most",
                        percent(answering->arena, most_before), percent(answering->arena, most_now));
}

/* ---- the table ---- */

static const struct row {
    struct question question;
    unsigned by;
    enum measure figures[FIGURES_MAX];
    unsigned figure_count;
    make_sentence *say;
} rows[] = {
    {{"iterations", "dev", "Which team runs far more prompt iterations than expected?"},
     BIT(group),
     {MEASURE_calls, MEASURE_iterations, MEASURE_cost},
     3,
     say_iterations},
    {{"low-cost-routes", "dev", "Are the low-cost routes really used?"},
     BIT(requested) | BIT(model) | BIT(target),
     {MEASURE_calls, MEASURE_rerouted, MEASURE_cheaper, MEASURE_cost},
     4,
     say_routes},
    {{"cache-repeats", "dev", "Does the cache cut repeated test traffic?"},
     BIT(group) | BIT(executable),
     {MEASURE_calls, MEASURE_hits, MEASURE_misses, MEASURE_cost, MEASURE_avoided},
     5,
     say_cache},
    {{"volume", "prod", "Did request volume rise?"},
     BIT(group),
     {MEASURE_calls, MEASURE_refused, MEASURE_failed, MEASURE_cost},
     4,
     say_volume},
    {{"provider-mix", "prod", "Did the mix of providers shift?"},
     BIT(provider),
     {MEASURE_calls, MEASURE_attempts, MEASURE_retried, MEASURE_cost},
     4,
     say_mix},
    {{"cache-behaviour", "prod", "Did the behaviour of the cache change?"},
     BIT(group) | BIT(model),
     {MEASURE_hits, MEASURE_misses, MEASURE_cost, MEASURE_avoided},
     4,
     say_cache},
};

size_t question_count(void)
{
    return sizeof rows / sizeof *rows;
}

const struct question *question_at(size_t index)
{
    return &rows[index].question;
}

const struct question *question_find(const char *name)
{
    for (size_t i = 0; i < question_count(); i++)
        if (!strcmp(rows[i].question.name, name))
            return &rows[i].question;
    return NULL;
}

static const struct row *row_of(const struct question *question)
{
    for (size_t i = 0; i < question_count(); i++)
        if (&rows[i].question == question)
            return &rows[i];
    return NULL;
}

/* ---- pairs ---- */

static bool is_same(const struct report_row *a, const struct report_row *b)
{
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        if (a->names[i] && strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

static const struct report_row *find_same(const struct report *report, const struct report_row *row)
{
    for (size_t i = 0; i < report->count; i++)
        if (is_same(&report->rows[i], row))
            return &report->rows[i];
    return NULL;
}

/* Those of now, then those that were there before only; at most so many, or a stranger's names would make it long. */
enum { PAIRS_MAX = 200 };
static size_t make_pairs(const struct report *now, const struct report *before, struct pair pairs[PAIRS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < now->count && count < PAIRS_MAX; i++, count++)
        pairs[count] = (struct pair){&now->rows[i], &now->rows[i], find_same(before, &now->rows[i])};
    for (size_t i = 0; i < before->count && count < PAIRS_MAX; i++)
        if (!find_same(now, &before->rows[i]))
            pairs[count++] = (struct pair){&before->rows[i], NULL, &before->rows[i]};
    return count;
}

static void write_figures(struct buffer *out, const char *name, const struct row *row, const struct report_row *figures)
{
    json_write_member(out, name);
    json_write_raw(out, "{");
    for (unsigned i = 0; i < row->figure_count; i++)
        report_write_measure(out, row->figures[i], figure(figures, row->figures[i]));
    json_write_raw(out, "}");
}

/* What the rows do not show; false: nothing. */
static bool find_rest(const struct report_row *total, const struct pair *pairs, size_t count, bool is_now,
                      struct report_row *ret_rest)
{
    bool is_any = false;
    *ret_rest = *total;
    for (size_t measure = 0; measure < MEASURE_COUNT; measure++) {
        for (size_t i = 0; i < count; i++)
            ret_rest->of[measure] -= figure(is_now ? pairs[i].now : pairs[i].before, (enum measure)measure);
        is_any |= ret_rest->of[measure] != 0;
    }
    return is_any;
}

/* One more row, so that they come to the total. */
static void write_rest(struct buffer *out, const struct row *row, const struct answering *answering)
{
    struct report_row now, before;
    bool is_now = find_rest(&answering->now->total, answering->pairs, answering->count, true, &now);
    bool is_before = find_rest(&answering->before->total, answering->pairs, answering->count, false, &before);
    if (!is_now && !is_before)
        return;
    json_write_raw(out, ",{");
    json_write_member_boolean(out, "rest", true);
    json_write_member(out, "key");
    json_write_raw(out, "{}");
    write_figures(out, "now", row, &now);
    write_figures(out, "before", row, &before);
    json_write_raw(out, "}");
}

static void write_rows(struct buffer *out, const struct row *row, const struct answering *answering)
{
    const struct pair *pairs = answering->pairs;
    json_write_member(out, "rows");
    json_write_raw(out, "[");
    for (size_t i = 0; i < answering->count; i++) {
        json_write_raw(out, i ? ",{" : "{");
        json_write_member(out, "key");
        json_write_raw(out, "{");
        for (size_t d = 0; d < DIMENSION_COUNT; d++)
            if (row->by & 1u << d)
                json_write_member_string(out, journal_dimension_name((enum dimension)d), pairs[i].names->names[d]);
        json_write_raw(out, "}");
        write_figures(out, "now", row, pairs[i].now);
        write_figures(out, "before", row, pairs[i].before);
        json_write_raw(out, "}");
    }
    if (answering->count == PAIRS_MAX)
        write_rest(out, row, answering);
    json_write_raw(out, "]");
}

static void write_columns(struct buffer *out, const struct row *row)
{
    unsigned written = 0;
    json_write_member(out, "columns");
    json_write_raw(out, "[");
    for (size_t d = 0; d < DIMENSION_COUNT; d++)
        if (row->by & 1u << d) {
            json_write_raw(out, written++ ? "," : "");
            json_write_text(out, journal_dimension_name((enum dimension)d));
        }
    for (unsigned i = 0; i < row->figure_count; i++) {
        json_write_raw(out, ",");
        json_write_text(out, journal_measure_name(row->figures[i]));
    }
    json_write_raw(out, "]");
}

enum error question_write(struct journal *journal, const struct question *question, const struct period *period,
                          struct arena *arena, struct buffer *out)
{
    const struct row *row = row_of(question);
    struct report_order order = {.period = *period, .step = STEP_ALL, .by = row->by};
    struct report now, before;
    enum error error = report_make(journal, &order, arena, &now);
    order.period = period_before(period);
    error = error ? error : report_make(journal, &order, arena, &before);
    if (error)
        return error;
    struct pair *pairs = arena_new_array(arena, struct pair, PAIRS_MAX);
    size_t count = make_pairs(&now, &before, pairs);
    const struct answering answering = {&now, &before, pairs, count, arena};
    json_write_member_string(out, "name", question->name);
    json_write_member_string(out, "question", question->text);
    period_write(out, "period", period);
    period_write(out, "before", &order.period);
    json_write_member_string(out, "answer", count ? row->say(&answering) : "There were no calls in either period.");
    write_columns(out, row);
    write_rows(out, row, &answering);
    write_figures(out, "total", row, &now.total);
    write_figures(out, "total_before", row, &before.total);
    return ERROR_OK;
}

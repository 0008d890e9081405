/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What metrics count of events: calls by group, provider, outcome and reason; tokens and money by group, provider and
 * model. On the journal's thread, from the lines that the sums of reports are made of, too. Programs choose the names
 * of models: past SERIES_MAX combinations all further ones are counted as "other".
 */
#include "evidence/metrics_count.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

enum { SERIES_MAX = 500, NAMES_MAX = 4, LINE_ARENA_BYTES = 4096 };

struct series {
    UT_hash_handle hh;
    char *key; /* the names, each with its end */
    const char *names[NAMES_MAX];
    uint64_t of[MEASURE_COUNT];
};
/* A table of series: what they are called by. */
struct family_set {
    const char *labels[NAMES_MAX];
    size_t label_count;
};
enum set { SET_CALLS, SET_USAGE, SET_COUNT };
static const struct family_set sets[SET_COUNT] = {
    [SET_CALLS] = {{"group", "provider", "outcome", "reason"}, 4},
    [SET_USAGE] = {{"group", "provider", "model"}, 3},
};

struct metrics_counts {
    struct journal *journal;
    struct journal_follower *follower;
    pthread_mutex_t lock; /* a leaf: guards the rest */
    struct series *series[SET_COUNT];
    uint64_t ungoverned, recovered;
};

/* ---- counting ---- */

static struct series *add_series(struct series **table, const char *const *names, size_t count, size_t key_bytes)
{
    struct series *series = calloc(1, sizeof *series);
    char *at = calloc(1, key_bytes);
    check(series && at);
    series->key = at;
    for (size_t i = 0; i < count; i++) {
        series->names[i] = at;
        at = stpcpy(at, names[i]) + 1;
    }
    HASH_ADD_KEYPTR(hh, *table, series->key, key_bytes, series);
    return series;
}

static size_t make_key(const char *const *names, size_t count, char key[NAMES_MAX * (JOURNAL_NAME_BYTES_MAX + 1)])
{
    char *at = key;
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, names[i]) + 1;
    return (size_t)(at - key);
}

static struct series *find_series(struct metrics_counts *counts, enum set set, const char *const *names)
{
    static const char *const others[NAMES_MAX] = {"other", "other", "other", "other"};
    char key[NAMES_MAX * (JOURNAL_NAME_BYTES_MAX + 1)];
    const size_t count = sets[set].label_count;
    for (int is_other = 0;; is_other++) {
        struct series *series;
        const char *const *wanted = is_other ? others : names;
        size_t key_bytes = make_key(wanted, count, key);
        HASH_FIND(hh, counts->series[set], key, key_bytes, series);
        if (series || is_other || HASH_COUNT(counts->series[set]) < SERIES_MAX)
            return series ? series : add_series(&counts->series[set], wanted, count, key_bytes);
    }
}

static const char *name_outcome(const struct journal_line *line)
{
    if (line->of[MEASURE_refused])
        return "refused";
    if (line->of[MEASURE_failed])
        return "failed";
    return line->of[MEASURE_hits] ? "cached" : "answered";
}

static const char *name_of(const struct journal_line *line, enum dimension dimension)
{
    return line->names[dimension] ? line->names[dimension] : "";
}

/* A name that was asked for and refused is a program's own invention: models are those that were paid for. */
static bool is_usage(const struct journal_line *line)
{
    uint64_t all = line->of[MEASURE_hold] | line->of[MEASURE_cost] | line->of[MEASURE_avoided];
    for (unsigned i = 0; i < BUCKET_COUNT; i++)
        all |= line->of[MEASURE_buckets + i];
    return all != 0;
}

static void count_line(struct metrics_counts *counts, const struct journal_line *line)
{
    const char *group = name_of(line, DIMENSION_group), *provider = name_of(line, DIMENSION_provider);
    const char *const call[] = {group, provider, name_outcome(line), name_of(line, DIMENSION_reason)};
    const char *const usage[] = {group, provider, name_of(line, DIMENSION_model)};
    if (line->of[MEASURE_calls])
        find_series(counts, SET_CALLS, call)->of[MEASURE_calls] += line->of[MEASURE_calls];
    if (is_usage(line)) {
        struct series *series = find_series(counts, SET_USAGE, usage);
        for (unsigned i = 0; i < MEASURE_COUNT; i++)
            series->of[i] += line->of[i];
    }
    counts->ungoverned += line->of[MEASURE_ungoverned];
    counts->recovered += line->of[MEASURE_recovered];
}

static void deliver(void *context, struct slice json)
{
    struct metrics_counts *counts = context;
    struct journal_line lines[JOURNAL_LINES_MAX];
    struct arena *arena = arena_new(LINE_ARENA_BYTES);
    unsigned count = journal_read_lines(json, arena, lines);
    pthread_mutex_lock(&counts->lock);
    for (unsigned i = 0; i < count; i++)
        count_line(counts, &lines[i]);
    pthread_mutex_unlock(&counts->lock);
    arena_free(arena);
}

struct metrics_counts *metrics_counts_open(struct journal *journal)
{
    struct metrics_counts *counts = calloc(1, sizeof *counts);
    check(counts != NULL);
    counts->journal = journal;
    pthread_mutex_init(&counts->lock, NULL);
    counts->follower = journal_follow(journal, deliver, counts);
    return counts;
}

void metrics_counts_close(struct metrics_counts *counts)
{
    if (!counts)
        return;
    journal_unfollow(counts->journal, counts->follower);
    for (enum set set = 0; set < SET_COUNT; set++) {
        struct series *series, *next;
        HASH_ITER(hh, counts->series[set], series, next)
        {
            HASH_DEL(counts->series[set], series); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps none */
            free(series->key);
            free(series);
        }
    }
    pthread_mutex_destroy(&counts->lock);
    free(counts);
}

/* ---- writing ---- */

static const struct family {
    const char *name, *help;
    enum set set;
    enum measure measure;
} families[] = {
    {"tollgate_requests_total", "Calls, by how they ended; reason: the code of the error that the program got.",
     SET_CALLS, MEASURE_calls},
    {"tollgate_cost_usd_total", "What providers bill.", SET_USAGE, MEASURE_cost},
    {"tollgate_held_usd_total", "What was held before calls were sent; see tollgate_cost_usd_total for the ratio.",
     SET_USAGE, MEASURE_hold},
    {"tollgate_written_off_usd_total", "The part of the cost that no wallet could pay.", SET_USAGE,
     MEASURE_written_off},
    {"tollgate_avoided_cost_usd_total", "What cached answers cost when they were made.", SET_USAGE, MEASURE_avoided},
};

/* Labels and one more, for what is counted by bucket. */
static size_t copy_labels(enum set set, const struct series *series, struct label labels[NAMES_MAX + 1])
{
    for (size_t i = 0; i < sets[set].label_count; i++)
        labels[i] = (struct label){sets[set].labels[i], series->names[i]};
    return sets[set].label_count;
}

static void write_family(struct metrics_counts *counts, const struct family *family, struct exposition *exposition)
{
    exposition_begin(exposition, family->name, "counter", family->help);
    for (struct series *series = counts->series[family->set]; series; series = series->hh.next) {
        struct label labels[NAMES_MAX + 1];
        size_t count = copy_labels(family->set, series, labels);
        uint64_t value = series->of[family->measure];
        if (journal_measure_unit(family->measure) == UNIT_MONEY)
            exposition_money(exposition, labels, count, (struct money){(int64_t)value});
        else
            exposition_integer(exposition, labels, count, value);
    }
}

/* Tokens are one family, what is counted by the piece another. */
static void write_buckets(struct metrics_counts *counts, bool are_units, struct exposition *exposition)
{
    exposition_begin(exposition, are_units ? "tollgate_units_total" : "tollgate_tokens_total", "counter",
                     are_units ? "What providers bill by the piece: tool calls, images, seconds, characters."
                               : "Tokens that providers bill, each in one bucket.");
    for (struct series *series = counts->series[SET_USAGE]; series; series = series->hh.next) {
        struct label labels[NAMES_MAX + 1];
        size_t count = copy_labels(SET_USAGE, series, labels);
        for (size_t i = 0; i < BUCKET_COUNT; i++) {
            if ((bucket_rows[i].side == SIDE_UNIT) != are_units || !series->of[MEASURE_buckets + i])
                continue;
            labels[count] = (struct label){are_units ? "unit" : "bucket", bucket_rows[i].name};
            exposition_integer(exposition, labels, count + 1, series->of[MEASURE_buckets + i]);
        }
    }
}

void metrics_counts_write(struct metrics_counts *counts, struct exposition *exposition)
{
    pthread_mutex_lock(&counts->lock);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        write_family(counts, &families[i], exposition);
    write_buckets(counts, false, exposition);
    write_buckets(counts, true, exposition);
    exposition_begin(exposition, "tollgate_ungoverned_connections_total", "counter",
                     "Connections to providers that were seen past the agent.");
    exposition_integer(exposition, NULL, 0, counts->ungoverned);
    exposition_begin(exposition, "tollgate_recovered_holds_total", "counter",
                     "Holds of an earlier run that the start settled.");
    exposition_integer(exposition, NULL, 0, counts->recovered);
    pthread_mutex_unlock(&counts->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics for Prometheus: what events counted (metrics_count.c), and what the services know of themselves now. Called
 * by control/, from a call's thread. Names: tollgate_, base units, _total for counters; process_ as all exporters have
 * it. Labels are names of the policy, of providers and models, and words of ours: nothing that a request can invent
 * without bound.
 */
#include "base/check.h"
#include "base/clock.h"
#include "budget/budget.h"
#include "evidence/evidence.h"
#include "evidence/metrics_count.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WALLETS_MAX = 256 };

struct metrics {
    struct metrics_sources sources;
    struct metrics_counts *counts;
    int64_t started_wall_ns;
};

struct metrics *metrics_open(const struct metrics_sources *sources)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    check(metrics != NULL);
    metrics->sources = *sources;
    metrics->started_wall_ns = clock_wall_ns();
    metrics->counts = metrics_counts_open(sources->journal);
    return metrics;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    metrics_counts_close(metrics->counts);
    free(metrics);
}

/* ---- single values ---- */

static void write_integer(struct exposition *exposition, const char *name, const char *type, const char *help,
                          uint64_t value)
{
    exposition_begin(exposition, name, type, help);
    exposition_integer(exposition, NULL, 0, value);
}

static void write_build(struct metrics *metrics, const struct settings *settings, struct exposition *exposition)
{
    const struct label labels[] = {{"version", TOLLGATE_VERSION},
                                   {"environment", config_environment_name(settings->environment)}};
    exposition_begin(exposition, "tollgate_build_info", "gauge", "The agent's version and environment; always 1.");
    exposition_integer(exposition, labels, 2, 1);
    exposition_begin(exposition, "process_start_time_seconds", "gauge", "When the agent started, since 1970.");
    exposition_seconds(exposition, NULL, 0, metrics->started_wall_ns);
}

static uint64_t count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;
    for (const struct dirent *entry; directory && (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count ? count - 1 : 0; /* without the directory's own */
}

static uint64_t read_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long size = 0, resident = 0;
    if (file && fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(struct exposition *exposition)
{
    struct rusage usage;
    struct rlimit limit;
    write_integer(exposition, "process_resident_memory_bytes", "gauge", "Memory of the agent.", read_resident_bytes());
    write_integer(exposition, "process_open_fds", "gauge", "Open file descriptors of the agent.", count_fds());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        write_integer(exposition, "process_max_fds", "gauge", "As many may be open.", (uint64_t)limit.rlim_cur);
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    exposition_begin(exposition, "process_cpu_seconds_total", "counter", "User and system time of the agent.");
    exposition_seconds(exposition, NULL, 0,
                       (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
                           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000);
}

/* ---- wallets and budgets ---- */

static void write_wallets(struct metrics *metrics, struct exposition *exposition)
{
    struct wallet_facts *facts = calloc(WALLETS_MAX, sizeof *facts);
    check(facts != NULL);
    size_t count = wallet_list(metrics->sources.ledger, facts, WALLETS_MAX);
    const struct {
        const char *name, *help;
        size_t offset;
    } rows[] = {
        {"tollgate_wallet_available_usd", "What the wallet can still pay.", offsetof(struct wallet_facts, available)},
        {"tollgate_wallet_held_usd", "What is held for running calls.", offsetof(struct wallet_facts, held)},
        {"tollgate_wallet_spent_usd", "What went out since the wallet exists.", offsetof(struct wallet_facts, spent)},
        {"tollgate_wallet_funded_usd", "What came in since the wallet exists.", offsetof(struct wallet_facts, funded)},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        exposition_begin(exposition, rows[row].name, "gauge", rows[row].help);
        for (size_t i = 0; i < count && i < WALLETS_MAX; i++) {
            const struct label label = {"wallet", facts[i].wallet};
            exposition_money(exposition, &label, 1,
                             *(const struct money *)(const void *)((const char *)&facts[i] + rows[row].offset));
        }
    }
    free(facts);
}

static void write_budgets(struct metrics *metrics, const struct settings *settings, struct exposition *exposition)
{
    static const char *const names[][2] = {
        {"tollgate_budget_used_usd", "What the budget's present window has used."},
        {"tollgate_budget_held_usd", "What is held of the budget for running calls."},
        {"tollgate_budget_limit_usd", "The limit of the budget's present window."},
    };
    const int64_t now_s = clock_wall_ns() / 1000000000;
    for (size_t row = 0; row < sizeof names / sizeof *names; row++) {
        exposition_begin(exposition, names[row][0], "gauge", names[row][1]);
        for (size_t i = 0; i < settings->budget_count; i++) {
            const struct budget *budget = &settings->budgets[i];
            const struct label labels[] = {{"budget", budget->id}, {"hard", budget->is_hard ? "true" : "false"}};
            struct budget_window window;
            struct wallet_budget_facts used;
            budget_find_window(budget, now_s, &window);
            wallet_find_budget(metrics->sources.ledger, budget->id, window.first, window.last, &used);
            const struct money values[] = {used.spent, used.held, window.limit};
            exposition_money(exposition, labels, 2, values[row]);
        }
    }
}

/* ---- ledger, journal, cache, targets ---- */

static void write_ledger(struct metrics *metrics, struct exposition *exposition)
{
    struct wallet_statistics statistics;
    wallet_get_statistics(metrics->sources.ledger, &statistics);
    write_integer(exposition, "tollgate_ledger_operations_total", "counter",
                  "Holds, charges and other orders; divided by the batches: the size of a batch.",
                  statistics.operations);
    write_integer(exposition, "tollgate_ledger_batches_total", "counter", "Batches of orders, each one flush.",
                  statistics.batches);
    write_integer(exposition, "tollgate_ledger_refusals_total", "counter", "Holds that a wallet or budget refused.",
                  statistics.refusals);
    write_integer(exposition, "tollgate_ledger_stopped", "gauge", "1: the ledger has failed and grants nothing.",
                  statistics.is_stopped);
    write_integer(exposition, "tollgate_ledger_disk_low", "gauge", "1: too little room for new paid calls.",
                  statistics.is_disk_low);
    exposition_begin(exposition, "tollgate_ledger_commit_seconds", "histogram", "How long a batch took to be on disk.");
    exposition_histogram(exposition, NULL, &statistics.commits);
    write_integer(exposition, "tollgate_jobs_open", "gauge", "Background work that money is held for.",
                  wallet_list_jobs(metrics->sources.ledger, NULL, 0));
}

static void write_journal(struct metrics *metrics, struct exposition *exposition)
{
    struct journal *journal = metrics->sources.journal;
    write_integer(exposition, "tollgate_events_dropped_total", "counter",
                  "Events that were not kept: too many at once.", journal_dropped(journal));
    write_integer(exposition, "tollgate_events_kept", "gauge", "0: the store of events has failed; calls go on.",
                  !journal_is_failed(journal));
}

static void write_cache(struct metrics *metrics, struct exposition *exposition)
{
    struct cache_statistics statistics;
    cache_read_statistics(metrics->sources.cache, &statistics);
    const struct {
        const char *result;
        uint64_t count;
    } lookups[] = {{"hit", statistics.hits}, {"follow", statistics.follows}, {"miss", statistics.misses}};
    exposition_begin(exposition, "tollgate_cache_lookups_total", "counter",
                     "Look-ups; follow: answered together with another call that was under way.");
    for (size_t i = 0; i < sizeof lookups / sizeof *lookups; i++) {
        const struct label label = {"result", lookups[i].result};
        exposition_integer(exposition, &label, 1, lookups[i].count);
    }
    write_integer(exposition, "tollgate_cache_evictions_total", "counter", "Answers that made room for others.",
                  statistics.evicted);
    write_integer(exposition, "tollgate_cache_corrupt_total", "counter",
                  "Answers that were found damaged, and dropped.", statistics.corrupt);
    write_integer(exposition, "tollgate_cache_entries", "gauge", "Answers that are there.", statistics.entries);
    write_integer(exposition, "tollgate_cache_bytes", "gauge", "Their size, compressed.", statistics.bytes);
    write_integer(exposition, "tollgate_cache_memory_bytes", "gauge", "Of it in memory.", statistics.bytes_in_memory);
}

enum target_figure { TARGET_SERVED, TARGET_FAILED, TARGET_FLYING, TARGET_RESTS, TARGET_FIGURES };

static void write_breakers(const struct target *target, const struct routing_state *state,
                           struct exposition *exposition)
{
    for (enum breaker_state breaker = BREAKER_CLOSED; breaker <= BREAKER_HALF_OPEN; breaker++) {
        const struct label labels[] = {
            {"target", target->id}, {"provider", target->provider->id}, {"state", routing_breaker_name(breaker)}};
        exposition_integer(exposition, labels, 3, state->breaker == breaker);
    }
}

static void write_figure(enum target_figure figure, const struct target *target, const struct routing_state *state,
                         struct exposition *exposition)
{
    const struct label labels[] = {{"target", target->id}, {"provider", target->provider->id}};
    const uint64_t values[TARGET_FIGURES] = {state->served, state->failed, state->in_flight, state->rests_for_s};
    exposition_integer(exposition, labels, 2, values[figure]);
}

static void write_targets(struct metrics *metrics, const struct settings *settings, struct exposition *exposition)
{
    static const struct {
        const char *name, *type, *help;
    } rows[TARGET_FIGURES + 1] = {
        {"tollgate_target_served_total", "counter", "Tries that the target answered."},
        {"tollgate_target_failed_total", "counter", "Tries that the target failed."},
        {"tollgate_target_in_flight", "gauge", "Tries that run now."},
        {"tollgate_target_resting_seconds", "gauge", "How long the target is not asked yet."},
        {"tollgate_target_breaker_state", "gauge", "1 for the state that the target's breaker is in."},
    };
    for (unsigned row = 0; row <= TARGET_FIGURES; row++) {
        exposition_begin(exposition, rows[row].name, rows[row].type, rows[row].help);
        for (size_t i = 0; i < settings->target_count; i++) {
            struct routing_state state = {.breaker = BREAKER_CLOSED};
            routing_find_state(metrics->sources.routing, &settings->targets[i], settings, &state);
            if (row < TARGET_FIGURES)
                write_figure(row, &settings->targets[i], &state, exposition);
            else
                write_breakers(&settings->targets[i], &state, exposition);
        }
    }
}

/* ---- our own time ---- */

static void write_timings(struct metrics *metrics, struct exposition *exposition)
{
    const struct metrics_sources *sources = &metrics->sources;
    struct histogram_sum sum;
    exposition_begin(exposition, "tollgate_overhead_seconds", "histogram",
                     "What a call waited for the agent itself before it was sent or answered.");
    if (sources->find_timing(sources->context, 0, &sum))
        exposition_histogram(exposition, NULL, &sum);
    exposition_begin(exposition, "tollgate_step_seconds", "histogram",
                     "What calls spent in each of the agent's own steps.");
    const char *step;
    for (unsigned row = 1; (step = sources->find_timing(sources->context, row, &sum)); row++) {
        const struct label label = {"step", step};
        exposition_histogram(exposition, &label, &sum);
    }
}

enum error metrics_write(struct metrics *metrics, struct buffer *out)
{
    struct exposition exposition = {.out = out};
    struct settings *settings = metrics->sources.retain_settings(metrics->sources.context);
    journal_flush(metrics->sources.journal);
    write_build(metrics, settings, &exposition);
    metrics_counts_write(metrics->counts, &exposition);
    write_wallets(metrics, &exposition);
    write_budgets(metrics, settings, &exposition);
    write_ledger(metrics, &exposition);
    write_journal(metrics, &exposition);
    write_cache(metrics, &exposition);
    write_targets(metrics, settings, &exposition);
    write_timings(metrics, &exposition);
    write_process(&exposition);
    config_release(settings);
    return exposition.is_full ? ERROR_OVERLOADED : ERROR_OK;
}

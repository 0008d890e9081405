/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate targets: where requests can go, and how each place does now. tollgate jobs: what providers still work on.
 * tollgate explain: what would become of a request, by the agent's program itself, without an agent.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct table_column target_columns[] = {
    {"TARGET", TABLE_FLEX},      {"PROVIDER", TABLE_WIDE},
    {"MODEL", TABLE_FLEX},       {"STATE", 0},
    {"FLYING", TABLE_RIGHT},     {"REQUESTS/MIN", TABLE_RIGHT},
    {"TOKENS/MIN", TABLE_RIGHT}, {"SERVED", TABLE_RIGHT},
    {"FAILED", TABLE_RIGHT},     {"FIRST BYTE", TABLE_RIGHT | TABLE_WIDE},
};

static long long number_of(const json_t *row, const char *name)
{
    return (long long)json_integer_value(json_object_get(row, name));
}

static const char *describe_state(const json_t *target)
{
    const char *breaker = api_text(target, "breaker", "closed");
    long long rests = number_of(target, "rests_for_s");
    if (!json_is_true(json_object_get(target, "has_secret")))
        return "no key";
    if (json_is_true(json_object_get(target, "model_missing")))
        return "model unknown there";
    if (strcmp(breaker, "closed") != 0)
        return rests > 0 ? text_format("%s, %lld s", breaker, rests) : text_format("%s", breaker);
    return rests > 0 ? text_format("rests %lld s", rests) : "ok";
}

/* "12 of 60" where there is a limit. */
static const char *describe_use(const json_t *target, const char *used, const char *limit)
{
    long long most = number_of(target, limit);
    return most ? text_format("%lld of %lld", number_of(target, used), most)
                : text_format("%lld", number_of(target, used));
}

static void add_target(struct table *table, const json_t *target)
{
    long long first_byte_us = number_of(target, "first_byte_us");
    table_add(table, api_text(target, "id", "-"));
    table_add(table, api_text(target, "provider", "-"));
    table_add(table, api_text(target, "model", "-"));
    table_add(table, describe_state(target));
    table_add(table, text_format("%lld", number_of(target, "in_flight")));
    table_add(table, describe_use(target, "requests_60s", "limit_rpm"));
    table_add(table, describe_use(target, "tokens_60s", "limit_tpm"));
    table_add(table, text_format("%lld", number_of(target, "served")));
    table_add(table, text_format("%lld", number_of(target, "failed")));
    table_add(table, first_byte_us ? text_format("%lld ms", (first_byte_us + 999) / 1000) : "-");
}

int targets_command(struct cli *cli)
{
    struct answer answer;
    int code = api_get(cli, "/v1/targets", &answer);
    if (code != EX_OK)
        return code;
    if (cli->options.json) {
        terminal_print_json(&answer);
    } else {
        struct table table = {.columns = target_columns,
                              .column_count = sizeof target_columns / sizeof target_columns[0]};
        const json_t *targets = json_object_get(answer.json, "targets");
        for (size_t i = 0; i < json_array_size(targets); i++)
            add_target(&table, json_array_get(targets, i));
        table_print(&table, stdout);
        puts(terminal_paint(
            stdout, COLOR_DIM,
            text_format("strategy %s, %s", api_text(answer.json, "strategy", "-"), cli->place.environment)));
    }
    json_decref(answer.json);
    return EX_OK;
}

static const struct table_column job_columns[] = {
    {"JOB", TABLE_FLEX}, {"PROVIDER", 0}, {"WALLET", TABLE_FLEX}, {"HELD", TABLE_RIGHT}, {"TAKEN WHOLE AT", 0},
};

int jobs_command(struct cli *cli)
{
    struct answer answer;
    int code = api_get(cli, "/v1/jobs", &answer);
    if (code != EX_OK)
        return code;
    if (cli->options.json) {
        terminal_print_json(&answer);
    } else {
        struct table table = {.columns = job_columns, .column_count = sizeof job_columns / sizeof job_columns[0]};
        const json_t *jobs = json_object_get(answer.json, "jobs");
        for (size_t i = 0; i < json_array_size(jobs); i++) {
            const json_t *job = json_array_get(jobs, i);
            table_add(&table, api_text(job, "key", "-"));
            table_add(&table, api_text(job, "provider", "-"));
            table_add(&table, api_text(job, "wallet", "-"));
            table_add(&table, terminal_money(api_text(job, "held", "-")));
            table_add(&table, terminal_time(api_text(job, "deadline", "-"), true));
        }
        table_print(&table, stdout);
    }
    json_decref(answer.json);
    return EX_OK;
}

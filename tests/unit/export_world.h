/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the suites of exports share: a ledger and a journal in a directory of their own, a wall clock that tests move,
 * and calls that are paid in the one and told in the other, as flow/ does. Included once per program, instead of
 * suite.h; run in the repository's root.
 */
#ifndef TESTS_UNIT_EXPORT_WORLD_H
#define TESTS_UNIT_EXPORT_WORLD_H

#include "base/clock.h"
#include "base/json.h"
#include "evidence/evidence.h"
#include "evidence/export.h"
#include "tests/unit/suite.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- clocks ---- */

static atomic_llong wall_ns = 1790000000000000000; /* 2026-09-21, a Monday */

int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_wall_ns(void)
{
    return atomic_load(&wall_ns);
}

char *clock_format(int64_t ns, char text[CLOCK_TEXT_MAX])
{
    const time_t s = ns / 1000000000;
    struct tm tm;
    char day[24];
    gmtime_r(&s, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, CLOCK_TEXT_MAX, "%s.%03dZ", day, (int)(ns / 1000000 % 1000));
    return text;
}

static inline void set_clock(int64_t at_s)
{
    atomic_store(&wall_ns, at_s * 1000000000);
}

static inline int64_t now_s(void)
{
    return clock_wall_ns() / 1000000000;
}

/* ---- the stores ---- */

static char root[40];
static struct journal *journal;
static struct wallet_ledger *ledger;
static struct settings *settings;

static inline struct settings *load_settings(const char *policy)
{
    struct config_problems problems;
    struct settings *loaded = NULL;
    struct config_sources sources = {.policy_file = policy,
                                     .providers_file = "policies/providers.yaml",
                                     .prices_file = "policies/prices.yaml",
                                     .environment = ENVIRONMENT_DEV};
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, &loaded);
    if (error)
        config_print_problems(&problems, stderr);
    config_problems_done(&problems);
    CU_ASSERT_EQUAL_FATAL(error, ERROR_OK);
    return loaded;
}

static inline void open_stores(void)
{
    char path[64];
    unsigned recovered;
    snprintf(path, sizeof path, "%s/aux", root);
    CU_ASSERT_EQUAL_FATAL(journal_open(path, &journal), ERROR_OK);
    snprintf(path, sizeof path, "%s/ledger", root);
    const struct wallet_options options = {.directory = path, .environment = "dev"};
    CU_ASSERT_EQUAL_FATAL(wallet_open(&options, &ledger, &recovered), ERROR_OK);
}

static inline void close_stores(void)
{
    journal_close(journal);
    wallet_close(ledger);
}

static inline void open_world(void)
{
    strcpy(root, "/tmp/tollgate-export-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    settings = load_settings("policies/policy-config.dev.yaml");
    open_stores();
    struct wallet_operation fund = {.kind = WALLET_FUND, .id = id_new(), .wallet = "team", .amount = {1000000000000}};
    fund.create = true;
    wallet_run(ledger, &fund);
    CU_ASSERT_EQUAL_FATAL(fund.error, ERROR_OK);
}

static inline void close_world(void)
{
    char command[128];
    close_stores();
    config_release(settings);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* ---- calls ---- */

struct attempt_of_call {
    const char *provider, *model;
    uint64_t input, output, cost;
};
struct call {
    const char *model, *executable, *error;
    struct attempt_of_call attempts[3];
    unsigned attempt_count;
    uint64_t avoided;   /* a hit */
    int64_t fund_nano;  /* what the hold is; 0: the cost */
    const char *wallet; /* NULL: team */
    bool is_unrecorded; /* no event */
    enum wallet_basis basis;
};

static inline void pay(const struct call *call, const struct attempt_of_call *attempt, struct wallet_operation *settle)
{
    struct wallet_operation hold = {.kind = WALLET_RESERVE, .id = id_new()};
    snprintf(hold.wallet, sizeof hold.wallet, "%s", call->wallet ? call->wallet : "team");
    hold.amount.nano = call->fund_nano ? call->fund_nano : (int64_t)attempt->cost + 1000;
    hold.budgets[0] = (struct wallet_budget){.name = "all", .first = 1, .last = 1, .limit = MONEY_MAX};
    hold.budget_count = 1;
    wallet_run(ledger, &hold);
    CU_ASSERT_EQUAL_FATAL(hold.error, ERROR_OK);
    *settle = (struct wallet_operation){
        .kind = WALLET_SETTLE, .id = hold.id, .amount = {(int64_t)attempt->cost}, .basis = call->basis};
    snprintf(settle->provider, sizeof settle->provider, "%s", attempt->provider);
    wallet_run(ledger, settle);
    CU_ASSERT_EQUAL_FATAL(settle->error, ERROR_OK);
}

static inline void write_tokens(struct buffer *out, const struct attempt_of_call *attempt)
{
    json_write_member(out, "tokens");
    json_write_raw(out, "{");
    json_write_member_integer(out, "input", (int64_t)attempt->input);
    json_write_member_integer(out, "output", (int64_t)attempt->output);
    json_write_raw(out, "}");
}

static inline void write_attempt(struct buffer *out, const struct call *call, unsigned index)
{
    char time_text[CLOCK_TEXT_MAX];
    struct wallet_operation settle;
    const struct attempt_of_call *attempt = &call->attempts[index];
    pay(call, attempt, &settle);
    json_write_raw(out, index ? ",{" : "{");
    json_write_member_string(out, "provider", attempt->provider);
    json_write_member_string(out, "model", attempt->model);
    json_write_member_money(out, "charge", (struct money){(int64_t)attempt->cost});
    json_write_member_money(out, "written_off", settle.written_off);
    json_write_member_string(out, "settled", clock_format(settle.time_ns, time_text));
    json_write_member_string(out, "basis", wallet_basis_name(call->basis));
    json_write_member_integer(out, "status", index + 1 == call->attempt_count ? 200 : 503);
    if (index + 1 < call->attempt_count)
        write_tokens(out, attempt);
    json_write_raw(out, "}");
}

static inline void make_call(const struct call *call)
{
    struct buffer out;
    char time_text[CLOCK_TEXT_MAX];
    const struct id id = id_new();
    buffer_init(&out, 8192);
    json_write_raw(&out, "{");
    json_write_member_string(&out, "time", clock_format(clock_wall_ns(), time_text));
    json_write_member_string(&out, "wallet", call->wallet ? call->wallet : "team");
    json_write_member_string(&out, "group", "group");
    json_write_member_string(&out, "provider", "openai");
    json_write_member_string(&out, "model", call->model);
    json_write_member_string(&out, "executable", call->executable ? call->executable : "/usr/bin/curl");
    json_write_member_string(&out, "outcome", call->error ? "refused" : "answered");
    json_write_member_integer(&out, "status", call->error ? 402 : 200);
    if (call->error)
        json_write_member_string(&out, "error", call->error);
    if (call->avoided)
        json_write_member_money(&out, "avoided_cost", (struct money){(int64_t)call->avoided});
    if (call->attempt_count)
        write_tokens(&out, &call->attempts[call->attempt_count - 1]);
    json_write_member(&out, "attempts");
    json_write_raw(&out, "[");
    for (unsigned i = 0; i < call->attempt_count; i++)
        write_attempt(&out, call, i);
    json_write_raw(&out, "]}");
    if (!call->is_unrecorded)
        journal_append_event(journal, id, buffer_contents(&out));
    buffer_done(&out);
}

#endif

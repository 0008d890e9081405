/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See alerts.h. A finding is (subject, window, threshold), its mark is on disk before anybody is told, and its id is a
 * hash of it: whoever gets it twice can tell. What is on its way is delivery.c's.
 */
#include "alerts.h"

#include "alert_text.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pulse.h"
#include "budget/budget.h"
#include "delivery.h"
#include "pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WALLETS_MAX = 256,
    LOOK_MS = 1000,
    LOOK_ANYWAY = 10 /* looks: settings and days change, too */,
    CLOSE_WAIT_MS = 2000
};

struct alerts {
    struct alerts_options options;
    struct budget_marks *marks; /* of the thread */
    struct delivery *delivery;
    struct pulse *pulse;
    bool is_begun; /* the rest: of the pulse's thread */
    struct wallet_facts wallets[WALLETS_MAX];
    struct pace *paces[WALLETS_MAX];
    char pace_names[WALLETS_MAX][WALLET_NAME_MAX];
    uint64_t operations;
    unsigned idle_looks;
};

/* One look's view of the world. */
struct look {
    struct alerts *alerts;
    const struct settings *settings;
    int64_t now_s, monotonic_s;
};

static const char kind_budget[] = "budget", kind_low[] = "low_balance", kind_days[] = "days_left";

static void give(const struct look *look, struct alert_facts *facts, const char *name, uint64_t window)
{
    struct alert alert = {.kind = facts->kind, .window = window};
    snprintf(alert.subject, sizeof alert.subject, "%s:%s", facts->kind, name);
    snprintf(alert.threshold, sizeof alert.threshold, "%s", facts->threshold);
    facts->environment = config_environment_name(look->alerts->options.environment);
    facts->time_s = look->now_s;
    alert_format(facts, look->alerts->options.state, &alert);
    if (look->settings->alerts.log)
        log_event(EVENT_ALERT, alert.subject, "%s; %s", facts->text, facts->hint);
    delivery_add(look->alerts->delivery, &alert);
}

/* True: it was not given yet. With no room for it the mark is not taken: the next look finds it again. */
static bool take(const struct look *look, const char *kind, const char *name, uint64_t window, const char *threshold)
{
    char subject[ALERT_SUBJECT_MAX];
    snprintf(subject, sizeof subject, "%s:%s", kind, name);
    return delivery_has_room(look->alerts->delivery) &&
           budget_marks_take(look->alerts->marks, subject, window, threshold);
}

/* ---- budgets ---- */

/* A rolling window never ends: it counts as another one when its whole length has passed. */
static uint64_t number_window(const struct budget *budget, uint32_t last)
{
    return budget->period == BUDGET_ROLLING && budget->rolling_minutes ? last / budget->rolling_minutes : last;
}

static void give_budget(const struct look *look, const struct budget *budget, const struct budget_window *window,
                        const struct wallet_budget_facts *used, uint64_t number, const char *threshold)
{
    struct alert_facts facts = {.kind = kind_budget, .threshold = threshold, .days = -1};
    struct wallet_facts wallet;
    facts.budget = budget;
    facts.window = window;
    facts.spent = used->spent;
    if (budget->scope.wallet && wallet_find(look->alerts->options.ledger, budget->scope.wallet, &wallet) == ERROR_OK)
        facts.wallet = &wallet;
    alert_describe_budget(&facts);
    give(look, &facts, budget->id, number);
}

static bool is_passed(struct money spent, struct money limit, uint32_t percent)
{
    return spent.nano > 0 && (__int128)spent.nano * 100 >= (__int128)limit.nano * percent;
}

static void look_at_budget(const struct look *look, const struct budget *budget)
{
    struct budget_window window;
    struct wallet_budget_facts used;
    char threshold[ALERT_THRESHOLD_MAX];
    budget_find_window(budget, look->now_s, &window);
    wallet_find_budget(look->alerts->options.ledger, budget->id, window.first, window.last, &used);
    uint64_t number = number_window(budget, used.last > window.last ? used.last : window.last);
    for (size_t i = 0; i < budget->alert_count; i++) {
        if (!is_passed(used.spent, window.limit, budget->alerts[i]))
            continue;
        snprintf(threshold, sizeof threshold, "%u", budget->alerts[i]);
        if (take(look, kind_budget, budget->id, number, threshold))
            give_budget(look, budget, &window, &used, number, threshold);
    }
}

/* ---- wallets ---- */

static const struct wallet_seed *find_seed(const struct settings *settings, const char *wallet)
{
    for (size_t i = 0; i < settings->wallet_count; i++)
        if (!strcmp(settings->wallets[i].id, wallet))
            return &settings->wallets[i];
    return NULL;
}

/* What is held comes back mostly: it is not gone yet. */
static struct money find_left(const struct wallet_facts *wallet)
{
    return (struct money){wallet->available.nano + wallet->held.nano};
}

static struct money find_low_mark(const struct settings *settings, const struct wallet_facts *wallet)
{
    const struct wallet_seed *seed = find_seed(settings, wallet->wallet);
    if (seed && seed->has_low_balance)
        return seed->low_balance;
    return (struct money){(int64_t)((__int128)wallet->funded.nano * settings->alerts.low_balance_percent / 100)};
}

static void give_wallet(const struct look *look, const struct wallet_facts *wallet, const char *kind,
                        struct money limit, int64_t days, uint64_t window)
{
    struct alert_facts facts = {.kind = kind, .threshold = kind, .wallet = wallet, .limit = limit, .days = days};
    facts.spent = wallet->spent;
    alert_describe_wallet(&facts);
    give(look, &facts, wallet->wallet, window);
}

/* Armed anew by what comes in: the mark's window is the sum of it, which only grows. */
static void look_at_balance(const struct look *look, const struct wallet_facts *wallet)
{
    const struct money low = find_low_mark(look->settings, wallet);
    if (find_left(wallet).nano < low.nano &&
        take(look, kind_low, wallet->wallet, (uint64_t)wallet->funded.nano, kind_low))
        give_wallet(look, wallet, kind_low, low, -1, (uint64_t)wallet->funded.nano);
}

static struct pace *find_pace(struct alerts *alerts, const char *wallet)
{
    for (size_t i = 0; i < WALLETS_MAX; i++) {
        if (!alerts->paces[i]) {
            alerts->paces[i] = calloc(1, sizeof *alerts->paces[i]);
            check(alerts->paces[i] != NULL);
            snprintf(alerts->pace_names[i], sizeof alerts->pace_names[i], "%s", wallet);
        }
        if (!strcmp(alerts->pace_names[i], wallet))
            return alerts->paces[i];
    }
    return NULL;
}

static void look_at_pace(const struct look *look, const struct wallet_facts *wallet)
{
    enum { DAY_S = 24 * 3600 };
    int64_t seconds;
    struct pace *pace = find_pace(look->alerts, wallet->wallet);
    if (!pace)
        return;
    pace_note(pace, look->monotonic_s, wallet->spent);
    if (!look->settings->alerts.days_left ||
        !pace_find(pace, look->monotonic_s, wallet->spent, find_left(wallet), &seconds) ||
        seconds >= (int64_t)look->settings->alerts.days_left * DAY_S)
        return;
    uint64_t day = (uint64_t)(look->now_s / DAY_S);
    if (take(look, kind_days, wallet->wallet, day, kind_days))
        give_wallet(look, wallet, kind_days, MONEY_ZERO, seconds / DAY_S, day);
}

/* ---- what an earlier run could not deliver ---- */

static void give_again(void *context, const char *subject, uint64_t window, const char *threshold)
{
    const struct look *look = context;
    const char *colon = strchr(subject, ':');
    const char *const kinds[] = {kind_budget, kind_low, kind_days};
    if (!colon || !delivery_has_room(look->alerts->delivery))
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(subject, kinds[i], (size_t)(colon - subject)) || kinds[i][colon - subject])
            continue;
        struct alert_facts facts = {.kind = kinds[i], .threshold = threshold, .name = colon + 1, .days = -1};
        alert_describe_late(&facts);
        give(look, &facts, colon + 1, window);
    }
}

/* ---- the thread ---- */

static void mark_delivered(void *context, const struct alert *alert)
{
    struct alerts *alerts = context;
    budget_marks_deliver(alerts->marks, alert->subject, alert->window, alert->threshold);
}

static struct look begin_look(struct alerts *alerts)
{
    return (struct look){.alerts = alerts,
                         .settings = alerts->options.retain_settings(alerts->options.context),
                         .now_s = clock_wall_ns() / 1000000000,
                         .monotonic_s = clock_monotonic_ns() / 1000000000};
}

static void end_look(struct look *look)
{
    delivery_collect(look->alerts->delivery, mark_delivered, look->alerts);
    config_release((struct settings *)(uintptr_t)look->settings);
}

static void look_around(struct alerts *alerts)
{
    struct look look = begin_look(alerts);
    for (size_t i = 0; i < look.settings->budget_count; i++)
        look_at_budget(&look, &look.settings->budgets[i]);
    size_t count = wallet_list(alerts->options.ledger, alerts->wallets, WALLETS_MAX);
    for (size_t i = 0; i < count && i < WALLETS_MAX; i++) {
        look_at_balance(&look, &alerts->wallets[i]);
        look_at_pace(&look, &alerts->wallets[i]);
    }
    end_look(&look);
}

static bool has_changed(struct alerts *alerts)
{
    struct wallet_statistics statistics;
    wallet_get_statistics(alerts->options.ledger, &statistics);
    bool has = statistics.operations != alerts->operations || ++alerts->idle_looks >= LOOK_ANYWAY;
    alerts->operations = statistics.operations;
    if (has)
        alerts->idle_looks = 0;
    return has;
}

/* Again what an earlier run could not deliver. */
static void begin(struct alerts *alerts)
{
    struct look look = begin_look(alerts);
    budget_marks_undelivered(alerts->marks, give_again, &look);
    end_look(&look);
    alerts->is_begun = true;
}

static void beat(void *context)
{
    struct alerts *alerts = context;
    log_catch_up();
    if (!alerts->is_begun)
        begin(alerts);
    if (has_changed(alerts))
        look_around(alerts);
    else
        delivery_collect(alerts->delivery, mark_delivered, alerts);
}

enum error alerts_open(const struct alerts_options *options, struct alerts **ret_alerts)
{
    char file[512];
    struct alerts *alerts = calloc(1, sizeof *alerts);
    check(alerts != NULL);
    alerts->options = *options;
    snprintf(file, sizeof file, "%s/alerts", options->state);
    enum error error = budget_marks_open(file, &alerts->marks);
    if (error) {
        free(alerts);
        return error;
    }
    const struct delivery_services services = {options->notify, options->retain_settings, options->context};
    alerts->delivery = delivery_open(&services);
    alerts->pulse = pulse_start(beat, alerts, LOOK_MS);
    *ret_alerts = alerts;
    return ERROR_OK;
}

void alerts_close(struct alerts *alerts)
{
    if (!alerts)
        return;
    pulse_stop(alerts->pulse);
    look_around(alerts); /* what the last calls have spent */
    delivery_wait(alerts->delivery, CLOSE_WAIT_MS);
    delivery_collect(alerts->delivery, mark_delivered, alerts);
    delivery_close(alerts->delivery);
    budget_marks_close(alerts->marks);
    for (size_t i = 0; i < WALLETS_MAX; i++)
        free(alerts->paces[i]);
    free(alerts);
}

void alerts_write(struct alerts *alerts, struct buffer *out)
{
    delivery_write(alerts->delivery, out);
}

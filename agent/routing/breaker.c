/* SPDX-License-Identifier: Apache-2.0 */
/* See breaker.h. Called by routing.c and filters.c, under their lock; reads no clock. */
#include "routing/breaker.h"

enum { TRIES, FAILURES };
enum { WINDOW_S_DEFAULT = 60 };

static uint32_t probes_max(const struct settings *settings)
{
    return settings->routing.breaker.probes ? settings->routing.breaker.probes : 1;
}

static int64_t slot_of(uint32_t window_s)
{
    return (window_s ? window_s : WINDOW_S_DEFAULT) * SECOND_NS / WINDOW_SLOTS;
}

static void change(struct breaker *breaker, enum breaker_state state)
{
    breaker->state = state;
    breaker->changes++;
    breaker->probes_in_flight = breaker->probes_served = 0;
    breaker->tries = (struct window){0};
}

static void open(struct breaker *breaker, const struct settings *settings, int64_t now_ns)
{
    uint32_t open_s = settings->routing.breaker.open_s ? settings->routing.breaker.open_s : 1;
    change(breaker, BREAKER_OPEN);
    breaker->open_until_ns = now_ns + open_s * SECOND_NS;
}

bool breaker_is_ready(const struct breaker *breaker, const struct settings *settings, int64_t now_ns,
                      uint32_t *ret_wait_s)
{
    if (!settings->routing.breaker.enabled || breaker->state == BREAKER_CLOSED)
        return true;
    if (breaker->state == BREAKER_OPEN && now_ns < breaker->open_until_ns) {
        *ret_wait_s = (uint32_t)((breaker->open_until_ns - now_ns + SECOND_NS - 1) / SECOND_NS);
        return false;
    }
    *ret_wait_s = 1; /* a probe's end is not known before */
    return breaker->state == BREAKER_OPEN || breaker->probes_in_flight < probes_max(settings);
}

uint64_t breaker_begin(struct breaker *breaker, const struct settings *settings, int64_t now_ns)
{
    if (!settings->routing.breaker.enabled && breaker->state != BREAKER_CLOSED)
        change(breaker, BREAKER_CLOSED); /* a reload took it away */
    if (breaker->state == BREAKER_OPEN && now_ns >= breaker->open_until_ns)
        change(breaker, BREAKER_HALF_OPEN);
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->probes_in_flight++;
    return breaker->changes + 1;
}

static bool is_over_share(const struct breaker *breaker, const struct settings *settings, int64_t now_ns)
{
    int64_t slot_ns = slot_of(breaker->window_s);
    uint64_t tries = window_sum(&breaker->tries, slot_ns, now_ns, TRIES);
    uint64_t failures = window_sum(&breaker->tries, slot_ns, now_ns, FAILURES);
    uint32_t percent = settings->routing.breaker.error_percent;
    return percent && tries >= settings->routing.breaker.samples_min && failures * 100 >= tries * percent;
}

static void end_closed(struct breaker *breaker, const struct settings *settings, bool has_failed, int64_t now_ns)
{
    if (breaker->window_s != settings->routing.breaker.window_s) {
        breaker->window_s = settings->routing.breaker.window_s;
        breaker->tries = (struct window){0}; /* slots of another length */
    }
    window_add(&breaker->tries, slot_of(breaker->window_s), now_ns, 1, has_failed);
    uint32_t failures_max = settings->routing.breaker.failures;
    bool is_over = (failures_max && breaker->failures >= failures_max) || is_over_share(breaker, settings, now_ns);
    if (has_failed && is_over && settings->routing.breaker.enabled)
        open(breaker, settings, now_ns);
}

static void end_probe(struct breaker *breaker, const struct settings *settings, const struct routing_outcome *outcome,
                      int64_t now_ns)
{
    breaker->probes_in_flight -= breaker->probes_in_flight > 0;
    if (outcome->kind == OUTCOME_FAILED)
        open(breaker, settings, now_ns);
    else if (outcome->kind == OUTCOME_SERVED && ++breaker->probes_served >= probes_max(settings))
        change(breaker, BREAKER_CLOSED);
}

void breaker_end(struct breaker *breaker, const struct settings *settings, uint64_t ticket,
                 const struct routing_outcome *outcome, int64_t now_ns)
{
    if (ticket && ticket != breaker->changes + 1)
        return;
    if (outcome->kind != OUTCOME_NEITHER && breaker->state != BREAKER_OPEN)
        breaker->failures = outcome->kind == OUTCOME_FAILED ? breaker->failures + (breaker->failures < UINT32_MAX) : 0;
    if (breaker->state == BREAKER_HALF_OPEN)
        end_probe(breaker, settings, outcome, now_ns);
    else if (breaker->state == BREAKER_CLOSED && outcome->kind != OUTCOME_NEITHER)
        end_closed(breaker, settings, outcome->kind == OUTCOME_FAILED, now_ns);
}

enum breaker_state breaker_get_state(const struct breaker *breaker, const struct settings *settings, int64_t now_ns)
{
    if (!settings->routing.breaker.enabled)
        return BREAKER_CLOSED;
    return breaker->state == BREAKER_OPEN && now_ns >= breaker->open_until_ns ? BREAKER_HALF_OPEN : breaker->state;
}

const char *routing_breaker_name(enum breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half-open"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How fast wallets are emptied, from the sums of what their calls cost: known at once after a restart. */
#include "evidence/evidence.h"

enum { DAY_S = 86400, WEEK_DAYS = 7 };

struct spans {
    struct report day, week, month;
    int64_t known_s; /* of the week: since its oldest sum */
};

static enum error make(struct journal *journal, int64_t since_s, int64_t until_s, const struct zone *utc,
                       struct arena *arena, struct report *ret_report)
{
    const struct report_order order = {.period = {since_s, until_s, utc, "UTC"}, .by = 1u << DIMENSION_wallet};
    return report_make(journal, &order, arena, ret_report);
}

/* What the wallet paid: not what was written off. */
static int64_t find_paid(const struct report *report, const char *wallet)
{
    for (size_t i = 0; i < report->count; i++)
        if (!strcmp(report->rows[i].names[DIMENSION_wallet], wallet))
            return (int64_t)(report->rows[i].of[MEASURE_cost] - report->rows[i].of[MEASURE_written_off]);
    return 0;
}

static int64_t scale(int64_t amount, int64_t part_s, int64_t whole_s)
{
    __int128 result = (__int128)amount * part_s / whole_s;
    return result > INT64_MAX ? INT64_MAX : (int64_t)result;
}

static struct burn burn_of(const struct spans *spans, const char *wallet, struct money available, int64_t rest_s)
{
    struct burn burn = {.day = {find_paid(&spans->day, wallet)},
                        .week = {scale(find_paid(&spans->week, wallet), DAY_S, spans->known_s)},
                        .month = {find_paid(&spans->month, wallet)}};
    int64_t rest = scale(burn.week.nano, rest_s, DAY_S);
    if (money_add(burn.month, (struct money){rest}, &burn.projection))
        burn.projection = MONEY_MAX;
    int64_t pace = burn.day.nano ? burn.day.nano : burn.week.nano;
    int64_t left = available.nano > 0 ? available.nano : 0;
    burn.left_s = pace ? scale(left, DAY_S, pace) : -1;
    return burn;
}

enum error burn_find(struct journal *journal, int64_t now_s, size_t count, const char *const *wallets,
                     const struct money *available, struct arena *arena, struct burn *ret_burns)
{
    const struct zone *utc = zone_load(arena, "UTC");
    const int64_t until_s = now_s / JOURNAL_SLOT_S * JOURNAL_SLOT_S + JOURNAL_SLOT_S;
    const int64_t month_s = period_step_start(utc, STEP_MONTH, now_s),
                  next_s = period_step_next(utc, STEP_MONTH, month_s);
    struct spans spans = {.known_s = DAY_S};
    enum error error = make(journal, until_s - DAY_S, until_s, utc, arena, &spans.day);
    error = error ? error : make(journal, until_s - WEEK_DAYS * DAY_S, until_s, utc, arena, &spans.week);
    error = error ? error : make(journal, month_s, until_s, utc, arena, &spans.month);
    if (error)
        return error;
    if (spans.week.total.last_s && until_s - spans.week.total.first_s > DAY_S)
        spans.known_s = until_s - spans.week.total.first_s;
    for (size_t i = 0; i < count; i++)
        ret_burns[i] = burn_of(&spans, wallets[i], available[i], next_s > until_s ? next_s - until_s : 0);
    return ERROR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See alert_text.h. The JSON is an interface: members are added, never renamed. Amounts are decimal strings, as
 * everywhere; what does not concern an alert is null.
 */
#include "alert_text.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void alert_describe_budget(struct alert_facts *facts)
{
    char spent[MONEY_TEXT_MAX], limit[MONEY_TEXT_MAX], name[ALERT_TEXT_MAX / 2];
    budget_describe(facts->budget, facts->window, name, sizeof name);
    facts->limit = facts->window->limit;
    snprintf(facts->text, sizeof facts->text, "%s: %s USD spent, %s %% of %s USD passed", name,
             money_format(facts->spent, spent), facts->threshold, money_format(facts->limit, limit));
    snprintf(facts->hint, sizeof facts->hint, "%s; tollgate budget list, tollgate budget set %s --amount USD",
             facts->budget->is_hard ? "calls that would pass the limit are refused" : "no call is refused for it",
             facts->budget->id);
}

void alert_describe_wallet(struct alert_facts *facts)
{
    char left[MONEY_TEXT_MAX], low[MONEY_TEXT_MAX];
    const struct wallet_facts *wallet = facts->wallet;
    money_format((struct money){wallet->available.nano + wallet->held.nano}, left);
    if (facts->days >= 0)
        snprintf(facts->text, sizeof facts->text,
                 "wallet %s has %s USD left, which lasts %" PRId64 " days at the pace of the last day", wallet->wallet,
                 left, facts->days);
    else
        snprintf(facts->text, sizeof facts->text, "wallet %s has %s USD left, less than %s USD", wallet->wallet, left,
                 money_format(facts->limit, low));
    snprintf(facts->hint, sizeof facts->hint, "tollgate wallet fund %s AMOUNT", wallet->wallet);
}

void alert_describe_late(struct alert_facts *facts)
{
    snprintf(facts->text, sizeof facts->text, "%s %s passed %s before the agent's last start, and could not be told",
             facts->kind, facts->name, facts->threshold);
    snprintf(facts->hint, sizeof facts->hint, "tollgate budget list, tollgate wallet list");
}

/* The same mark of the same agent is the same alert, whenever it is given. */
static struct id make_id(const struct alert *alert, const char *environment, const char *state)
{
    char host[256] = "", text[1200];
    unsigned char digest[DIGEST_BYTES];
    struct id id;
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%" PRIu64 "\n%s", host, state, environment, alert->subject,
             alert->window, alert->threshold);
    digest_sha256(slice_of(text), digest);
    memcpy(id.bytes, digest, sizeof id.bytes);
    return id;
}

static void write_money(struct buffer *out, const char *name, bool is_known, struct money money)
{
    char text[MONEY_TEXT_MAX];
    json_write_member_string(out, name, is_known ? money_format(money, text) : NULL);
}

static void write_window(struct buffer *out, const struct alert_facts *facts, uint64_t number)
{
    char starts[CLOCK_TEXT_MAX], ends[CLOCK_TEXT_MAX];
    json_write_member(out, "window");
    json_write_raw(out, "{");
    json_write_member_integer(out, "number", (int64_t)number);
    if (facts->budget && facts->window) {
        json_write_member_string(out, "kind", budget_window_name(facts->budget->period));
        json_write_member_string(out, "starts", clock_format(facts->window->starts_s * 1000000000, starts));
        json_write_member_string(out, "ends", clock_format(facts->window->ends_s * 1000000000, ends));
    }
    json_write_raw(out, "}");
}

static void write_alert(struct buffer *out, const struct alert_facts *facts, const struct alert *alert)
{
    char id[ID_TEXT_MAX], time_text[CLOCK_TEXT_MAX];
    const bool is_of_budget = strcmp(facts->kind, "budget") == 0;
    const char *wallet = facts->wallet ? facts->wallet->wallet : NULL;
    const bool is_known = facts->budget != NULL || facts->wallet != NULL;
    json_write_raw(out, "{");
    json_write_member_string(out, "id", id_format(alert->id, id));
    json_write_member_string(out, "time", clock_format(facts->time_s * 1000000000, time_text));
    json_write_member_string(out, "environment", facts->environment);
    json_write_member_string(out, "kind", facts->kind);
    json_write_member_string(out, "budget", facts->budget ? facts->budget->id : is_of_budget ? facts->name : NULL);
    write_window(out, facts, alert->window);
    json_write_member_string(out, "threshold", facts->threshold);
    write_money(out, "spent", is_known, facts->spent);
    write_money(out, "limit", is_known && facts->days < 0, facts->limit);
    json_write_member_string(out, "wallet", wallet ? wallet : is_of_budget ? NULL : facts->name);
    write_money(out, "available", facts->wallet != NULL, facts->wallet ? facts->wallet->available : MONEY_ZERO);
    json_write_member_string(out, "text", facts->text);
    json_write_member_string(out, "hint", facts->hint);
    json_write_raw(out, "}");
}

void alert_format(const struct alert_facts *facts, const char *state, struct alert *alert)
{
    struct buffer out;
    alert->id = make_id(alert, facts->environment, state);
    buffer_init(&out, 8 * ALERT_JSON_MAX);
    write_alert(&out, facts, alert);
    /* Names have no characters that would be escaped, and texts are bounded: half of the room is used at most. */
    check(buffer_length(&out) < sizeof alert->json);
    alert->json_bytes = buffer_length(&out);
    memcpy(alert->json, buffer_contents(&out).data, alert->json_bytes);
    buffer_done(&out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The control API: a request's parameters, amounts as people write them, periods and steps of reports. */
#include "fuzz.h"

#include "base/zone.h"
#include "control/internal.h"
#include "evidence/evidence.h"

static void play_request(struct slice input)
{
    static const struct http_limits limits = {.head_bytes_max = 8192,
                                              .request_line_bytes_max = 4096,
                                              .fields_max = 20,
                                              .body_bytes_max = 4096,
                                              .takes_any_port = true};
    static const char *const names[] = {"since", "by", "model", "a", "period", "limit"};
    struct arena *arena = arena_new(1024);
    struct http_parser *parser = http_parser_new(&limits);
    size_t used = 0;
    enum error error;
    if (http_parser_feed(parser, arena, input, &used, &error) == HTTP_PARSE_DONE) {
        struct call call = {.arena = arena, .request = http_parser_request(parser)};
        size_t length = call.request->path.length;
        call.rest = slice_from(call.request->path, length / 2);
        FUZZ_REQUIRE(strlen(control_rest_text(&call)) <= length, "a longer rest");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            const char *value = control_find_parameter(&call, names[i]);
            FUZZ_REQUIRE(!value || strlen(value) < call.request->query.length, "%s", value);
        }
    }
    http_parser_free(parser);
    arena_free(arena);
}

static void play_amount(struct slice text)
{
    struct money money, again;
    const char *why = NULL;
    char written[MONEY_TEXT_MAX];
    if (control_parse_amount(text, &money, &why))
        return;
    enum error error = control_parse_amount(slice_of(money_format(money, written)), &again, &why);
    FUZZ_REQUIRE(!error && money.nano == again.nano, "%s", written);
}

static void play_period(struct slice text)
{
    struct arena *arena = arena_new(1024);
    const struct zone *zone = zone_load(arena, "UTC");
    struct period period;
    const char *why = NULL;
    enum period_step step;
    char *word = fuzz_copy(text), written[PERIOD_TEXT_MAX];
    if (period_parse(word, zone, "UTC", 1790000000, &period, &why)) {
        FUZZ_REQUIRE(period.since_s < period.until_s, "%lld to %lld", (long long)period.since_s,
                     (long long)period.until_s);
        FUZZ_REQUIRE(period.since_s % JOURNAL_SLOT_S == 0 && period.until_s % JOURNAL_SLOT_S == 0, "no slot");
        struct period before = period_before(&period);
        FUZZ_REQUIRE(before.until_s <= period.since_s || before.since_s <= period.since_s, "the one before");
        (void)period_format(zone, period.since_s, written);
    } else {
        FUZZ_REQUIRE(why && *why, "no reason");
    }
    (void)period_parse_step(word, &step);
    free(word);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const plays[])(struct slice) = {play_request, play_amount, play_period};
    struct slice input = fuzz_slice(data, size);
    unsigned kind = fuzz_choose(&input, 3);
    plays[kind](input);
    return 0;
}

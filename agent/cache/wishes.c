/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request says about caching, and what may be stored: pure functions over tables. Called by flow/ and by the end
 * of a flight.
 */
#include "cache/cache.h"

enum { AGE_S_MAX = INT32_MAX }; /* RFC 9111 section 1.2.2: what is longer counts as 2^31 */

/* ---- Cache-Control ---- */

/* Digits, with or without quotes (RFC 9111 section 5.2 has recipients take both); all else is 0: the request wanted
 * some bound, and the strictest cannot be wrong. */
static int64_t parse_age(struct slice value)
{
    int64_t age_s = 0;
    if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
        value = (struct slice){value.data + 1, value.length - 2};
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return 0;
        age_s = age_s * 10 + (value.data[i] - '0');
        age_s = age_s > AGE_S_MAX ? AGE_S_MAX : age_s;
    }
    return age_s;
}

static void read_directive(struct slice directive, struct cache_wishes *wishes)
{
    const char *equals = directive.length ? memchr(directive.data, '=', directive.length) : NULL;
    size_t name_bytes = equals ? (size_t)(equals - directive.data) : directive.length;
    struct slice name = slice_trim((struct slice){directive.data, name_bytes});
    struct slice value = equals ? slice_trim(slice_from(directive, name_bytes + 1)) : (struct slice){NULL, 0};
    if (slice_is_like(name, "no-cache")) {
        wishes->no_cache = true;
    } else if (slice_is_like(name, "no-store")) {
        wishes->no_store = true;
    } else if (slice_is_like(name, "only-if-cached")) {
        wishes->only_if_cached = true;
    } else if (slice_is_like(name, "max-age")) {
        int64_t age_s = parse_age(value);
        if (wishes->max_age_s < 0 || age_s < wishes->max_age_s)
            wishes->max_age_s = age_s;
    }
}

/* No directive that we know has a comma in its value. */
static void read_list(struct slice list, struct cache_wishes *wishes)
{
    while (list.length) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma ? (size_t)(comma - list.data) : list.length;
        read_directive(slice_trim((struct slice){list.data, length}), wishes);
        list = slice_from(list, length + 1);
    }
}

void cache_read_wishes(const struct http_field *fields, size_t count, struct cache_wishes *ret_wishes)
{
    struct cache_wishes wishes = {.max_age_s = -1}, pragma = wishes;
    bool has_control = false;
    for (size_t i = 0; i < count; i++) {
        if (slice_is_like(fields[i].name, "cache-control")) {
            has_control = true;
            read_list(fields[i].value, &wishes);
        } else if (slice_is_like(fields[i].name, "pragma")) {
            read_list(fields[i].value, &pragma);
        }
    }
    if (!has_control)
        wishes.no_cache = pragma.no_cache; /* RFC 9111 section 5.4: that directive alone */
    *ret_wishes = wishes;
}

/* ---- what may be stored ---- */

const char *cache_why_not_stored(const struct cache_outcome *outcome)
{
    const struct {
        bool forbids;
        const char *why;
    } rows[] = {
        {outcome->status != 200, "the status is not 200"},
        {!outcome->is_complete || outcome->lacks_end, "the answer is not complete"},
        {outcome->is_clamped, "its output limit was lowered for lack of money"},
        {outcome->is_cheaper, "a cheaper target answered for lack of money"},
        {outcome->is_refusal, "the provider refused or failed"},
        {outcome->is_deferred, "the answer is yet to come"},
        {outcome->is_encoded, "it is encoded"},
        {outcome->wants_no_store, "the request wants it not to be stored"},
        {outcome->is_forbidden, "the policy forbids it"},
        {outcome->is_damaged, "it did not end well, or not all of it could be read"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].forbids)
            return rows[i].why;
    return NULL;
}

/* Of an answer's fields: what says how to read it and by which version it was made; of an error's: when to come again.
 * Never what is about one connection, one account's limits or one browser, nor the provider's name for the one request
 * that was made: whoever asks the provider's support about a hit by it would ask about somebody else's call.
 * tollgate-request-id names the exchange, and its event the one that made the answer. */
bool cache_keeps_field(struct slice name)
{
    static const char *const names[] = {"content-type", "content-language", "openai-version", "openai-model",
                                        "retry-after",  "retry-after-ms",   "x-should-retry"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is_like(name, names[i]))
            return true;
    return false;
}

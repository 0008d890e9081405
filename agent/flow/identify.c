/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identify: whose call is it. The uid is the kernel's word, taken when the connection was accepted; the process comes
 * from the shim's datagram or, when that was lost, from /proc; the consumer group from the key, the datagram or the
 * default.
 */
#include "flow/exchange.h"

/* Where clients put their key, most specific first. */
static const struct key_place {
    const char *field;
    const char *prefix;
} key_places[] = {{"x-api-key", ""}, {"x-goog-api-key", ""}, {"api-key", ""}, {"authorization", "Bearer "}};

static struct slice find_query_key(struct slice query)
{
    for (size_t i = 0; i + 4 <= query.length; i++) {
        bool is_start = i == 0 || query.data[i - 1] == '&';
        if (!is_start || memcmp(query.data + i, "key=", 4))
            continue;
        struct slice key = slice_from(query, i + 4);
        const char *end = memchr(key.data, '&', key.length);
        if (end)
            key.length = (size_t)(end - key.data);
        return key;
    }
    return (struct slice){NULL, 0};
}

static struct slice find_field_placeholder(const struct http_request *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct slice value = request->fields[i].value;
        for (size_t j = 0; j < sizeof key_places / sizeof *key_places; j++) {
            size_t prefix = strlen(key_places[j].prefix);
            if (slice_is_like(request->fields[i].name, key_places[j].field) && value.length > prefix &&
                strncasecmp(value.data, key_places[j].prefix, prefix) == 0 &&
                slice_has_prefix(slice_from(value, prefix), "kt_cg_"))
                return slice_from(value, prefix);
        }
    }
    return (struct slice){NULL, 0};
}

/* Of several keys, the placeholder says whose call it is. */
static struct slice find_key(const struct http_request *request)
{
    struct slice placeholder = find_field_placeholder(request), query_key = find_query_key(request->query);
    if (placeholder.data)
        return placeholder;
    if (slice_has_prefix(query_key, "kt_cg_"))
        return query_key;
    for (size_t i = 0; i < sizeof key_places / sizeof *key_places; i++) {
        struct slice value = http_find_field(request->fields, request->field_count, key_places[i].field);
        size_t prefix = strlen(key_places[i].prefix);
        if (value.data && value.length > prefix && !strncasecmp(value.data, key_places[i].prefix, prefix))
            return slice_from(value, prefix);
    }
    return query_key;
}

static void looked_up(struct identity_lookup *lookup)
{
    struct exchange *exchange = list_entry(lookup, struct exchange, lookup);
    if (exchange->session)
        session_set_claim(exchange->session, &lookup->claim);
    exchange->principal.claim = lookup->claim;
    flow_run(exchange);
}

static enum outcome decide_group(struct exchange *exchange)
{
    struct principal *principal = &exchange->principal;
    const struct group_question question = {
        .key = principal->key,
        .wants_placeholder = exchange->is_base_url,
        .asked_group = principal->claim.group,
        .is_identified = principal->claim.has_hello || principal->claim.pid != 0,
        .uid = principal->peer.uid,
    };
    enum error error = policy_find_group(exchange->settings, &question, &principal->group);
    if (error)
        return exchange_fail(exchange, error, "%s", error_row(error)->text);
    principal->wallet = principal->group.group->wallet;
    exchange_note(exchange, "pid %d uid %u, group %s by %s%s", (int)principal->claim.pid, (unsigned)principal->peer.uid,
                  principal->group.group->name, policy_group_source_name(principal->group.source),
                  principal->group.is_flagged ? ", flagged: neither key nor process known" : "");
    return OUTCOME_NEXT;
}

enum outcome step_identify(struct exchange *exchange)
{
    struct principal *principal = &exchange->principal;
    if (exchange->lookup.done) /* resumed by looked_up */
        return decide_group(exchange);
    principal->peer = *session_peer(exchange->session);
    principal->key = find_key(exchange->request);
    struct identity *identity = exchange->worker->services->identity;
    struct identity_claim *known = session_claim(exchange->session);
    if (!known) {
        struct identity_claim claim;
        if (identity_take_claim(identity, &principal->peer, &claim)) {
            session_set_claim(exchange->session, &claim);
            known = session_claim(exchange->session);
        }
    }
    if (known) {
        principal->claim = *known;
        return decide_group(exchange);
    }
    exchange->lookup = (struct identity_lookup){
        .peer = principal->peer, .reply_to = loop_mailbox(exchange->worker->loop), .done = looked_up};
    identity_start_lookup(identity, &exchange->lookup);
    return OUTCOME_WAIT;
}

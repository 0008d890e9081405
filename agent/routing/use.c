/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See use.h. Called by routing.c, filters.c and strategies.c under the lock of struct routing; reads no clock. Nothing
 * here looks at what a request asks.
 */
#include "routing/use.h"

#include <stdlib.h>
#include <string.h>

static const int64_t MISSING_NS = 600000000000, REST_MAX_S = 3600;

/* FNV-1a: of names from the policy file, which nobody chooses against us. */
static uint64_t digest_model(const char *model)
{
    uint64_t digest = 14695981039346656037u;
    for (; *model; model++)
        digest = (digest ^ (unsigned char)*model) * 1099511628211u;
    return digest;
}

/* Room for one more: of targets that have nothing in flight, the one that was not asked for the longest time. */
static bool make_room(struct routing *routing)
{
    struct use *oldest = NULL;
    if (HASH_COUNT(routing->uses) < USES_MAX)
        return true;
    for (struct use *use = routing->uses; use; use = use->hh.next)
        if (!use->in_flight && (!oldest || use->used_ns < oldest->used_ns))
            oldest = use;
    if (!oldest)
        return false;
    HASH_DELETE(hh, routing->uses, oldest);
    free(oldest);
    return true;
}

struct use *use_find(struct routing *routing, const char *id, int64_t now_ns)
{
    struct use *use;
    size_t length = strlen(id);
    HASH_FIND(hh, routing->uses, id, length, use);
    if (use || length >= sizeof use->target || !make_room(routing))
        return use;
    use = calloc(1, sizeof *use);
    check(use != NULL);
    memcpy(use->target, id, length);
    use->used_ns = now_ns;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): uthash keeps no freed element */
    HASH_ADD_KEYPTR(hh, routing->uses, use->target, length, use);
    return use;
}

struct load use_load(const struct use *use, int64_t now_ns)
{
    uint64_t requests = window_sum(&use->load, LOAD_SLOT_NS, now_ns, LOAD_REQUESTS);
    uint64_t tokens = window_sum(&use->load, LOAD_SLOT_NS, now_ns, LOAD_TOKENS);
    return (struct load){add_saturated(requests, use->in_flight), add_saturated(tokens, use->tokens_in_flight)};
}

uint32_t use_seconds_until(int64_t then_ns, int64_t now_ns)
{
    return then_ns <= now_ns ? 0 : (uint32_t)((then_ns - now_ns + SECOND_NS - 1) / SECOND_NS);
}

static bool has_room(const struct use *use, unsigned which, uint64_t wanted, uint64_t limit, int64_t now_ns,
                     uint32_t *ret_wait_s)
{
    if (!limit || wanted <= limit)
        return true;
    int64_t wait_ns = window_wait_ns(&use->load, LOAD_SLOT_NS, now_ns, which, wanted - limit);
    uint32_t wait_s = use_seconds_until(now_ns + wait_ns, now_ns);
    if (wait_s > *ret_wait_s)
        *ret_wait_s = wait_s;
    return false;
}

bool use_has_room(const struct use *use, const struct target *target, uint64_t tokens, int64_t now_ns,
                  uint32_t *ret_wait_s)
{
    struct load load = use_load(use, now_ns);
    *ret_wait_s = 0;
    bool has_requests = has_room(use, LOAD_REQUESTS, add_saturated(load.requests, 1), target->limit_requests_per_minute,
                                 now_ns, ret_wait_s);
    bool has_tokens = has_room(use, LOAD_TOKENS, add_saturated(load.tokens, tokens), target->limit_tokens_per_minute,
                               now_ns, ret_wait_s);
    return has_requests && has_tokens;
}

bool use_is_model_missing(const struct use *use, const struct target *target, int64_t now_ns)
{
    return now_ns < use->missing_until_ns && use->missing_model == digest_model(target->model);
}

void use_begin(struct use *use, uint64_t tokens_estimate, int64_t now_ns)
{
    use->in_flight++;
    use->tokens_in_flight = add_saturated(use->tokens_in_flight, tokens_estimate);
    use->used_ns = now_ns;
}

void use_end(struct use *use, const struct target *target, const struct routing_outcome *outcome, int64_t now_ns)
{
    if (!use->in_flight)
        return; /* its row was made after its begin found no room for one */
    use->in_flight--;
    uint64_t held = outcome->tokens_estimate;
    bool is_last = use->in_flight == 0 || held > use->tokens_in_flight;
    use->tokens_in_flight = is_last ? 0 : use->tokens_in_flight - held;
    window_add(&use->load, LOAD_SLOT_NS, now_ns, 1, outcome->tokens_used);
    use->served += outcome->kind == OUTCOME_SERVED;
    use->failed += outcome->kind == OUTCOME_FAILED;
    if (outcome->kind == OUTCOME_SERVED) /* who fails fast is not fast */
        latency_add(&use->latency, outcome->first_byte_ns, now_ns);
    int64_t rest_s = outcome->retry_after_s < REST_MAX_S ? outcome->retry_after_s : REST_MAX_S;
    if (rest_s && now_ns + rest_s * SECOND_NS > use->rests_until_ns)
        use->rests_until_ns = now_ns + rest_s * SECOND_NS;
    if (outcome->is_model_missing) {
        use->missing_until_ns = now_ns + MISSING_NS;
        use->missing_model = digest_model(target->model);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The renditions of a request: as it came in, and as targets of other apis want it. A translation is made when a route
 * asks for it, once per api, and read like any other request, so that holds, edits and metering know only renditions.
 * Called by authorize, route and reserve.
 */
#include "flow/exchange.h"

/* Azure: "/openai/deployments/NAME/chat/completions"; whatever the body says, NAME answers. Others may read the body:
 * it is made to say NAME, too (outgoing.c). */
static void read_deployment(struct slice path, struct request_facts *facts)
{
    static const char mark[] = "/deployments/";
    const char *at = memmem(path.data, path.length, mark, sizeof mark - 1);
    if (!at)
        return;
    struct slice name = slice_from(path, (size_t)(at - path.data) + sizeof mark - 1);
    const char *end = memchr(name.data, '/', name.length);
    name.length = end ? (size_t)(end - name.data) : name.length;
    if (name.length >= sizeof facts->model)
        return;
    snprintf(facts->model, sizeof facts->model, SLICE_FORMAT, SLICE_ARGUMENTS(name));
    facts->is_model_of_path = true;
}

enum error rendition_read(struct exchange *exchange, struct slice body, struct rendition *ret_rendition)
{
    const struct http_request *received = exchange->request;
    const struct dialect_request request = {
        .method = received->method,
        .path = received->path,
        .query = received->query,
        .content_type = http_find_field(received->fields, received->field_count, "content-type"),
        .body = body,
        .depth_max = exchange->settings->limits.json_depth_max,
    };
    struct rendition rendition = {.dialect = exchange->dialect, .endpoint = exchange->endpoint, .body = body};
    rendition.facts = (struct request_facts){.output_tokens_max = -1, .choices = 1, .text_bytes = body.length};
    if (exchange->endpoint->format)
        rendition.error = rendition.dialect->read_request(rendition.endpoint, &request, exchange->arena,
                                                          &rendition.facts, &rendition.problem);
    if (!rendition.error && rendition.dialect->kind == DIALECT_OPENAI)
        read_deployment(received->path, &rendition.facts);
    *ret_rendition = rendition;
    return rendition.error;
}

/* Which of the renditions a provider takes for this call; RENDITION_COUNT: the call's own. */
static enum rendition_kind kind_for(const struct exchange *exchange, const struct provider *provider)
{
    const enum api own = exchange->endpoint->api;
    bool is_own_dialect = provider->dialect == exchange->dialect->kind;
    if (is_own_dialect && (own != API_RESPONSES || provider->speaks_responses))
        return RENDITION_COUNT;
    if (provider->dialect == DIALECT_ANTHROPIC)
        return RENDITION_MESSAGES;
    return provider->limits_by_max_tokens ? RENDITION_CHAT_MAX_TOKENS : RENDITION_CHAT;
}

static void translate(struct exchange *exchange, enum api to, const struct target *target, bool limits_by_max_tokens,
                      struct rendition *rendition)
{
    const struct translate_request request = {
        .from = exchange->endpoint->api,
        .to = to,
        .body = exchange->rendition.body,
        .model = target->model,
        .output_tokens_max = exchange->settings->routing.translated_output_tokens,
        .output_max_member = limits_by_max_tokens ? "max_tokens" : "max_completion_tokens",
    };
    rendition->is_translated = true;
    rendition->endpoint = dialect_endpoint_of(to, &rendition->dialect);
    rendition->error =
        translate_request(&request, exchange->arena, &rendition->body, &rendition->translation, &rendition->problem);
    if (rendition->error)
        return;
    const struct dialect_request translated = {.method = SLICE_LITERAL("POST"),
                                               .path = slice_of(rendition->endpoint->path),
                                               .content_type = SLICE_LITERAL("application/json"),
                                               .body = rendition->body,
                                               .depth_max = exchange->settings->limits.json_depth_max};
    rendition->error = rendition->dialect->read_request(rendition->endpoint, &translated, exchange->arena,
                                                        &rendition->facts, &rendition->problem);
}

static const char *name_of(const struct provider *provider)
{
    return provider->dialect == DIALECT_GEMINI ? "Gemini" : provider->id;
}

const struct rendition *rendition_find(struct exchange *exchange, const struct target *target)
{
    const enum rendition_kind kind = kind_for(exchange, target->provider);
    if (kind == RENDITION_COUNT)
        return &exchange->rendition;
    if (exchange->renditions[kind])
        return exchange->renditions[kind];
    const enum api to = kind == RENDITION_MESSAGES ? API_MESSAGES : API_CHAT;
    struct rendition *rendition = arena_new_struct(exchange->arena, struct rendition);
    if (target->provider->dialect == DIALECT_GEMINI || !translate_is_known(exchange->endpoint->api, to)) {
        rendition->error = ERROR_NO_TRANSLATION;
        rendition->problem = arena_printf(exchange->arena, "%s: %s calls cannot be translated for %s",
                                          exchange->endpoint->name, exchange->dialect->name, name_of(target->provider));
        if (target->provider->dialect == DIALECT_GEMINI)
            return rendition; /* its kind is another provider's, too */
    } else {
        translate(exchange, to, target, kind == RENDITION_CHAT_MAX_TOKENS, rendition);
    }
    return exchange->renditions[kind] = rendition;
}

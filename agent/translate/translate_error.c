/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error documents (status ≥ 400) of a target in the shape that the client's SDKs turn into the exception of the same
 * kind. Called by flow/ instead of a translation. The target's own words are kept, bounded; its types are mapped by one
 * table, in which each row is a kind of error as both providers' error references name it.
 */
#include "answer.h"

#include "http/http.h"

enum { MESSAGE_BYTES_MAX = 2000, PARSED_BYTES_MAX = 1 << 20, TYPE_BYTES_MAX = 128 };

struct kind {
    int openai_status;
    const char *openai_type, *openai_code;
    int anthropic_status;
    const char *anthropic_type;
};

/* Of rows with the same status the first is the one for an error that says no type. */
static const struct kind kinds[] = {
    {400, "invalid_request_error", NULL, 400, "invalid_request_error"},
    {401, "authentication_error", "invalid_api_key", 401, "authentication_error"},
    {429, "rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_error"},
    {429, "insufficient_quota", "insufficient_quota", 402, "billing_error"},
    {402, "insufficient_quota", NULL, 402, "billing_error"}, /* of compatible providers */
    {403, "permission_error", NULL, 403, "permission_error"},
    {404, "invalid_request_error", "model_not_found", 404, "not_found_error"},
    {413, "invalid_request_error", "request_too_large", 413, "request_too_large"},
    {503, "service_unavailable_error", NULL, 529, "overloaded_error"},
    {504, "server_error", NULL, 504, "timeout_error"},
    {500, "server_error", NULL, 500, "api_error"},
};

/* What both providers call context overflow. Agents that shorten their prompt look for OpenAI's code. */
static const char *const overflow_prefixes[] = {"prompt is too long", "input length and `max_tokens` exceed"};

struct error_document {
    struct slice message; /* decoded */
    char type[TYPE_BYTES_MAX], code[TYPE_BYTES_MAX], param[TYPE_BYTES_MAX];
};

/* ---- reading ---- */

static struct slice trim(struct slice text)
{
    while (text.length && (unsigned char)text.data[0] <= ' ')
        text = slice_from(text, 1);
    while (text.length && (unsigned char)text.data[text.length - 1] <= ' ')
        text.length--;
    return text;
}

static struct slice cut(struct slice text)
{
    if (text.length > MESSAGE_BYTES_MAX)
        for (text.length = MESSAGE_BYTES_MAX; text.length && ((unsigned char)text.data[text.length] & 0xc0) == 0x80;)
            text.length--;
    return text;
}

static void take_text(const struct json_value *value, char *text)
{
    if (!json_get_string(value, text, TYPE_BYTES_MAX))
        text[0] = '\0';
}

/* {"error":{"message":…}} of both, and what compatible providers say instead: {"error":"…"}, {"message":"…"},
 * {"detail":"…"}, or the first of a list of these. */
static void read_json(struct slice document, struct arena *arena, struct error_document *error)
{
    struct json_value type, code, param, inner, plain, outer, detail, element;
    const struct json_query queries[] = {{"error.type", &type},     {"error.code", &code}, {"error.param", &param},
                                         {"error.message", &inner}, {"error", &plain},     {"message", &outer},
                                         {"detail", &detail}};
    const struct json_value *const messages[] = {&inner, &plain, &outer, &detail};
    size_t at = 0;
    if (document.length > PARSED_BYTES_MAX || json_scan(document, ANSWER_DEPTH_MAX, NULL, 0, NULL))
        return;
    if (document.data[0] == '[' && json_next_element(document, &at, &element))
        document = element.raw;
    if (json_scan(document, ANSWER_DEPTH_MAX, queries, sizeof queries / sizeof *queries, NULL))
        return;
    take_text(&type, error->type);
    take_text(&code, error->code);
    take_text(&param, error->param);
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct slice escaped = answer_text_of(messages[i]);
        if (escaped.length && answer_decode(escaped, arena, &error->message))
            return;
    }
}

/* ---- kinds ---- */

static const struct kind *find_openai_kind(int status, const struct error_document *error)
{
    const struct kind *found = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *kind = &kinds[i];
        if (kind->openai_status != status)
            continue;
        bool is_named = strcmp(error->type, kind->openai_type) == 0 ||
                        (kind->openai_code && strcmp(error->code, kind->openai_code) == 0);
        if (is_named)
            return kind;
        if (!found)
            found = kind;
    }
    return found;
}

static const struct kind *find_anthropic_kind(int status, const struct error_document *error)
{
    const struct kind *found = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(error->type, kinds[i].anthropic_type) == 0)
            return &kinds[i];
        if (!found && kinds[i].anthropic_status == status)
            found = &kinds[i];
    }
    return found;
}

/* A status that no row knows stays: the client's SDKs go by it. */
static struct kind find_kind(enum api to, int status, const struct error_document *error)
{
    const struct kind *found =
        to == API_MESSAGES ? find_anthropic_kind(status, error) : find_openai_kind(status, error);
    bool is_client = status < 500;
    if (found)
        return *found;
    return (struct kind){status, is_client ? "invalid_request_error" : "server_error", NULL, status,
                         is_client ? "invalid_request_error" : "api_error"};
}

static const char *find_code(const struct kind *kind, struct slice message)
{
    for (size_t i = 0; i < sizeof overflow_prefixes / sizeof *overflow_prefixes; i++)
        if (kind->openai_status == 400 && slice_has_prefix(message, overflow_prefixes[i]))
            return "context_length_exceeded";
    return kind->openai_code;
}

/* ---- writing ---- */

static void write_text(struct buffer *body, const char *name, const char *text)
{
    json_write_member_string(body, name, text && text[0] ? text : NULL);
}

static void write_openai(struct buffer *body, struct slice message, const char *type, const char *param,
                         const char *code)
{
    json_write_raw(body, "{\"error\":{\"message\":");
    json_write_string(body, message);
    write_text(body, "type", type);
    write_text(body, "param", param);
    write_text(body, "code", code);
    json_write_raw(body, "}}");
}

static void write_anthropic(struct buffer *body, struct slice message, const char *type, const char *request_id)
{
    json_write_raw(body, "{\"type\":\"error\",\"error\":{");
    write_text(body, "type", type);
    json_write_member(body, "message");
    json_write_string(body, message);
    json_write_raw(body, "}");
    write_text(body, "request_id", request_id);
    json_write_raw(body, "}");
}

int translate_error(enum api from, enum api to, int status, struct slice document, const char *request_id,
                    struct buffer *out)
{
    struct error_document error = {.message = {"", 0}};
    struct arena *arena = arena_new(1024);
    document = trim(document);
    read_json(document, arena, &error);
    struct slice message = cut(error.message.length ? error.message : document);
    if (message.length == 0)
        message =
            slice_of(arena_printf(arena, "the target answered %d (%s) without a message", status, http_reason(status)));
    struct kind kind = find_kind(to, status, &error);
    struct buffer body;
    buffer_init(&body, 6 * (MESSAGE_BYTES_MAX + 3 * TYPE_BYTES_MAX + (request_id ? strlen(request_id) : 0)) + 512);
    if (from == API_MESSAGES) {
        status = kind.anthropic_status;
        write_anthropic(&body, message, kind.anthropic_type, request_id);
    } else if (to == API_MESSAGES) {
        status = kind.openai_status;
        write_openai(&body, message, kind.openai_type, NULL, find_code(&kind, message));
    } else { /* the same shape: as it is */
        write_openai(&body, message, error.type[0] ? error.type : kind.openai_type, error.param,
                     error.type[0] || error.code[0] ? error.code : kind.openai_code);
    }
    if (!buffer_append(out, buffer_contents(&body)))
        buffer_reset(&body, 0); /* nothing: the client goes by the status */
    buffer_done(&body);
    arena_free(arena);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Error documents of a target in the client's shape: kind, status, and the target's own words. */
#include "suite.h"
#include "translate/translate.h"

#include <jansson.h>

static struct slice translate(enum api from, enum api to, int status, struct slice document, struct buffer *out,
                              int *ret_status)
{
    buffer_init(out, 1 << 16);
    *ret_status = translate_error(from, to, status, document, "req_1", out);
    return buffer_contents(out);
}

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

#define ANTHROPIC(type, message)    "{'type':'error','error':{'type':'" type "','message':'" message "'},'request_id':'r'}"
#define OPENAI(type, code, message) "{'error':{'message':'" message "','type':" type ",'param':null,'code':" code "}}"
#define TO_OPENAI(type, code, message)                                                                                 \
    "{'error':{'message':'" message "','type':'" type "','param':null,'code':" code "}}"
#define TO_ANTHROPIC(type, message)                                                                                    \
    "{'type':'error','error':{'type':'" type "','message':'" message "'},'request_id':'req_1'}"

static const struct error_case {
    enum api from, to;
    int status;
    const char *document;
    int wanted_status;
    const char *wanted;
} rows[] = {
    /* Anthropic's to OpenAI's */
    {API_CHAT, API_MESSAGES, 400, ANTHROPIC("invalid_request_error", "bad"), 400,
     TO_OPENAI("invalid_request_error", "null", "bad")},
    {API_RESPONSES, API_MESSAGES, 400, ANTHROPIC("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
     400, TO_OPENAI("invalid_request_error", "'context_length_exceeded'", "prompt is too long: 9 tokens > 8 maximum")},
    {API_CHAT, API_MESSAGES, 401, ANTHROPIC("authentication_error", "invalid x-api-key"), 401,
     TO_OPENAI("authentication_error", "'invalid_api_key'", "invalid x-api-key")},
    {API_CHAT, API_MESSAGES, 402, ANTHROPIC("billing_error", "pay"), 429,
     TO_OPENAI("insufficient_quota", "'insufficient_quota'", "pay")},
    {API_CHAT, API_MESSAGES, 403, ANTHROPIC("permission_error", "no"), 403,
     TO_OPENAI("permission_error", "null", "no")},
    {API_CHAT, API_MESSAGES, 404, ANTHROPIC("not_found_error", "model: x"), 404,
     TO_OPENAI("invalid_request_error", "'model_not_found'", "model: x")},
    {API_CHAT, API_MESSAGES, 413, ANTHROPIC("request_too_large", "big"), 413,
     TO_OPENAI("invalid_request_error", "'request_too_large'", "big")},
    {API_CHAT, API_MESSAGES, 429, ANTHROPIC("rate_limit_error", "slow"), 429,
     TO_OPENAI("rate_limit_error", "'rate_limit_exceeded'", "slow")},
    {API_CHAT, API_MESSAGES, 500, ANTHROPIC("api_error", "oops"), 500, TO_OPENAI("server_error", "null", "oops")},
    {API_CHAT, API_MESSAGES, 504, ANTHROPIC("timeout_error", "late"), 504, TO_OPENAI("server_error", "null", "late")},
    {API_CHAT, API_MESSAGES, 529, ANTHROPIC("overloaded_error", "Overloaded"), 503,
     TO_OPENAI("service_unavailable_error", "null", "Overloaded")},
    {API_CHAT, API_MESSAGES, 529, "", 503,
     TO_OPENAI("service_unavailable_error", "null", "the target answered 529 (Overloaded) without a message")},
    {API_CHAT, API_MESSAGES, 502, "<html>\n'x'</html>\r\n", 502,
     TO_OPENAI("server_error", "null", "<html>\\n\\'x\\'</html>")},
    {API_CHAT, API_MESSAGES, 418, "{'a':1}", 418, TO_OPENAI("invalid_request_error", "null", "{\\'a\\':1}")},
    {API_CHAT, API_MESSAGES, 429, "", 429,
     TO_OPENAI("rate_limit_error", "'rate_limit_exceeded'",
               "the target answered 429 (Too Many Requests) without a message")},
    /* OpenAI's to Anthropic's */
    {API_MESSAGES, API_CHAT, 400, OPENAI("'invalid_request_error'", "null", "bad \\u00e9\\n"), 400,
     TO_ANTHROPIC("invalid_request_error", "bad \xc3\xa9\\n")},
    {API_MESSAGES, API_CHAT, 401, OPENAI("'invalid_request_error'", "'invalid_api_key'", "key"), 401,
     TO_ANTHROPIC("authentication_error", "key")},
    {API_MESSAGES, API_CHAT, 402, OPENAI("null", "402", "Insufficient credits"), 402,
     TO_ANTHROPIC("billing_error", "Insufficient credits")},
    {API_MESSAGES, API_CHAT, 403, OPENAI("'x'", "null", "no"), 403, TO_ANTHROPIC("permission_error", "no")},
    {API_MESSAGES, API_CHAT, 404, OPENAI("'invalid_request_error'", "'model_not_found'", "m"), 404,
     TO_ANTHROPIC("not_found_error", "m")},
    {API_MESSAGES, API_CHAT, 413, "too big", 413, TO_ANTHROPIC("request_too_large", "too big")},
    {API_MESSAGES, API_CHAT, 429, OPENAI("'requests'", "'rate_limit_exceeded'", "slow"), 429,
     TO_ANTHROPIC("rate_limit_error", "slow")},
    {API_MESSAGES, API_CHAT, 429, OPENAI("'tokens'", "null", "slow"), 429, TO_ANTHROPIC("rate_limit_error", "slow")},
    {API_MESSAGES, API_CHAT, 429, OPENAI("'insufficient_quota'", "'insufficient_quota'", "pay"), 402,
     TO_ANTHROPIC("billing_error", "pay")},
    {API_MESSAGES, API_CHAT, 500, OPENAI("'server_error'", "null", "oops"), 500, TO_ANTHROPIC("api_error", "oops")},
    {API_MESSAGES, API_CHAT, 503, OPENAI("'server_error'", "null", "busy"), 529,
     TO_ANTHROPIC("overloaded_error", "busy")},
    {API_MESSAGES, API_CHAT, 504, "upstream request timeout", 504,
     TO_ANTHROPIC("timeout_error", "upstream request timeout")},
    {API_MESSAGES, API_CHAT, 422, "{'detail':'bad field'}", 422, TO_ANTHROPIC("invalid_request_error", "bad field")},
    {API_MESSAGES, API_CHAT, 520, "{'message':'m'}", 520, TO_ANTHROPIC("api_error", "m")},
    {API_MESSAGES, API_CHAT, 400, "{'error':'plain'}", 400, TO_ANTHROPIC("invalid_request_error", "plain")},
    {API_MESSAGES, API_CHAT, 400, "[{'error':{'message':'in a list','code':400}}]", 400,
     TO_ANTHROPIC("invalid_request_error", "in a list")},
    {API_MESSAGES, API_CHAT, 400, "[]", 400, TO_ANTHROPIC("invalid_request_error", "[]")},
    {API_MESSAGES, API_CHAT, 400, "{'error':{'message':'a\\u0000b'}}", 400,
     TO_ANTHROPIC("invalid_request_error", "{\\'error\\':{\\'message\\':\\'a\\\\u0000b\\'}}")},
    /* the same shape: as it is */
    {API_RESPONSES, API_CHAT, 400, "{'error':{'message':'m','type':'t','param':'messages','code':'c'}}", 400,
     "{'error':{'message':'m','type':'t','param':'messages','code':'c'}}"},
    {API_RESPONSES, API_CHAT, 503, OPENAI("'server_error'", "null", "busy"), 503,
     TO_OPENAI("server_error", "null", "busy")},
    {API_RESPONSES, API_CHAT, 429, "slow down", 429,
     TO_OPENAI("rate_limit_error", "'rate_limit_exceeded'", "slow down")},
};

TEST(errors_keep_their_kind_and_words)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *document = quoted(rows[i].document), *wanted = quoted(rows[i].wanted);
        struct buffer out;
        int status;
        struct slice body = translate(rows[i].from, rows[i].to, rows[i].status, slice_of(document), &out, &status);
        EXPECT(slice_is(body, wanted), "row %zu: %.*s, wanted %s", i, SLICE_ARGUMENTS(body), wanted);
        EXPECT(status == rows[i].wanted_status, "row %zu: %d", i, status);
        buffer_done(&out);
        free(document);
        free(wanted);
    }
}

static void expect_valid(struct slice body, size_t message_max, const char *what)
{
    json_t *root = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    json_t *message = json_object_get(json_object_get(root, "error"), "message");
    EXPECT(json_string_length(message) > 0 && json_string_length(message) <= message_max, "%s: %.*s", what,
           SLICE_ARGUMENTS(body));
    json_decref(root);
}

/* Whatever a proxy in between says: valid JSON, bounded, never nothing. */
TEST(any_bytes_become_a_message)
{
    enum { BYTES = 4096 };
    char *text = malloc(BYTES);
    uint64_t state = 88172645463325252u;
    static const enum api apis[][2] = {{API_CHAT, API_MESSAGES}, {API_RESPONSES, API_CHAT}, {API_MESSAGES, API_CHAT}};
    for (unsigned round = 0; round < 3000; round++) {
        for (size_t i = 0; i < BYTES; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            text[i] = round % 3 ? (char)state : "{}[]\":,\\u0e\n"[state % 12];
        }
        struct buffer out;
        int status;
        const enum api *pair = apis[round % 3];
        size_t length = round % BYTES;
        char *copy = malloc(length + 1); /* ASan sees reads past it */
        copy = realloc(memcpy(copy, text, length), length ? length : 1);
        expect_valid(translate(pair[0], pair[1], 500, (struct slice){copy, length}, &out, &status), 6100,
                     "random bytes");
        buffer_done(&out);
        free(copy);
    }
    memset(text, 'x', BYTES);
    memcpy(text + 1998, "\xf0\x9f\x98\x80", 4); /* the bound lies inside this character */
    struct buffer out;
    int status;
    struct slice body = translate(API_CHAT, API_MESSAGES, 500, (struct slice){text, BYTES}, &out, &status);
    expect_valid(body, 1998, "a character at the bound");
    EXPECT(!memmem(body.data, body.length, "\xef\xbf\xbd", 3), "half a character");
    buffer_done(&out);
    free(text);
}

TEST(a_full_buffer_still_gives_the_status)
{
    struct buffer out;
    buffer_init(&out, 20);
    EXPECT_INTEGER(translate_error(API_CHAT, API_MESSAGES, 529, SLICE_LITERAL("x"), NULL, &out), 503);
    EXPECT_INTEGER(buffer_length(&out), 0);
    buffer_done(&out);
    buffer_init(&out, 4096);
    EXPECT_INTEGER(translate_error(API_MESSAGES, API_CHAT, 500, SLICE_LITERAL("x"), NULL, &out), 500);
    EXPECT(memmem(out.data, buffer_length(&out), "\"request_id\":null", 17) != NULL, "no id");
    buffer_done(&out);
}

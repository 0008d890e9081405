/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests from one api to another: the table of apis, each with its reader into the neutral form and its writer out of
 * it. Called by flow/ for a target of another api; see translate.h. Frees all that jansson took before it returns.
 */
#include "translate/translate.h"

#include "base/check.h"
#include "base/json.h"
#include "translate/apis.h"

/* A value takes jansson up to some 200 bytes, however short it is: this bounds what a body of 32 MiB can take. Long
 * conversations with many tools have some ten thousand. */
enum { VALUE_COUNT_MAX = 500000, BODY_DEPTH_MAX = 1024 };

struct api_format {
    const char *name;
    bool (*read)(struct work *work, json_t *body);  /* NULL: nothing is translated from it */
    bool (*write)(struct work *work, json_t *body); /* NULL: nothing is translated to it */
    bool has_system_turns;                          /* a system message may stand in the middle */
};

static const struct api_format formats[API_COUNT] = {
    [API_CHAT] = {"Chat Completions", chat_read_request, chat_write_request, true},
    [API_RESPONSES] = {"Responses", responses_read_request, NULL, false},
    [API_MESSAGES] = {"Anthropic Messages", messages_read_request, messages_write_request, false},
};

bool translate_is_known(enum api from, enum api to)
{
    return from != to && formats[from].read && formats[to].write;
}

/* Separators outside strings: each stands for a value. */
static bool has_too_many_values(struct slice body)
{
    size_t count = 0;
    bool in_string = false;
    for (size_t i = 0; i < body.length; i++) {
        char c = body.data[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == ',' || c == '[' || c == '{'))
            count++;
    }
    return count > VALUE_COUNT_MAX;
}

/* `seed` may be any 64-bit number and is dropped, but jansson's integers end at 2^63 - 1: without it the rest parses.
 */
static json_t *parse_without_seed(struct work *work, struct slice body)
{
    struct json_value seed;
    struct json_query query = {"seed", &seed};
    if (json_scan(body, BODY_DEPTH_MAX, &query, 1, NULL) || seed.kind != JSON_KIND_NUMBER)
        return NULL;
    char *copy = arena_alloc(work->arena, body.length);
    memcpy(copy, body.data, body.length);
    memset(copy + seed.offset, ' ', seed.raw.length);
    copy[seed.offset] = '0';
    return tree_parse((struct slice){copy, body.length}, NULL);
}

static json_t *parse_body(struct work *work)
{
    struct slice body = work->request->body;
    bool is_overflow = false;
    if (has_too_many_values(body)) {
        work_refuse(work, "it has too many values");
        return NULL;
    }
    json_t *value = tree_parse(body, &is_overflow);
    if (!value && is_overflow)
        value = parse_without_seed(work, body);
    if (!value && is_overflow)
        work_refuse(work, "it has a number that exceeds 64 bits");
    else if (!value)
        work_reject(work, "is not valid JSON");
    return value;
}

static bool is_empty(struct work *work)
{
    if (work->conversation.first)
        return false;
    work_reject_member(work, work->request->from == API_RESPONSES ? "input" : "messages", "holds no text");
    return true;
}

static struct slice convert(struct work *work, json_t *body)
{
    struct slice none = {NULL, 0};
    const struct api_format *from = &formats[work->request->from], *to = &formats[work->request->to];
    if (!from->read(work, body) || !conversation_settle(work, !to->has_system_turns) || is_empty(work))
        return none;
    json_t *written = tree_add(work->owned, json_object());
    return to->write(work, written) ? tree_write_arena(written, work->arena) : none;
}

static const char *list_dropped(const struct work *work)
{
    size_t length = 1, at = 0;
    for (size_t i = 0; i < work->dropped_count; i++)
        length += strlen(work->dropped[i]) + 2;
    char *list = arena_alloc(work->arena, length);
    for (size_t i = 0; i < work->dropped_count; i++)
        at += (size_t)snprintf(list + at, length - at, "%s%s", i ? ", " : "", work->dropped[i]);
    return list;
}

enum error translate_request(const struct translate_request *request, struct arena *arena, struct slice *ret_body,
                             struct translate_facts *ret_facts, const char **ret_problem)
{
    check(translate_is_known(request->from, request->to));
    struct work *work = arena_new_struct(arena, struct work);
    *work = (struct work){.arena = arena, .request = request, .target = formats[request->to].name};
    work->owned = json_array();
    check(work->owned != NULL);
    json_t *body = parse_body(work);
    struct slice written = body ? convert(work, body) : (struct slice){NULL, 0};
    json_decref(work->owned);
    json_decref(body);
    check(work->error || written.data);
    if (work->error) {
        *ret_problem = work->problem;
        return work->error;
    }
    *ret_body = written;
    *ret_facts = (struct translate_facts){.from = request->from,
                                          .to = request->to,
                                          .is_streaming = work->conversation.is_streaming,
                                          .asks_usage = work->conversation.asks_usage,
                                          .wants_json_schema = work->wants_json_schema,
                                          .dropped = list_dropped(work),
                                          .echo = work->echo};
    return ERROR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cheap look into an answer that nobody has validated: which member names occur, and how much output text there is.
 * It decides whether an event is worth a scan, and is the ground of estimates; never of a provider's numbers.
 */
#include "base/check.h"
#include "dialect/internal.h"

#include <stdio.h>

/* The inside of the string whose opening quote is at `at`; its end is the closing quote, or the text's end. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (!quote)
            return end;
        const char *backslash = quote;
        while (backslash > at && backslash[-1] == '\\')
            backslash--;
        if ((quote - backslash) % 2 == 0)
            return quote;
        at = quote;
    }
    return end;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

static bool name_is_in(struct slice name, const char *const *names)
{
    for (; *names; names++)
        if (slice_is(name, *names))
            return true;
    return false;
}

/* What a glance looks for, and what it has found. */
struct looking {
    const char *const *text_members;
    const char *usage_member;
    struct slice type, mime_type; /* the last that was seen: they stand before what they are of */
    struct glance glance;
};

/* Names by which answers say why they ended. */
static bool is_reason(struct slice name)
{
    switch (name.length) {
    case sizeof "stop_reason" - 1:
        return slice_is(name, "stop_reason");
    case sizeof "finishReason" - 1:
        return slice_is(name, "finishReason");
    case sizeof "finish_reason" - 1:
        return slice_is(name, "finish_reason");
    default:
        return false;
    }
}

/* `"refusal": "I cannot …"`, `"type": "refusal"`, `"type": "response.refusal.delta"`. */
static bool is_refusal(const struct json_member *member)
{
    if (slice_is(member->name, "type"))
        return slice_is(member->text, "refusal") || slice_has_prefix(member->text, "response.refusal.");
    return member->text.length && slice_is(member->name, "refusal");
}

static void take_bytes(struct looking *looking, uint64_t bytes)
{
    struct media *media = &looking->glance.media;
    const struct slice mime = looking->mime_type;
    if (slice_has_prefix(mime, "image/"))
        media->pictures++;
    else if (slice_has_prefix(mime, "audio/L16") || slice_has_prefix(mime, "audio/pcm") ||
             slice_has_prefix(mime, "audio/wav"))
        media->raw_sound_bytes += bytes;
    else if (!mime.length || slice_has_prefix(mime, "audio/"))
        media->sound_bytes += bytes;
    else
        looking->glance.text_bytes += bytes;
}

/* Chat: `audio` {data, transcript}, and pictures of compatible providers as data: URLs; Responses: pictures of a tool,
 * whole and on their way; Gemini: inlineData {mimeType, data}. */
static void take_media(struct looking *looking, const struct json_member *member)
{
    struct media *media = &looking->glance.media;
    const struct slice name = member->name, text = member->text;
    if (slice_is(name, "type"))
        looking->type = text;
    else if (slice_is(name, "mimeType") || slice_is(name, "mime_type"))
        looking->mime_type = text;
    else if (slice_is(name, "transcript"))
        media->spoken_bytes += text.length;
    else if (slice_is(name, "data"))
        take_bytes(looking, text.length);
    else if (slice_is(name, "result"))
        media->pictures += text.length && slice_is(looking->type, "image_generation_call");
    else if (slice_is(name, "partial_image_b64"))
        media->has_sketch = true;
    else if (slice_is(name, "url"))
        media->pictures += slice_has_prefix(text, "data:image/");
}

static void take_member(void *context, const struct json_member *member)
{
    struct looking *looking = context;
    looking->glance.has_usage |= slice_is(member->name, looking->usage_member);
    looking->glance.has_error |= slice_is(member->name, "error");
    if (!member->text.data)
        return;
    looking->glance.has_reason |= member->text.length && is_reason(member->name);
    looking->glance.has_refusal |= is_refusal(member);
    if (name_is_in(member->name, looking->text_members))
        looking->glance.text_bytes += member->text.length;
    else
        take_media(looking, member);
}

/* From quote to quote, whatever is between them. */
static void look_through(struct looking *looking, struct slice text)
{
    const char *at = text.data, *end = text.data + text.length;
    while (at < end && (at = memchr(at, '"', (size_t)(end - at)))) {
        const char *close = string_end(at, end);
        struct json_member member = {.name = {at + 1, (size_t)(close - at - 1)}};
        at = close < end ? skip_space(close + 1, end) : end;
        if (at == end || *at != ':')
            continue;
        at = skip_space(at + 1, end);
        bool is_string = at < end && *at == '"';
        close = is_string ? string_end(at, end) : at;
        if (is_string)
            member.text = (struct slice){at + 1, (size_t)(close - at - 1)};
        take_member(looking, &member);
        at = is_string && close < end ? close + 1 : close;
    }
}

void dialect_glance(struct slice text, const char *const *text_members, const char *usage_member,
                    struct glance *ret_glance)
{
    struct looking looking = {.text_members = text_members, .usage_member = usage_member};
    look_through(&looking, text);
    *ret_glance = looking.glance;
}

bool dialect_glance_object(struct slice text, const char *const *text_members, const char *usage_member,
                           struct glance *ret_glance)
{
    struct looking looking = {.text_members = text_members, .usage_member = usage_member};
    size_t rest;
    bool is_json = json_walk_members(text, take_member, &looking, &rest);
    look_through(&looking, slice_from(text, rest));
    *ret_glance = looking.glance;
    return is_json && dialect_is_object(text);
}

bool dialect_is_object(struct slice text)
{
    const char *end = text.data + text.length, *at = text.length ? skip_space(text.data, end) : end;
    return at < end && *at == '{';
}

/* At a '{': the object up to its '}', strings skipped; empty when it does not end. */
static struct slice object_at(const char *at, const char *end)
{
    const char *first = at;
    for (unsigned depth = 0; at < end; at++) {
        if (*at == '"')
            at = string_end(at, end);
        else if (*at == '{')
            depth++;
        else if (*at == '}' && --depth == 0)
            return (struct slice){first, (size_t)(at + 1 - first)};
    }
    return (struct slice){NULL, 0};
}

bool dialect_next_object(struct slice array, size_t *at, struct slice *ret_object)
{
    const char *end = array.data + array.length, *from = array.data + *at;
    for (; from < end && *from != '{'; from++)
        if (*from == '"')
            from = string_end(from, end);
    if (from >= end)
        return false;
    *ret_object = object_at(from, end);
    *at = ret_object->length ? (size_t)(from - array.data) + ret_object->length : array.length;
    return ret_object->length > 0;
}

/* Inside a string the name would be written with backslashes, so that no text of a model is taken for usage. */
struct slice dialect_search_usage(struct slice document, const char *usage_member)
{
    char name[64];
    int length = snprintf(name, sizeof name, "\"%s\"", usage_member);
    check(length > 0 && (size_t)length < sizeof name);
    const char *at = document.data, *end = document.data + document.length, *last = NULL;
    while (at < end && (at = memmem(at, (size_t)(end - at), name, (size_t)length))) {
        at = skip_space(at + length, end);
        if (at < end && *at == ':')
            at = skip_space(at + 1, end);
        if (at < end && *at == '{')
            last = at; /* its end is looked for once: objects that do not end would be gone over again and again */
    }
    return last ? object_at(last, end) : (struct slice){NULL, 0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in one form: members sorted by their decoded names, strings decoded, numbers by value, no white space, and
 * without the members that change nothing in the answer. The result is hashed, never sent: what matters is that
 * different documents never come out equal. Two passes: outline.c finds every object's members and sorts them, this
 * writes them in that order. No recursion; a document of n bytes costs O(n log n). Called by memo.c.
 */
#include "cache/outline.h"

#include "base/check.h"

#include <stdlib.h>

/* ---- members that are left out ---- */

enum { CHAT = 1 << API_CHAT, RESPONSES = 1 << API_RESPONSES, MESSAGES = 1 << API_MESSAGES };
enum { GENERATE = 1 << API_GENERATE, COMPLETIONS = 1 << API_COMPLETIONS, EMBEDDINGS = 1 << API_EMBEDDINGS };

/* At the top of the document only. A member stands here when the answer to the program is the same whatever it says.
 *
 * What looks as if it belonged here, and does not:
 *   stream, stream_options   other bytes: include_usage adds an event, include_obfuscation a member to each
 *   store                    asks for an effect at the provider (the answer can be named later), and is echoed
 *   metadata of Responses    echoed in the answer, where programs read it
 *   seed, n, temperature, top_p, logit_bias, tools, tool_choice, response_format …: other answers
 *   service_tier, speed, inference_geo: another price and place, and echoed in the usage
 *   previous_response_id, conversation, container: state at the provider
 *   cache_control (Anthropic, also inside blocks): other usage numbers */
static const struct {
    const char *name;
    unsigned apis;
} left_out[] = {
    /* The end user's name, for the provider's abuse detection. Responses echoes it to the program, which knows it. */
    {"user", CHAT | COMPLETIONS | EMBEDDINGS | RESPONSES},
    {"safety_identifier", CHAT | RESPONSES},
    /* Labels of stored completions (chat, not in the answer); the end user's name (messages: user_id is all it has). */
    {"metadata", CHAT | MESSAGES},
    /* Where the provider keeps its own prompt cache, and how long. */
    {"prompt_cache_key", CHAT | RESPONSES},
    {"prompt_cache_retention", CHAT | RESPONSES},
    /* Labels on the bill (Vertex AI). */
    {"labels", GENERATE},
};

static bool is_left_out(const struct outline *outline, const struct outline_member *member, enum api api)
{
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (left_out[i].apis >> api & 1 && slice_is(outline_name(outline, member), left_out[i].name))
            return true;
    return false;
}

/* ---- writing ---- */

/* What is being written: an object by its sorted members, an array as it stands. */
struct frame {
    uint32_t object; /* OUTLINE_NONE: an array */
    uint32_t next;   /* its member to come */
};

struct writer {
    const struct outline *outline;
    enum api api;
    const char *at, *end; /* in the document */
    uint32_t object;      /* the number of the next one from there on */
    char *out, *out_end;
    unsigned depth;
    struct frame frames[OUTLINE_DEPTH_MAX];
};

static bool has_room(const struct writer *writer, size_t bytes)
{
    return (size_t)(writer->out_end - writer->out) >= bytes;
}

static bool put(struct writer *writer, char c)
{
    if (!has_room(writer, 1))
        return false;
    *writer->out++ = c;
    return true;
}

/* At the quote. Decoded, but for quotes and backslashes, which keep a backslash: so the end is where it seems to be. */
static bool write_string(struct writer *writer)
{
    struct outline_text text = {writer->at + 1, writer->end};
    if (!put(writer, '"'))
        return false;
    for (;;) {
        struct slice run = outline_text_run(&text);
        if (!has_room(writer, run.length + 8))
            return false;
        memcpy(writer->out, run.data, run.length);
        writer->out += run.length;
        if (text.at >= text.end)
            return false;
        if (*text.at == '"')
            break;
        char decoded[4];
        size_t length = outline_text_escape(&text, decoded);
        if (length == 1 && (decoded[0] == '"' || decoded[0] == '\\'))
            *writer->out++ = '\\';
        memcpy(writer->out, decoded, length);
        writer->out += length;
    }
    writer->at = text.at + 1;
    return put(writer, '"');
}

static bool write_scalar(struct writer *writer)
{
    const char *first = writer->at;
    writer->at = outline_skip_scalar(first, writer->end);
    struct slice text = {first, (size_t)(writer->at - first)};
    if (text.length == 0 || !has_room(writer, text.length + NUMBER_ROOM_BYTES))
        return false;
    if (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) {
        writer->out += number_write_canonical(text, writer->out);
    } else {
        memcpy(writer->out, text.data, text.length);
        writer->out += text.length;
    }
    return true;
}

static bool open_frame(struct writer *writer, uint32_t object)
{
    if (writer->depth == OUTLINE_DEPTH_MAX)
        return false;
    writer->frames[writer->depth++] = (struct frame){.object = object};
    return put(writer, object == OUTLINE_NONE ? '[' : '{');
}

/* The next member that counts, or the object's end. *ret_is_value: a value follows. */
static bool next_member(struct writer *writer, struct frame *frame, bool is_first, bool *ret_is_value)
{
    const struct outline_object *object = &writer->outline->objects[frame->object];
    while (frame->next < object->member_count) {
        const struct outline_member *member = &writer->outline->members[object->first_member + frame->next++];
        if (writer->depth == 1 && is_left_out(writer->outline, member, writer->api))
            continue;
        writer->at = writer->outline->document.data + member->quote;
        if ((!is_first && !put(writer, ',')) || !write_string(writer) || !put(writer, ':'))
            return false;
        writer->at = writer->outline->document.data + member->value;
        writer->object = member->first_object;
        *ret_is_value = true;
        return true;
    }
    writer->at = writer->outline->document.data + object->end;
    writer->object = object->next;
    writer->depth--;
    *ret_is_value = false;
    return put(writer, '}');
}

static bool next_element(struct writer *writer, bool is_first, bool *ret_is_value)
{
    writer->at = outline_skip_space(writer->at, writer->end);
    if (writer->at == writer->end)
        return false;
    *ret_is_value = *writer->at != ']';
    if (!*ret_is_value) {
        writer->at++;
        writer->depth--;
        return put(writer, ']');
    }
    if (is_first)
        return true;
    writer->at = outline_skip_space(writer->at + 1, writer->end); /* the comma */
    return put(writer, ',');
}

/* What follows in the innermost array or object; *ret_is_value false: it has ended. */
static bool go_on(struct writer *writer, bool is_first, bool *ret_is_value)
{
    struct frame *frame = &writer->frames[writer->depth - 1];
    return frame->object == OUTLINE_NONE ? next_element(writer, is_first, ret_is_value)
                                         : next_member(writer, frame, is_first, ret_is_value);
}

/* *ret_is_open: it is an array or object, of which the beginning was written. */
static bool write_value(struct writer *writer, bool *ret_is_open)
{
    writer->at = outline_skip_space(writer->at, writer->end);
    char c = writer->at < writer->end ? *writer->at : '\0';
    *ret_is_open = c == '{' || c == '[';
    if (c == '{') {
        if (writer->object >= writer->outline->object_count)
            return false;
        return open_frame(writer, writer->object);
    }
    if (c == '[') {
        writer->at++;
        return open_frame(writer, OUTLINE_NONE);
    }
    return c == '"' ? write_string(writer) : write_scalar(writer);
}

static bool write_document(struct writer *writer)
{
    bool is_value = true, is_open = false;
    do {
        if (is_value && !write_value(writer, &is_open))
            return false;
        bool is_first = is_value && is_open;
        if (writer->depth == 0)
            return true;
        if (!go_on(writer, is_first, &is_value))
            return false;
    } while (writer->depth || is_value);
    return true;
}

char *canonical_make(enum api api, struct slice document, size_t *ret_length)
{
    /* A number of three bytes and its comma may become six ("1.5," → "15e-1,"): nothing grows more than by half. */
    size_t room = document.length + document.length / 2 + 64;
    struct outline *outline = outline_new(document);
    struct writer *writer = outline ? malloc(sizeof *writer) : NULL; /* 8 KB of frames: not initialised as a whole */
    char *text = writer ? malloc(room) : NULL;
    if (text) {
        writer->outline = outline;
        writer->api = api;
        writer->at = document.data;
        writer->end = document.data + document.length;
        writer->object = 0;
        writer->out = text;
        writer->out_end = text + room;
        writer->depth = 0;
        if (write_document(writer)) {
            *ret_length = (size_t)(writer->out - text);
        } else {
            free(text);
            text = NULL;
        }
    }
    free(writer);
    outline_free(outline);
    return text;
}

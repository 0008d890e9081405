/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One answer on its way back: the target's bytes in, the client's bytes out. Called by flow/ for each attempt whose
 * target speaks another api. It splits a stream into events, keeps a document to its end, and sees that an end is
 * written only when the target has said its own. No I/O; memory is bounded by the two bounds it is given.
 */
#include "answer.h"

#include "base/check.h"
#include "http/http.h"

#include <limits.h>
#include <stdlib.h>

struct translation {
    const struct answer_reader *reader;
    struct answer answer;
    bool is_event_stream;
    struct sse_splitter splitter;
    struct buffer document;
    struct buffer *out; /* of the feed in hand */
    struct arena *scratch;
};

static struct slice escape(struct arena *arena, const char *text)
{
    struct buffer escaped;
    buffer_init(&escaped, 6 * strlen(text) + 2);
    json_write_string(&escaped, slice_of(text));
    struct slice quoted = buffer_contents(&escaped);
    struct slice copy = arena_copy(arena, (struct slice){quoted.data + 1, quoted.length - 2});
    buffer_done(&escaped);
    return copy;
}

static size_t bound(size_t bytes_max)
{
    return bytes_max < INT_MAX / 2 ? bytes_max : INT_MAX / 2; /* lengths in formats are int */
}

struct translation *translation_new(const struct translate_answer *answer)
{
    const struct translate_facts *facts = answer->facts;
    struct translation *translation = calloc(1, sizeof *translation);
    check(translation != NULL);
    translation->reader = answer_reader_of(facts->to);
    translation->is_event_stream = answer->is_event_stream;
    sse_splitter_init(&translation->splitter, bound(answer->event_bytes_max));
    buffer_init(&translation->document, bound(answer->document_bytes_max));
    struct arena *arena = arena_new(2048);
    translation->answer = (struct answer){
        .writer = answer_writer_of(facts->from),
        .arena = arena,
        .id = escape(arena, answer->id),
        .model = escape(arena, answer->model),
        .created_s = answer->created_s,
        .is_stream = facts->is_streaming,
        .asks_usage = facts->asks_usage,
        .wants_json_schema = facts->wants_json_schema,
        .held_bytes_max = bound(answer->document_bytes_max),
    };
    check(translation->reader && translation->answer.writer);
    if (facts->from == API_RESPONSES)
        translation->answer.echo = answer_make_echo(facts->echo, arena);
    return translation;
}

void translation_free(struct translation *translation)
{
    if (!translation)
        return;
    sse_splitter_done(&translation->splitter);
    buffer_done(&translation->document);
    answer_done(&translation->answer);
    free(translation);
}

const char *translation_problem(const struct translation *translation)
{
    return translation->answer.problem ? translation->answer.problem : "";
}

const char *translation_content_type(const struct translation *translation)
{
    return translation->answer.is_stream ? "text/event-stream; charset=utf-8" : "application/json";
}

/* Comments and keep-alives have no data. After the target's last event nothing is read any more. */
static void on_event(void *context, struct slice raw_event)
{
    struct translation *translation = context;
    struct answer *answer = &translation->answer;
    struct slice name, data;
    if (answer->problem || answer->has_ended)
        return;
    sse_parse_event(raw_event, translation->scratch, &name, &data);
    if (data.length && translation->reader->read_event(answer, name, data))
        check(answer_flush(answer, translation->out) || answer->problem); /* which fails the feed */
}

static bool feed_stream(struct translation *translation, struct slice bytes, struct buffer *out)
{
    size_t length_before = buffer_length(out);
    translation->scratch = arena_new(256);
    translation->out = out;
    bool is_bounded = sse_splitter_feed(&translation->splitter, bytes, on_event, translation);
    arena_free(translation->scratch);
    translation->scratch = NULL;
    if (is_bounded)
        return translation->answer.problem == NULL;
    /* The splitter went on behind the event that it skipped: what was written of that is an answer with a hole, its
     * end perhaps included. */
    out->end = out->start + length_before;
    return answer_fail(&translation->answer, "an event of the target exceeds its bound");
}

bool translation_feed(struct translation *translation, struct slice bytes, struct buffer *out)
{
    struct answer *answer = &translation->answer;
    if (answer->problem)
        return false;
    if (answer->has_ended || bytes.length == 0)
        return true;
    if (translation->is_event_stream)
        return feed_stream(translation, bytes, out);
    return buffer_append(&translation->document, bytes) || answer_fail(answer, "the target's answer exceeds its bound");
}

static bool finish_stream(struct translation *translation, struct buffer *out)
{
    struct slice rest = sse_splitter_rest(&translation->splitter);
    translation->scratch = arena_new(256);
    translation->out = out;
    if (rest.length) /* the last event lacks its blank line; clients read it all the same */
        on_event(translation, rest);
    arena_free(translation->scratch);
    translation->scratch = NULL;
    if (translation->answer.problem)
        return false;
    return translation->answer.has_ended ||
           answer_fail(&translation->answer, "the target's stream ended before its last event");
}

bool translation_finish(struct translation *translation, struct buffer *out)
{
    struct answer *answer = &translation->answer;
    if (answer->problem)
        return false;
    if (answer->has_ended)
        return true;
    if (translation->is_event_stream)
        return finish_stream(translation, out);
    return translation->reader->read_document(answer, buffer_contents(&translation->document)) &&
           answer_flush(answer, out);
}

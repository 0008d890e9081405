/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of parts between reader and writer. Called by the readers (what came) and by translation.c (flush). It puts
 * parts in order (a block of Anthropic's, an item of Responses cannot interleave with another: later ones wait here,
 * bounded), and holds the rules that are the same for all apis: which stop an answer has, what becomes of structured
 * output, what an empty tool call says. Knows nothing of JSON's members and nothing of bytes on the wire.
 */
#include "answer.h"

#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>

bool answer_fail(struct answer *answer, const char *problem)
{
    if (!answer->problem)
        answer->problem = problem;
    return false;
}

void answer_start(struct answer *answer, struct slice model)
{
    if (answer->has_started)
        return;
    answer->has_started = true;
    if (model.length && model.length <= ANSWER_NAME_BYTES_MAX)
        answer->model = arena_copy(answer->arena, model);
}

/* ---- parts ---- */

static struct answer_part *find_last(struct answer *answer)
{
    return answer->part_count ? &answer->parts[answer->part_count - 1] : NULL;
}

/* A text ends where another part begins; when a tool call ends is the reader's to say. */
static struct answer_part *add_part(struct answer *answer, enum answer_kind kind)
{
    struct answer_part *last = find_last(answer);
    if (answer->part_count == ANSWER_PARTS_MAX) {
        (void)answer_fail(answer, "the target's answer has too many parts");
        return NULL;
    }
    if (last && !last->is_keyed)
        last->has_ended = true;
    answer->parts = grow_array(answer->parts, &answer->part_capacity, answer->part_count, sizeof *answer->parts);
    struct answer_part *part = &answer->parts[answer->part_count];
    *part = (struct answer_part){.kind = kind, .number = answer->part_count++, .id = {"", 0}, .name = {"", 0}};
    buffer_init(&part->text, answer->held_bytes_max);
    return part;
}

static bool add_bytes(struct answer *answer, struct answer_part *part, struct slice escaped)
{
    if (escaped.length == 0)
        return true;
    if (escaped.length > answer->held_bytes_max - answer->held_bytes || !buffer_append(&part->text, escaped))
        return answer_fail(answer, "the target's answer exceeds its bound");
    answer->held_bytes += escaped.length;
    part->has_text = true;
    return true;
}

bool answer_add_text(struct answer *answer, enum answer_kind kind, struct slice escaped)
{
    if (escaped.length == 0 || answer->has_schema_part)
        return true;
    struct answer_part *part = find_last(answer);
    if (!part || part->kind != kind)
        part = add_part(answer, kind);
    answer->has_refusal |= kind == ANSWER_REFUSAL;
    return part && add_bytes(answer, part, escaped);
}

/* Structured output was asked for by forcing a tool call: its arguments are what the client shall read. Text before it
 * was held back (see answer_flush) and goes: with it the whole would not parse. */
static struct answer_part *begin_schema_part(struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++)
        buffer_done(&answer->parts[i].text);
    answer->part_count = 0;
    answer->held_bytes = 0;
    answer->has_schema_part = true;
    answer->has_refusal = false;
    return add_part(answer, ANSWER_TEXT);
}

static struct slice make_id(struct answer *answer, size_t number)
{
    return slice_of(arena_printf(answer->arena, "call_" SLICE_FORMAT "_%zu", SLICE_ARGUMENTS(answer->id), number));
}

bool answer_begin_tool(struct answer *answer, uint64_t key, struct slice id, struct slice name)
{
    if (answer->has_schema_part)
        return true; /* a second call of the same tool: the first is the answer */
    if (answer->tool_count == ANSWER_TOOL_CALLS_MAX)
        return answer_fail(answer, "the target's answer has too many tool calls");
    if (name.length > ANSWER_NAME_BYTES_MAX || id.length > ANSWER_NAME_BYTES_MAX)
        return answer_fail(answer, "the name or id of a tool call is too long");
    struct answer_part *part = answer->wants_json_schema ? begin_schema_part(answer) : add_part(answer, ANSWER_TOOL);
    if (!part)
        return false;
    part->is_keyed = true;
    part->key = key;
    part->tool_number = answer->tool_count++;
    /* The client sends the id back with the tool's result: some compatible providers give none. */
    part->id = id.length ? arena_copy(answer->arena, id) : make_id(answer, part->tool_number);
    part->name = arena_copy(answer->arena, name);
    return true;
}

struct answer_part *answer_find_tool(struct answer *answer, uint64_t key)
{
    for (size_t i = answer->part_count; i-- > 0;)
        if (answer->parts[i].is_keyed && answer->parts[i].key == key)
            return &answer->parts[i];
    return NULL;
}

bool answer_add_arguments(struct answer *answer, struct answer_part *tool, struct slice escaped)
{
    if (tool && !tool->has_ended)
        return add_bytes(answer, tool, escaped);
    if (answer->has_schema_part)
        return true;
    return answer_fail(answer, "the target sent arguments of a tool call that is not open");
}

bool answer_add_input(struct answer *answer, struct answer_part *tool, struct slice json)
{
    struct buffer escaped;
    if (json.length > answer->held_bytes_max - answer->held_bytes)
        return answer_fail(answer, "the target's answer exceeds its bound");
    buffer_init(&escaped, 6 * json.length + 2);
    json_write_string(&escaped, json);
    struct slice quoted = buffer_contents(&escaped);
    bool is_ok = answer_add_arguments(answer, tool, (struct slice){quoted.data + 1, quoted.length - 2});
    buffer_done(&escaped);
    return is_ok;
}

bool answer_end_tool(struct answer *answer, struct answer_part *tool)
{
    if (!tool || tool->has_ended)
        return true;
    tool->has_ended = true;
    /* Clients parse arguments: a call without any says {}. */
    return tool->has_text || add_bytes(answer, tool, SLICE_LITERAL("{}"));
}

/* ---- the end ---- */

/* OpenAI says "stop" after a tool call that the request forced; a client that is told of tools must find one. */
static enum answer_stop decide_stop(const struct answer *answer)
{
    bool has_calls = answer->tool_count > 0 && !answer->has_schema_part;
    if (answer->stop != ANSWER_STOP_END && answer->stop != ANSWER_STOP_TOOL)
        return answer->stop;
    return has_calls ? ANSWER_STOP_TOOL : ANSWER_STOP_END;
}

bool answer_end(struct answer *answer)
{
    if (!answer->has_started || answer->stop == ANSWER_STOP_NONE)
        return answer_fail(answer, "the target's answer ended without saying why it stopped");
    if (answer->part_count == 0 && answer->writer->is_never_empty && !add_part(answer, ANSWER_TEXT))
        return false;
    answer->stop = decide_stop(answer);
    for (size_t i = 0; i < answer->part_count; i++) {
        struct answer_part *part = &answer->parts[i];
        if (part->kind == ANSWER_TOOL && part->name.length == 0)
            return answer_fail(answer, "the target sent a tool call without a name");
        if (part->is_keyed && !answer_end_tool(answer, part))
            return false;
        part->has_ended = true;
    }
    struct answer_part *last = find_last(answer);
    if (last)
        last->is_incomplete = answer->stop == ANSWER_STOP_LENGTH || answer->stop == ANSWER_STOP_FILTER;
    answer->has_ended = true;
    return true;
}

/* ---- writing ---- */

static bool write_text(struct answer *answer, struct answer_part *part, struct buffer *out)
{
    if (buffer_length(&part->text) == part->passed)
        return true;
    struct slice fresh = slice_from(buffer_contents(&part->text), part->passed);
    if (!answer->writer->write_part_delta(answer, part, fresh, out))
        return false;
    if (answer->writer->keeps_text) {
        part->passed += fresh.length;
    } else {
        answer->held_bytes -= fresh.length;
        buffer_reset(&part->text, 4096);
    }
    return true;
}

/* The last part ends with the answer, not before: only then is it known whether it was cut. */
static bool may_end(const struct answer *answer, const struct answer_part *part)
{
    return part->has_ended && (answer->has_ended || part->number + 1 < answer->part_count);
}

static bool write_open_part(struct answer *answer, struct answer_part *part, struct buffer *out)
{
    if (!part->has_begun && !answer->writer->write_part_begin(answer, part, out))
        return false;
    part->has_begun = true;
    if (!write_text(answer, part, out))
        return false;
    if (!may_end(answer, part))
        return true;
    answer->open++;
    return answer->writer->write_part_end(answer, part, out);
}

static bool flush_stream(struct answer *answer, struct buffer *out)
{
    if (!answer->has_written_start && !answer->writer->write_start(answer, out))
        return false;
    answer->has_written_start = true;
    if (answer->wants_json_schema && !answer->has_schema_part && !answer->has_ended)
        return true;
    while (answer->open < answer->part_count) {
        struct answer_part *part = &answer->parts[answer->open];
        size_t open = answer->open;
        if (part->kind == ANSWER_TOOL && part->name.length == 0)
            return true; /* its begin says the name */
        if (!write_open_part(answer, part, out))
            return false;
        if (answer->open == open)
            break;
    }
    return !answer->has_ended || answer->writer->write_end(answer, out);
}

bool answer_flush(struct answer *answer, struct buffer *out)
{
    if (answer->problem)
        return false;
    if (!answer->has_started || answer->has_written_end || (!answer->is_stream && !answer->has_ended))
        return true;
    bool is_written = answer->is_stream ? flush_stream(answer, out) : answer->writer->write_document(answer, out);
    answer->has_written_end = answer->has_ended;
    return is_written || answer_fail(answer, "the translated answer exceeds the buffer for it");
}

void answer_done(struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++)
        buffer_done(&answer->parts[i].text);
    free(answer->parts);
    arena_free(answer->arena);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things that readers and writers share: values of JSON, frames that are written whole or not at all, and the
 * table of apis. No state of its own.
 */
#include "answer.h"

#include "base/check.h"

#include <stdio.h>

const struct answer_reader *answer_reader_of(enum api api)
{
    static const struct answer_reader *const readers[API_COUNT] = {
        [API_CHAT] = &answer_chat_reader, [API_MESSAGES] = &answer_messages_reader};
    return readers[api];
}

const struct answer_writer *answer_writer_of(enum api api)
{
    static const struct answer_writer *const writers[API_COUNT] = {[API_CHAT] = &answer_chat_writer,
                                                                   [API_RESPONSES] = &answer_responses_writer,
                                                                   [API_MESSAGES] = &answer_messages_writer};
    return writers[api];
}

/* ---- reading ---- */

struct slice answer_text_of(const struct json_value *value)
{
    if (value->kind != JSON_KIND_STRING)
        return (struct slice){"", 0};
    return (struct slice){value->raw.data + 1, value->raw.length - 2};
}

int64_t answer_count_of(const struct json_value *value)
{
    static const int64_t count_max = (int64_t)1 << 53; /* what a double of the client's still counts exactly */
    int64_t count;
    if (!json_get_integer(value, &count))
        return 0;
    return count > count_max ? count_max : count;
}

const char *answer_error_problem(const struct json_value *type)
{
    static const struct {
        const char *type, *problem;
    } rows[] = {
        {"overloaded_error", "the target broke off with an error: it is overloaded"},
        {"service_unavailable_error", "the target broke off with an error: it is overloaded"},
        {"rate_limit_error", "the target broke off with an error: a rate limit"},
        {"rate_limit_exceeded", "the target broke off with an error: a rate limit"},
        {"invalid_request_error", "the target broke off with an error: it found the request invalid"},
        {"authentication_error", "the target broke off with an error: authentication"},
        {"permission_error", "the target broke off with an error: permission"},
        {"billing_error", "the target broke off with an error: its account cannot pay"},
        {"insufficient_quota", "the target broke off with an error: its account cannot pay"},
        {"timeout_error", "the target broke off with an error: a timeout"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_string_is(type, rows[i].type))
            return rows[i].problem;
    return "the target broke off with an error";
}

bool answer_decode(struct slice escaped, struct arena *arena, struct slice *ret_text)
{
    char *quoted = arena_alloc(arena, escaped.length + 2), *text = arena_alloc(arena, escaped.length + 1);
    quoted[0] = quoted[escaped.length + 1] = '"';
    if (escaped.length)
        memcpy(quoted + 1, escaped.data, escaped.length);
    struct json_value value = {.kind = JSON_KIND_STRING, .raw = {quoted, escaped.length + 2}};
    if (!json_get_string(&value, text, escaped.length + 1))
        return false;
    *ret_text = slice_of(text);
    return true;
}

/* ---- writing ---- */

struct answer_output answer_output_begin(struct buffer *out)
{
    return (struct answer_output){.out = out, .length_before = buffer_length(out)};
}

enum { FORMAT_BYTES_MAX = 512 };

/* The copy of the format differs from the one that the compiler checks in its quotes only. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
void answer_output_put(struct answer_output *output, const char *format, ...)
{
    char quoted[FORMAT_BYTES_MAX];
    size_t length = 0;
    for (; format[length]; length++) {
        check(length + 1 < sizeof quoted);
        quoted[length] = format[length] == '\'' ? '"' : format[length];
    }
    quoted[length] = '\0';
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int bytes = vsnprintf(NULL, 0, quoted, arguments);
    check(bytes >= 0);
    char *room = output->is_full ? NULL : buffer_reserve(output->out, (size_t)bytes + 1);
    if (room) {
        vsnprintf(room, (size_t)bytes + 1, quoted, again);
        buffer_commit(output->out, (size_t)bytes);
    }
    output->is_full = room == NULL;
    va_end(again);
    va_end(arguments);
}
#pragma GCC diagnostic pop

bool answer_output_end(struct answer_output *output)
{
    if (output->is_full)
        output->out->end = output->out->start + output->length_before;
    return !output->is_full;
}

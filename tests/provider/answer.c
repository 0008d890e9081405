/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic answers; see answer.h. Called by dispatch.c (plan) and the dialects' writers (pieces).
 */
#include "tests/provider/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TOKENS_DEFAULT      20
#define THINKING_PIECES_MAX 4096u

static const char *const filler[16] = {" and",   " the", " stand-in", " answers", " with", " words", " of",  " filler",
                                       " which", " are", " always",   " the",     " same", " for",   " all", " calls"};

static void filler_add(size_t bytes, struct buffer *out)
{
    static const char block[] = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWX ";
    buffer_reserve(out, bytes);
    while (bytes) {
        size_t length = bytes < sizeof block - 1 ? bytes : sizeof block - 1;
        buffer_append(out, block, length);
        bytes -= length;
    }
}

/* Cuts the lead before each space; what is over the limit of pieces stays in the last one. */
static void lead_plan(struct answer *answer, const char *opening, const char *said)
{
    int length = snprintf(answer->lead, sizeof answer->lead, "%s%s%s", opening, said[0] ? " " : "", said);
    for (int i = 1; i < length && answer->lead_pieces < ANSWER_LEAD_PIECES_MAX - 1; i++)
        if (answer->lead[i] == ' ')
            answer->lead_end[answer->lead_pieces++] = (uint16_t)i;
    answer->lead_end[answer->lead_pieces++] = (uint16_t)length;
}

/* What kind of answer, and of how many pieces. */
static uint32_t kind_plan(const struct prompt *prompt, const struct behaviour *behaviour, bool stream,
                          struct answer *answer)
{
    uint32_t wanted = behaviour_get(behaviour->tokens, TOKENS_DEFAULT);
    answer->fixed = prompt->fixed;
    answer->call_pieces = (uint32_t)(strlen(prompt->fixed) + ANSWER_FIXED_PIECE_BYTES - 1) / ANSWER_FIXED_PIECE_BYTES;
    answer->refused = behaviour_get(behaviour->refusal, 0) != 0;
    if (answer->refused) {
        lead_plan(answer, "I will not:", prompt->said);
        return wanted;
    }
    lead_plan(answer, "You said:", prompt->said);
    if (prompt->use_tool) {
        uint32_t calls = behaviour_get(behaviour->tool_calls, 1);
        answer->kind = ANSWER_TOOL;
        return (calls < 1 ? 1 : calls < ANSWER_CALLS_MAX ? calls : ANSWER_CALLS_MAX) * answer->call_pieces;
    }
    if (prompt->has_schema) {
        answer->kind = ANSWER_FIXED;
        return answer->call_pieces;
    }
    if (prompt->json_mode) {
        answer->kind = ANSWER_JSON;
        return wanted + 2;
    }
    return behaviour->bytes != BEHAVIOUR_UNSET && !stream ? (behaviour->bytes + 3) / 4 : wanted;
}

void answer_plan(const struct prompt *prompt, const struct behaviour *behaviour, bool stream, struct answer *ret_answer)
{
    struct answer *answer = ret_answer;
    memset(answer, 0, sizeof *answer);
    bool sized = behaviour->bytes != BEHAVIOUR_UNSET;
    answer->broken_utf8 = behaviour->fault.broken_utf8;
    uint32_t wanted = kind_plan(prompt, behaviour, stream, answer);
    if (wanted < 1)
        wanted = 1;
    answer->truncated = wanted > prompt->tokens_max;
    answer->out_tokens = answer->truncated ? prompt->tokens_max : wanted;
    answer->pieces = answer->out_tokens ? answer->out_tokens : 1;
    answer->stamped = stream && answer->kind == ANSWER_TEXT && behaviour_get(behaviour->stamp, 0);
    answer->numbered = stream && answer->kind == ANSWER_TEXT && behaviour_get(behaviour->number, 0);
    if (behaviour_get(behaviour->show_reasoning, 0))
        answer->thinking_pieces = behaviour_get(behaviour->reasoning, 0);
    if (answer->thinking_pieces > THINKING_PIECES_MAX)
        answer->thinking_pieces = THINKING_PIECES_MAX;
    if (sized && answer->kind == ANSWER_TEXT && !stream && answer->pieces > answer->lead_pieces)
        answer->pieces = answer->lead_pieces;
    if (sized && stream && answer->kind < ANSWER_FIXED) {
        struct buffer text = {0};
        answer_add_text(answer, &text);
        size_t missing = behaviour->bytes > text.length ? behaviour->bytes - text.length : 0;
        answer->piece_pad_bytes = missing / answer->pieces;
        answer->last_pad_bytes = missing % answer->pieces;
        buffer_free(&text);
    }
}

static void word_add(const struct answer *answer, uint32_t index, struct buffer *out)
{
    if (index >= answer->lead_pieces) {
        buffer_add(out, filler[(index - answer->lead_pieces) % 16]);
        return;
    }
    size_t start = index ? answer->lead_end[index - 1] : 0;
    buffer_append(out, answer->lead + start, answer->lead_end[index] - start);
}

/* JSON mode answers {"answer":"…"}: the first and the last piece are the frame around the words. */
static void json_piece_add(const struct answer *answer, uint32_t index, struct buffer *out)
{
    if (index == 0)
        buffer_add(out, "{\\\"answer\\\":\\\"");
    else if (index + 1 == answer->pieces && !answer->truncated)
        buffer_add(out, "\\\"}");
    else
        word_add(answer, index - 1, out);
}

static void fixed_piece_add(const struct answer *answer, uint32_t index, struct buffer *out)
{
    const char *at = answer->fixed + (size_t)(index % answer->call_pieces) * ANSWER_FIXED_PIECE_BYTES;
    buffer_add_escaped(out, at, strnlen(at, ANSWER_FIXED_PIECE_BYTES));
}

static void piece_add(const struct answer *answer, uint32_t index, struct buffer *out)
{
    bool last = index + 1 == answer->pieces;
    if (answer->kind >= ANSWER_FIXED) {
        fixed_piece_add(answer, index, out);
        return;
    }
    /* In JSON mode the padding must stay inside the inner string: before the closing piece's text. */
    if (answer->kind == ANSWER_JSON && index)
        filler_add(answer->piece_pad_bytes + (last ? answer->last_pad_bytes + answer->piece_pad_bytes : 0), out);
    if (answer->kind == ANSWER_JSON)
        json_piece_add(answer, index, out);
    else
        word_add(answer, index, out);
    if (answer->kind == ANSWER_TEXT)
        filler_add(answer->piece_pad_bytes + (last ? answer->last_pad_bytes : 0), out);
    if (answer->broken_utf8 && index == (answer->pieces > 1 ? 1 : 0))
        buffer_append(out, "\xff\xfe\xc3", 3);
}

void answer_add_piece(const struct answer *answer, uint32_t index, struct buffer *out)
{
    struct timespec now;
    if (answer->stamped && clock_gettime(CLOCK_MONOTONIC, &now) == 0)
        buffer_format(out, "@%" PRIu64 " ", (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    if (answer->numbered)
        buffer_format(out, "#%" PRIu32 " ", index);
    piece_add(answer, index, out);
}

uint32_t answer_count_calls(const struct answer *answer)
{
    return (answer->pieces + answer->call_pieces - 1) / answer->call_pieces;
}

uint32_t answer_get_call(const struct answer *answer, uint32_t index)
{
    return answer->kind == ANSWER_TOOL ? index / answer->call_pieces : 0;
}

bool answer_begins_call(const struct answer *answer, uint32_t index)
{
    return answer->kind == ANSWER_TOOL && index % answer->call_pieces == 0;
}

void answer_add_call(const struct answer *answer, uint32_t call, struct buffer *out)
{
    uint32_t end = (call + 1) * answer->call_pieces;
    for (uint32_t i = call * answer->call_pieces; i < end && i < answer->pieces; i++)
        fixed_piece_add(answer, i, out);
}

void answer_add_thinking_piece(uint32_t index, struct buffer *out)
{
    buffer_add(out, filler[index % 16] + (index == 0));
}

void answer_add_thinking(const struct answer *answer, struct buffer *out)
{
    for (uint32_t i = 0; i < answer->thinking_pieces; i++)
        answer_add_thinking_piece(i, out);
}

void answer_add_text(const struct answer *answer, struct buffer *out)
{
    for (uint32_t i = 0; i < answer->pieces; i++) {
        bool last = i + 1 == answer->pieces;
        if (last && answer->kind == ANSWER_JSON)
            filler_add(answer->pad_bytes, out);
        piece_add(answer, i, out);
        if (last && answer->kind == ANSWER_TEXT)
            filler_add(answer->pad_bytes, out);
    }
}

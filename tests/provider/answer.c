/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic answers; see answer.h. Called by dispatch.c (plan) and the dialects' writers (pieces).
 */
#include "tests/provider/answer.h"

#include <stdio.h>
#include <string.h>

#define TOKENS_DEFAULT 20

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
static void lead_plan(struct answer *answer, const char *said)
{
    int length = snprintf(answer->lead, sizeof answer->lead, "You said:%s%s", said[0] ? " " : "", said);
    for (int i = 1; i < length && answer->lead_pieces < ANSWER_LEAD_PIECES_MAX - 1; i++)
        if (answer->lead[i] == ' ')
            answer->lead_end[answer->lead_pieces++] = (uint16_t)i;
    answer->lead_end[answer->lead_pieces++] = (uint16_t)length;
}

void answer_plan(const struct prompt *prompt, const struct behaviour *behaviour, bool stream, struct answer *ret_answer)
{
    struct answer *answer = ret_answer;
    memset(answer, 0, sizeof *answer);
    uint32_t wanted = behaviour_get(behaviour->tokens, TOKENS_DEFAULT);
    bool sized = behaviour->bytes != BEHAVIOUR_UNSET;
    answer->broken_utf8 = behaviour->fault.broken_utf8;
    lead_plan(answer, prompt->said);
    if (prompt->use_tool) {
        answer->kind = ANSWER_TOOL;
        answer->tool_arguments = prompt->tool_arguments;
        wanted = (uint32_t)(strlen(prompt->tool_arguments) + ANSWER_TOOL_PIECE_BYTES - 1) / ANSWER_TOOL_PIECE_BYTES;
    } else if (prompt->json_mode) {
        answer->kind = ANSWER_JSON;
        wanted += 2;
    } else if (sized && !stream) {
        wanted = (behaviour->bytes + 3) / 4;
    }
    if (wanted < 1)
        wanted = 1;
    answer->truncated = wanted > prompt->tokens_max;
    answer->out_tokens = answer->truncated ? prompt->tokens_max : wanted;
    answer->pieces = answer->out_tokens ? answer->out_tokens : 1;
    if (sized && answer->kind == ANSWER_TEXT && !stream && answer->pieces > answer->lead_pieces)
        answer->pieces = answer->lead_pieces;
    if (sized && stream && answer->kind != ANSWER_TOOL) {
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

void answer_add_piece(const struct answer *answer, uint32_t index, struct buffer *out)
{
    bool last = index + 1 == answer->pieces;
    if (answer->kind == ANSWER_TOOL) {
        const char *at = answer->tool_arguments + (size_t)index * ANSWER_TOOL_PIECE_BYTES;
        buffer_add_escaped(out, at, strnlen(at, ANSWER_TOOL_PIECE_BYTES));
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

void answer_add_text(const struct answer *answer, struct buffer *out)
{
    for (uint32_t i = 0; i < answer->pieces; i++) {
        bool last = i + 1 == answer->pieces;
        if (last && answer->kind == ANSWER_JSON)
            filler_add(answer->pad_bytes, out);
        answer_add_piece(answer, i, out);
        if (last && answer->kind == ANSWER_TEXT)
            filler_add(answer->pad_bytes, out);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The text (or tool call) that the stand-in answers with, as pieces: one piece is one token and, in a stream, one
 * delta. Pieces are made when they are sent, so a long paced stream holds no memory for what is yet to come.
 */
#ifndef TESTS_PROVIDER_ANSWER_H
#define TESTS_PROVIDER_ANSWER_H

#include "tests/provider/buffer.h"
#include "tests/provider/prompt.h"

#define ANSWER_LEAD_PIECES_MAX   48
#define ANSWER_FIXED_PIECE_BYTES 8u
#define ANSWER_CALLS_MAX         64u

/* JSON: some object. FIXED: a value that fits the request's schema. */
enum answer_kind { ANSWER_TEXT, ANSWER_JSON, ANSWER_FIXED, ANSWER_TOOL };

struct answer {
    enum answer_kind kind;
    uint32_t pieces;
    uint32_t lead_pieces; /* pieces that come from lead; the rest is filler */
    uint16_t lead_end[ANSWER_LEAD_PIECES_MAX];
    char lead[128];
    const char *fixed;      /* ANSWER_FIXED, ANSWER_TOOL: the prompt's */
    uint32_t call_pieces;   /* ANSWER_TOOL: of each call; one call follows the other */
    size_t pad_bytes;       /* filler after the text (whole answers of an exact size) */
    size_t piece_pad_bytes; /* filler in each piece (streams of an exact size), the rest in the last */
    size_t last_pad_bytes;
    uint32_t out_tokens; /* per choice */
    bool truncated;      /* by max_tokens */
    bool broken_utf8;
    bool refused;             /* the text says that it will not answer */
    bool stamped;             /* pieces begin with their time */
    bool numbered;            /* pieces begin with their place */
    uint32_t thinking_pieces; /* words of thinking that are shown before the answer */
};

/* Plans the answer. Ensures: pieces >= 1, and every piece is valid inside a JSON string (but for broken_utf8). */
void answer_plan(const struct prompt *prompt, const struct behaviour *behaviour, bool stream,
                 struct answer *ret_answer);
/* Appends piece i, as the inside of a JSON string. */
void answer_add_piece(const struct answer *answer, uint32_t index, struct buffer *out);
/* Tool calls that the pieces begin, at least one; which one a piece belongs to, and whether it is its first. */
uint32_t answer_count_calls(const struct answer *answer);
uint32_t answer_get_call(const struct answer *answer, uint32_t index);
bool answer_begins_call(const struct answer *answer, uint32_t index);
/* Appends the arguments of one call, as far as max_tokens lets it come, as the inside of a JSON string. */
void answer_add_call(const struct answer *answer, uint32_t call, struct buffer *out);
/* Appends word i of the thinking. */
void answer_add_thinking_piece(uint32_t index, struct buffer *out);
/* Appends all of the thinking. */
void answer_add_thinking(const struct answer *answer, struct buffer *out);
/* Appends all pieces and the padding, without stamps and numbers, as the inside of a JSON string. */
void answer_add_text(const struct answer *answer, struct buffer *out);

#endif

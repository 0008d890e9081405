/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer between two apis: a reader of the target's api says what it contains, in order; this keeps it as a list of
 * parts, of which one is open at a time; a writer of the client's api says it again. Internal to translate/.
 *
 *   target's bytes ─▶ reader ─▶ answer_…() ─▶ parts ─▶ answer_flush() ─▶ writer ─▶ client's bytes
 *
 * Text that passes is never decoded: both sides are JSON, so what stands between a string's quotes there (validated by
 * json_scan, which refuses half surrogate pairs) stands between quotes here. "Escaped" below means such bytes. Numbers
 * in a tool's input stay the digits that they were: a tree of doubles would change 64-bit identifiers.
 */
#ifndef TRANSLATE_ANSWER_H
#define TRANSLATE_ANSWER_H

#include "base/json.h"
#include "translate/translate.h"

/* What one answer may contain; more is a hostile or broken target. OpenAI allows 128 tools in a request. */
enum { ANSWER_TOOL_CALLS_MAX = 128, ANSWER_PARTS_MAX = 512, ANSWER_NAME_BYTES_MAX = 1024, ANSWER_DEPTH_MAX = 128 };

enum answer_stop {
    ANSWER_STOP_NONE,   /* not said yet */
    ANSWER_STOP_END,    /* of its own accord, stop sequences included: only Messages tells them apart */
    ANSWER_STOP_LENGTH, /* the output limit, the context window, a turn that was paused: there would be more */
    ANSWER_STOP_TOOL,   /* it waits for its tools */
    ANSWER_STOP_FILTER, /* the provider's filter or classifier ended it (Messages: "refusal") */
    ANSWER_STOP_COUNT
};

/* Tokens in disjoint buckets, but for `reasoning`, which is a part of `output`. */
struct answer_usage {
    bool is_known;
    int64_t input, cache_read, cache_write, output, reasoning;
};

enum answer_kind { ANSWER_TEXT, ANSWER_REFUSAL, ANSWER_TOOL };

struct answer_part {
    enum answer_kind kind;
    size_t number;            /* its place among the parts */
    size_t tool_number;       /* ANSWER_TOOL: its place among the tool calls */
    bool is_keyed;            /* begun by answer_begin_tool */
    uint64_t key;             /* how the target's api names it: the reader's */
    struct slice id, name;    /* ANSWER_TOOL: escaped; empty name: not known yet */
    struct buffer text;       /* escaped: text, refusal, or arguments (JSON in a JSON string) */
    size_t passed;            /* bytes of `text` that were written to a stream */
    bool has_text, has_begun; /* has_begun: its begin was written */
    bool has_ended;           /* by the target: nothing more will come */
    bool is_incomplete;       /* the last part of an answer that was cut */
};

struct answer {
    const struct answer_writer *writer; /* the client's api */
    struct arena *arena;                /* names and ids: bounded by the bounds above */
    struct slice id, model;             /* escaped */
    struct slice echo;                  /* RESPONSES: members of its response objects, from ",", on one line */
    int64_t created_s;
    bool is_stream, asks_usage, wants_json_schema;
    bool has_started, has_written_start, has_ended, has_written_end;
    bool has_schema_part; /* wants_json_schema: the tool call came */
    bool has_refusal;
    struct answer_part *parts; /* at most ANSWER_PARTS_MAX; a pointer to one lasts until the next is added */
    uint32_t part_count, part_capacity;
    size_t tool_count;
    size_t open; /* the part that is being written; those before it are */
    size_t held_bytes, held_bytes_max;
    enum answer_stop stop;
    struct answer_usage usage;
    uint64_t sequence_number; /* RESPONSES: of the next event */
    const char *problem;      /* a fixed text; NULL: none yet */
};

/* ---- what readers say; false: answer->problem is set ---- */
bool answer_fail(struct answer *answer, const char *problem); /* false, always; the first problem stays */
/* `model`: escaped, may be empty. Only the first call counts. */
void answer_start(struct answer *answer, struct slice model);
bool answer_add_text(struct answer *answer, enum answer_kind kind, struct slice escaped) MUST_USE;
bool answer_begin_tool(struct answer *answer, uint64_t key, struct slice id, struct slice name) MUST_USE;
/* The latest tool call of that key; NULL: none. With wants_json_schema it may be a part of kind ANSWER_TEXT. */
struct answer_part *answer_find_tool(struct answer *answer, uint64_t key);
bool answer_add_arguments(struct answer *answer, struct answer_part *tool, struct slice escaped) MUST_USE;
/* As above, of the value's JSON text. */
bool answer_add_input(struct answer *answer, struct answer_part *tool, struct slice json) MUST_USE;
/* Nothing more comes of it. */
bool answer_end_tool(struct answer *answer, struct answer_part *tool) MUST_USE;
/* The answer is complete as the target's api means it. False when it never said why it stopped. */
bool answer_end(struct answer *answer) MUST_USE;

/* ---- the engine ---- */
/* Writes what can be written now: of a stream whatever came, of a document all of it at its end. */
bool answer_flush(struct answer *answer, struct buffer *out) MUST_USE;
void answer_done(struct answer *answer);

/* ---- writing ---- */
/* One frame or document, into `out` whole or not at all. */
struct answer_output {
    struct buffer *out;
    size_t length_before;
    bool is_full;
};
struct answer_output answer_output_begin(struct buffer *out);
/* In `format`, ' stands for " (so that JSON stays readable); not in what is inserted. */
void answer_output_put(struct answer_output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool answer_output_end(struct answer_output *output) MUST_USE; /* false: `out` was full and is as it was before */

/* ---- the apis ---- */
/* False: answer->problem is set. */
struct answer_reader {
    bool (*read_document)(struct answer *answer, struct slice document);
    bool (*read_event)(struct answer *answer, struct slice name, struct slice data);
};
/* False: `out` is full. */
struct answer_writer {
    bool keeps_text;     /* the end of its streams repeats everything */
    bool is_never_empty; /* an answer without a word has one empty text */
    bool (*write_document)(const struct answer *answer, struct buffer *out);
    bool (*write_start)(struct answer *answer, struct buffer *out);
    bool (*write_part_begin)(struct answer *answer, const struct answer_part *part, struct buffer *out);
    bool (*write_part_delta)(struct answer *answer, const struct answer_part *part, struct slice text,
                             struct buffer *out);
    bool (*write_part_end)(struct answer *answer, const struct answer_part *part, struct buffer *out);
    bool (*write_end)(struct answer *answer, struct buffer *out);
};
extern const struct answer_reader answer_chat_reader, answer_messages_reader;
extern const struct answer_writer answer_chat_writer, answer_messages_writer, answer_responses_writer;
/* NULL: no answer of that api is read (written). */
const struct answer_reader *answer_reader_of(enum api api);
const struct answer_writer *answer_writer_of(enum api api);
/* RESPONSES: see struct answer; from the request's members, in `arena`. */
struct slice answer_make_echo(struct slice echo, struct arena *arena);

/* ---- reading ---- */
/* What stands between the quotes of a string; empty for any other value. */
struct slice answer_text_of(const struct json_value *value);
/* A count of tokens; 0 for what is none. Bounded so that sums of them cannot overflow. */
int64_t answer_count_of(const struct json_value *value);
/* For the type of a provider's error event: a fixed text. */
const char *answer_error_problem(const struct json_value *type);
/* The text of `escaped`, NUL-terminated; false when it holds U+0000. */
bool answer_decode(struct slice escaped, struct arena *arena, struct slice *ret_text) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The neutral form of a request: what a client asks a model, whatever the api it wrote it in. Readers fill it, writers
 * walk it; both are rows of translate.c's table. The structs live in the exchange's arena; texts and JSON values are
 * borrowed from the parsed body, which lives until the translation ends.
 */
#ifndef TRANSLATE_CONVERSATION_H
#define TRANSLATE_CONVERSATION_H

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>

struct work; /* work.h */

enum role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT };
enum part_kind { PART_TEXT, PART_IMAGE, PART_FILE, PART_CALL, PART_RESULT };
enum tool_choice { CHOICE_UNSAID, CHOICE_NONE, CHOICE_AUTO, CHOICE_REQUIRED, CHOICE_NAMED };
enum output_format { FORMAT_TEXT, FORMAT_JSON_OBJECT, FORMAT_JSON_SCHEMA };
enum { STOP_COUNT_MAX = 64 };

/* An image or a file: by URL, or base64 data of a media type. */
struct media {
    struct slice url; /* length 0: data */
    struct slice type, data;
    struct slice name; /* of a file; length 0: none */
};

struct parts {
    struct part *first, *last;
};
struct part {
    enum part_kind kind;
    const char *place;      /* in the client's body, for refusals: "messages[2].content[0]" */
    struct slice text;      /* TEXT: never blank */
    struct media media;     /* IMAGE, FILE */
    struct slice id;        /* CALL, RESULT: fits every target once the conversation is paired */
    struct slice name;      /* CALL: the tool's */
    json_t *input;          /* CALL: arguments as an object … */
    struct slice arguments; /* … or, with input NULL, as the text that some apis carry: not checked to be JSON */
    bool is_error;          /* RESULT */
    struct parts content;   /* RESULT: TEXT, IMAGE and FILE */
    struct part *next;
};

struct turn {
    enum role role;
    const char *place;
    struct parts parts;
    struct turn *next;
};

struct tool {
    const char *place;
    struct slice name, description; /* description.data NULL: none */
    json_t *schema;                 /* of the arguments, an object; NULL: takes none */
    bool is_strict;
    struct tool *next;
};

struct conversation {
    struct turn *first, *last;
    struct tool *tools, *last_tool;
    size_t tool_count;
    enum tool_choice choice;
    struct slice choice_name;
    bool is_serial;                      /* no parallel tool calls */
    json_t *temperature, *top_p, *top_k; /* numbers; NULL: not given */
    json_t *stop[STOP_COUNT_MAX];        /* strings */
    size_t stop_count;
    const char *stop_place;
    int64_t output_tokens_max; /* 0: not given */
    bool is_streaming, asks_usage;
    bool continues_last; /* an assistant turn at the end is the beginning of the answer, not an earlier one */
    struct slice user;
    enum output_format format;
    const char *format_place;
    json_t *schema; /* JSON_SCHEMA */
    struct slice schema_name, schema_description;
    bool is_schema_strict; /* the answer must keep to it, and the schema is one that allows that (OpenAI's `strict`) */
};

struct turn *conversation_add_turn(struct work *work, enum role role);
struct tool *conversation_add_tool(struct work *work);
/* At the end of `parts`; place: where `work` is. */
struct part *conversation_add_part(struct work *work, struct parts *parts, enum part_kind kind);
/* Blank text is left out: Anthropic refuses text blocks without a visible character, and to a model it says nothing. */
void conversation_add_text(struct work *work, struct parts *parts, struct slice text);

/* Brings turns into the order that every api takes: neighbours of one role merged, empty ones gone, results at the
 * start of the turn that follows their calls, one for each. `hoists_system`: system turns in the middle move to the
 * front. False: it cannot be done, and `work` says why. */
bool conversation_settle(struct work *work, bool hoists_system) MUST_USE;

#endif

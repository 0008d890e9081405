/* SPDX-License-Identifier: Apache-2.0 */
/* What the dialects share: tables of endpoints, formats, request members and errors, and the look into an answer.
 * Included by agent/dialect only. */
#ifndef DIALECT_INTERNAL_H
#define DIALECT_INTERNAL_H

#include "dialect/dialect.h"

struct reading;

extern const struct dialect dialect_openai, dialect_anthropic, dialect_gemini;

/* ---- endpoints ---- */
struct endpoint_row {
    const char *method; /* NULL: any */
    const char *suffix; /* the path's end, at a '/' or ':'; compatible providers have all sorts of prefixes. "*" is any
                           one segment: "/responses/<any>/cancel" */
    bool has_children;  /* and what lies below it: /models/NAME (no "*" then) */
    struct endpoint endpoint;
};
/* The first row that matches; the table ends with {NULL, "", …}, which always does. */
const struct endpoint *dialect_match_endpoint(const struct endpoint_row *rows, struct slice method, struct slice path);

/* ---- formats ---- */

/* How an endpoint's request is read and its answer metered. What is NULL is not there: a format without `request` and
 * `read` looks at no request, one without `read_document` passes a document on unread. */
struct format {
    const struct request_format *request; /* members by table */
    enum {
        BODY_JSON,
        BODY_JSON_OR_FORM,
        BODY_FORM
    } body;             /* form: the members are fields of multipart/form-data. FORM:
                           what is no form is not looked at */
    bool injects_usage; /* streams have usage only when stream_options ask for it */
    /* What the table cannot say: after it has filled `facts`, or instead. An error says why in reading->problem. */
    enum error (*read)(struct reading *reading, struct request_facts *facts);
    void (*read_event)(struct meter *meter, struct slice raw_event, struct event_cut *ret_cut);
    void (*read_document)(struct meter *meter, struct slice document);
    /* JSON lines, however many: each line as it comes, without its end, never empty; read_document gets what is behind
     * the last line's end (mostly nothing), at the end. A line past the bound is counted in document_overflowed. */
    void (*read_line)(struct meter *meter, struct slice line);
    /* An answer without usage, or cut before its last word: completes `usage`, which has what the provider did say.
     * NULL: tokens from the bytes of text (dialect_estimate_tokens). */
    void (*estimate)(const struct meter *meter, const struct request_facts *facts, struct usage *usage);
};

/* The functions of every dialect: behind endpoint->format. */
enum error dialect_read_request(const struct endpoint *endpoint, const struct dialect_request *request,
                                struct arena *arena, struct request_facts *ret_facts,
                                const char **ret_problem) MUST_USE;
/* As a JSON string; a NUL follows. */
struct slice dialect_quote(const char *text, struct arena *arena);
struct slice dialect_edit_request(const struct endpoint *endpoint, struct slice body, const struct request_facts *facts,
                                  const struct request_edits *edits, struct arena *arena);

/* The body with `text` (quoted) in place of a member of each object of an array of the body: "requests",
 * "params.model". Objects that lack it stay as they are. */
struct slice dialect_replace_in_each(struct slice body, const char *array, const char *member, const char *text,
                                     struct arena *arena);

/* recording.c: no decoder gets more seconds out of it. */
uint64_t recording_bound_seconds(struct slice file);

/* ---- requests ---- */
enum member_type {
    MEMBER_STRING,
    MEMBER_ARRAY,
    MEMBER_BOOLEAN,
    MEMBER_COUNT, /* an integer >= 1 */
    MEMBER_OBJECT,
    MEMBER_TEXT, /* a string or an array */
    MEMBER_ANY,
};
enum member_role {
    ROLE_NONE, /* its type is checked; `read` may look at it (dialect_find_value, dialect_find_text) */
    ROLE_MODEL,
    ROLE_MESSAGES, /* as ROLE_NONE */
    ROLE_STREAM,
    ROLE_STREAM_OPTIONS,
    ROLE_INCLUDE_USAGE,
    ROLE_CHOICES,
    ROLE_OUTPUT_MAX,
    ROLE_PARENT, /* the object that the output limit stands in: generationConfig */
    ROLE_TOOLS,
    ROLE_THINKING,
    ROLE_PREDICTION,
    ROLE_REFUSED, /* it must not be given: `mistyped` says why */
    ROLE_BACKGROUND,
    ROLE_PREVIOUS_ID, /* refers outside, too */
    ROLE_OUTSIDE,     /* when given, the body's bytes do not bound the input */
};
struct request_member {
    const char *path;
    enum member_role role;
    enum member_type type;
    bool is_required;
    const char *missing, *mistyped; /* in the provider's words */
};
struct request_format {
    const struct request_member *members;
    size_t member_count;           /* at most 24 */
    const char *output_max_member; /* to insert when the request has none: "max_tokens",
                                      "generationConfig.maxOutputTokens"; NULL: the endpoint knows no limit */
    const char *conflict;          /* said when two members bound the output */
};

/* A request while it is read. */
struct reading {
    const struct endpoint *endpoint;
    const struct dialect_request *request;
    const struct request_format *format; /* the table; NULL: none */
    const struct json_value *values;     /* one per member of it; NULL: a form, or no table */
    const struct form *form;             /* multipart/form-data; NULL: JSON */
    unsigned marks;                      /* of a JSON body, MARK_… */
    struct arena *arena;
    const char *problem;
};
/* The value of a member of the table, when it was given (null is not); else NULL, and always for a form. */
const struct json_value *dialect_find_value(const struct reading *reading, const char *path);
/* The text of a member of the table or a field of the form; false when it is absent, no string or too long. */
bool dialect_find_text(const struct reading *reading, const char *name, char *text, size_t bytes_max);

/* Names and types in valid JSON. All formats look for all of them, so that a body is gone over once. */
enum {
    MARK_OUTSIDE = 1,     /* of parts whose tokens are not in the body */
    MARK_CONTINUED = 2,   /* in `messages` (a place in the body): of tool calls, tool results and reasoning */
    MARK_GEMINI_DATA = 4, /* parts that are files or bytes */
    MARK_GEMINI_TURN = 8, /* in `messages`: what earlier turns left, in snake_case */
    MARK_COMPACT = 16,    /* Anthropic's summaries, and its own tools */
    MARK_BASH = 32,
    MARK_EDITOR = 64,
    MARK_COMPUTER = 128,
    /* A letter is written as \u0041: names and types cannot be told by their bytes. MARK_OUTSIDE, too. */
    MARK_ESCAPED = 256,
};
unsigned dialect_find_marks(struct slice body, struct json_place messages);

/* request_facts.conversation of raw instructions (may be empty) and an array of messages or a single string: the
 * messages up to the first of the user count. 0: there is none. */
uint64_t dialect_hash_conversation(struct slice instructions, struct slice messages);
void dialect_hash(uint64_t *hash, struct slice bytes);
bool dialect_message_is_of(struct slice message, const char *role);
/* The objects in an array of valid JSON, as json_next_element finds them, but from quote to quote: ten times as fast
 * where there are long texts. */
bool dialect_next_object(struct slice array, size_t *at, struct slice *ret_object);

/* ---- answers ---- */

/* One walk over (part of) a JSON text, valid or not: cheap enough for every event. */
struct glance {
    uint64_t text_bytes; /* of string members that carry output */
    struct media media;
    bool has_usage, has_error;
    bool has_reason;  /* a text that may say why the answer ended: finish_reason, stop_reason, finishReason … */
    bool has_refusal; /* OpenAI's: a part, a text or an event of a refusal */
};
/* text_members: names ended by NULL; usage_member: the name that announces usage: "usage", "usageMetadata". */
void dialect_glance(struct slice text, const char *const *text_members, const char *usage_member,
                    struct glance *ret_glance);
/* The same, and whether the text is a JSON object, in the same walk. */
bool dialect_glance_object(struct slice text, const char *const *text_members, const char *usage_member,
                           struct glance *ret_glance);

/* Adds what was glanced at to the meter's output. */
void dialect_count_output(struct meter *meter, const struct glance *glance);
bool dialect_has_output(const struct meter *meter);

/* How it ended. A choice's reason, against those that are good (ended by NULL). None (absent, null, ""): it goes on,
 * which damages an answer when that choice has ended before, as another end does, unless it `may_repeat`. */
void dialect_take_reason(struct meter *meter, uint64_t choice, const struct json_value *reason, const char *const *good,
                         bool may_repeat);
/* A format that has no reasons: all that it should have is there. */
void dialect_take_whole(struct meter *meter);
bool dialect_is_said(const struct json_value *value); /* not absent, null or "" */

/* Of valid JSON: it is an object. */
bool dialect_is_object(struct slice text);
/* The bytes of the object that is the value of the last member of that name, in a document that is no valid JSON as a
 * whole (an answer with half a surrogate pair is still billed). Empty when there is none. */
struct slice dialect_search_usage(struct slice document, const char *usage_member);

/* The default estimate: output from the bytes of text, input from those of the request. */
void dialect_estimate_tokens(const struct meter *meter, const struct request_facts *facts, struct usage *usage);
/* Of jobs: the hold is the estimate (meter_result). */
void dialect_estimate_nothing(const struct meter *meter, const struct request_facts *facts, struct usage *usage);
/* The estimate of what is billed by the piece: the request's own units, where the answer said nothing of them. */
void dialect_estimate_units(const struct meter *meter, const struct request_facts *facts, struct usage *usage);
/* Subtracts at most what is there, and returns it: parts that contradict the whole must not make a number wrap. */
uint64_t dialect_take_part(uint64_t *whole, uint64_t part);

/* Integers found by json_scan; false (and untouched) when absent, null or no non-negative integer. */
bool dialect_take_tokens(const struct json_value *value, uint64_t *ret_tokens);
void dialect_take_text(const struct json_value *value, char *text, size_t bytes_max);
/* The event's name and data; joined in meter->scratch when there are several data lines. A line that is none of the
 * format's damages the answer. */
void dialect_parse_event(struct meter *meter, struct slice raw_event, struct slice *ret_name, struct slice *ret_data);
/* The same, glanced at: its text counts as output; data that are neither a JSON object nor [DONE], or an object after
 * the last event, damage the answer. */
void dialect_glance_event(struct meter *meter, struct slice raw_event, const char *const *text_members,
                          struct slice *ret_name, struct slice *ret_data, struct glance *ret_glance);

/* Feeds bytes of JSON lines to the format's read_line. */
void dialect_feed_lines(struct meter *meter, struct slice bytes);

/* ---- errors ---- */
struct error_shape {
    int status;       /* 0: the one of errors.def */
    const char *type; /* the provider's word */
    const char *code; /* NULL: the row's code */
};
struct error_override {
    enum error error;
    struct error_shape shape;
};
struct error_default {
    int status;
    const char *type;
};
/* By error, else by the status of its row; both tables end with a zero row, the second's type is the last resort. */
struct error_shape dialect_find_error_shape(enum error error, const struct error_override *overrides,
                                            const struct error_default *defaults);
/* Ends the frame of a streamed error with `end`, appends it to `out` (full: left out, the connection is cut anyway) and
 * frees it. */
void dialect_end_frame(struct buffer *frame, const char *end, struct buffer *out);
struct slice dialect_bound_message(const char *message); /* at most 2,000 bytes */

#endif

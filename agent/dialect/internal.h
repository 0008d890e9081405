/* SPDX-License-Identifier: Apache-2.0 */
/* What the dialects share: tables of endpoints, request members and errors, and the look into an answer. Included by
 * agent/dialect only. */
#ifndef DIALECT_INTERNAL_H
#define DIALECT_INTERNAL_H

#include "dialect/dialect.h"

extern const struct dialect dialect_openai, dialect_anthropic, dialect_gemini;

/* ---- endpoints ---- */
struct endpoint_row {
    const char *method; /* NULL: any */
    const char *suffix; /* the path's end, at a '/' or ':'; compatible providers have all sorts of prefixes */
    bool has_children;  /* and what lies below it: /models/NAME */
    struct endpoint endpoint;
};
/* The first row that matches; the table ends with {NULL, "", …}, which always does. */
const struct endpoint *dialect_match_endpoint(const struct endpoint_row *rows, struct slice method, struct slice path);

/* ---- requests ---- */
enum member_type { MEMBER_STRING, MEMBER_ARRAY, MEMBER_BOOLEAN, MEMBER_COUNT, MEMBER_OBJECT };
enum member_role {
    ROLE_MODEL,
    ROLE_MESSAGES,
    ROLE_STREAM,
    ROLE_STREAM_OPTIONS,
    ROLE_INCLUDE_USAGE,
    ROLE_CHOICES,
    ROLE_OUTPUT_MAX,
    ROLE_TOOLS,
    ROLE_THINKING,
    ROLE_PREDICTION,
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
    size_t member_count;
    const char *output_max_member; /* to insert when the request has none */
    const char *conflict;          /* said when two members bound the output */
};
enum error dialect_read_by_table(const struct request_format *format, struct slice body, unsigned depth_max,
                                 struct arena *arena, struct request_facts *ret_facts,
                                 const char **ret_problem) MUST_USE;
struct slice dialect_edit_by_table(const struct request_format *format, struct slice body,
                                   const struct request_facts *facts, const struct request_edits *edits,
                                   struct arena *arena);

/* ---- answers ---- */

/* One walk over the strings of (part of) a JSON text, valid or not: cheap enough for every event. */
struct glance {
    uint64_t text_bytes; /* of string members that carry output */
    bool has_usage, has_error;
};
/* text_members: names ended by NULL. */
void dialect_glance(struct slice text, const char *const *text_members, struct glance *ret_glance);

/* The bytes of the object that is the value of a member "usage", in a document that is no valid JSON as a whole (an
 * answer with half a surrogate pair is still billed). Empty when there is none. */
struct slice dialect_search_usage(struct slice document);

/* Integers found by json_scan; false (and untouched) when absent, null or no non-negative integer. */
bool dialect_take_tokens(const struct json_value *value, uint64_t *ret_tokens);
void dialect_take_text(const struct json_value *value, char *text, size_t bytes_max);
/* The event's name and data; joined in meter->scratch when there are several data lines. */
void dialect_parse_event(struct meter *meter, struct slice raw_event, struct slice *ret_name, struct slice *ret_data);

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

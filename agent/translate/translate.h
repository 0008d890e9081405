/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in one api turned into another, and the answers turned back, whole or as they stream (wire.md). Each api is
 * one const struct of functions between its JSON and a neutral conversation, so that N apis need N rows, not N × N. No
 * I/O, no money, no policy; the only folder of the agent that includes <jansson.h>. What an api cannot say is refused
 * by name, never dropped silently: tables say for each member whether it is translated, may be dropped, or is refused.
 */
#ifndef TRANSLATE_TRANSLATE_H
#define TRANSLATE_TRANSLATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"

/* CHAT and RESPONSES → MESSAGES, MESSAGES and RESPONSES → CHAT. False for an api with itself: nothing to do. */
bool translate_is_known(enum api from, enum api to);

struct translate_request {
    enum api from, to;
    struct slice body;             /* valid JSON */
    const char *model;             /* the target's */
    uint64_t output_tokens_max;    /* limit where the target requires one and the request names none */
    const char *output_max_member; /* CHAT: "max_tokens" or "max_completion_tokens" */
};
/* What the answer's translation must know of the request. */
struct translate_facts {
    enum api from, to;
    bool is_streaming;
    bool asks_usage;        /* CHAT client: stream_options.include_usage */
    bool wants_json_schema; /* structured output that became a tool of the target: its arguments are the text */
    const char *dropped;    /* names of members that were dropped by rule, for `why`; "" when none */
    struct slice echo; /* RESPONSES client: members that its answers repeat (tools, instructions …), JSON object */
};
/* The body for the target, in `arena`. A stream asks the target for its usage (CHAT: include_usage). Errors:
 * NO_TRANSLATION (*ret_problem begins with the member and says why: "messages[2].content[0].input_audio cannot be
 * translated to Anthropic Messages: audio has no equivalent"), BODY_INCOMPLETE (the body is no request of `from`). */
enum error translate_request(const struct translate_request *request, struct arena *arena, struct slice *ret_body,
                             struct translate_facts *ret_facts, const char **ret_problem) MUST_USE;

/* One answer on its way back. */
struct translation;
struct translate_answer {
    const struct translate_facts *facts; /* copied, but for what its pointers refer to */
    const char *model;                   /* the client sees this model: what the target says it served, else this */
    const char *id;                      /* ours, unique: ids that the client's api wants are made from it */
    int64_t created_s;                   /* wall clock */
    bool is_event_stream;                /* as the target answers */
    size_t document_bytes_max, event_bytes_max;
};
struct translation *translation_new(const struct translate_answer *answer);
void translation_free(struct translation *translation); /* NULL is fine */
/* Bytes of the target's answer (status 200), cut anywhere; appends what the client shall see. A document is translated
 * at its end. False: `out` is full, an event exceeds its bound, or the answer is not what its api says
 * (translation_problem says which): the stream must be ended with an error. */
bool translation_feed(struct translation *translation, struct slice bytes, struct buffer *out) MUST_USE;
/* The end of the target's answer. A stream that lacks its last event ends false, without a terminal event. */
bool translation_finish(struct translation *translation, struct buffer *out) MUST_USE;
const char *translation_problem(const struct translation *translation); /* a fixed text; "" when none */
/* "text/event-stream; charset=utf-8" or "application/json". */
const char *translation_content_type(const struct translation *translation);

/* An error document of the target (status ≥ 400) in the client's shape; returns the status that the client's SDKs take
 * as of the same kind (529 overloaded → 503 …). The text of the target's message is kept. */
int translate_error(enum api from, enum api to, int status, struct slice document, const char *request_id,
                    struct buffer *out);

#endif

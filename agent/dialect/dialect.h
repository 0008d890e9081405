/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Provider formats: what a request asks for, how it is edited, what an answer used, how an error looks. One const
 * struct of functions per format (wire.md); no I/O, no money. Facts cite the provider's API reference.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "config/config.h"
#include "http/http.h"

/* What kind of call a path is. */
enum endpoint_kind {
    ENDPOINT_METERED,   /* usage is read from the answer, or known from the request by a unit price */
    ENDPOINT_FREE,      /* never billed by the provider (GET /v1/models, files) */
    ENDPOINT_COUNTING,  /* never billed either, and the same for the same request (count_tokens) */
    ENDPOINT_JOB,       /* asks after a job (a background response, a batch): free itself, its answer may end the job */
    ENDPOINT_UNMETERED, /* this version cannot meter it: passed or blocked by capture.unmetered_endpoint */
};

struct endpoint_row;
struct format; /* how an endpoint's request is read and its answer metered: internal to dialect/ */

/* Money is never asked for, before or after. */
static inline bool endpoint_is_free(enum endpoint_kind kind)
{
    return kind == ENDPOINT_FREE || kind == ENDPOINT_COUNTING;
}

struct endpoint {
    const char *name; /* "chat.completions", "messages", "models" … for events and rules */
    enum endpoint_kind kind;
    enum api api;
    const char *path;            /* below the provider's api_prefix: "/chat/completions"; NULL: no one path */
    const struct format *format; /* NULL: nothing is read */
};

/* What read_request looks at. */
struct dialect_request {
    struct slice method, path, query, content_type, body;
    unsigned depth_max; /* of JSON */
};

/* The bound of a batch: of the requests in a Message Batch, or in the file that is uploaded for a batch. */
struct batch_facts {
    uint64_t requests;      /* 0: no batch */
    uint64_t input_tokens;  /* bound of all of them: bytes and what is added */
    uint64_t output_tokens; /* bound of those that name a limit (times their choices) */
    uint64_t unlimited;     /* choices of those that name none: each the model's most */
    uint64_t limit_max;     /* the greatest that one names */
    uint64_t tool_calls;    /* billed ones, at most */
    bool has_outside;       /* one of them refers outside: its input is the model's window, `outside` of them */
    uint64_t outside;
    char model[128]; /* of the first; has_models: there are several, the dearest counts */
    bool has_models;
    char input_file[128]; /* POST /batches: the uploaded file that holds them; "" when they are in the body */
};

/* Pictures that a tool of the provider draws beside the answer, with another model (OpenAI's image_generation). */
struct drawing_facts {
    char model[128];       /* "": there is no such tool */
    uint64_t pictures;     /* at most */
    int64_t tokens_each;   /* -1: as many as the model's most */
    uint64_t input_tokens; /* what that model is given for all of them, at most */
};

/* Read from a request in one scan. Slices point into the body. */
struct request_facts {
    char model[128];       /* "" when absent */
    bool is_model_of_path; /* whatever the body says (flow/renditions.c) */
    bool is_streaming;
    bool asks_usage;           /* OpenAI: stream_options.include_usage true */
    int64_t output_tokens_max; /* max_tokens / max_completion_tokens / maxOutputTokens …; -1: not given */
    int64_t choices;           /* n, 1 when absent */
    bool has_no_limit;         /* the endpoint knows no output limit: it cannot be set or lowered (no clamp) */
    size_t text_bytes; /* the hard bound of its input tokens: bytes of the body; of a form, those of its text fields and
                          what the provider's rules make of its files; 0 when input is not billed by tokens */
    bool is_form;      /* multipart/form-data */
    bool has_tools;
    bool refers_outside;   /* files, images, URLs, server-side tools: the body's bytes do not bound the input */
    bool runs_tools;       /* of the provider's: what they find and do is another thing each time */
    char service_tier[32]; /* as asked for, "" when absent */
    bool is_regional;      /* inference_geo: a place is asked for, which may cost more */
    bool is_fast;          /* Anthropic's `speed: "fast"` */
    uint64_t added_tokens; /* input that the provider adds by itself, beyond the body's bytes (Anthropic, "Tool use") */
    int64_t thinking_tokens; /* Anthropic's thinking.budget_tokens: the output limit must be greater; 0: none */
    size_t prediction_bytes; /* OpenAI's `prediction`: bounds output beyond the limit (rejected tokens are billed) */
    bool is_background;      /* Responses: the answer comes later, as a job */
    bool is_continued;       /* holds tool calls, tool results or reasoning of earlier turns: stays where it began */
    uint64_t conversation;   /* the same for all turns of one (instructions and first user message); 0: none */
    char previous_id[128];   /* previous_response_id: the state is at the provider that gave it; "" when absent */
    struct usage units;     /* the most of each UNIT bucket that it can be billed: images, characters, tool calls … */
    bool bills_calls;       /* each call of units.tool_calls is billed with the answer, which does not count them */
    char price_variant[64]; /* "1024x1024/hd": the price list may have a row MODEL/VARIANT; "" when absent */
    struct batch_facts batch;
    struct drawing_facts drawing;
    /* where edits go; offsets in the body. A member that is null has a place, and counts as not given. */
    struct json_place {
        size_t offset, length; /* length 0: absent */
    } model_value, stream_options_value, include_usage_value, output_max_value, parent_value, adviser_value;
    size_t object_open;            /* offset just after '{' of the body; of a form's first delimiter */
    const char *output_max_member; /* "max_tokens" or "max_completion_tokens", as the request wrote it (NULL: absent);
                                      an edit that must insert it takes this name, else the dialect's own */
};

enum usage_source { USAGE_NONE, USAGE_PROVIDER, USAGE_ESTIMATED, USAGE_RECOVERED };

/* What to change before sending. */
struct request_edits {
    const char *model;         /* replace; NULL: leave */
    bool inject_usage;         /* OpenAI streams: stream_options.include_usage = true */
    int64_t output_tokens_max; /* set or lower to this; -1: leave */
};

/* Output that is no text: of what an answer shows, which is all there is to go by when nobody counts it. */
struct media {
    uint64_t spoken_bytes;                 /* of what is said, as text */
    uint64_t sound_bytes, raw_sound_bytes; /* in base64; raw: of samples, else perhaps compressed */
    uint64_t pictures;
    bool has_sketch; /* a picture on its way */
};

enum { METER_COUNTS = 16 };
/* Reads one answer as it streams. Zero-initialised by meter_init. */
struct meter {
    const struct dialect *dialect;
    const struct endpoint *endpoint;
    bool is_event_stream; /* content-type text/event-stream */
    bool hides_usage;     /* usage was injected: the client's bytes must not show it */
    struct sse_splitter splitter;
    struct buffer document;     /* a JSON answer, bounded: past the bound it is only counted */
    struct arena *scratch;      /* joins the data lines of an event that has several; NULL until needed */
    uint64_t body_bytes;        /* bytes of the answer's body so far */
    uint64_t output_events;     /* SSE events that carried output: the estimate's ground */
    uint64_t output_text_bytes; /* bytes of text, reasoning and tool arguments, as JSON wrote them */
    struct media media;         /* the same for what is no text */
    bool saw_usage;             /* some usage; saw_output_usage: the final count of the output, too */
    bool saw_output_usage;
    bool saw_terminal, saw_error; /* terminal: [DONE], message_stop, a whole document … a complete answer */
    bool is_damaged; /* not all of it is what its format says: an event that is no JSON, or too long to be read, or that
                        comes after the end */
    /* How it ended, for whom else it may serve; money does not go by it. */
    uint64_t ended;  /* choices that ended well, a bit each; all bits: an answer without choices is whole */
    bool is_refused; /* it ended otherwise: refused, filtered, failed, paused, or by a word that is not known */
    bool is_closed;  /* its last event came */
    bool document_overflowed;
    bool has_failed;     /* `out` was full while usage is hidden */
    bool hid_last_event; /* from the client */
    struct usage usage;
    uint64_t counts[METER_COUNTS]; /* what the format must keep between events to make `usage` of it */
    char served_model[128], service_tier[32];
    char drawing_model[128]; /* input_image and output_image of `usage` are of this model; "": of the answer's own */
    bool is_regional;        /* usage.inference_geo "us": where it was served costs more */
    char answer_id[128];     /* "resp_…", "batch_…", "file-…"; "" when it has none */
    /* Of a background response or a batch. DONE: it has ended, and `usage` is what all of it used. */
    enum job_state { JOB_NONE, JOB_PENDING, JOB_DONE } job;
};

/* What the client shall not see of an event (internal to the meter). */
struct event_cut {
    enum { CUT_NOTHING, CUT_EVENT, CUT_MEMBER } kind;
    struct slice name, data; /* CUT_MEMBER: the event's; bytes [from, to) of data go */
    size_t from, to;
};

struct dialect {
    enum dialect_kind kind;
    const char *name;                     /* "openai" */
    const char *api_prefix;               /* of its own provider: "/v1" */
    const struct endpoint_row *endpoints; /* all of its paths (internal to dialect/) */
    /* Which endpoint; never NULL. */
    const struct endpoint *(*find_endpoint)(struct slice method, struct slice path);
    /* Validates and reads the body of an endpoint that has a format: METERED, and FREE when it matters later (an upload
     * of a batch's requests); of others only the facts of an empty request. BODY_MALFORMED, BODY_INCOMPLETE;
     * *ret_problem is a fixed text or arena text naming offset or member, in the provider's words. */
    enum error (*read_request)(const struct endpoint *endpoint, const struct dialect_request *request,
                               struct arena *arena, struct request_facts *ret_facts, const char **ret_problem);
    /* The edited body, byte-identical outside the edits; the same slice when nothing changes. */
    struct slice (*edit_request)(const struct endpoint *endpoint, struct slice body, const struct request_facts *facts,
                                 const struct request_edits *edits, struct arena *arena);
    /* The path with another model in it; NULL: this dialect's paths name none. */
    struct slice (*edit_path)(struct slice path, const char *model, struct arena *arena);
    /* An error body in the provider's own shape and the HTTP status the SDKs take as typed and final (wire.md's table):
     * appended to `body`, which takes at least ERROR_BYTES_MAX more. `message` is complete English with hint; past
     * 2,000 bytes it is cut. request_id may be NULL. */
    int (*write_error)(enum error error, const char *message, const char *request_id, struct buffer *body);
    /* A frame that ends a broken stream visibly (SSE error event), appended to `out`; nothing when `out` is full. It
     * begins with a blank line, which ends an event that was cut in two: else the frame would become part of it. */
    void (*write_stream_error)(enum error error, const char *message, struct buffer *out);
};
enum { ERROR_BYTES_MAX = 16384 };

const struct dialect *dialect_of(enum dialect_kind kind);
/* For check: a warning for each endpoint of a rule that no dialect has. */
void dialect_warn_endpoints(const struct settings *settings, struct config_problems *problems);
/* The endpoint that a translated request goes to, and its dialect; NULL for an api that nothing is translated to. */
const struct endpoint *dialect_endpoint_of(enum api api, const struct dialect **ret_dialect);
/* "https://api.groq.com" + "/openai/v1" + what follows the called provider's prefix: where a call goes at a provider.
 * The path as it is when it has not the called prefix. In `arena`. */
struct slice dialect_place_path(struct slice path, const char *called_prefix, const char *target_prefix,
                                struct arena *arena);

void meter_init(struct meter *meter, const struct dialect *dialect, const struct endpoint *endpoint,
                bool is_event_stream, bool hides_usage, size_t document_bytes_max, size_t event_bytes_max);
/* Meters `bytes` and appends to `out` what the client shall see: the same bytes at once, except with hides_usage, where
 * a stream goes on event by event. False: `out` is full, or an event exceeds the bound with hides_usage (the stream
 * must be ended with an error). */
bool meter_feed(struct meter *meter, struct slice bytes, struct buffer *out) MUST_USE;
/* The end of the answer: reads a JSON document, flushes what is pending to `out`. */
bool meter_finish(struct meter *meter, struct buffer *out) MUST_USE;
/* What was used and how it is known: provider's numbers; else an estimate from the bytes (never 0 for output seen; what
 * the provider did say of an answer that was cut is kept) or from the request's units. USAGE_NONE, all 0: nothing was
 * answered, or only an error, or the job is pending, or has ended with nothing done. ESTIMATED, all 0: a job is done
 * and nobody says what it used: its hold is the estimate. `facts` are those of the request that was sent. May be called
 * before meter_finish (an aborted answer). */
enum usage_source meter_result(const struct meter *meter, const struct request_facts *facts, struct usage *ret_usage);
/* After meter_finish: it ended as its api says a good answer does, each of its choices, and not in a refusal; see also
 * saw_terminal and is_damaged. False as well where nobody looks for an end. */
bool meter_ended_well(const struct meter *meter, const struct request_facts *facts);
void meter_done(struct meter *meter);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* How one request is to be answered: struct behaviour, filled from rules (script.c) and then from the directives
 * `[[name=value]]` in the last user message, which win. One table says which names there are; README.md lists them.
 */
#ifndef TESTS_PROVIDER_DIRECTIVES_H
#define TESTS_PROVIDER_DIRECTIVES_H

#include "tests/provider/faults.h"

#include <stddef.h>
#include <stdint.h>

#define BEHAVIOUR_UNSET UINT32_MAX

enum framing { FRAMING_DEFAULT, FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_CLOSE };

/* Numbers are BEHAVIOUR_UNSET unless somebody set them. */
struct behaviour {
    struct fault fault;
    uint32_t delay_ms;      /* before the first byte */
    uint32_t body_delay_ms; /* between the head and the body */
    uint32_t pace_ms;       /* between two pieces of a stream */
    uint32_t tokens;        /* pieces of text to answer with */
    uint32_t bytes;         /* JSON: of the whole body; stream: of the text */
    uint32_t fresh;         /* prompt tokens outside the cache, instead of the counted ones */
    uint32_t cached;        /* prompt tokens read from the cache */
    uint32_t cache_write;   /* prompt tokens written to the cache (5 min) */
    uint32_t cache_write_1h;
    uint32_t reasoning;   /* thinking tokens, part of the output */
    uint32_t tool_prompt; /* Gemini: toolUsePromptTokenCount */
    uint32_t retry_after; /* seconds, with an error */
    uint32_t cut;         /* events (stream) or body bytes (JSON) before a cut, stall, half close or error event */
    uint32_t write_bytes; /* size of each write */
    uint32_t header_bytes;
    uint32_t barrier;       /* hold until this many requests are held */
    uint32_t hold;          /* hold until POST /_release */
    uint32_t until_release; /* a stream has its pace until POST /_release, and then none */
    uint32_t drop_next;     /* close at the connection's next request, unanswered */
    uint32_t reject_stream_options;
    uint32_t polls;          /* of a job: how many times it is asked for before it is done */
    uint32_t job_fails;      /* a job, or each request of a batch, fails in the end */
    uint32_t web_search;     /* Responses: searches that it makes */
    uint32_t tool_calls;     /* calls at once, when a tool is called */
    uint32_t show_reasoning; /* the thinking is shown, a word a token */
    uint32_t refusal;        /* it says that it will not */
    uint32_t stamp;          /* each piece of a stream's text begins with the time it was made at */
    uint32_t number;         /* each piece of a stream's text begins with its place in it */
    uint32_t seconds;        /* audio: length of the recording */
    uint32_t late_input;     /* Anthropic: message_start says 0, message_delta has the input */
    enum framing framing;
    char tier[16]; /* service_tier of the answer; "": default */
};

enum directive_type { DIRECTIVE_NUMBER, DIRECTIVE_FAULT, DIRECTIVE_FRAMING, DIRECTIVE_TEXT };

struct directive {
    const char *name;
    enum directive_type type;
    size_t offset; /* in struct behaviour */
};

extern const struct behaviour behaviour_unset;

/* The directive of that name (not NUL-terminated); NULL when there is none. */
const struct directive *directive_find(const char *name, size_t length);
/* Sets one directive from its text. False when the value does not fit the type; *behaviour is untouched then. */
bool directive_set(const struct directive *directive, const char *value, struct behaviour *behaviour);
/* Sets in *under whatever is set in `over`. */
void behaviour_overlay(const struct behaviour *over, struct behaviour *under);
/* Every `[[name=value]]` of the text; what is not a directive is left alone. */
void directives_scan(const char *text, size_t length, struct behaviour *behaviour);

static inline uint32_t behaviour_get(uint32_t value, uint32_t fallback)
{
    return value == BEHAVIOUR_UNSET ? fallback : value;
}

#endif

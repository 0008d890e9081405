/* SPDX-License-Identifier: Apache-2.0 */
/* What a request asks for, read from its JSON in one walk. The dialects differ in names only, so each endpoint has a
 * shape (a row of names) and one reader serves all of them. Called by dispatch.c; read by the writers.
 */
#ifndef TESTS_PROVIDER_PROMPT_H
#define TESTS_PROVIDER_PROMPT_H

#include "tests/provider/directives.h"

#include <jansson.h>

#define PROMPT_IMAGE_TOKENS 85u

/* Where one endpoint's request keeps things. NULL: it has no such member. */
struct prompt_shape {
    const char *model;    /* required when named */
    const char *messages; /* required, unless optional: a string, an array of strings, of numbers, or of messages */
    const char *system;
    const char *config;     /* object that holds the limit and the number of choices */
    const char *limits[2];  /* the first that is present counts */
    bool limit_required;    /* Anthropic */
    bool optional;          /* messages may be missing */
    const char *file;       /* a form's file that is required */
    const char *choices;    /* number of answers */
    const char *missing[2]; /* wording of a missing member: before and after its name */
};

struct prompt {
    char model[96];
    bool stream;
    bool include_usage;  /* stream_options.include_usage */
    bool stream_options; /* the member is there at all */
    bool json_mode;
    bool has_schema; /* the answer is to fit one: `fixed` does */
    bool background;
    bool unstored; /* store: false */
    bool use_tool;
    bool base64; /* embeddings: encoding_format */
    uint32_t choices;
    uint32_t tokens_max; /* BEHAVIOUR_UNSET: no limit */
    uint32_t tokens;     /* of the whole prompt: ceil(bytes of text / 4) + 3 per message, ceil(bytes / 4) of tools,
                          PROMPT_IMAGE_TOKENS of an image */
    uint32_t inputs;     /* embeddings: how many texts */
    uint32_t dimensions; /* embeddings */
    uint32_t searches;   /* of the web, with the directive web_search */
    uint32_t characters; /* of the messages' text, as Unicode counts */
    uint32_t files;      /* of a form */
    uint32_t file_bytes;
    char previous[64]; /* previous_response_id */
    char size[24], quality[16], format[24];
    char said[88]; /* beginning of the last user message, fit to stand inside a JSON string */
    char tool_name[72];
    char fixed[2048]; /* JSON that fits the called tool's schema, or the answer's */
};

/* Reads the request; directives of the last user message go to *behaviour. False with *ret_refusal filled when the
 * provider would answer 400; `message` (160 bytes) is where the refusal's text is kept. */
bool prompt_read(const struct prompt_shape *shape, const json_t *root, struct prompt *prompt,
                 struct behaviour *behaviour, char *message, struct refusal *ret_refusal);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of the OpenAI dialect: one file each, one table of endpoints (openai.c). Included by openai*.c only. */
#ifndef DIALECT_OPENAI_H
#define DIALECT_OPENAI_H

#include "dialect/internal.h"

extern const struct format openai_chat_format, openai_completions_format, openai_embeddings_format;
extern const struct format openai_responses_format, openai_job_format;
extern const struct format openai_images_format, openai_image_edits_format;
extern const struct format openai_speech_format, openai_transcriptions_format;
extern const struct format openai_upload_format, openai_batch_format, openai_batch_job_format;

/* What a usage object of this dialect says, whichever of its endpoints wrote it: tokens by any of their names, parts
 * taken from their wholes. Replaces meter->usage, for what repeats is cumulative. False: it says nothing. */
bool openai_read_usage(struct meter *meter, struct slice object);
/* A number of seconds, perhaps with a fraction: each begun one counts. */
bool openai_take_seconds(const struct json_value *value, uint64_t *ret_seconds);
/* An array of texts, or of arrays of tokens, is as many prompts; an array of tokens, and all else, is one. */
int64_t openai_count_prompts(const struct json_value *prompt);
/* The same of a text that is no valid JSON as a whole, and damages the answer. */
bool openai_search_usage(struct meter *meter, struct slice text);

/* Tools that the provider runs and bills by the call. Where a request names no limit (max_tool_calls), this many are
 * held for: deep research makes dozens, and what is beyond is posted all the same. */
enum { OPENAI_TOOL_CALLS_MAX = 64 };
struct openai_tools {
    bool run_there; /* one of them runs at the provider */
    uint64_t calls; /* billed ones, at most */
    struct drawing_facts drawing;
    const char *problem; /* why they cannot be allowed; else NULL */
};
/* Whether items of a Responses request's input are at the provider, and named by their id alone. */
bool openai_refers_to_items(const struct json_value *input);
/* `tools` and `max_tool_calls` of a request, NULL or absent where it has none. */
struct openai_tools openai_read_tools(const struct json_value *list, const struct json_value *calls_max);
/* Output tokens of an image that is drawn, at most; -1: of a size or quality that this version does not know. */
int64_t openai_bound_image_tokens(const char *size, const char *quality);

#define OPENAI_MODEL(is_required)                                                                                      \
    {                                                                                                                  \
        "model", ROLE_MODEL, MEMBER_STRING, is_required, "you must provide a model parameter",                         \
            "Invalid type or value for 'model': expected a model name."                                                \
    }
#define OPENAI_STREAM                                                                                                  \
    {                                                                                                                  \
        "stream", ROLE_STREAM, MEMBER_BOOLEAN, false, NULL, "Invalid type for 'stream': expected a boolean."           \
    }
#define OPENAI_COUNT(name, role)                                                                                       \
    {                                                                                                                  \
        name, role, MEMBER_COUNT, false, NULL, "Invalid type or value for '" name "': expected an integer >= 1."       \
    }
#define OPENAI_STRING(name)                                                                                            \
    {                                                                                                                  \
        name, ROLE_NONE, MEMBER_STRING, false, NULL, "Invalid type for '" name "': expected a string."                 \
    }

#endif

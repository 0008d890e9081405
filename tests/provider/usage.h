/* SPDX-License-Identifier: Apache-2.0 */
/* Exact usage in disjoint buckets: what the stand-in bills. The dialects' writers show it in their own terms.
 */
#ifndef TESTS_PROVIDER_USAGE_H
#define TESTS_PROVIDER_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct buffer;

/* BUCKET(member, name in the bill). The first seven always stand in a row of the bill, the others when they are not 0.
 */
#define USAGE_BUCKETS(BUCKET)                                                                                          \
    BUCKET(fresh, "fresh") /* prompt tokens neither read from nor written to the cache */                              \
    BUCKET(cache_read, "cache_read")                                                                                   \
    BUCKET(cache_write, "cache_write_5m")                                                                              \
    BUCKET(cache_write_1h, "cache_write_1h")                                                                           \
    BUCKET(tool_prompt, "tool_prompt") /* Gemini: extra input */                                                       \
    BUCKET(out, "out")                 /* with reasoning */                                                            \
    BUCKET(reasoning, "reasoning")     /* part of out */                                                               \
    BUCKET(input_audio, "input_audio")                                                                                 \
    BUCKET(input_image, "input_image") /* where images have a price of their own */                                    \
    BUCKET(output_audio, "output_audio")                                                                               \
    BUCKET(output_image, "output_image")                                                                               \
    BUCKET(tool_calls, "tool_calls") /* web searches */                                                                \
    BUCKET(images, "images")         /* billed by the piece, as are the next two */                                    \
    BUCKET(seconds, "seconds")                                                                                         \
    BUCKET(characters, "characters")

struct usage {
#define USAGE_MEMBER(member, name) uint64_t member;
    USAGE_BUCKETS(USAGE_MEMBER)
#undef USAGE_MEMBER
};

/* Usage of the whole planned answer. */
void usage_plan(const struct exchange *exchange, struct usage *ret_usage);
/* What is billed for what was sent; whole: the answer was sent to its end. */
void usage_bill(const struct exchange *exchange, bool whole, struct usage *ret_usage);
/* The whole prompt as OpenAI and Gemini count it. */
uint64_t usage_get_prompt(const struct usage *usage);
void usage_add(const struct usage *usage, struct usage *sum);
/* Appends the object as the bill shows it. */
void usage_format(const struct usage *usage, struct buffer *out);

#endif

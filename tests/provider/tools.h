/* SPDX-License-Identifier: Apache-2.0 */
/* Tools in a request: which one to call, arguments that fit its schema, and whether a result is already there. And
 * values that fit a schema. Called by prompt.c. Knows all four ways the dialects write a tool, as they differ in one
 * member name each.
 */
#ifndef TESTS_PROVIDER_TOOLS_H
#define TESTS_PROVIDER_TOOLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes of the tools as compact JSON; 0 without tools. */
size_t tools_count_bytes(const json_t *tools);
/* Whether the last message is the result of a tool call. */
bool tools_is_result(const json_t *messages);
/* Whether the request says that a tool must be called; *ret_name is the one it names, NULL when any will do. */
bool tools_is_forced(const json_t *request, const char **ret_name);
/* Name and arguments (a JSON object) of a call of the tool of that name, or of the first one (NULL). False when there
 * is none that can be called. */
bool tools_read(const json_t *tools, const char *wanted, char *ret_name, size_t name_bytes, char *ret_arguments,
                size_t arguments_bytes);
/* The smallest JSON value that fits the schema, in ASCII; "{}" when it has no room. */
void schema_write_example(const json_t *schema, char *ret_text, size_t text_bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Tools in a request: the first one's name, arguments that fit its schema, and whether a result is already there.
 * Called by prompt.c. Knows all four ways the dialects write a tool, as they differ in one member name each.
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
/* Name and arguments (a JSON object) of a call of the first tool. False when there is none that can be called. */
bool tools_read_first(const json_t *tools, char *ret_name, size_t name_bytes, char *ret_arguments,
                      size_t arguments_bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Members that several apis have, read the same way; and what values of others ask for nothing. Rows of the tables
 * name these functions. `into` is unused where none is named. Internal to translate/. */
#ifndef TRANSLATE_REQUEST_MEMBERS_H
#define TRANSLATE_REQUEST_MEMBERS_H

#include "translate/work.h"

/* Defaults. */
bool value_is_false(const json_t *value);
bool value_is_true(const json_t *value);
bool value_is_zero(const json_t *value);
bool value_is_one(const json_t *value);
bool value_is_empty(const json_t *value);    /* [], {}, "" */
bool value_is_ordinary(const json_t *value); /* "auto", "default", "standard" */
bool value_is_medium(const json_t *value);
bool value_is_off(const json_t *value);    /* "none", "disabled", {"type":"disabled"} */
bool value_is_direct(const json_t *value); /* ["direct"], {"type":"direct"}: called by the model itself */

bool read_text(struct work *work, json_t *value, void *into);      /* struct slice */
bool read_boolean(struct work *work, json_t *value, void *into);   /* bool */
bool read_object(struct work *work, json_t *value, void *into);    /* json_t * */
bool read_part_text(struct work *work, json_t *value, void *into); /* struct parts: adds a text */
/* A string, or an array whose elements `read_part` reads: into `parts`. */
bool read_content(struct work *work, json_t *value, read_value *read_part, struct parts *parts);

/* Members of a call (or of the result that names one), into a struct part; of a file, into its struct media. */
bool read_call_id(struct work *work, json_t *value, void *into);
bool read_call_name(struct work *work, json_t *value, void *into);
bool read_call_arguments(struct work *work, json_t *value, void *into); /* as text */
bool read_media_name(struct work *work, json_t *value, void *into);

bool read_stream(struct work *work, json_t *value, void *into);
bool read_temperature_openai(struct work *work, json_t *value, void *into);    /* 0 to 2 */
bool read_temperature_anthropic(struct work *work, json_t *value, void *into); /* 0 to 1 */
bool read_top_p(struct work *work, json_t *value, void *into);
bool read_output_max(struct work *work, json_t *value, void *into);
bool read_stop(struct work *work, json_t *value, void *into); /* a string or an array of strings */
bool read_user(struct work *work, json_t *value, void *into);
bool read_parallel_calls(struct work *work, json_t *value, void *into);
/* tool_choice of OpenAI, where it is a string. */
bool read_choice_word(struct work *work, json_t *value);

/* Members of a tool, into a struct tool. */
bool read_tool_name(struct work *work, json_t *value, void *into);
bool read_tool_description(struct work *work, json_t *value, void *into);
bool read_tool_schema(struct work *work, json_t *value, void *into);
bool read_tool_strict(struct work *work, json_t *value, void *into);
/* The tool that is chosen, and the schema of a structured answer. */
bool read_choice_name(struct work *work, json_t *value, void *into);
bool read_schema(struct work *work, json_t *value, void *into);
bool read_schema_strict(struct work *work, json_t *value, void *into);
bool read_schema_name(struct work *work, json_t *value, void *into);
bool read_schema_description(struct work *work, json_t *value, void *into);
/* OpenAI's formats without a schema, whole objects. */
bool read_text_format(struct work *work, json_t *object, void *into);
bool read_object_format(struct work *work, json_t *object, void *into);

#endif

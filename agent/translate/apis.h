/* SPDX-License-Identifier: Apache-2.0 */
/* The halves of the table in translate.c: who reads an api's requests, who writes them. Internal to translate/. */
#ifndef TRANSLATE_APIS_H
#define TRANSLATE_APIS_H

#include "translate/work.h"

/* Fill work->conversation from `body`, which outlives the translation. False: work says why. */
bool chat_read_request(struct work *work, json_t *body) MUST_USE;
bool messages_read_request(struct work *work, json_t *body) MUST_USE;
bool responses_read_request(struct work *work, json_t *body) MUST_USE;

/* Fill the empty object `body` from work->conversation, which is settled. */
bool chat_write_request(struct work *work, json_t *body) MUST_USE;
bool messages_write_request(struct work *work, json_t *body) MUST_USE;

/* Parts of the readers. `into` is unused, or as said. */
bool chat_read_message(struct work *work, json_t *message, void *into);
bool messages_read_message(struct work *work, json_t *message, void *into);
bool messages_read_system(struct work *work, json_t *system, void *into);
bool responses_read_input(struct work *work, json_t *input, void *into);

/* What the writers share. */
/* Letters, digits, _ and -; and of tools each name once, and the chosen tool is one of them. */
bool target_check_name(struct work *work, const char *place, struct slice name, size_t length_max) MUST_USE;
bool target_check_tools(struct work *work, size_t name_length_max) MUST_USE;
/* The texts of `parts`, an empty line between two; what is no text is left out. */
struct slice target_join_text(struct work *work, const struct parts *parts);
bool target_has_only_text(const struct parts *parts);

#endif

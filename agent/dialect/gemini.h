/* SPDX-License-Identifier: Apache-2.0 */
/* What the gemini*.c files share. Included by agent/dialect/gemini*.c only. */
#ifndef DIALECT_GEMINI_H
#define DIALECT_GEMINI_H

#include "dialect/internal.h"

/* The model that a path names: "gemini-2.5-pro", or with its collection "tunedModels/mine". False: none, or one that
 * cannot be a name. */
bool gemini_read_model(struct slice path, char *model, size_t bytes_max);
/* The same model, whether written "models/NAME" or "NAME"? */
bool gemini_model_is(const char *model, const char *written);
/* "models/NAME", as bodies write it. */
const char *gemini_resource_of(const char *model, struct arena *arena);
struct slice gemini_edit_path(struct slice path, const char *model, struct arena *arena);

/* "SERVICE_TIER_PRIORITY", "PRIORITY" and "priority" are one: the last. Untouched when it says nothing. */
void gemini_take_tier(const struct json_value *value, char *tier, size_t bytes_max);

extern const struct format gemini_generate, gemini_stream, gemini_embed, gemini_batch_embed, gemini_predict;
struct slice gemini_edit_request(const struct endpoint *endpoint, struct slice body, const struct request_facts *facts,
                                 const struct request_edits *edits, struct arena *arena);

extern const struct request_format gemini_generate_request, gemini_embed_request, gemini_batch_embed_request,
    gemini_predict_request;
enum error gemini_read_generate(struct reading *reading, struct request_facts *facts);
enum error gemini_read_stream(struct reading *reading, struct request_facts *facts);
enum error gemini_read_embed(struct reading *reading, struct request_facts *facts);
enum error gemini_read_batch_embed(struct reading *reading, struct request_facts *facts);
enum error gemini_read_predict(struct reading *reading, struct request_facts *facts);

void gemini_read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut);
void gemini_read_document(struct meter *meter, struct slice document);
void gemini_read_embedding(struct meter *meter, struct slice document);
void gemini_read_predictions(struct meter *meter, struct slice document);
void gemini_estimate(const struct meter *meter, const struct request_facts *facts, struct usage *usage);
void gemini_estimate_input(const struct meter *meter, const struct request_facts *facts, struct usage *usage);

#endif

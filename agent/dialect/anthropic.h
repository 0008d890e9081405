/* SPDX-License-Identifier: Apache-2.0 */
/* What the anthropic*.c files share. Included by agent/dialect/anthropic*.c only. */
#ifndef DIALECT_ANTHROPIC_H
#define DIALECT_ANTHROPIC_H

#include "dialect/internal.h"

extern const struct format anthropic_messages, anthropic_batches, anthropic_batch, anthropic_results;

extern const struct request_format anthropic_messages_request, anthropic_batches_request;
enum error anthropic_read_messages(struct reading *reading, struct request_facts *facts);
enum error anthropic_read_batches(struct reading *reading, struct request_facts *facts);

/* A usage object into meter->usage and service_tier, field by field. True when it counts the output. */
bool anthropic_read_usage(struct meter *meter, struct slice object);
void anthropic_read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut);
void anthropic_read_document(struct meter *meter, struct slice document);
void anthropic_estimate(const struct meter *meter, const struct request_facts *facts, struct usage *usage);

void anthropic_read_batch(struct meter *meter, struct slice document);
void anthropic_read_result(struct meter *meter, struct slice line);
void anthropic_end_results(struct meter *meter, struct slice rest);

#endif

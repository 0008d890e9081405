/* SPDX-License-Identifier: Apache-2.0 */
/* Private to evidence/: the writer of Prometheus' text exposition format 0.0.4. Names are ours and valid; values of
 * labels may be anything. */
#ifndef EVIDENCE_EXPOSITION_H
#define EVIDENCE_EXPOSITION_H

#include "base/buffer.h"
#include "base/histogram.h"
#include "base/money.h"

struct exposition {
    struct buffer *out;
    const char *name; /* of the family that is written */
    bool is_full;     /* something did not fit: what is there is not to be used */
};
struct label {
    const char *name, *value; /* NULL as "" */
};

/* All samples of a family follow its head. `type`: counter, gauge or histogram. */
void exposition_begin(struct exposition *exposition, const char *name, const char *type, const char *help);
void exposition_integer(struct exposition *exposition, const struct label *labels, size_t count, uint64_t value);
/* USD, exact. */
void exposition_money(struct exposition *exposition, const struct label *labels, size_t count, struct money value);
/* In seconds, from nanoseconds. */
void exposition_seconds(struct exposition *exposition, const struct label *labels, size_t count, int64_t ns);
/* In seconds; at most one label. */
void exposition_histogram(struct exposition *exposition, const struct label *label, const struct histogram_sum *sum);

#endif

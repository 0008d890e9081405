/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the driver share: inputs that were kept, mutations, and where the last run has been. */
#ifndef TESTS_FUZZ_DRIVER_H
#define TESTS_FUZZ_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- coverage.c: fed by gcc's -fsanitize-coverage=trace-pc, as clang's ---- */
void coverage_begin(void);
/* How many pairs of places this run came by for the first time, or how often for the first time. */
unsigned coverage_end(void);
unsigned coverage_count(void); /* pairs that any run came by */

/* ---- mutate.c: the same sequence for the same seed ---- */
struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *chance);
size_t chance_below(struct chance *chance, size_t bound); /* 0 for 0 */

struct input {
    uint8_t *bytes;
    size_t size;
};
struct tokens {
    struct input *rows;
    size_t count;
};
/* A dictionary: lines "name=\"text\"" or "\"text\"", \xHH and \\ and \" in it; # begins a comment. False: unreadable.
 */
bool tokens_read(const char *file, struct tokens *ret_tokens);
/* Changes `bytes` (room for `bytes_max`) in one to eight places; `other` is spliced in at times. Returns the new size.
 */
size_t mutate(struct chance *chance, const struct tokens *tokens, const struct input *other, uint8_t *bytes,
              size_t size, size_t bytes_max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays that grow by doubling, for tables whose bound is elsewhere (accounts of a ledger). No memory is a panic: what
 * such a table holds cannot be left out.
 */
#ifndef BASE_GROW_H
#define BASE_GROW_H

#include "base/check.h"

#include <stdint.h>
#include <stdlib.h>

enum { GROW_FIRST = 16 };

/* `rows` (NULL: none yet), or a larger copy of it, with room for row number `index`; *capacity as `rows` changes. The
 * caller frees it. */
static inline void *grow_array(void *rows, uint32_t *capacity, uint32_t index, size_t row_bytes)
{
    if (index < *capacity)
        return rows;
    uint32_t wanted = *capacity ? *capacity * 2 : GROW_FIRST;
    if (wanted <= index)
        wanted = index + 1;
    rows = reallocarray(rows, wanted, row_bytes);
    check(rows != NULL);
    *capacity = wanted;
    return rows;
}

#endif

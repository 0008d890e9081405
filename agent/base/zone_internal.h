/* SPDX-License-Identifier: Apache-2.0 */
/* The table of one zone, filled by zone_read.c and searched by zone.c; nobody else knows it. */
#ifndef BASE_ZONE_INTERNAL_H
#define BASE_ZONE_INTERNAL_H

#include "base/zone.h"
#include "base/zone_rule.h"

/* Offsets that RFC 9636 section 3.2 allows: between -25 and +26 hours. */
enum { ZONE_OFFSET_MIN = -89999, ZONE_OFFSET_MAX = 93599 };

struct zone {
    const char *name; /* that it was loaded by; NULL: from bytes */
    size_t count;
    int64_t *starts;      /* strictly ascending */
    int32_t *offsets;     /* from that instant on */
    int32_t first_offset; /* before the first */
    bool has_rule;        /* after the last; without it: the last offset for ever */
    struct zone_rule rule;
};

#endif

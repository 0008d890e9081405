/* SPDX-License-Identifier: Apache-2.0 */
/* What each group used: shared by ratelimit.c and day_file.c, under one lock. */
#ifndef RATELIMIT_COUNTS_H
#define RATELIMIT_COUNTS_H

#include "base/hash.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/span.h"

#include <pthread.h>

/* A policy has far fewer groups; those that reloads took away make room. Names have at most 63 bytes
 * (settings_table.def); of longer ones the first 63 are told apart. */
enum { COUNTS_MAX = 1024, COUNTS_NAME_BYTES = 64 };

struct counts {
    char group[COUNTS_NAME_BYTES];
    struct span minute, day;
    int64_t used_ns;
    UT_hash_handle hh;
};

struct ratelimit {
    pthread_mutex_t lock; /* a leaf */
    struct counts *groups;
};

/* Made when there are none; the group that was not heard of for the longest time makes room. */
struct counts *counts_find(struct ratelimit *ratelimit, const char *group, size_t length, int64_t now_ns);

#endif

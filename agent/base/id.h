/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 128-bit ids, ordered by time: 48 bits of wall-clock milliseconds, then 80 random bits (the layout of ULID, whose
 * Crockford base-32 text of 26 characters they also use). They name exchanges; attempt n of an exchange is the id
 * with n in its lowest byte, which id_new leaves zero.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/slice.h"

struct id {
    uint8_t bytes[16]; /* big endian: bytewise order is time order */
};

enum { ID_TEXT_MAX = 27 };

struct id id_new(void);
struct id id_with_attempt(struct id id, unsigned attempt);
struct id id_without_attempt(struct id id); /* that of the exchange */
bool id_is_equal(struct id a, struct id b);
/* 26 characters and NUL. Returns `text`. */
char *id_format(struct id id, char text[ID_TEXT_MAX]);
/* False for anything but 26 Crockford characters (either case) that fit in 128 bits. */
bool id_parse(struct slice text, struct id *ret_id);

#endif

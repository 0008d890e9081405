/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What printf does for the few conversions that the texts of an exchange are made of (%s, %d, %u, %lld, %llu, %zu, %%),
 * at a quarter of its price. Called by arena.c and buffer.c, which leave the rest to printf.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include "base/slice.h"

#include <stdarg.h>

enum { FORMAT_INTEGER_MAX = 20 };

/* The digits, at the end of `digits`. */
struct slice format_integer(int64_t value, char digits[FORMAT_INTEGER_MAX]);
struct slice format_unsigned(uint64_t value, char digits[FORMAT_INTEGER_MAX]);
/* As vsnprintf, but -1 where the text does not fit into `room` or the format has another conversion. */
int format_simple(char *text, size_t room, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

#endif

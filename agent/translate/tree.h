/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What translating requests needs of jansson beside its own functions: parsing bodies as our scanner takes them,
 * building trees that cannot leak half-way (a child belongs to its parent before it is filled), writing them as bytes.
 */
#ifndef TRANSLATE_TREE_H
#define TRANSLATE_TREE_H

#include "base/arena.h"
#include "base/buffer.h"

#include <jansson.h>

/* NULL: no JSON, or a number that jansson cannot hold (*ret_is_overflow; may be NULL). The caller's reference. */
json_t *tree_parse(struct slice text, bool *ret_is_overflow) MUST_USE;

/* The text of a string; it lives as long as the value. */
struct slice tree_text(const json_t *string);
/* A member, NULL for what is no object. */
json_t *tree_get(const json_t *object, const char *name);
bool tree_is(const json_t *value, const char *text); /* the string `text` */

json_t *tree_new_text(struct slice text) MUST_USE;
/* The parent takes the reference of `value`, and returns it borrowed. */
json_t *tree_put(json_t *object, const char *name, json_t *value);
json_t *tree_add(json_t *array, json_t *value);
void tree_put_text(json_t *object, const char *name, struct slice text);
void tree_put_copy(json_t *object, const char *name, json_t *value); /* shares it: adds a reference */

/* Appends compact JSON. Reals are written with the fewest digits that read back as the same number. */
void tree_write(const json_t *value, struct buffer *out);
struct slice tree_write_arena(const json_t *value, struct arena *arena);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Price sets as values: laying one over another, filling in what is missing. Used inside prices/ only. */
#ifndef PRICES_SET_H
#define PRICES_SET_H

#include "config/config.h"

/* `over`'s members where it has them, else `under`'s. */
struct price_set price_set_overlay(const struct price_set *under, const struct price_set *over);
/* The dearer of each member; what only one has is that one's. Without its has_ bit a price is 0. */
struct price_set price_set_dearest(const struct price_set *a, const struct price_set *b);
/* Every token's member has a value and its has_ bit: a missing cache or audio price is the input (output) price. Units
 * stay as they are: what one costs says nothing of another. */
struct price_set price_set_fill(const struct price_set *set, bool hour_is_double);
bool price_set_has_any(const struct price_set *set);

#endif

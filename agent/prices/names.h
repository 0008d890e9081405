/* SPDX-License-Identifier: Apache-2.0 */
/* Under which names a model may be in the price list. Used inside prices/ only. */
#ifndef PRICES_NAMES_H
#define PRICES_NAMES_H

#include "config/config.h"

enum { PRICE_NAMES_MAX = 8, PRICE_NAME_BYTES_MAX = 256 };
struct price_names {
    char rows[PRICE_NAMES_MAX][PRICE_NAME_BYTES_MAX]; /* the best first; each with its variant, then without */
    size_t count;
    const char *plain; /* the model's own name, for its family: an alias resolved, no "models/" */
};

/* `variant` may be NULL. What is too long to be in a list is left out. */
void prices_list_names(const struct provider *provider, const char *model, const char *variant,
                       struct price_names *ret_names);

#endif

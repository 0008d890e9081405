/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of changes to environment variables: computed once, then applied to this process before exec (run) or
 * printed as a shell's statements (env). Keeps no state of its own.
 */
#include "shim/launch/launch.h"

#include <stdlib.h>
#include <string.h>

static struct launch_change *changes_find(const struct launch_changes *changes, const char *name)
{
    for (size_t i = 0; i < changes->count; i++)
        if (strcmp(changes->items[i].name, name) == 0)
            return &changes->items[i];
    return NULL;
}

struct launch_change *changes_set(struct launch_changes *changes, const char *name, const char *value)
{
    struct launch_change *change = changes_find(changes, name);
    if (!change) {
        if (changes->count == changes->capacity) {
            size_t capacity = changes->capacity ? changes->capacity * 2 : 64;
            struct launch_change *items = text_allocate(capacity * sizeof *items);
            if (changes->count > 0)
                memcpy(items, changes->items, changes->count * sizeof *items);
            changes->items = items;
            changes->capacity = capacity;
        }
        change = &changes->items[changes->count++];
        *change = (struct launch_change){.name = name};
    }
    change->value = value;
    return change;
}

void changes_apply(const struct launch_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct launch_change *change = &changes->items[i];
        if (change->value)
            setenv(change->name, change->value, 1);
        else
            unsetenv(change->name);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the optimal string alignment distance, bounded so that hostile words cost nothing. */
#include "config/table.h"

enum { WORD_BYTES_MAX = 64, FAR = 1000 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned suggest_distance(struct slice a, struct slice b)
{
    unsigned rows[3][WORD_BYTES_MAX + 1]; /* two back, previous, current */
    if (a.length > WORD_BYTES_MAX || b.length > WORD_BYTES_MAX)
        return FAR;
    for (unsigned j = 0; j <= b.length; j++)
        rows[1][j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        unsigned *before = rows[(i + 2) % 3], *previous = rows[i % 3], *current = rows[(i + 1) % 3];
        current[0] = (unsigned)i;
        for (size_t j = 1; j <= b.length; j++) {
            unsigned replaced = previous[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            current[j] = least(replaced, least(previous[j], current[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                current[j] = least(current[j], before[j - 2] + 1);
        }
    }
    return rows[(a.length + 1) % 3][b.length];
}

/* One typing error per three letters; a known word that the written one begins is near, too ("ttl" for ttl_seconds). */
bool suggest_is_near(struct slice written, struct slice known)
{
    if (written.length >= 3 && known.length > written.length && memcmp(known.data, written.data, written.length) == 0)
        return true;
    size_t shorter = written.length < known.length ? written.length : known.length;
    return suggest_distance(written, known) <= (shorter + 2) / 3;
}

/* Nearer than the best so far? */
static bool is_better(struct slice written, const char *known, unsigned *best)
{
    if (!known || !suggest_is_near(written, slice_of(known)))
        return false;
    unsigned distance = suggest_distance(written, slice_of(known));
    if (distance >= *best)
        return false;
    *best = distance;
    return true;
}

const struct field *table_suggest(const struct object *object, struct slice name)
{
    const struct field *found = NULL;
    unsigned best = FAR;
    for (size_t i = 0; i < object->field_count; i++)
        if (is_better(name, object->fields[i].name, &best) || is_better(name, object->fields[i].alias, &best))
            found = &object->fields[i];
    return found;
}

const struct choice *table_suggest_choice(const struct choice *choices, struct slice name)
{
    const struct choice *found = NULL;
    unsigned best = FAR;
    for (const struct choice *choice = choices; choice->name; choice++)
        if (is_better(name, choice->name, &best))
            found = choice;
    return found;
}

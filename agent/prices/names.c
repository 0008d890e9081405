/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of models as price lists have them: aliases, and dated names, which cost what the undated one does. Called by
 * find.c.
 *
 * A name is taken for a dated one only when a whole date ends it, and everything before the date is the listed name:
 *   gpt-5.4-mini-2026-03-05                 OpenAI snapshots
 *   claude-sonnet-4-5-20250929, …@20250929  Anthropic, and the same at Vertex AI
 *   gemini-2.5-flash-preview-09-2025        Gemini previews: month and year, or month and day ("-preview-05-06")
 *   claude-sonnet-4-5-latest                the provider's own word for the newest
 * Snapshots that cost something else than the name they belong to (gpt-4o-2024-05-13) have rows of their own, which are
 * found first. Short numbers ("-0613", "-2411") are left alone: they are also versions and sizes.
 */
#include "prices/names.h"

#include <stdio.h>

static bool is_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

static unsigned number_at(const char *text, size_t count)
{
    unsigned number = 0;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (unsigned)(text[i] - '0');
    return number;
}

/* `shape`: Y, M and D are digits of the year, month and day, all else is itself. */
static bool has_shape(const char *text, const char *shape)
{
    for (size_t i = 0; shape[i];) {
        size_t count = shape[i] == 'Y' ? 4 : shape[i] == 'M' || shape[i] == 'D' ? 2 : 0;
        if (count == 0) {
            if (text[i] != shape[i])
                return false;
            i++;
            continue;
        }
        unsigned low = count == 4 ? 2020 : 1, high = count == 4 ? 2049 : shape[i] == 'M' ? 12 : 31;
        if (!is_digits(text + i, count) || number_at(text + i, count) < low || number_at(text + i, count) > high)
            return false;
        i += count;
    }
    return true;
}

/* How long the name is without its date; 0: it has none. */
static size_t undated_length(const char *name)
{
    static const struct {
        const char *shape, *before; /* before: what must stand there, and goes, too */
    } shapes[] = {{"-YYYY-MM-DD", ""},      {"-YYYYMMDD", ""},      {"@YYYYMMDD", ""},
                  {"-MM-YYYY", "-preview"}, {"-MM-DD", "-preview"}, {"-latest", ""}};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t date = strlen(shapes[i].shape), before = strlen(shapes[i].before);
        if (length > date + before && has_shape(name + length - date, shapes[i].shape) &&
            memcmp(name + length - date - before, shapes[i].before, before) == 0)
            return length - date;
    }
    return 0;
}

static void add_name(struct price_names *names, const char *model, size_t length, const char *variant)
{
    if (names->count == PRICE_NAMES_MAX || length + strlen(variant) + 2 > PRICE_NAME_BYTES_MAX)
        return;
    snprintf(names->rows[names->count++], PRICE_NAME_BYTES_MAX, "%.*s%s%s", (int)length, model, *variant ? "/" : "",
             variant);
}

static void add_names(struct price_names *names, const char *model, size_t length, const char *variant)
{
    if (variant && variant[0])
        add_name(names, model, length, variant);
    add_name(names, model, length, "");
}

static const char *resolve_alias(const struct provider *provider, const char *model)
{
    for (size_t i = 0; i < provider->alias_count; i++)
        if (strcmp(provider->aliases[i].alias, model) == 0)
            return provider->aliases[i].model;
    return model;
}

void prices_list_names(const struct provider *provider, const char *model, const char *variant,
                       struct price_names *ret_names)
{
    static const char resource[] = "models/", preview[] = "-preview"; /* Gemini's resource names */
    struct price_names names = {.plain = resolve_alias(provider, model)};
    add_names(&names, names.plain, strlen(names.plain), variant);
    if (strncmp(names.plain, resource, sizeof resource - 1) == 0) {
        names.plain = resolve_alias(provider, names.plain + sizeof resource - 1);
        add_names(&names, names.plain, strlen(names.plain), variant);
    }
    size_t length = undated_length(names.plain), shorter = length - (sizeof preview - 1);
    if (length)
        add_names(&names, names.plain, length, variant);
    if (length >= sizeof preview && memcmp(names.plain + shorter, preview, sizeof preview - 1) == 0)
        add_names(&names, names.plain, shorter, variant);
    *ret_names = names;
}

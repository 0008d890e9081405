/* SPDX-License-Identifier: Apache-2.0 */
/* What checks across settings share: names that must be unique, or known. Called by rules.c and the complete_ files. */
#include "config/loader.h"

/* Lists are bounded by their rows of the table (at most 256): comparing all is cheap. */
void refuse_repeated(struct loader *loader, const struct node *list, const void *elements, size_t size, size_t count,
                     size_t member, const char *key)
{
    const struct node *node = node_first(list, count);
    for (size_t i = 0; node && i < count; i++, node = node->next) {
        const char *const *value = (const char *const *)(const void *)((const char *)elements + i * size + member);
        const struct node *earlier = list->first;
        for (size_t j = 0; *value && j < i; j++, earlier = earlier->next) {
            const char *const *other = (const char *const *)(const void *)((const char *)elements + j * size + member);
            if (!*other || strcmp(*value, *other) != 0)
                continue;
            report(loader, SEVERITY_ERROR, node_value(node, key), NULL, "\"%s\" is used twice: %s, first on line %u",
                   key, *value, node_value(earlier, key)->line);
            break;
        }
    }
}

const char *known_name(const char *name)
{
    return name ? name : "";
}

const char *group_name_at(const struct settings *settings, size_t i)
{
    return i < settings->group_count ? known_name(settings->groups[i].name) : NULL;
}

void refuse_unknown_name(struct loader *loader, const struct node *node, const char *kind, const char *pattern,
                         const char *(*name_at)(const struct settings *settings, size_t i), enum severity severity)
{
    const char *near = NULL, *name;
    unsigned best = 1000;
    struct slice asked = slice_of(pattern);
    bool is_prefix = slice_has_suffix(asked, "*");
    asked.length -= is_prefix;
    for (size_t i = 0; (name = name_at(loader->settings, i)); i++) {
        struct slice known = slice_of(name);
        if (known.length == 0)
            continue;
        if (is_prefix ? known.length >= asked.length && memcmp(known.data, asked.data, asked.length) == 0
                      : slice_is_equal(known, asked))
            return;
        unsigned distance = suggest_distance(asked, known);
        if (suggest_is_near(asked, known) && distance < best) {
            near = name;
            best = distance;
        }
    }
    report(loader, is_prefix ? SEVERITY_WARNING : severity, node, NULL, "there is no %s %s%s%s%s", kind,
           quote(loader, node), near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One parser per type: what budgets and alerts are made of. */
#include "config/values.h"

enum { PERCENT_MAX = 1000, ARGUMENT_BYTES_MAX = 1024, HOURS_MAX = 366 * 24, HOUR_MINUTES = 60 };

bool parse_pattern(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const char *star = node->text.length ? memchr(node->text.data, '*', node->text.length) : NULL;
    if (star && star + 1 < node->text.data + node->text.length) {
        report(loader, SEVERITY_ERROR, node, "e.g. gpt-5.4-*", "\"%s\": '*' is only allowed at the end", field->name);
        return false;
    }
    return parse_text(loader, field, node, ret_value);
}

bool parse_duration(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    uint64_t number = 0, unit_hours = slice_has_suffix(node->text, "d") ? 24 : 1;
    struct slice digits = {node->text.data, node->text.length ? node->text.length - 1 : 0};
    bool ok = (unit_hours == 24 || slice_has_suffix(node->text, "h")) && value_parse_digits(digits, &number);
    if (!ok || number < 1 || number > HOURS_MAX / unit_hours) {
        report(loader, SEVERITY_ERROR, node, "24h, 7d, 30d; from 1h to 366d", "\"%s\" is no length of time: %s",
               field->name, quote(loader, node));
        return false;
    }
    *(uint32_t *)ret_value = (uint32_t)(number * unit_hours * HOUR_MINUTES);
    return true;
}

bool parse_percent(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    uint64_t number = 0;
    if (!node->is_plain || !value_parse_digits(node->text, &number) || number < 1 || number > PERCENT_MAX) {
        report(loader, SEVERITY_ERROR, node, "percent of the limit, from 1 to 1000, e.g. [50, 80, 100]",
               "\"%s\" has an entry that is no percentage: %s", field->name, quote(loader, node));
        return false;
    }
    *(uint32_t *)ret_value = (uint32_t)number;
    return true;
}

/* It is handed over as it is, so spaces may be where they like; control characters would only be a trap. */
bool parse_argument(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!value_has_length(loader, field, node, ARGUMENT_BYTES_MAX))
        return false;
    for (size_t i = 0; i < node->text.length; i++) {
        if ((unsigned char)node->text.data[i] >= ' ' && node->text.data[i] != 0x7f)
            continue;
        report(loader, SEVERITY_ERROR, node, NULL, "\"%s\" has a control character", field->name);
        return false;
    }
    *(const char **)ret_value = value_keep(loader, node->text);
    return true;
}

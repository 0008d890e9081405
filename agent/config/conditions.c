/* SPDX-License-Identifier: Apache-2.0 */
/* One parser per type: what rules and rows of the catalogue are made of. */
#include "config/values.h"

#include "base/zone.h"

#include <ctype.h>
#include <stddef.h>

enum { EXPRESSION_BYTES_MAX = 4096, DAY_MINUTES = 24 * 60 };

_Static_assert(offsetof(struct policy_rule, to_minute) == offsetof(struct policy_rule, from_minute) + sizeof(uint32_t),
               "parse_hours writes both");

static bool is_prefix_byte(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("/._~-", c));
}

/* "" and "/" are no prefix. What a call's own path begins with is appended: no '/' at the end. */
bool parse_prefix(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct slice text = node->text;
    while (slice_has_suffix(text, "/"))
        text.length--;
    bool ok = text.length <= field->max && (text.length == 0 || text.data[0] == '/');
    for (size_t i = 0; i < text.length; i++)
        ok &= is_prefix_byte(text.data[i]);
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "e.g. /v1, or \"\" for none", "\"%s\" must be a path that begins with '/'",
               field->name);
        return false;
    }
    *(const char **)ret_value = value_keep(loader, text);
    return true;
}

/* "06:30"; minutes of the day. */
static bool parse_clock(const char *text, uint32_t *ret_minute)
{
    for (size_t i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
            return false;
    uint32_t hour = (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
    uint32_t minute = (uint32_t)(text[3] - '0') * 10 + (uint32_t)(text[4] - '0');
    *ret_minute = hour * 60 + minute;
    return minute < 60 && *ret_minute <= DAY_MINUTES;
}

bool parse_hours(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    uint32_t minutes[2] = {0};
    const char *text = node->text.data;
    bool ok = node->text.length == 11 && text[5] == '-' && parse_clock(text, &minutes[0]) &&
              parse_clock(text + 6, &minutes[1]) && minutes[0] != DAY_MINUTES && minutes[0] != minutes[1];
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "e.g. 09:00-17:30, or 22:00-06:00 over midnight; 24:00 is its end",
               "\"%s\" must be two different times of the day, HH:MM-HH:MM, not %s", field->name, quote(loader, node));
        return false;
    }
    memcpy(ret_value, minutes, sizeof minutes);
    return true;
}

bool parse_zone(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const char *name;
    if (!parse_text(loader, field, node, &name))
        return false;
    const struct zone *zone = zone_load(loader->arena, name);
    if (!zone) {
        report(loader, SEVERITY_ERROR, node,
               "a name of this machine's time zone database (tzdata), e.g. Europe/Berlin, or UTC",
               "unknown time zone %s", quote(loader, node));
        return false;
    }
    *(const struct zone **)ret_value = zone;
    return true;
}

/* "*.example.com": at least two labels after the star, so that no row takes a whole top level. */
bool parse_host_pattern(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!slice_has_prefix(node->text, "*."))
        return parse_host(loader, field, node, ret_value);
    struct node rest = *node;
    rest.text = slice_from(node->text, 2);
    const char *host;
    if (!parse_host(loader, field, &rest, &host))
        return false;
    *(const char **)ret_value = arena_printf(loader->arena, "*.%s", host);
    return true;
}

/* Compiled when the whole file is read (policies.c): a list that is written twice must not leave patterns behind. */
bool parse_expression(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!value_has_length(loader, field, node, EXPRESSION_BYTES_MAX))
        return false;
    for (size_t i = 0; i < node->text.length; i++) {
        if ((unsigned char)node->text.data[i] >= ' ' && node->text.data[i] != 0x7f)
            continue;
        report(loader, SEVERITY_ERROR, node, "\\t and \\n in single quotes stand for a tab and a new line",
               "\"%s\" has a control character", field->name);
        return false;
    }
    *(const char **)ret_value = value_keep(loader, node->text);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload leaves for the next start: settings whose rows are not FIELD_RELOADABLE are kept as text from the start
 * on, and compared with those of each reload. As text, so that no snapshot (and none of its secrets) lives longer than
 * it is in force.
 */
#include "config/table.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_MAX = 64, ARENA_BYTES = 4096 };

struct config_fixed {
    struct arena *arena;
    size_t count;
    struct fixed_row {
        const char *key, *text;
    } rows[FIXED_MAX];
};

static const char *format_hosts(struct arena *arena, const struct field *field, const char *base)
{
    const char **hosts, *text = "";
    size_t count;
    memcpy(&hosts, base + field->where, sizeof hosts);
    memcpy(&count, base + field->where_count, sizeof count);
    for (size_t i = 0; i < count; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", hosts[i]);
    return arena_printf(arena, "[%s]", text);
}

/* As one would write it. Only of types that rows without FIELD_RELOADABLE have: a new one adds its own here. */
static const char *format(struct arena *arena, const struct field *field, const char *base)
{
    const char *place = base + field->where, *text;
    char address[INET_ADDRSTRLEN];
    uint64_t large;
    uint32_t small;
    bool flag;
    switch (field->type) {
    case TYPE_BOOLEAN:
        memcpy(&flag, place, sizeof flag);
        return flag ? "true" : "false";
    case TYPE_UINT32:
        memcpy(&small, place, sizeof small);
        return arena_printf(arena, "%u", (unsigned)small);
    case TYPE_UINT64:
        memcpy(&large, place, sizeof large);
        return arena_printf(arena, "%llu", (unsigned long long)large);
    case TYPE_NETWORK:
        memcpy(&small, place, sizeof small);
        small = htonl(small);
        check(inet_ntop(AF_INET, &small, address, sizeof address) != NULL);
        return arena_printf(arena, "%s/16", address);
    case TYPE_PATH:
        memcpy(&text, place, sizeof text);
        return text ? arena_strdup(arena, text) : "(none)";
    default:
        check(field->type == TYPE_HOSTS);
        return format_hosts(arena, field, base);
    }
}

/* Rows of lists of mappings are all put in force by a reload (the catalogue's hosts are names.c's to compare). */
static void collect(struct config_fixed *fixed, const struct object *object, const char *prefix, const char *base)
{
    for (size_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        const char *key = arena_printf(fixed->arena, "%s%s%s", prefix, *prefix ? "." : "", field->name);
        if (field->type == TYPE_OBJECT && !(field->flags & FIELD_SHARED)) {
            collect(fixed, field->object, key, base + field->where);
        } else if (!(field->flags & (FIELD_RELOADABLE | FIELD_UNSTORED)) && field->type != TYPE_UNSUPPORTED) {
            check(fixed->count < FIXED_MAX && field->type != TYPE_OBJECTS && !(field->flags & FIELD_SECRET));
            fixed->rows[fixed->count++] = (struct fixed_row){key, format(fixed->arena, field, base)};
        }
    }
}

struct config_fixed *config_fixed_new(const struct settings *settings)
{
    struct config_fixed *fixed = calloc(1, sizeof *fixed);
    check(fixed != NULL);
    fixed->arena = arena_new(ARENA_BYTES);
    collect(fixed, &table_policy, "", (const char *)settings);
    return fixed;
}

void config_fixed_free(struct config_fixed *fixed)
{
    if (!fixed)
        return;
    arena_free(fixed->arena);
    free(fixed);
}

void config_fixed_compare(const struct config_fixed *fixed, const struct settings *settings,
                          config_differs_function *differs, void *context)
{
    struct config_fixed *now = config_fixed_new(settings);
    for (size_t i = 0; i < fixed->count; i++) {
        const struct fixed_row *before = &fixed->rows[i], *after = &now->rows[i];
        check(before->text && after->text); /* of one table: the same rows */
        if (strcmp(before->text, after->text) != 0)
            differs(context, before->key, before->text, after->text);
    }
    config_fixed_free(now);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Turns settings_table.def into arrays of rows, and finds rows in them. */
#include "config/table.h"

#include <stddef.h>
#include <stdio.h>

#define NONE NULL
/* One macro per kind of row, all of them the same initialiser. */
/* clang-format off */
#define ROW(name, alias, type, where, where_count, dev, prod, min, max, unit, choices, object, flags, text) \
    {name, alias, type, flags, where, where_count, {dev, prod}, min, max, unit, choices, object, text},
#define ALIASED(name, alias, type, member, dev, prod, min, max, unit, flags, text) \
    ROW(name, alias, type, offsetof(OWNER, member), 0, dev, prod, min, max, unit, NULL, NULL, flags, text)
#define VALUE(name, type, member, dev, prod, min, max, unit, flags, text) \
    ALIASED(name, NULL, type, member, dev, prod, min, max, unit, flags, text)
#define CHOICE(name, member, list, dev, prod, flags, text) \
    ROW(name, NULL, TYPE_CHOICE, offsetof(OWNER, member), 0, dev, prod, 0, 0, "", choices_##list, NULL, flags, text)
#define PRICE(name, prefix, member, text) \
    ROW(name, NULL, TYPE_PRICE, offsetof(OWNER, prefix member), offsetof(OWNER, prefix has_##member), NULL, NULL, 0, 0, \
        "USD per million", NULL, NULL, FIELD_RELOADABLE, text)
#define AMOUNT(name, alias, member, has, max, text) \
    ROW(name, alias, TYPE_MONEY, offsetof(OWNER, member), offsetof(OWNER, has), NULL, NULL, 0, max, "USD", NULL, NULL, \
        FIELD_RELOADABLE, text)
#define FLAGGED(name, type, member, has, flags, text) \
    ROW(name, NULL, type, offsetof(OWNER, member), offsetof(OWNER, has), NULL, NULL, 0, 0, "", NULL, NULL, flags, text)
#define SWITCH(name, member, list, standard, flags, text) \
    ROW(name, NULL, TYPE_SWITCH, offsetof(OWNER, member), 0, standard, standard, 0, 0, "", choices_##list, NULL, flags, text)
#define SET(name, member, list, most, flags, text) \
    ROW(name, NULL, TYPE_CHOICES, offsetof(OWNER, member), 0, NULL, NULL, 0, most, "", choices_##list, NULL, flags, text)
#define CHOSEN(name, member, list, most, dev, prod, flags, text) \
    ROW(name, NULL, TYPE_CHOICES, offsetof(OWNER, member), 0, dev, prod, 0, most, "", choices_##list, NULL, flags, text)
#define LISTED(name, type, member, count, most, dev, prod, flags, text) \
    ROW(name, NULL, type, offsetof(OWNER, member), offsetof(OWNER, count), dev, prod, 0, most, "", NULL, NULL, flags, text)
#define LIST(name, type, member, count, most, flags, text) \
    LISTED(name, type, member, count, most, NULL, NULL, flags, text)
#define OBJECTS(name, table, member, count, most, flags, text) \
    ROW(name, NULL, TYPE_OBJECTS, offsetof(OWNER, member), offsetof(OWNER, count), NULL, NULL, 0, most, "", NULL, \
        &table_##table, flags, text)
#define INLINE(name, table, flags, text) \
    ROW(name, NULL, TYPE_OBJECT, 0, 0, NULL, NULL, 0, 0, "", NULL, &table_##table, flags, text)
#define EMBEDDED(name, table, member, flags, text) \
    ROW(name, NULL, TYPE_OBJECT, offsetof(OWNER, member), 0, NULL, NULL, 0, 0, "", NULL, &table_##table, flags, text)
#define SHARED(name, table, flags, text) \
    ROW(name, NULL, TYPE_OBJECT, 0, 0, NULL, NULL, 0, 0, "", NULL, &table_##table, (flags) | FIELD_SHARED, text)
#define UNSTORED(name, alias, type, choices, flags, text) \
    ROW(name, alias, type, 0, 0, NULL, NULL, 1, 64, "", choices, NULL, (flags) | FIELD_UNSTORED, text)
#define LATER(name, text) ROW(name, NULL, TYPE_UNSUPPORTED, 0, 0, NULL, NULL, 0, 0, "", NULL, NULL, 0, text)

#define CHOICES(name) static const struct choice choices_##name[] = {
#define CHOICES_END , {NULL, 0, false}};
#define TABLE(name) static const struct field fields_##name[] = {
#define OBJECT_OF(name, label, text) \
    {label, sizeof(OWNER), fields_##name, sizeof fields_##name / sizeof *fields_##name, text}
#define TABLE_END(name, label, text) }; static const struct object table_##name = OBJECT_OF(name, label, text);
#define TABLE_EXPORT(name, label, text) }; const struct object table_##name = OBJECT_OF(name, label, text);
/* clang-format on */

#include "config/settings_table.def"

const struct field *table_find(const struct object *object, struct slice name)
{
    for (size_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        if (slice_is(name, field->name) || (field->alias && slice_is(name, field->alias)))
            return field;
    }
    return NULL;
}

/* The table is as deep as settings_table.def nests: 4 levels. */
bool table_locate(const struct object *object, struct slice name, char *path, size_t bytes_max)
{
    for (size_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        if (!field->object || field->flags & FIELD_SHARED)
            continue;
        int length = snprintf(path, bytes_max, "%s%s", field->name, field->type == TYPE_OBJECTS ? "[]" : "");
        if (length < 0 || (size_t)length + 2 >= bytes_max)
            return false;
        if (table_find(field->object, name))
            return true;
        path[length] = '.';
        if (table_locate(field->object, name, path + length + 1, bytes_max - (size_t)length - 1))
            return true;
    }
    return false;
}

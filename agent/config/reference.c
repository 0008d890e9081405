/* SPDX-License-Identifier: Apache-2.0 */
/* policies/REFERENCE.md from the settings table. The test run compares the committed file with what this prints. */
#include "config/loader.h"

static const char *unit_of(const struct field *field)
{
    return field->unit ? field->unit : "";
}

/* A `|` would end the table's cell. */
static void print_choices(const struct field *field, FILE *stream)
{
    const char *separator = "";
    for (const struct choice *choice = field->choices; choice->name; choice++) {
        if (choice->is_unsupported)
            continue;
        fprintf(stream, "%s`%s`", separator, choice->name);
        separator = ", ";
    }
}

static void print_type(const struct field *field, FILE *stream)
{
    bool is_number = field->type == TYPE_UINT32 || field->type == TYPE_UINT64 || field->type == TYPE_MONEY;
    if (types[field->type].shape == SHAPE_SET)
        fprintf(stream, "%s ", types[field->type].label);
    if (field->choices)
        print_choices(field, stream);
    else if (is_number)
        fprintf(stream, "%s, %llu to %llu %s", types[field->type].label, (unsigned long long)field->min,
                (unsigned long long)field->max, unit_of(field));
    else if (types[field->type].shape == SHAPE_LIST || types[field->type].shape == SHAPE_OBJECTS)
        fprintf(stream, "%s, at most %llu", types[field->type].label, (unsigned long long)field->max);
    else
        fprintf(stream, "%s%s%s", types[field->type].label, *unit_of(field) ? ", " : "", unit_of(field));
}

static void print_default(const struct field *field, FILE *stream)
{
    const char *dev = field->defaults[ENVIRONMENT_DEV], *prod = field->defaults[ENVIRONMENT_PROD];
    if (field->flags & FIELD_REQUIRED)
        fputs("required", stream);
    else if (dev && prod && strcmp(dev, prod) == 0)
        fprintf(stream, "`%s`", dev);
    else if (dev && prod)
        fprintf(stream, "dev `%s`, prod `%s`", dev, prod);
}

static const char *in_force_after(const struct field *field)
{
    if (field->flags & FIELD_EVERY_RUN)
        return "trust";
    return field->flags & FIELD_RELOADABLE ? "reload" : "restart";
}

static void print_row(const struct field *field, FILE *stream)
{
    fprintf(stream, "| `%s`", field->name);
    if (field->alias)
        fprintf(stream, ", also `%s`", field->alias);
    fputs(" | ", stream);
    print_type(field, stream);
    fputs(" | ", stream);
    print_default(field, stream);
    fprintf(stream, " | %s | %s |\n", in_force_after(field), field->text);
}

static void print_later(const struct object *object, FILE *stream)
{
    const char *separator = "\nDesigned, refused until they are in force: ";
    for (size_t i = 0; i < object->field_count; i++) {
        if (object->fields[i].type != TYPE_UNSUPPORTED)
            continue;
        fprintf(stream, "%s`%s`", separator, object->fields[i].name);
        separator = ", ";
    }
    if (*separator == ',')
        fputs(".\n", stream);
}

enum { PATH_BYTES_MAX = 128 };

/* As deep as settings_table.def nests its tables: 4 levels. */
static void print_object(const struct object *object, const char *path, FILE *stream)
{
    fprintf(stream, "\n## %s\n%s\n\n", *path ? path : "(top level)", object->text);
    fputs("| key | value | default | in force after | meaning |\n|---|---|---|---|---|\n", stream);
    for (size_t i = 0; i < object->field_count; i++)
        if (object->fields[i].type != TYPE_UNSUPPORTED)
            print_row(&object->fields[i], stream);
    print_later(object, stream);
    for (size_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        char below[PATH_BYTES_MAX];
        if (!field->object || field->flags & FIELD_SHARED)
            continue;
        snprintf(below, sizeof below, "%s%s%s%s", path, *path ? "." : "", field->name,
                 field->type == TYPE_OBJECTS ? "[]" : "");
        print_object(field->object, below, stream);
    }
}

void config_print_reference(FILE *stream)
{
    fputs(
        "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
        "<!-- Printed by `tollgated --tool reference` from agent/config/settings_table.def. Do not edit. -->\n"
        "# Settings\n\n"
        "`tollgate check FILE` finds all errors of a policy file at once. A file is at most 1 MiB and 32 levels deep; "
        "anchors, aliases, tags, merge keys and further documents are not accepted; no key may be written twice; "
        "unknown keys are errors. *in force after*: `reload` means that `tollgate reload` is enough, `restart` "
        "that it waits for the next start, which `tollgate reload` and `tollgate status` say, `trust` that the next "
        "`tollgate run` follows it once `tollgate trust` was given again.\n\n"
        "# The policy file\n",
        stream);
    print_object(&table_policy, "", stream);
    fputs("\n# The provider catalogue\n"
          "policies/providers.yaml, or the file given to `tollgated --providers`.\n",
          stream);
    print_object(&table_provider, "providers[]", stream);
    fputs("\n# The price list\n"
          "policies/prices.yaml: `as_of: YYYY-MM-DD`, and under `families` for each family (a provider's "
          "`price_family`) its models:\n",
          stream);
    print_object(&table_price, "families.FAMILY.MODEL", stream);
    print_object(&table_price_default, "families.FAMILY.BEGINNING*", stream);
    fputs("\n# The project file\n`.tollgate.yaml`, in a project's directory; at most 16 KiB.\n", stream);
    print_object(&table_project_file, "", stream);
}

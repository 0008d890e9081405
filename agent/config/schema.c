/* SPDX-License-Identifier: Apache-2.0 */
/* policies/policy.schema.json from the settings table: for editors that complete and check YAML as one types. */
#include "config/loader.h"

/* Texts of the table are ASCII; only quotes and backslashes need care. */
static void print_string(const char *text, FILE *stream)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

static void print_object(const struct object *object, unsigned indent, FILE *stream);

static void print_choices(const struct choice *choices, FILE *stream)
{
    const char *separator = "";
    fputs("\"enum\": [", stream);
    for (const struct choice *choice = choices; choice->name; choice++) {
        if (choice->is_unsupported)
            continue;
        fputs(separator, stream);
        print_string(choice->name, stream);
        separator = ", ";
    }
    fputc(']', stream);
}

static void print_scalar(const struct field *field, FILE *stream)
{
    fputs(types[field->type].schema, stream);
    if (field->type == TYPE_UINT32 || field->type == TYPE_UINT64)
        fprintf(stream, ", \"minimum\": %llu, \"maximum\": %llu", (unsigned long long)field->min,
                (unsigned long long)field->max);
}

static void print_value(const struct field *field, unsigned indent, FILE *stream)
{
    enum shape shape = types[field->type].shape;
    bool is_list = shape == SHAPE_LIST || shape == SHAPE_SET || shape == SHAPE_OBJECTS;
    if (is_list)
        fprintf(stream, "\"type\": \"array\", \"maxItems\": %llu, \"items\": {", (unsigned long long)field->max);
    if (field->object)
        print_object(field->object, indent + 1, stream);
    else if (field->choices)
        print_choices(field->choices, stream);
    else
        print_scalar(field, stream);
    if (is_list)
        fputc('}', stream);
}

static void print_member(const struct field *field, const char *name, unsigned indent, FILE *stream)
{
    fprintf(stream, "%*s", (int)indent * 2, "");
    print_string(name, stream);
    fputs(": {\"description\": ", stream);
    print_string(field->text, stream);
    fputs(", ", stream);
    print_value(field, indent, stream);
    fputc('}', stream);
}

static void print_required(const struct object *object, FILE *stream)
{
    const char *separator = ", \"required\": [";
    for (size_t i = 0; i < object->field_count; i++) {
        if (!(object->fields[i].flags & FIELD_REQUIRED))
            continue;
        fputs(separator, stream);
        print_string(object->fields[i].name, stream);
        separator = ", ";
    }
    if (separator[2] == '\0')
        fputc(']', stream);
}

/* The members of a schema object, without its braces; as deep as the tables nest. */
static void print_object(const struct object *object, unsigned indent, FILE *stream)
{
    const char *separator = "";
    fputs("\"type\": \"object\", \"additionalProperties\": false", stream);
    print_required(object, stream);
    fputs(", \"properties\": {\n", stream);
    for (size_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        if (field->type == TYPE_UNSUPPORTED)
            continue;
        fputs(separator, stream);
        print_member(field, field->name, indent + 1, stream);
        separator = ",\n";
        if (!field->alias)
            continue;
        fputs(separator, stream);
        print_member(field, field->alias, indent + 1, stream);
    }
    fprintf(stream, "\n%*s}", (int)indent * 2, "");
}

void config_print_schema(FILE *stream)
{
    fputs(
        "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"title\": \"Tollgate policy\",\n"
        " \"$comment\": \"Printed by tollgated --tool schema from agent/config/settings_table.def. Do not edit.\",\n ",
        stream);
    print_object(&table_policy, 0, stream);
    fputs("}\n", stream);
}

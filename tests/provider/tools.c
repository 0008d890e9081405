/* SPDX-License-Identifier: Apache-2.0 */
/* Tool calls of the stand-in; see tools.h. Arguments are made from the schema's required properties, one fixed value
 * per JSON type, so that the same request always gets the same call.
 */
#include "tests/provider/tools.h"

#include "tests/provider/buffer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

size_t tools_count_bytes(const json_t *tools)
{
    return json_is_array(tools) ? json_dumpb(tools, NULL, 0, JSON_COMPACT) : 0;
}

static bool part_is_result(const json_t *part)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    return (type && strcmp(type, "tool_result") == 0) || json_object_get(part, "functionResponse");
}

static bool parts_have_result(const json_t *parts)
{
    for (size_t i = 0; i < json_array_size(parts); i++)
        if (part_is_result(json_array_get(parts, i)))
            return true;
    return false;
}

bool tools_is_result(const json_t *messages)
{
    size_t count = json_array_size(messages);
    const json_t *last = count ? json_array_get(messages, count - 1) : NULL;
    const char *role = json_string_value(json_object_get(last, "role"));
    const char *type = json_string_value(json_object_get(last, "type"));
    if ((role && strcmp(role, "tool") == 0) || (type && strcmp(type, "function_call_output") == 0))
        return true;
    return parts_have_result(json_object_get(last, "content")) || parts_have_result(json_object_get(last, "parts"));
}

/* The tools themselves, however deep this dialect puts them: [i] of the list, or of Gemini's declarations. */
static const json_t *tool_get(const json_t *tools, size_t i)
{
    const json_t *tool = json_array_get(tools, 0);
    const json_t *declarations = json_object_get(tool, "functionDeclarations");
    if (!declarations)
        declarations = json_object_get(tool, "function_declarations");
    if (declarations)
        return json_array_get(declarations, i);
    tool = json_array_get(tools, i);
    const json_t *inner = json_object_get(tool, "function");
    return inner ? inner : tool;
}

static const json_t *tool_find(const json_t *tools, const char *wanted)
{
    const json_t *tool;
    for (size_t i = 0; (tool = tool_get(tools, i)); i++) {
        const char *name = json_string_value(json_object_get(tool, "name"));
        if (name && (!wanted || strcmp(name, wanted) == 0))
            return tool;
    }
    return NULL;
}

bool tools_is_forced(const json_t *request, const char **ret_name)
{
    static const char *const forcing[] = {"required", "any", "tool", "function", "ANY"};
    const json_t *choice = json_object_get(request, "tool_choice");
    const json_t *config = json_object_get(json_object_get(request, "toolConfig"), "functionCallingConfig");
    const char *mode = json_string_value(json_is_object(choice) ? json_object_get(choice, "type") : choice);
    const json_t *function = json_object_get(choice, "function");
    const char *name = json_string_value(json_object_get(function ? function : choice, "name"));
    if (config) {
        mode = json_string_value(json_object_get(config, "mode"));
        name = json_string_value(json_array_get(json_object_get(config, "allowedFunctionNames"), 0));
    }
    for (size_t i = 0; mode && i < sizeof forcing / sizeof forcing[0]; i++) {
        if (strcmp(forcing[i], mode) == 0) {
            *ret_name = name;
            return true;
        }
    }
    return false;
}

#define SCHEMA_DEPTH_MAX 8
#define SCHEMA_ITEMS_MAX 16
#define SCHEMA_STEPS_MAX 8

/* "#/$defs/Place": the value there; NULL when there is none. */
static const json_t *reference_find(const json_t *root, const char *reference)
{
    if (strncmp(reference, "#/", 2) != 0)
        return NULL;
    const json_t *value = root;
    for (const char *at = reference + 2; value && *at;) {
        size_t length = strcspn(at, "/");
        value = json_object_getn(value, at, length);
        at += length + (at[length] == '/');
    }
    return value;
}

/* What a schema says by reference or as the first of several: libraries that write schemas from types do both. */
static const json_t *schema_resolve(const json_t *root, const json_t *schema)
{
    static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
    for (int step = 0; step < SCHEMA_STEPS_MAX; step++) {
        const char *reference = json_string_value(json_object_get(schema, "$ref"));
        const json_t *next = reference ? reference_find(root, reference) : NULL;
        for (size_t i = 0; i < sizeof choices / sizeof choices[0] && !next; i++)
            next = json_array_get(json_object_get(schema, choices[i]), 0);
        if (!next)
            break;
        schema = next;
    }
    return schema;
}

static json_t *value_new(const json_t *root, const json_t *schema, int depth);

static json_t *object_new(const json_t *root, const json_t *schema, int depth)
{
    json_t *object = json_object();
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name)
            json_object_set_new(object, name, value_new(root, json_object_get(properties, name), depth + 1));
    }
    return object;
}

static json_t *array_new(const json_t *root, const json_t *schema, int depth)
{
    json_t *array = json_array();
    json_int_t count = json_integer_value(json_object_get(schema, "minItems"));
    for (json_int_t i = 0; i < count && i < SCHEMA_ITEMS_MAX; i++)
        json_array_append_new(array, value_new(root, json_object_get(schema, "items"), depth + 1));
    return array;
}

/* Calls itself, as deep as SCHEMA_DEPTH_MAX. */
static json_t *value_new(const json_t *root, const json_t *schema, int depth)
{
    static const struct {
        const char *type;
        const char *value;
    } values[] = {{"string", "\"example\""}, {"integer", "1"}, {"number", "1.5"},
                  {"boolean", "true"},       {"null", "null"}, {NULL, "\"value\""}};
    schema = schema_resolve(root, schema);
    const json_t *choices = json_object_get(schema, "enum");
    if (json_array_size(choices))
        return json_incref(json_array_get(choices, 0));
    const json_t *types = json_object_get(schema, "type");
    const char *type = json_string_value(json_is_array(types) ? json_array_get(types, 0) : types);
    if (depth < SCHEMA_DEPTH_MAX && type && strcasecmp(type, "object") == 0)
        return object_new(root, schema, depth);
    if (depth < SCHEMA_DEPTH_MAX && type && strcasecmp(type, "array") == 0)
        return array_new(root, schema, depth);
    size_t i = 0;
    while (values[i].type && (!type || strcasecmp(values[i].type, type) != 0))
        i++;
    return json_loads(values[i].value, JSON_DECODE_ANY, NULL);
}

void schema_write_example(const json_t *schema, char *ret_text, size_t text_bytes)
{
    const json_t *resolved = schema_resolve(schema, schema);
    json_t *value = json_object_get(resolved, "type") ? value_new(schema, schema, 0) : object_new(schema, resolved, 0);
    size_t length = json_dumpb(value, ret_text, text_bytes - 1, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    if (length == 0 || length >= text_bytes - 1)
        length = (size_t)snprintf(ret_text, text_bytes, "{}");
    ret_text[length] = '\0';
    json_decref(value);
}

bool tools_read(const json_t *tools, const char *wanted, char *ret_name, size_t name_bytes, char *ret_arguments,
                size_t arguments_bytes)
{
    static const char *const schemas[] = {"parameters", "input_schema", "parametersJsonSchema",
                                          "parameters_json_schema"};
    const json_t *tool = tool_find(tools, wanted), *schema = NULL;
    const json_t *name = json_object_get(tool, "name");
    if (!json_is_string(name))
        return false;
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0] && !schema; i++)
        schema = json_object_get(tool, schemas[i]);
    schema_write_example(schema, ret_arguments, arguments_bytes);
    text_copy_plain(ret_name, name_bytes, json_string_value(name), json_string_length(name));
    return true;
}

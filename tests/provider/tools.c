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

/* The object that has the tool's name and schema, however deep this dialect puts it. */
static const json_t *tool_find(const json_t *tools)
{
    const json_t *tool = json_array_get(tools, 0);
    const json_t *inner = json_object_get(tool, "function");
    if (!inner)
        inner = json_array_get(json_object_get(tool, "functionDeclarations"), 0);
    if (!inner)
        inner = json_array_get(json_object_get(tool, "function_declarations"), 0);
    return inner ? inner : tool;
}

static json_t *value_new(const json_t *property)
{
    static const struct {
        const char *type;
        const char *value;
    } values[] = {{"string", "\"example\""}, {"integer", "1"}, {"number", "1.5"}, {"boolean", "true"},
                  {"array", "[]"},           {"object", "{}"}, {"null", "null"},  {NULL, "\"value\""}};
    const json_t *choices = json_object_get(property, "enum");
    if (json_array_size(choices))
        return json_incref(json_array_get(choices, 0));
    const char *type = json_string_value(json_object_get(property, "type"));
    size_t i = 0;
    while (values[i].type && (!type || strcasecmp(values[i].type, type) != 0))
        i++;
    return json_loads(values[i].value, JSON_DECODE_ANY, NULL);
}

static json_t *arguments_new(const json_t *schema)
{
    json_t *arguments = json_object();
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name)
            json_object_set_new(arguments, name, value_new(json_object_get(properties, name)));
    }
    return arguments;
}

bool tools_read_first(const json_t *tools, char *ret_name, size_t name_bytes, char *ret_arguments,
                      size_t arguments_bytes)
{
    const json_t *tool = tool_find(tools);
    const json_t *name = json_object_get(tool, "name");
    if (!json_is_string(name))
        return false;
    const char *const schemas[] = {"parameters", "input_schema", "parametersJsonSchema"};
    const json_t *schema = NULL;
    for (size_t i = 0; i < 3 && !schema; i++)
        schema = json_object_get(tool, schemas[i]);
    json_t *arguments = arguments_new(schema);
    size_t length = json_dumpb(arguments, ret_arguments, arguments_bytes - 1, JSON_COMPACT);
    if (length >= arguments_bytes - 1)
        length = (size_t)snprintf(ret_arguments, arguments_bytes, "{}");
    ret_arguments[length] = '\0';
    json_decref(arguments);
    text_copy_plain(ret_name, name_bytes, json_string_value(name), json_string_length(name));
    return true;
}

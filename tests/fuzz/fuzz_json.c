/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/json: the verdict is jansson's (but for the two differences that json.h names); what a query finds is what
 * jansson has; the walks go over the same texts; a string that is written can be read again.
 */
#include "fuzz.h"

#include <jansson.h>

#include "base/json.h"

enum { DEPTH = 128, FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL };

static unsigned depth_of(const json_t *value)
{
    unsigned deepest = 0, below;
    const char *name;
    json_t *member;
    size_t i;
    if (json_is_array(value))
        json_array_foreach(value, i, member) deepest = (below = depth_of(member)) > deepest ? below : deepest;
    else if (json_is_object(value))
        json_object_foreach((json_t *)(uintptr_t)value, name, member) deepest =
            (below = depth_of(member)) > deepest ? below : deepest;
    else
        return 0;
    return deepest + 1;
}

static void require_found(const struct json_value *found, const json_t *wanted, const char *path)
{
    static const struct {
        enum json_kind kind;
        json_type type;
    } rows[] = {{JSON_KIND_NULL, JSON_NULL},     {JSON_KIND_FALSE, JSON_FALSE}, {JSON_KIND_TRUE, JSON_TRUE},
                {JSON_KIND_STRING, JSON_STRING}, {JSON_KIND_ARRAY, JSON_ARRAY}, {JSON_KIND_OBJECT, JSON_OBJECT},
                {JSON_KIND_NUMBER, JSON_REAL}};
    FUZZ_REQUIRE((found->kind == JSON_KIND_ABSENT) == (wanted == NULL), "%s", path);
    for (size_t i = 0; wanted && i < sizeof rows / sizeof *rows; i++)
        FUZZ_REQUIRE((found->kind == rows[i].kind) == (json_typeof(wanted) == rows[i].type), "%s: kind %d", path,
                     found->kind);
    if (!wanted || found->kind != JSON_KIND_STRING)
        return;
    char text[256];
    bool fits =
        json_string_length(wanted) < sizeof text && strlen(json_string_value(wanted)) == json_string_length(wanted);
    FUZZ_REQUIRE(json_get_string(found, text, sizeof text) == fits, "%s", path);
    FUZZ_REQUIRE(!fits || strcmp(text, json_string_value(wanted)) == 0, "%s", path);
}

static bool count_string(void *context, const struct json_value *value, struct slice name)
{
    (void)name;
    FUZZ_REQUIRE(value->raw.length >= 2 && value->raw.data[0] == '"', "no string");
    ++*(size_t *)context;
    return true;
}

static size_t strings_of(json_t *value)
{
    size_t count = json_is_string(value), i;
    const char *name;
    json_t *member;
    if (json_is_array(value))
        json_array_foreach(value, i, member) count += strings_of(member);
    if (json_is_object(value))
        json_object_foreach(value, name, member) count += strings_of(member);
    return count;
}

static void ignore_member(void *context, const struct json_member *member)
{
    struct slice *input = context;
    FUZZ_REQUIRE(fuzz_is_within(member->name, *input) && fuzz_is_within(member->text, *input), "outside");
}

static void require_written(struct slice text)
{
    struct buffer out;
    buffer_init(&out, text.length * 6 + 2);
    json_write_string(&out, text);
    struct slice written = buffer_contents(&out);
    FUZZ_REQUIRE(json_scan(written, 1, NULL, 0, NULL) == ERROR_OK, "a written string is no JSON");
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    struct json_value model, deep, usage;
    const struct json_query queries[] = {
        {"model", &model}, {"a.b", &deep}, {"usage.prompt_tokens_details.cached_tokens", &usage}};
    struct json_problem problem;
    enum error error = json_scan(input, DEPTH, queries, 3, &problem);
    bool has_nul = memchr(data, '\0', size) != NULL;
    json_t *tree = json_loadb((const char *)data, size, FLAGS, NULL);
    bool is_deep = tree && depth_of(tree) > DEPTH;
    if (!has_nul)
        FUZZ_REQUIRE((error == ERROR_OK) == (tree && !is_deep), "%s at %zu", problem.message, problem.offset);
    else
        FUZZ_REQUIRE(error != ERROR_OK, "a NUL byte was accepted");
    FUZZ_REQUIRE(error == ERROR_OK || problem.offset <= size, "offset %zu", problem.offset);
    if (error == ERROR_OK) {
        size_t strings = 0;
        require_found(&model, json_object_get(tree, "model"), "model");
        require_found(&deep, json_object_get(json_object_get(tree, "a"), "b"), "a.b");
        json_walk_strings(input, count_string, &strings);
        FUZZ_REQUIRE(strings == strings_of(tree), "%zu strings of %zu", strings, strings_of(tree));
    }
    size_t rest = 0;
    bool is_walked = json_walk_members(input, ignore_member, &input, &rest);
    FUZZ_REQUIRE(is_walked || error != ERROR_OK, "the walk refuses what the scanner takes, at %zu", rest);
    require_written(input);
    json_decref(tree);
    return 0;
}

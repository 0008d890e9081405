/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/cache, POST /v1/cache/clear: how the cache does, and forgetting what is in it; all of it, or
 * what a group asked, or of a model. */
#include "control/internal.h"

#include "base/json.h"

/* ---- groups: most that nobody knows are a slip of the finger ---- */

static bool is_group(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (strcmp(settings->groups[i].name, name) == 0)
            return true;
    return false;
}

static int fail_group(struct call *call, const struct settings *settings, const char *name)
{
    enum { NAMED_MAX = 12 };
    size_t count = settings->group_count;
    const char *known = count ? "" : "none";
    for (size_t i = 0; i < count && i < NAMED_MAX; i++)
        known = arena_printf(call->arena, "%s%s%s", known, i ? ", " : "", settings->groups[i].name);
    if (count > NAMED_MAX)
        known = arena_printf(call->arena, "%s and %zu more", known, count - NAMED_MAX);
    control_fail_with(call, ERROR_GROUP_UNKNOWN, arena_printf(call->arena, "no consumer group is named %s", name),
                      arena_printf(call->arena, "there is: %s", known));
    return 422;
}

/* ---- how it does ---- */

struct row {
    const char *name;
    uint64_t value;
};

static void write_rows(struct buffer *out, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_write_member_integer(out, rows[i].name, (int64_t)rows[i].value);
}

static void write_all(struct buffer *out, const struct cache_statistics *statistics)
{
    const struct row rows[] = {
        {"hits", statistics->hits},       {"follows", statistics->follows},
        {"misses", statistics->misses},   {"stored", statistics->stored},
        {"evicted", statistics->evicted}, {"expired", statistics->expired},
        {"cleared", statistics->cleared}, {"corrupt", statistics->corrupt},
        {"unkept", statistics->unkept},   {"entries", statistics->entries},
        {"bytes", statistics->bytes},     {"bytes_in_memory", statistics->bytes_in_memory},
    };
    write_rows(out, rows, sizeof rows / sizeof *rows);
}

/* What happened is counted for all together; what is there is known of each. False: nobody knows the group. */
static bool write_part(struct call *call, const struct settings *settings, const char *group, const char *model)
{
    struct cache_part part;
    cache_count(call->services->cache, group, model, &part);
    if (group && !part.entries && !is_group(settings, group))
        return false;
    const struct row rows[] = {
        {"entries", part.entries}, {"bytes", part.bytes}, {"bytes_in_memory", part.bytes_in_memory}};
    json_write_member_string(&call->body, "group", group);
    json_write_member_string(&call->body, "model", model);
    write_rows(&call->body, rows, sizeof rows / sizeof *rows);
    return true;
}

int control_get_cache(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    const char *group = control_find_parameter(call, "group"), *model = control_find_parameter(call, "model");
    const struct row limits[] = {
        {"ttl_seconds", settings->cache.ttl_seconds},
        {"max_entries", settings->cache.max_entries},
        {"max_bytes", settings->cache.bytes_max},
    };
    struct cache_statistics statistics;
    int status = 200;
    cache_read_statistics(call->services->cache, &statistics);
    json_write_raw(&call->body, "{");
    json_write_member_boolean(&call->body, "enabled", settings->cache.enabled);
    json_write_member_boolean(&call->body, "on_disk", statistics.is_on_disk);
    if (!group && !model)
        write_all(&call->body, &statistics);
    else if (!write_part(call, settings, group, model))
        status = fail_group(call, settings, group);
    if (status == 200) {
        write_rows(&call->body, limits, sizeof limits / sizeof *limits);
        json_write_raw(&call->body, "}");
    }
    config_release(settings);
    return status;
}

/* ---- forgetting ---- */

static bool read_name(const struct json_value *value, char *text, size_t bytes_max)
{
    text[0] = '\0';
    return value->kind == JSON_KIND_ABSENT || value->kind == JSON_KIND_NULL || json_get_string(value, text, bytes_max);
}

/* A group that the policy has no more may have left something here. */
int control_clear_cache(struct call *call)
{
    char group[128], model[128];
    struct json_value group_value, model_value;
    const struct json_query queries[] = {{"group", &group_value}, {"model", &model_value}};
    if (json_scan(call->request->body, 8, queries, 2, NULL) || !read_name(&group_value, group, sizeof group) ||
        !read_name(&model_value, model, sizeof model))
        return control_fail(call, ERROR_REQUEST_INVALID, "the order is an object with group and model, both optional");
    uint64_t cleared = cache_clear(call->services->cache, group[0] ? group : NULL, model[0] ? model : NULL);
    struct settings *settings = call->services->retain_settings(call->services->context);
    int status = 200;
    if (!cleared && group[0] && !is_group(settings, group)) {
        status = fail_group(call, settings, group);
    } else {
        json_write_raw(&call->body, "{");
        json_write_member_integer(&call->body, "cleared", (int64_t)cleared);
        json_write_raw(&call->body, "}");
    }
    config_release(settings);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/cache, POST /v1/cache/clear: how the cache does, and forgetting what is in it. */
#include "control/internal.h"

#include "base/json.h"

int control_get_cache(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    struct cache_statistics statistics;
    cache_read_statistics(call->services->cache, &statistics);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"hits", statistics.hits},
        {"follows", statistics.follows},
        {"misses", statistics.misses},
        {"stored", statistics.stored},
        {"evicted", statistics.evicted},
        {"expired", statistics.expired},
        {"cleared", statistics.cleared},
        {"corrupt", statistics.corrupt},
        {"unkept", statistics.unkept},
        {"entries", statistics.entries},
        {"bytes", statistics.bytes},
        {"bytes_in_memory", statistics.bytes_in_memory},
        {"ttl_seconds", settings->cache.ttl_seconds},
        {"max_entries", settings->cache.max_entries},
        {"max_bytes", settings->cache.bytes_max},
    };
    json_write_raw(&call->body, "{");
    json_write_member_boolean(&call->body, "enabled", settings->cache.enabled);
    json_write_member_boolean(&call->body, "on_disk", statistics.is_on_disk);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_write_member_integer(&call->body, rows[i].name, (int64_t)rows[i].value);
    json_write_raw(&call->body, "}");
    config_release(settings);
    return 200;
}

static bool read_name(const struct json_value *value, char *text, size_t bytes_max)
{
    text[0] = '\0';
    return value->kind == JSON_KIND_ABSENT || value->kind == JSON_KIND_NULL || json_get_string(value, text, bytes_max);
}

int control_clear_cache(struct call *call)
{
    char group[128], model[128];
    struct json_value group_value, model_value;
    const struct json_query queries[] = {{"group", &group_value}, {"model", &model_value}};
    if (json_scan(call->request->body, 8, queries, 2, NULL) || !read_name(&group_value, group, sizeof group) ||
        !read_name(&model_value, model, sizeof model))
        return control_fail(call, ERROR_REQUEST_INVALID, "the order is an object with group and model, both optional");
    uint64_t cleared = cache_clear(call->services->cache, group[0] ? group : NULL, model[0] ? model : NULL);
    json_write_raw(&call->body, "{");
    json_write_member_integer(&call->body, "cleared", (int64_t)cleared);
    json_write_raw(&call->body, "}");
    return 200;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/hello, /v1/launch: who this agent is, and what a program needs to be governed by it. For whoever may use the
 * agent: nothing here is about money or about others.
 */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <unistd.h>

static void write_strings(struct buffer *out, const char *const *texts, size_t count, bool *is_first)
{
    for (size_t i = 0; i < count; i++) {
        if (!*is_first)
            json_write_raw(out, ",");
        *is_first = false;
        json_write_string(out, slice_of(texts[i]));
    }
}

static void write_losses(struct call *call)
{
    const char *losses[CONTROL_LOSSES_MAX];
    bool is_first = true;
    json_write_member(&call->body, "lost");
    json_write_raw(&call->body, "[");
    write_strings(&call->body, losses, call->services->list_losses(call->services->context, losses), &is_first);
    json_write_raw(&call->body, "]");
}

int control_get_hello(struct call *call)
{
    char time_text[CLOCK_TEXT_MAX];
    const struct control_services *services = call->services;
    struct settings *settings = services->retain_settings(services->context);
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "environment", config_environment_name(settings->environment));
    json_write_member_string(&call->body, "version", TOLLGATE_VERSION);
    json_write_member_integer(&call->body, "pid", getpid());
    json_write_member_integer(&call->body, "port", services->port);
    json_write_member_integer(&call->body, "base_url_port", services->base_url_port); /* 0: off */
    json_write_member_string(&call->body, "policy", settings->file);
    json_write_member_string(&call->body, "policy_digest", settings->digest);
    json_write_member_string(&call->body, "started", clock_format(services->started_wall_ns, time_text));
    json_write_member_string(&call->body, "state", services->state);
    json_write_member_integer(&call->body, "ready_ms", services->ready_ms);
    json_write_member_integer(&call->body, "recovered", services->recovered);
    json_write_member(&call->body, "hardening");
    services->write_hardening(services->context, &call->body);
    write_losses(call);
    json_write_member_string(&call->body, "log_level", log_level_name(log_get_level()));
    json_write_member_string(&call->body, "manager", services->manager);
    json_write_member_string(&call->body, "backups", control_backup_directory(call, settings));
    json_write_member(&call->body, "pending");
    services->write_pending(services->context, &call->body);
    json_write_member_integer(&call->body, "drain_timeout_ms", settings->limits.drain_timeout_ms);
    if (services->write_draining(services->context, NULL)) {
        json_write_member(&call->body, "draining");
        services->write_draining(services->context, &call->body);
    }
    json_write_raw(&call->body, "}");
    config_release(settings);
    return 200;
}

static const struct consumer_group *find_group(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->group_count; i++)
        if (name ? !strcmp(settings->groups[i].name, name) : settings->groups[i].is_default)
            return &settings->groups[i];
    return NULL;
}

/* "OPENAI_BASE_URL=http://127.0.0.1:PORT/openai/v1" …, nothing when there is no such port. */
static void write_base_urls(struct buffer *out, const struct settings *settings, unsigned port)
{
    char pair[512];
    bool is_first = true;
    json_write_member(out, "base_urls");
    json_write_raw(out, "[");
    for (size_t i = 0; port && i < settings->provider_count; i++) {
        const struct provider *provider = &settings->providers[i];
        for (size_t j = 0; provider->host_count && j < provider->base_url_environment_count; j++) {
            const struct base_url_variable *variable = &provider->base_url_environment[j];
            snprintf(pair, sizeof pair, "%s=http://127.0.0.1:%u/%s%s", variable->name, port, provider->id,
                     variable->suffix ? variable->suffix : "");
            write_strings(out, (const char *const[]){pair}, 1, &is_first);
        }
    }
    json_write_raw(out, "]");
}

static void write_launch(struct call *call, const struct settings *settings, const struct consumer_group *group)
{
    struct buffer *out = &call->body;
    json_write_raw(out, "{");
    json_write_member_string(out, "environment", config_environment_name(settings->environment));
    json_write_member_string(out, "group", group->name);
    json_write_member_string(out, "placeholder", group->api_key);
    json_write_member_boolean(out, "refuses_ungoverned",
                              settings->environment == ENVIRONMENT_PROD || settings->capture.strict);
    json_write_member(out, "key_environment");
    json_write_raw(out, "[");
    bool is_first = true;
    for (size_t i = 0; i < settings->provider_count; i++)
        write_strings(out, settings->providers[i].key_environment, settings->providers[i].key_environment_count,
                      &is_first);
    json_write_raw(out, "]");
    json_write_member_boolean(out, "is_admitted", call->services->admits(call->services->context, call->uid));
    write_base_urls(out, settings, call->services->base_url_port);
    json_write_member(out, "governed");
    json_write_raw(out, "[");
    is_first = true;
    for (size_t i = 0; i < settings->provider_count; i++)
        write_strings(out, settings->providers[i].hosts, settings->providers[i].host_count, &is_first);
    write_strings(out, settings->capture.hosts, settings->capture.host_count, &is_first);
    json_write_raw(out, "]}");
}

int control_get_launch(struct call *call)
{
    call->services->keep_published(call->services->context);
    struct settings *settings = call->services->retain_settings(call->services->context);
    const char *name = control_find_parameter(call, "group");
    const struct consumer_group *group = find_group(settings, name);
    int status = 200;
    if (group)
        write_launch(call, settings, group);
    else
        status = control_fail(call, ERROR_GROUP_UNKNOWN,
                              name ? arena_printf(call->arena, "no consumer group is named %s", name)
                                   : "the policy has no consumer group");
    config_release(settings);
    return status;
}

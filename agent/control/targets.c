/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/targets and /v1/jobs: where requests can go and how each place does, and what providers still work on. */
#include "control/internal.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdlib.h>

static void write_target(struct call *call, const struct settings *settings, const struct target *target)
{
    struct buffer *out = &call->body;
    struct routing_state state = {0};
    bool is_known = routing_find_state(call->services->routing, target, settings, &state);
    json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
    json_write_member_string(out, "id", target->id);
    json_write_member_string(out, "provider", target->provider->id);
    json_write_member_string(out, "model", target->model);
    json_write_member_boolean(out, "has_secret", target->secret != NULL);
    json_write_member_string(out, "breaker", routing_breaker_name(is_known ? state.breaker : BREAKER_CLOSED));
    json_write_member_integer(out, "rests_for_s", state.rests_for_s);
    json_write_member_integer(out, "failures", state.failures);
    json_write_member_boolean(out, "has_key", target->secret != NULL);
    json_write_member_boolean(out, "model_missing", state.is_model_missing);
    json_write_member_integer(out, "in_flight", (int64_t)state.in_flight);
    json_write_member_integer(out, "requests_60s", (int64_t)state.requests);
    json_write_member_integer(out, "tokens_60s", (int64_t)state.tokens);
    json_write_member_integer(out, "limit_rpm", (int64_t)target->limit_requests_per_minute);
    json_write_member_integer(out, "limit_tpm", (int64_t)target->limit_tokens_per_minute);
    json_write_member_integer(out, "weight", target->weight);
    json_write_member_integer(out, "served", (int64_t)state.served);
    json_write_member_integer(out, "failed", (int64_t)state.failed);
    json_write_member_integer(out, "first_byte_us", state.first_byte_ns / 1000);
    json_write_raw(out, "}");
}

int control_list_targets(struct call *call)
{
    struct settings *settings = call->services->retain_settings(call->services->context);
    json_write_raw(&call->body, "{");
    json_write_member_string(&call->body, "strategy", routing_strategy_name(settings->routing.strategy));
    json_write_member(&call->body, "targets");
    json_write_raw(&call->body, "[");
    for (size_t i = 0; i < settings->target_count; i++)
        write_target(call, settings, &settings->targets[i]);
    json_write_raw(&call->body, "]}");
    config_release(settings);
    return 200;
}

int control_list_jobs(struct call *call)
{
    enum { JOBS_SHOWN_MAX = 1000 };
    struct wallet_job *jobs = calloc(JOBS_SHOWN_MAX, sizeof *jobs);
    if (!jobs)
        return control_fail(call, ERROR_NO_MEMORY, NULL);
    size_t count = wallet_list_jobs(call->services->ledger, jobs, JOBS_SHOWN_MAX);
    json_write_raw(&call->body, "{");
    json_write_member_integer(&call->body, "count", (int64_t)count);
    json_write_member(&call->body, "jobs");
    json_write_raw(&call->body, "[");
    for (size_t i = 0; i < count && i < JOBS_SHOWN_MAX; i++) {
        char text[MONEY_TEXT_MAX], time_text[CLOCK_TEXT_MAX];
        json_write_raw(&call->body, i ? ",{" : "{");
        json_write_member_string(&call->body, "key", jobs[i].key);
        json_write_member_string(&call->body, "provider", jobs[i].provider);
        json_write_member_string(&call->body, "wallet", jobs[i].wallet);
        json_write_member_string(&call->body, "held", money_format(jobs[i].held, text));
        json_write_member_string(&call->body, "deadline", clock_format(jobs[i].deadline_s * 1000000000, time_text));
        json_write_raw(&call->body, "}");
    }
    json_write_raw(&call->body, "]}");
    free(jobs);
    return 200;
}

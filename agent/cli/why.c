/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate why ID: one call, explained from its event document. Members that an event lacks (it was refused early, or
 * written by another version) are left out.
 */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static void why_print_line(const char *title, const char *text)
{
    printf("  %s %s\n", terminal_paint(stdout, COLOR_DIM, terminal_pad(title, 9)), terminal_clean(text));
}

/* "label value, label value" of the members that are there and not zero. */
static const char *why_join(const json_t *object, const char *const pairs[][2], const char *separator)
{
    struct text_list parts = {0};
    for (size_t i = 0; pairs[i][0]; i++) {
        const char *value = api_text(object, pairs[i][0], "");
        if (value[0] && strcmp(value, "0") != 0)
            text_append(&parts, pairs[i][1][0] ? text_format("%s %s", pairs[i][1], value) : value);
    }
    return text_join(&parts, separator);
}

static const char *why_duration(const json_t *object, const char *microseconds, const char *milliseconds)
{
    long long us = api_integer(object, microseconds, -1), ms = api_integer(object, milliseconds, -1);
    if (us < 0 && ms < 0)
        return "";
    return text_format("%.3f ms", us >= 0 ? (double)us / 1000 : (double)ms);
}

static void why_print_head(const json_t *event)
{
    const char *error = api_text(event, "error", "");
    const char *status = api_text(event, "status", "-");
    printf("%s  %s  %s\n", terminal_paint(stdout, COLOR_BOLD, terminal_clean(api_text(event, "id", "-"))),
           terminal_time(api_text(event, "time", "-"), true),
           terminal_paint(stdout, error[0] ? COLOR_RED : COLOR_GREEN,
                          error[0] ? text_format("%s %s", status, terminal_clean(error)) : terminal_clean(status)));
    if (error[0])
        why_print_line("reason", api_text(event, "error_detail", error));
}

static void why_print_caller(const json_t *event)
{
    static const char *const caller[][2] = {{"executable", ""},  {"pid", "pid"},         {"uid", "uid"},
                                            {"directory", "in"}, {"project", "project"}, {NULL, NULL}};
    static const char *const payer[][2] = {
        {"group", ""}, {"group_source", "by"}, {"wallet", "wallet"}, {"environment", "environment"}, {NULL, NULL}};
    why_print_line("program", why_join(event, caller, ", "));
    why_print_line("group", why_join(event, payer, ", "));
}

static void why_print_call(const json_t *event)
{
    static const char *const route[][2] = {
        {"target", "target"}, {"provider", "provider"}, {"served_model", "served"}, {NULL, NULL}};
    const char *model = api_text(event, "model", ""), *way = why_join(event, route, ", ");
    const char *dialect = api_text(event, "dialect", ""), *rule = api_text(event, "rule", "");
    why_print_line("call",
                   text_format("%s https://%s%s%s%s%s", api_text(event, "method", "?"), api_text(event, "host", "?"),
                               api_text(event, "path", ""), dialect[0] ? ", dialect " : "", dialect,
                               json_is_true(json_object_get(event, "stream")) ? ", stream" : ""));
    if (model[0] || way[0])
        why_print_line("model", text_format("%s%s%s", model[0] ? model : "none", way[0] ? " → " : "", way));
    if (rule[0])
        why_print_line("rule", rule);
}

static void why_print_money(const json_t *event)
{
    static const char *const tokens[][2] = {{"input", "input"},
                                            {"cache_read", "cache read"},
                                            {"cache_write", "cache write"},
                                            {"cache_write_1h", "cache write 1h"},
                                            {"input_audio", "audio in"},
                                            {"output", "output"},
                                            {"output_audio", "audio out"},
                                            {NULL, NULL}};
    const char *hold = api_text(event, "hold", ""), *left = api_text(event, "wallet_available", "");
    const char *avoided = api_text(event, "avoided_cost", "");
    const char *counted = why_join(json_object_get(event, "tokens"), tokens, ", ");
    if (counted[0])
        why_print_line("tokens", counted);
    why_print_line("cost",
                   text_format("%s USD%s%s%s%s%s%s", terminal_money(api_text(event, "charge", "0")),
                               avoided[0] ? ", saved by the cache " : "", avoided[0] ? terminal_money(avoided) : "",
                               hold[0] ? ", held " : "", hold[0] ? terminal_money(hold) : "",
                               left[0] ? ", left in the wallet " : "", left[0] ? terminal_money(left) : ""));
    const char *written_off = api_text(event, "written_off", ""), *iteration = api_text(event, "iteration", "");
    if (written_off[0] && strcmp(written_off, "0") != 0)
        why_print_line("unpaid",
                       text_format("%s USD were written off: no wallet could pay them", terminal_money(written_off)));
    if (iteration[0] && strcmp(iteration, "0") != 0)
        why_print_line("iteration", text_format("%s of its conversation", iteration));
    const char *took = why_duration(event, "duration_us", "duration_ms");
    const char *overhead = api_text(event, "overhead_us", "");
    why_print_line("took", overhead[0] ? text_format("%s, of which ours %s µs", took, overhead) : took);
}

static void why_print_steps(const json_t *steps)
{
    if (json_array_size(steps) > 0)
        puts("\nsteps");
    for (size_t index = 0; index < json_array_size(steps); index++) {
        const json_t *step = json_array_get(steps, index);
        const char *text = terminal_clean(api_text(step, "text", ""));
        const char *outcome = terminal_pad(terminal_clean(api_text(step, "outcome", "-")), 7);
        bool is_fail = strncasecmp(outcome, "fail", 4) == 0;
        const char *us = terminal_pad(text_format("%s µs", api_text(step, "us", "-")), -12);
        printf("  %s %s %s%s%s\n", terminal_pad(terminal_clean(api_text(step, "step", "-")), 10),
               terminal_paint(stdout, is_fail ? COLOR_RED : COLOR_NONE, outcome), us, text[0] ? "  " : "", text);
    }
}

static void why_print_attempts(const json_t *attempts)
{
    static const char *const facts[][2] = {{"target", ""},
                                           {"provider", "at"},
                                           {"model", "model"},
                                           {"status", "status"},
                                           {"hold", "held"},
                                           {"charge", "charged"},
                                           {"basis", ""},
                                           {"usage_source", "usage from"},
                                           {"price_basis", "price"},
                                           {"price_model", "of"},
                                           {"translated_to", "translated to"},
                                           {"job", "goes on as job"},
                                           {NULL, NULL}};
    if (json_array_size(attempts) > 0)
        puts("\nattempts");
    for (size_t index = 0; index < json_array_size(attempts); index++) {
        const json_t *attempt = json_array_get(attempts, index);
        printf("  %zu  %s\n", index + 1, terminal_clean(why_join(attempt, facts, ", ")));
        const char *dropped = api_text(attempt, "dropped", "");
        if (dropped[0])
            printf("     left out by rule: %s\n", terminal_clean(dropped));
        const char *error = api_text(attempt, "error", "");
        if (error[0])
            printf("     %s\n", terminal_paint(stdout, COLOR_RED, terminal_clean(error)));
        printf("     connect %s, first byte %s, whole %s%s\n", why_duration(attempt, "connect_us", "connect_ms"),
               why_duration(attempt, "first_byte_us", "first_byte_ms"), why_duration(attempt, "total_us", "total_ms"),
               json_is_false(json_object_get(attempt, "bytes_sent")) ? "; nothing was sent" : "");
    }
}

static int why_fetch(struct cli *cli, struct answer *ret_answer, const json_t **ret_event)
{
    const char *id = cli->arguments.items[0];
    bool is_last = strcmp(id, "last") == 0;
    if (!is_last && !api_is_name("call", id))
        return CLI_NEGATIVE;
    int code = api_get(cli, is_last ? "/v1/events?limit=1" : text_format("/v1/events/%s", id), ret_answer);
    if (code != EX_OK)
        return code;
    *ret_event = is_last ? json_array_get(json_object_get(ret_answer->json, "events"), 0) : ret_answer->json;
    if (*ret_event)
        return EX_OK;
    text_complain("no call was made yet");
    json_decref(ret_answer->json);
    return CLI_NEGATIVE;
}

int why_command(struct cli *cli)
{
    struct answer answer;
    const json_t *event;
    int code = why_fetch(cli, &answer, &event);
    if (code != EX_OK)
        return code;
    if (cli->options.json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (strcmp(api_text(event, "kind", ""), "ungoverned") == 0) {
        why_print_head(event);
        why_print_caller(event);
        why_print_line("address", api_text(event, "host", "?"));
    } else {
        why_print_head(event);
        why_print_caller(event);
        why_print_call(event);
        why_print_money(event);
        why_print_steps(json_object_get(event, "steps"));
        why_print_attempts(json_object_get(event, "attempts"));
    }
    json_decref(answer.json);
    return EX_OK;
}

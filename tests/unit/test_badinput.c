/* SPDX-License-Identifier: Apache-2.0 */
/* The bad-input tables of what comes from a program, a provider or an administrator: badinput.h. */
#include "base/json.h"
#include "config/config.h"
#include "dialect/form.h"
#include "dialect/internal.h"
#include "http/http.h"
#include "tests/unit/badinput.h"

static const char *judge_http(struct slice input)
{
    const struct http_limits limits = {
        .head_bytes_max = 8192, .request_line_bytes_max = 2048, .fields_max = 40, .body_bytes_max = 16384};
    struct arena *arena = arena_new(1024);
    struct http_parser *parser = http_parser_new(&limits);
    enum http_parse result = HTTP_PARSE_MORE;
    enum error error = ERROR_OK;
    for (size_t at = 0, used; at < input.length && result < HTTP_PARSE_DONE; at += used) {
        used = 0;
        result = http_parser_feed(parser, arena, slice_from(input, at), &used, &error);
    }
    http_parser_free(parser);
    arena_free(arena);
    return result == HTTP_PARSE_ERROR ? error_row(error)->code : result == HTTP_PARSE_DONE ? "accept" : "more";
}

static const char *judge_json(struct slice input)
{
    enum error error = json_scan(input, 128, NULL, 0, NULL);
    return error ? error_row(error)->code : "accept";
}

static const char *judge_form(struct slice input)
{
    struct form form;
    const char *problem = NULL;
    enum error error = form_parse(SLICE_LITERAL("multipart/form-data; boundary=xYz"), input, &form, &problem);
    return error ? error_row(error)->code : "accept";
}

static void judge_event(void *context, struct slice raw_event)
{
    struct slice name, data;
    struct arena *arena = arena_new(1024);
    *(bool *)context &= sse_parse_event(raw_event, arena, &name, &data);
    arena_free(arena);
}

static const char *judge_sse(struct slice input)
{
    struct sse_splitter splitter;
    bool is_right = true;
    sse_splitter_init(&splitter, INPUT_BYTES_MAX);
    is_right &= sse_splitter_feed(&splitter, input, judge_event, &is_right);
    sse_splitter_done(&splitter);
    return is_right ? "accept" : "refuse";
}

static const char *judge_policy(struct slice input)
{
    const struct config_sources sources = {.policy_file = write_input(input),
                                           .providers_file = "policies/providers.yaml",
                                           .prices_file = "policies/prices.yaml",
                                           .environment = ENVIRONMENT_DEV};
    struct config_problems problems;
    struct settings *settings = NULL;
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, &settings);
    config_release(settings);
    config_problems_done(&problems);
    return error ? error_row(error)->code : "accept";
}

TEST(every_case_has_its_verdict)
{
    static const struct kind kinds[] = {{"http", judge_http, 1500},
                                        {"json", judge_json, 2000},
                                        {"form", judge_form, 60},
                                        {"sse", judge_sse, 500},
                                        {"policy", judge_policy, 140}};
    judge_all("http json form sse policy shared", kinds, sizeof kinds / sizeof *kinds);
}

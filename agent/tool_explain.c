/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tollgated --tool explain POLICY-FILE < request.json`: which rule, which targets in which order, which hold, and why.
 * Policies are tested with it like code. Called by tools.c.
 */
#include "tools.h"

#include "base/buffer.h"
#include "base/json.h"
#include "config/config.h"
#include "flow/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 32 << 20, ANSWER_BYTES_MAX = 4 << 20 };

struct explain_options {
    const char *policy, *providers, *prices, *host, *path, *group, *project;
    bool json;
};

static bool read_options(int argc, char **argv, struct explain_options *options)
{
    const struct {
        const char *name;
        const char **value;
    } rows[] = {{"--providers", &options->providers}, {"--prices", &options->prices}, {"--host", &options->host},
                {"--path", &options->path},           {"--group", &options->group},   {"--project", &options->project}};
    for (int i = 0; i < argc; i++) {
        size_t row = 0;
        while (row < sizeof rows / sizeof *rows && strcmp(argv[i], rows[row].name) != 0)
            row++;
        if (row < sizeof rows / sizeof *rows && i + 1 < argc)
            *rows[row].value = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (argv[i][0] == '-' || options->policy)
            return false;
        else
            options->policy = argv[i];
    }
    return options->policy != NULL;
}

static bool read_request(struct buffer *body)
{
    buffer_init(body, REQUEST_BYTES_MAX);
    for (;;) {
        char *room = buffer_reserve(body, 65536);
        ssize_t count = room ? read(STDIN_FILENO, room, 65536) : -1;
        if (count <= 0)
            return count == 0;
        buffer_commit(body, (size_t)count);
    }
}

/* Where a body of this shape is sent, when --host and --path do not say. */
static const struct guess {
    const char *member, *model_prefix, *host, *path;
} guesses[] = {
    {"contents", "", "generativelanguage.googleapis.com", "/v1beta/models/MODEL:generateContent"},
    {"messages", "claude", "api.anthropic.com", "/v1/messages"},
    {"messages", "", "api.openai.com", "/v1/chat/completions"},
    {"input", "text-embedding", "api.openai.com", "/v1/embeddings"},
    {"input", "", "api.openai.com", "/v1/responses"},
    {"prompt", "", "api.openai.com", "/v1/completions"},
};

static bool guess_place(struct slice body, struct explain_options *options)
{
    char model[128] = "";
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        const struct guess *guess = &guesses[i];
        struct json_value member, name;
        const struct json_query queries[] = {{guess->member, &member}, {"model", &name}};
        if (json_scan(body, 128, queries, 2, NULL))
            return false;
        if (member.kind == JSON_KIND_ABSENT ||
            (!json_get_string(&name, model, sizeof model) && guess->model_prefix[0]) ||
            strncmp(model, guess->model_prefix, strlen(guess->model_prefix)) != 0)
            continue;
        options->host = options->host ? options->host : guess->host;
        options->path = options->path ? options->path : guess->path;
        return true;
    }
    return options->host && options->path;
}

/* An explanation needs no key: those that are missing here count as there, and are said. */
static void lend_secrets(struct settings *settings)
{
    for (size_t i = 0; i < settings->target_count; i++) {
        struct target *target = &settings->targets[i];
        if (target->secret)
            continue;
        fprintf(stderr, "note: the key of target %s is not here; it is taken to be where the agent runs\n", target->id);
        target->secret = secret_new(SLICE_LITERAL("explain"));
    }
}

/* ---- the answer for people ---- */

static const char *text_of(struct slice object, const char *path, char text[512])
{
    struct json_value value;
    const struct json_query query = {path, &value};
    if (json_scan(object, 32, &query, 1, NULL) || value.kind == JSON_KIND_ABSENT || value.kind == JSON_KIND_NULL)
        return NULL;
    if (!json_get_string(&value, text, 512))
        snprintf(text, 512, "%.*s", (int)value.raw.length, value.raw.data);
    return text;
}

static void print_lines(struct slice answer)
{
    static const struct {
        const char *path, *label;
    } rows[] = {{"environment", "environment"},
                {"group", "group"},
                {"wallet", "wallet"},
                {"endpoint", "endpoint"},
                {"model", "model"},
                {"rule", "rule"},
                {"rules", "rules that matched"},
                {"redacted", "redacted"},
                {"refused.code", "refused"},
                {"refused.status", "  status"},
                {"refused.why", "  why"},
                {"refused.hint", "  hint"},
                {"route", "route"},
                {"strategy", "strategy"}};
    char text[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (text_of(answer, rows[i].path, text) && text[0] && strcmp(text, "[]") != 0)
            printf("%-20s %s\n", rows[i].label, text);
}

static void print_lists(struct slice answer)
{
    struct json_value targets, left_out, row;
    const struct json_query queries[] = {{"targets", &targets}, {"left_out", &left_out}};
    char a[512], b[512], c[512], d[512];
    if (json_scan(answer, 32, queries, 2, NULL))
        return;
    for (size_t at = 0, place = 1; json_next_element(targets.raw, &at, &row); place++) {
        printf("%-20s %s, model %s", place == 1 ? "target" : "  then", text_of(row.raw, "target", a),
               text_of(row.raw, "model", b));
        if (text_of(row.raw, "translated_to", c))
            printf(", translated to %s", c);
        if (text_of(row.raw, "hold", c))
            printf(", holds %s USD (%s price%s%s)", c, text_of(row.raw, "price_basis", d),
                   text_of(row.raw, "price_model", b) ? " of " : "", text_of(row.raw, "price_model", b) ? b : "");
        if (text_of(row.raw, "dropped", c) && c[0])
            printf(", without %s", c);
        putchar('\n');
    }
    for (size_t at = 0; json_next_element(left_out.raw, &at, &row);)
        printf("%-20s %s: %s\n", "left out", text_of(row.raw, "target", a), text_of(row.raw, "why", b));
}

static int explain(struct settings *settings, const struct explain_options *options, struct slice body)
{
    const struct flow_question question = {.host = options->host,
                                           .path = options->path,
                                           .body = body,
                                           .group = options->group,
                                           .project = options->project,
                                           .uid = getuid()};
    struct buffer answer;
    buffer_init(&answer, ANSWER_BYTES_MAX);
    bool is_served = flow_explain(settings, &question, &answer);
    struct slice text = buffer_contents(&answer);
    if (options->json) {
        printf("%.*s\n", (int)text.length, text.data);
    } else {
        print_lines(text);
        print_lists(text);
    }
    buffer_done(&answer);
    return is_served ? EX_OK : 1;
}

int tool_explain(int argc, char **argv)
{
    struct explain_options options = {0};
    struct config_problems problems;
    struct settings *settings = NULL;
    struct buffer body;
    if (!read_options(argc, argv, &options)) {
        fputs("usage: tollgate explain POLICY-FILE [--host HOST] [--path PATH] [--group NAME] [--project NAME]\n"
              "       [--providers FILE] [--prices FILE] [--json] < request.json\n",
              stderr);
        return EX_USAGE;
    }
    const struct config_sources sources = {.policy_file = options.policy,
                                           .providers_file = options.providers,
                                           .prices_file = options.prices,
                                           .environment = -1};
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, &settings);
    if (error)
        config_print_problems(&problems, stderr);
    config_problems_done(&problems);
    if (error)
        return EX_DATAERR;
    int code = EX_DATAERR;
    lend_secrets(settings);
    if (!read_request(&body))
        fputs("tollgate: explain: standard input cannot be read, or is longer than 32 MiB\n", stderr);
    else if (!guess_place(buffer_contents(&body), &options))
        fputs("tollgate: explain: this is no JSON request of a known shape; --host and --path say where it would go\n",
              stderr);
    else
        code = explain(settings, &options, buffer_contents(&body));
    buffer_done(&body);
    config_release(settings);
    return code;
}

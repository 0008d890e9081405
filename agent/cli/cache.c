/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate cache stats, clear: how the cache does; forgetting what is in it. The agent does both. */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* What there is of a group or a model: what happened is counted for all together. */
static void print_part(const struct cli *cli, const json_t *answer)
{
    const char *group = cli->options.group, *model = cli->options.model;
    printf("%-10s %s%s%s%s%s\n", "of", group ? "group " : "", group ? terminal_clean(group) : "",
           group && model ? ", " : "", model ? "model " : "", model ? terminal_clean(model) : "");
    printf("%-10s %lld\n%-10s %lld%s, %lld in memory\n", "entries", number_of(answer, "entries"), "bytes",
           number_of(answer, "bytes"), json_is_true(json_object_get(answer, "on_disk")) ? " on disk" : " (no disk)",
           number_of(answer, "bytes_in_memory"));
    puts(terminal_paint(stdout, COLOR_DIM, cli->place.environment));
}

static void print_statistics(const struct cli *cli, const json_t *answer)
{
    long long hits = number_of(answer, "hits"), follows = number_of(answer, "follows"),
              all = hits + follows + number_of(answer, "misses");
    const struct {
        const char *label, *text;
    } rows[] = {
        {"cache", json_is_true(json_object_get(answer, "enabled"))
                      ? text_format("on, answers are used for %lld s", number_of(answer, "ttl_seconds"))
                      : "off (cache.enabled)"},
        {"answered", text_format("%lld of %lld since the start, %lld of them while another was asking", hits + follows,
                                 all, follows)},
        {"entries", text_format("%lld of %lld", number_of(answer, "entries"), number_of(answer, "max_entries"))},
        {"bytes",
         text_format("%lld of %lld%s, %lld in memory", number_of(answer, "bytes"), number_of(answer, "max_bytes"),
                     json_is_true(json_object_get(answer, "on_disk")) ? " on disk" : " (no disk)",
                     number_of(answer, "bytes_in_memory"))},
        {"stored", text_format("%lld, %lld evicted, %lld expired, %lld cleared, %lld damaged",
                               number_of(answer, "stored"), number_of(answer, "evicted"), number_of(answer, "expired"),
                               number_of(answer, "cleared"), number_of(answer, "corrupt"))},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%-10s %s\n", rows[i].label, rows[i].text);
    puts(terminal_paint(stdout, COLOR_DIM, cli->place.environment));
}

static const char *path_of(const struct options *options)
{
    if (!options->group && !options->model)
        return "/v1/cache";
    return text_format("/v1/cache?%s%s%s%s", options->group ? "group=" : "",
                       options->group ? api_encode(options->group) : "", options->model ? "&model=" : "",
                       options->model ? api_encode(options->model) : "");
}

static int cache_stats(struct cli *cli)
{
    struct answer answer;
    int code = api_get(cli, path_of(&cli->options), &answer);
    if (code != EX_OK)
        return code;
    if (cli->options.json)
        terminal_print_json(&answer);
    else if (cli->options.group || cli->options.model)
        print_part(cli, answer.json);
    else
        print_statistics(cli, answer.json);
    json_decref(answer.json);
    return EX_OK;
}

static int cache_clear_entries(struct cli *cli)
{
    struct answer answer = {0};
    json_t *order = json_object();
    if (cli->options.group)
        json_object_set_new(order, "group", json_string(cli->options.group));
    if (cli->options.model)
        json_object_set_new(order, "model", json_string(cli->options.model));
    int code = api_post(cli, "/v1/cache/clear", order, &answer);
    if (code == EX_OK && cli->options.json)
        terminal_print_json(&answer);
    else if (code == EX_OK)
        printf("%lld answers forgotten\n", number_of(answer.json, "cleared"));
    json_decref(answer.json);
    return code;
}

int cache_command(struct cli *cli)
{
    const char *verb = cli->arguments.items[0];
    if (strcmp(verb, "stats") == 0)
        return cache_stats(cli);
    if (strcmp(verb, "clear") == 0)
        return cache_clear_entries(cli);
    text_complain("tollgate cache knows stats and clear, not %s", verb);
    return EX_USAGE;
}

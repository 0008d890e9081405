/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of a report ask for: whose days, which period, which rows; and of which environment's agent. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096 };

/* ---- whose days ---- */

/* ".../zoneinfo/Europe/Berlin": the name; NULL: it leads elsewhere. */
static const char *zone_in_path(const char *path)
{
    static const char directory[] = "zoneinfo/";
    const char *at = strstr(path, directory);
    if (!at)
        return NULL;
    at += sizeof directory - 1;
    return text_starts(at, "posix/") || text_starts(at, "right/") ? at + strlen("posix/") : at;
}

static bool zone_is_known(const char *name)
{
    return name[0] && name[0] != '/' && !strstr(name, "..") &&
           access(text_format("/usr/share/zoneinfo/%s", name), R_OK) == 0;
}

/* Of TZ: a name, with a colon or a path before it; POSIX rules ("CET-1CEST") have none. */
static const char *zone_of_variable(const char *value)
{
    const char *name = value[0] == ':' ? value + 1 : value;
    if (name[0] == '/')
        name = zone_in_path(name);
    if (value[0] == '\0' || (name && zone_is_known(name)))
        return value[0] ? name : "UTC";
    text_complain("TZ=%s is no name of the time zone database: days begin in UTC (--timezone Europe/Berlin)",
                  terminal_clean(value));
    return "UTC";
}

static const char *zone_of_machine(void)
{
    char path[PATH_BYTES_MAX], line[128] = "";
    ssize_t length = readlink("/etc/localtime", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *name = zone_in_path(path);
    if (name && zone_is_known(name))
        return text_format("%s", name);
    FILE *file = fopen("/etc/timezone", "re");
    if (file && !fgets(line, sizeof line, file))
        line[0] = '\0';
    if (file)
        fclose(file);
    line[strcspn(line, " \t\n")] = '\0';
    return zone_is_known(line) ? text_format("%s", line) : "UTC";
}

const char *report_zone(const struct cli *cli)
{
    static const char *zone;
    if (zone)
        return zone;
    const char *variable = getenv("TZ"), *option = cli->options.time_zone;
    zone = option ? option : variable ? zone_of_variable(variable) : zone_of_machine();
    setenv("TZ", zone, 1);
    tzset();
    return zone;
}

/* ---- which period ---- */

/* The first day that does not count, when none is said. */
static const char *tomorrow(void)
{
    struct tm local;
    char text[32];
    time_t now = time(NULL);
    if (!localtime_r(&now, &local))
        return "2100-01-01";
    local.tm_mday++;
    local.tm_hour = 12;
    local.tm_isdst = -1;
    if (mktime(&local) == (time_t)-1 || strftime(text, sizeof text, "%Y-%m-%d", &local) == 0)
        return "2100-01-01";
    return text_format("%s", text);
}

int report_period(const struct cli *cli, const char *otherwise, const char **ret_period)
{
    const struct options *options = &cli->options;
    if (options->window && (options->since || options->until)) {
        text_complain("--window and --since, --until exclude each other");
        return EX_USAGE;
    }
    report_zone(cli); /* tomorrow is that zone's */
    if (options->since || options->until)
        *ret_period = text_format("%s..%s", options->since ? options->since : "2000-01-01",
                                  options->until ? options->until : tomorrow());
    else
        *ret_period = options->window ? options->window : otherwise;
    return EX_OK;
}

/* ---- which rows ---- */

const char *report_by(const struct cli *cli, const char *otherwise)
{
    const char *by = cli->options.by ? cli->options.by : otherwise;
    if (!cli->options.breakdown)
        return by;
    return by ? text_format("%s,model", by) : "model";
}

static void add_parameter(struct text_list *parameters, const char *name, const char *value)
{
    if (value)
        text_append(parameters, text_format("%s=%s", name, api_encode(value)));
}

const char *report_path(const struct cli *cli, const char *what, const char *period, const char *step, const char *by,
                        const char *limit)
{
    const struct options *options = &cli->options;
    const char *const rows[][2] = {{"period", period},
                                   {"timezone", report_zone(cli)},
                                   {"step", step},
                                   {"by", by},
                                   {"limit", limit ? limit : options->limit},
                                   {"group", options->group},
                                   {"wallet", options->wallet},
                                   {"provider", options->provider},
                                   {"model", options->model},
                                   {"target", options->target},
                                   {"project", options->project},
                                   {"executable", options->program},
                                   {"reason", options->reason}};
    struct text_list parameters = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add_parameter(&parameters, rows[i][0], rows[i][1]);
    return text_format("%s?%s", what, text_join(&parameters, "&"));
}

/* ---- whose ---- */

int report_sides_find(const struct cli *cli, struct report_sides *ret_sides)
{
    struct report_sides sides = {.rows = {{.cli = *cli}}, .count = 1};
    if (cli->is_both && (cli->options.state || cli->options.runtime)) {
        text_complain("--env both finds each agent in its own place: no --state, no --runtime");
        return EX_USAGE;
    }
    if (cli->is_both) {
        sides.rows[1].cli = *cli;
        sides.count = 2;
        for (size_t i = 0; i < sides.count; i++) {
            int code = place_find(i ? "prod" : "dev", NULL, NULL, &sides.rows[i].cli.place);
            if (code != EX_OK)
                return code;
        }
    }
    *ret_sides = sides;
    return EX_OK;
}

static int ask_side(struct report_side *side, const char *path)
{
    json_decref(side->answer.json);
    side->answer = (struct answer){0};
    int code = api_get(&side->cli, path, &side->answer);
    const char *environment = api_text(side->answer.json, "environment", side->cli.place.environment);
    if (code != EX_OK || strcmp(environment, side->cli.place.environment) == 0)
        return code;
    text_complain("the agent at %s is of %s, not of %s", side->cli.place.runtime, terminal_clean(environment),
                  side->cli.place.environment);
    json_decref(side->answer.json);
    side->answer = (struct answer){0};
    return EX_UNAVAILABLE;
}

int report_sides_ask(struct report_sides *sides, const char *path)
{
    int first = EX_OK;
    bool has_answer = false;
    progress_begin("adding up");
    for (size_t i = 0; i < sides->count; i++) {
        int code = ask_side(&sides->rows[i], path);
        has_answer |= code == EX_OK;
        first = first == EX_OK ? code : first;
    }
    progress_end();
    return has_answer ? EX_OK : first;
}

void report_sides_done(struct report_sides *sides)
{
    for (size_t i = 0; i < sides->count; i++)
        json_decref(sides->rows[i].answer.json);
    *sides = (struct report_sides){.count = 0};
}

void report_sides_print_json(const struct report_sides *sides)
{
    if (sides->count == 1) {
        terminal_print_json(&sides->rows[0].answer);
        return;
    }
    const char *separator = "";
    fputs("{\"environments\":[", stdout);
    for (size_t i = 0; i < sides->count; i++)
        if (sides->rows[i].answer.json) {
            printf("%s%s", separator, sides->rows[i].answer.body);
            separator = ",";
        }
    fputs("]}\n", stdout);
}

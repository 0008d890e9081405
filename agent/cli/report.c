/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate report: what was spent. One table of views; a word that is none of them is a period. The agent adds up; what
 * is added here (the two environments) is whole nano-dollars.
 */
#include "cli/report.h"

#include <string.h>
#include <sysexits.h>

static const char program_and_model[] = "executable,model";
/* Of a period: how many the agent gives at most, and how many are shown unless --limit says otherwise. */
#define ROWS_ALL   "20000"
#define ROWS_SHOWN "25"

static int rebuild_sums(struct cli *cli);

struct report_view {
    const char *name;
    const char *step, *period; /* of rows per step */
    int (*handle)(struct cli *cli);
};
static const struct report_view views[] = {
    {"hourly", "hour", "24h", NULL},
    {"daily", "day", "30d", NULL},
    {"weekly", "week", "all", NULL},
    {"monthly", "month", "all", NULL},
    {"session", NULL, NULL, report_sessions},
    {"live", NULL, NULL, top_command},
    {"question", NULL, NULL, report_questions},
    {"rebuild", NULL, NULL, rebuild_sums},
};
static const char *const periods[] = {"today",      "yesterday", "this-week", "last-week", "this-month",
                                      "last-month", "24h",       "7d",        "30d",       "all"};
enum { VIEW_COUNT = sizeof views / sizeof *views, PERIOD_COUNT = sizeof periods / sizeof *periods };

/* ---- rows ---- */

static void print_sides(const struct cli *cli, const struct report_shape *shape, const struct report_sides *sides)
{
    const struct report_side *first = sides->rows[0].answer.json ? &sides->rows[0] : &sides->rows[1];
    if (cli->options.json) {
        report_sides_print_json(sides);
    } else if (cli->is_both) {
        report_print_both(shape, sides);
        report_print_foot(cli, first->answer.json);
    } else {
        report_print(shape, first->answer.json);
        report_print_foot(cli, first->answer.json);
        report_print_wallets(&first->cli);
    }
}

static int print_rows(struct cli *cli, const char *period, const struct report_shape *shape, const char *limit)
{
    struct report_sides sides;
    int code = report_sides_find(cli, &sides);
    if (code == EX_OK)
        code = report_sides_ask(&sides, report_path(cli, "/v1/report", period, shape->step, shape->by, limit));
    if (code != EX_OK)
        return code;
    print_sides(cli, shape, &sides);
    report_sides_done(&sides);
    return EX_OK;
}

static int print_steps(struct cli *cli, const struct report_view *view)
{
    const struct report_shape shape = {view->step, report_by(cli, NULL)};
    const char *period;
    int code = report_period(cli, view->period, &period);
    return code == EX_OK ? print_rows(cli, period, &shape, NULL) : code;
}

/* In a word, over all rows: those that are printed may be the first few. */
static int print_sentence(struct cli *cli, const char *period)
{
    struct answer answer;
    int code = api_get(cli, report_path(cli, "/v1/report", period, NULL, program_and_model, ROWS_ALL), &answer);
    if (code != EX_OK)
        return code;
    puts(terminal_clean(report_sentence(answer.json)));
    json_decref(answer.json);
    return EX_OK;
}

/* `named` NULL: the options say which. */
static int print_period(struct cli *cli, const char *named)
{
    const struct options *options = &cli->options;
    const struct report_shape shape = {NULL, report_by(cli, program_and_model)};
    const char *period;
    if (named && (options->window || options->since || options->until)) {
        text_complain("%s is a period already: no --window, --since, --until", terminal_clean(named));
        return EX_USAGE;
    }
    int code = report_period(cli, named ? named : "30d", &period);
    bool is_for_people = !options->json && !cli->is_both;
    if (code == EX_OK && is_for_people && strcmp(shape.by, program_and_model) == 0)
        code = print_sentence(cli, period);
    return code == EX_OK ? print_rows(cli, period, &shape, is_for_people && !options->limit ? ROWS_SHOWN : NULL) : code;
}

/* ---- without a word: an overview ---- */

static const struct {
    const char *member, *title, *period, *by, *limit;
} parts[] = {
    {"today", "today", "today", NULL, NULL}, {"yesterday", "yesterday", "yesterday", NULL, NULL},
    {"week", "7 days", "7d", NULL, NULL},    {"programs", NULL, "7d", "executable", "5"},
    {"models", NULL, "7d", "model", "5"},
};
enum { PART_COUNT = sizeof parts / sizeof *parts, SPAN_COUNT = 3 };

static void print_spans(const struct answer answers[PART_COUNT])
{
    struct table_column columns[1 + REPORT_FIGURE_COLUMNS] = {{"", 0}};
    memcpy(columns + 1, report_figure_columns, sizeof report_figure_columns);
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    for (size_t i = 0; i < SPAN_COUNT; i++) {
        table_add(&table, parts[i].title);
        report_add_figures(&table, json_object_get(answers[i].json, "total"));
    }
    table_print(&table, stdout);
}

static void print_overview(const struct cli *cli, const struct answer answers[PART_COUNT])
{
    print_spans(answers);
    for (size_t i = SPAN_COUNT; i < PART_COUNT; i++) {
        const struct report_shape shape = {NULL, parts[i].by};
        if (json_array_size(json_object_get(answers[i].json, "rows")) == 0)
            continue;
        putchar('\n');
        report_print(&shape, answers[i].json);
    }
    report_print_foot(cli, answers[SPAN_COUNT].json);
    report_print_wallets(cli);
}

static void print_overview_json(const struct answer answers[PART_COUNT])
{
    for (size_t i = 0; i < PART_COUNT; i++)
        printf("%s\"%s\":%s", i ? "," : "{", parts[i].member, answers[i].body);
    puts("}");
}

static int overview(struct cli *cli)
{
    struct answer answers[PART_COUNT] = {{0}};
    int code = EX_OK;
    if (cli->is_both)
        return print_rows(cli, "7d", &(struct report_shape){"day", report_by(cli, NULL)}, NULL);
    progress_begin("adding up");
    for (size_t i = 0; i < PART_COUNT && code == EX_OK; i++)
        code = api_get(cli,
                       report_path(cli, "/v1/report", parts[i].period, NULL, parts[i].by,
                                   parts[i].limit && !cli->options.limit ? parts[i].limit : NULL),
                       &answers[i]);
    progress_end();
    if (code == EX_OK && cli->options.json)
        print_overview_json(answers);
    else if (code == EX_OK)
        print_overview(cli, answers);
    for (size_t i = 0; i < PART_COUNT; i++)
        json_decref(answers[i].json);
    return code;
}

/* ---- sums made anew ---- */

static int rebuild_sums(struct cli *cli)
{
    enum { REBUILD_TIMEOUT_MS = 3600 * 1000 };
    struct answer answer = {0};
    progress_begin("making the sums anew of all events");
    int code = api_post_slowly(cli, "/v1/report/rebuild", json_object(), REBUILD_TIMEOUT_MS, &answer);
    progress_end();
    if (code == EX_OK && cli->options.json)
        terminal_print_json(&answer);
    else if (code == EX_OK)
        printf("the sums were made anew of %lld events\n", api_integer(answer.json, "events", 0));
    json_decref(answer.json);
    return code;
}

/* ---- the words ---- */

/* What begins with a digit is a date or a length, for the agent to judge. */
static int complain_view(const char *word)
{
    const char *names[VIEW_COUNT + PERIOD_COUNT + 1];
    for (size_t i = 0; i < VIEW_COUNT; i++)
        names[i] = views[i].name;
    memcpy(names + VIEW_COUNT, periods, sizeof periods);
    names[VIEW_COUNT + PERIOD_COUNT] = NULL;
    const char *near = cli_suggest(word, names);
    if (near)
        text_complain("tollgate report knows no \"%s\"; did you mean %s?", terminal_clean(word), near);
    else
        text_complain("tollgate report knows no \"%s\"; tollgate help report", terminal_clean(word));
    return EX_USAGE;
}

static int check_own_columns(const struct cli *cli, const char *view)
{
    if (!cli->options.by && !cli->options.breakdown)
        return EX_OK;
    text_complain("%s has its own columns: no --by, no --breakdown (tollgate report daily takes them, and any period)",
                  view);
    return EX_USAGE;
}

static int run_view(struct cli *cli, const struct report_view *view)
{
    if (!view->handle)
        return print_steps(cli, view);
    int code = check_own_columns(cli, text_format("report %s", view->name));
    return code == EX_OK ? view->handle(cli) : code;
}

static bool is_period(const char *word)
{
    for (size_t i = 0; i < PERIOD_COUNT; i++)
        if (strcmp(word, periods[i]) == 0)
            return true;
    return word[0] >= '0' && word[0] <= '9';
}

int report_command(struct cli *cli)
{
    const struct options *options = &cli->options;
    const char *word = cli->arguments.count ? cli->arguments.items[0] : NULL;
    if (options->compact)
        terminal_set_compact();
    if (cli->arguments.count > 1 && strcmp(word, "question") != 0)
        return complain_view(cli->arguments.items[1]);
    for (size_t i = 0; word && i < VIEW_COUNT; i++)
        if (strcmp(word, views[i].name) == 0)
            return run_view(cli, &views[i]);
    if (word && !is_period(word))
        return complain_view(word);
    if (word || options->window || options->since || options->until || options->by)
        return print_period(cli, word);
    int code = cli->is_both ? EX_OK : check_own_columns(cli, "the overview");
    return code == EX_OK ? overview(cli) : code;
}

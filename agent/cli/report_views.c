/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate report session: what one program did in one directory at one sitting. tollgate report question: what a
 * review asks, this period beside the one before; the agent answers. */
#include "cli/report.h"

#include <string.h>
#include <sysexits.h>

/* ---- sessions ---- */

static const struct table_column session_columns[] = {
    {"BEGAN", 0},
    {"MINUTES", TABLE_RIGHT},
    {"PROGRAM", 0},
    {"DIRECTORY", TABLE_FLEX},
    {"PROJECT", TABLE_FLEX | TABLE_WIDE},
    {"CALLS", TABLE_RIGHT},
    {"DENIED", TABLE_RIGHT},
    {"IN", TABLE_RIGHT | TABLE_WIDE},
    {"OUT", TABLE_RIGHT | TABLE_WIDE},
    {"COST", TABLE_RIGHT | TABLE_POINT},
    {"SAVED", TABLE_RIGHT | TABLE_POINT},
};

static const char *minutes_between(const char *first, const char *last)
{
    long long from, to;
    if (!terminal_parse_time(first, &from) || !terminal_parse_time(last, &to))
        return "-";
    return text_format("%lld", (to - from + 59) / 60);
}

static void add_session(struct table *table, const json_t *session)
{
    const char *first = api_text(session, "first", "-");
    struct figures figures;
    figures_read(session, &figures);
    table_add(table, report_moment(first));
    table_add(table, minutes_between(first, api_text(session, "last", "-")));
    table_add(table, terminal_base(api_text(session, "executable", "-")));
    for (const char *const *name = (const char *const[]){"directory", "project", NULL}; *name; name++)
        table_add(table, api_text(session, *name, "-"));
    figures_add_short(table, &figures);
}

static void print_sessions(const struct report_side *side, bool with_name)
{
    const json_t *sessions = json_object_get(side->answer.json, "sessions");
    struct table table = {.columns = session_columns,
                          .column_count = sizeof session_columns / sizeof session_columns[0]};
    if (with_name)
        puts(terminal_paint(stdout, COLOR_BOLD, side->cli.place.environment));
    for (size_t i = 0; i < json_array_size(sessions); i++)
        add_session(&table, json_array_get(sessions, i));
    table_print(&table, stdout);
    report_print_foot(&side->cli, side->answer.json);
}

int report_sessions(struct cli *cli)
{
    struct report_sides sides;
    const char *period;
    int code = report_period(cli, "7d", &period);
    if (code == EX_OK)
        code = report_sides_find(cli, &sides);
    if (code != EX_OK)
        return code;
    code = report_sides_ask(&sides, report_path(cli, "/v1/report/sessions", period, NULL, NULL, NULL));
    if (code == EX_OK && cli->options.json)
        report_sides_print_json(&sides);
    for (size_t i = 0; code == EX_OK && !cli->options.json && i < sides.count; i++)
        if (sides.rows[i].answer.json)
            print_sessions(&sides.rows[i], sides.count > 1);
    report_sides_done(&sides);
    return code;
}

/* ---- questions ---- */

static int list_questions(struct cli *cli)
{
    static const struct table_column columns[] = {{"NAME", 0}, {"ABOUT", 0}, {"QUESTION", TABLE_FLEX}};
    struct answer answer;
    int code = api_get(cli, "/v1/questions", &answer);
    if (code != EX_OK)
        return code;
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    const json_t *questions = json_object_get(answer.json, "questions");
    for (size_t i = 0; i < json_array_size(questions); i++)
        for (const char *const *name = (const char *const[]){"name", "environment", "question", NULL}; *name; name++)
            table_add(&table, api_text(json_array_get(questions, i), *name, "-"));
    if (cli->options.json)
        terminal_print_json(&answer);
    else
        table_print(&table, stdout);
    json_decref(answer.json);
    return EX_OK;
}

/* "price_change" as a title: "PRICE CHANGE". */
static const char *title_of(const char *name)
{
    char *title = text_format("%s", name);
    for (char *at = title; *at; at++)
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at == '_' ? ' ' : *at;
    return title;
}

static const char *figure_of(const json_t *figures, const char *name)
{
    const json_t *value = json_object_get(figures, name);
    return json_is_string(value) ? terminal_money(json_string_value(value)) : api_text(figures, name, "-");
}

static const char *answer_name(const json_t *row, const char *name)
{
    const char *value = api_text(json_object_get(row, "key"), name, "-");
    if (json_is_true(json_object_get(row, "rest")))
        return "others";
    return value[0] ? value : "-";
}

/* A name as it is; a figure with the one of the period before behind it. */
static void add_answer_row(struct table *table, const json_t *columns, size_t count, const json_t *names,
                           const json_t *row)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(columns, i));
        const char *before = figure_of(json_object_get(row, "before"), name);
        if (json_object_get(names, name))
            table_add(table, answer_name(row, name));
        else
            table_add(table, text_format("%s (%s)", figure_of(json_object_get(row, "now"), name), before));
    }
}

static const char *span_of(const json_t *document, const char *member)
{
    const json_t *span = json_object_get(document, member);
    return text_format("%.10s to %.10s", api_text(span, "since", "-"), api_text(span, "until", "-"));
}

static void print_answer(const struct report_side *side)
{
    const json_t *document = side->answer.json, *names = json_object_get(document, "columns"),
                 *rows = json_object_get(document, "rows");
    const json_t *key = json_object_get(json_array_get(rows, 0), "key");
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t count = 0;
    for (; count < json_array_size(names) && count < TABLE_COLUMNS_MAX; count++) {
        const char *name = json_string_value(json_array_get(names, count));
        columns[count] = (struct table_column){title_of(name ? name : "-"),
                                               json_object_get(key, name ? name : "") ? TABLE_FLEX : TABLE_RIGHT};
    }
    printf("%s  %s\n", terminal_paint(stdout, COLOR_BOLD, terminal_clean(api_text(document, "question", "-"))),
           side->cli.place.environment);
    puts(terminal_clean(api_text(document, "answer", "-")));
    struct table table = {.columns = columns, .column_count = count};
    for (size_t i = 0; i < json_array_size(rows); i++)
        add_answer_row(&table, names, count, key, json_array_get(rows, i));
    if (table.cells.count) {
        putchar('\n');
        table_print(&table, stdout);
    }
    puts(terminal_paint(stdout, COLOR_DIM,
                        text_format("%s (before: %s)", span_of(document, "period"), span_of(document, "before"))));
}

int report_questions(struct cli *cli)
{
    struct report_sides sides;
    const char *period;
    if (cli->arguments.count < 2)
        return list_questions(cli);
    if (!api_is_name("question", cli->arguments.items[1]))
        return EX_USAGE;
    int code = report_period(cli, NULL, &period);
    if (code == EX_OK)
        code = report_sides_find(cli, &sides);
    if (code != EX_OK)
        return code;
    code = report_sides_ask(
        &sides, report_path(cli, text_format("/v1/questions/%s", cli->arguments.items[1]), period, NULL, NULL, NULL));
    if (code == EX_OK && cli->options.json)
        report_sides_print_json(&sides);
    for (size_t i = 0; code == EX_OK && !cli->options.json && i < sides.count; i++)
        if (sides.rows[i].answer.json)
            print_answer(&sides.rows[i]);
    report_sides_done(&sides);
    return code;
}

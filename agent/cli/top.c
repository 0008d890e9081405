/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate top (and report live): wallets, what runs, what today cost, the latest calls; drawn anew every two seconds
 * on the terminal's other screen, which is given back whatever ends it. Each drawing is made in memory and written at
 * once: no flicker, and nothing longer than the screen. Where standard output is no terminal it is printed once.
 */
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { TOP_TIMEOUT_MS = 2000, TOP_EVENTS = 40, TOP_LIVE = 12, EVERY_DEFAULT_S = 2, EVERY_MAX_S = 3600 };

static volatile sig_atomic_t top_is_over;
static struct termios top_terminal; /* as it was */

static const char today_by[] = "executable,model";

/* ---- what is shown ---- */

static void draw_head(const struct cli *cli, const json_t *today, FILE *to)
{
    struct figures figures;
    char text[64];
    struct tm local;
    time_t now = time(NULL);
    figures_read(json_object_get(today, "total"), &figures);
    if (!localtime_r(&now, &local) || strftime(text, sizeof text, "%H:%M:%S", &local) == 0)
        text[0] = '\0';
    fprintf(to, "%s\n",
            terminal_paint(
                to, COLOR_BOLD,
                terminal_fit(text_format("tollgate %s  %s %s  today: %lld calls, %lld denied, %s USD, %s "
                                         "saved by the cache",
                                         cli->place.environment, text, report_zone(cli), figures.calls, figures.refused,
                                         nano_format(figures.cost), nano_format(figures.avoided)),
                             terminal_width())));
}

static void draw_wallets(const json_t *wallets, FILE *to)
{
    static const struct table_column columns[] = {{"WALLET", TABLE_FLEX},
                                                  {"LEFT", TABLE_RIGHT | TABLE_POINT},
                                                  {"HELD", TABLE_RIGHT | TABLE_POINT},
                                                  {"BURN/DAY", TABLE_RIGHT | TABLE_POINT},
                                                  {"DAYS LEFT", TABLE_RIGHT},
                                                  {"THIS MONTH", TABLE_RIGHT | TABLE_POINT | TABLE_WIDE}};
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    for (size_t i = 0; i < json_array_size(wallets); i++)
        report_add_wallet(&table, json_array_get(wallets, i));
    fputc('\n', to);
    table_print(&table, to);
}

static const char *age_of(const json_t *exchange)
{
    long long since;
    if (!terminal_parse_time(api_text(exchange, "since", ""), &since))
        return "-";
    return text_format("%lld s", (long long)time(NULL) - since);
}

static void draw_live(const json_t *live, FILE *to)
{
    static const struct table_column columns[] = {
        {"RUNNING", TABLE_RIGHT}, {"STEP", 0},           {"PID", TABLE_RIGHT},  {"PROGRAM", TABLE_FLEX},
        {"GROUP", TABLE_WIDE},    {"MODEL", TABLE_FLEX}, {"TARGET", TABLE_FLEX}};
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    for (size_t i = 0; i < json_array_size(live) && i < TOP_LIVE; i++) {
        const json_t *exchange = json_array_get(live, i);
        table_add(&table, age_of(exchange));
        table_add(&table, api_text(exchange, "step", "-"));
        table_add(&table, api_text(exchange, "pid", "-"));
        table_add(&table, terminal_base(api_text(exchange, "executable", "-")));
        for (const char *const *name = (const char *const[]){"group", "model", "target", NULL}; *name; name++)
            table_add(&table, api_text(exchange, *name, "-"));
    }
    if (table.cells.count == 0)
        return;
    fputc('\n', to);
    table_print(&table, to);
}

static void draw_spenders(const json_t *today, FILE *to)
{
    static const struct table_column columns[] = {{"PROGRAM", TABLE_FLEX},
                                                  {"MODEL", TABLE_FLEX},
                                                  {"CALLS", TABLE_RIGHT},
                                                  {"DENIED", TABLE_RIGHT},
                                                  {"IN", TABLE_RIGHT},
                                                  {"OUT", TABLE_RIGHT},
                                                  {"COST", TABLE_RIGHT | TABLE_POINT},
                                                  {"SAVED", TABLE_RIGHT | TABLE_POINT}};
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    const json_t *rows = json_object_get(today, "rows");
    const struct report_shape shape = {NULL, today_by};
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct text_list names = {0};
        struct figures figures;
        report_key_cells(&shape, json_array_get(rows, i), &names);
        figures_read(json_array_get(rows, i), &figures);
        for (size_t j = 0; j < 2; j++)
            table_add(&table, j < names.count ? names.items[j] : "-");
        figures_add_short(&table, &figures);
    }
    if (table.cells.count == 0)
        return;
    fputc('\n', to);
    table_print(&table, to);
}

/* ---- what is asked ---- */

enum part { PART_WALLETS, PART_TODAY, PART_LIVE, PART_EVENTS, PART_COUNT };
static const char *const part_names[PART_COUNT] = {"wallets", "today", "live", "events"};

/* False: no agent answers. What it does not know is left empty. */
static bool fetch(const struct cli *cli, struct answer parts[PART_COUNT])
{
    const char *const paths[PART_COUNT] = {
        [PART_WALLETS] = "/v1/wallets",
        [PART_TODAY] = report_path(cli, "/v1/report", "today", NULL, today_by, "6"),
        [PART_LIVE] = "/v1/live",
        [PART_EVENTS] = text_format("/v1/events?limit=%d", TOP_EVENTS),
    };
    for (enum part part = 0; part < PART_COUNT; part++) {
        parts[part] = (struct answer){0};
        if (!api_try(cli, paths[part], TOP_TIMEOUT_MS, &parts[part]) && part == PART_WALLETS)
            return false;
    }
    return true;
}

static void draw_parts(const struct cli *cli, const struct answer parts[PART_COUNT], FILE *to)
{
    const json_t *events = json_object_get(parts[PART_EVENTS].json, "events");
    draw_head(cli, parts[PART_TODAY].json, to);
    draw_wallets(json_object_get(parts[PART_WALLETS].json, "wallets"), to);
    draw_live(json_object_get(parts[PART_LIVE].json, "live"), to);
    draw_spenders(parts[PART_TODAY].json, to);
    if (json_array_size(events))
        fputc('\n', to);
    for (size_t i = 0; i < json_array_size(events); i++)
        events_print(json_array_get(events, i), to);
}

static void print_json(const struct answer parts[PART_COUNT], FILE *to)
{
    for (enum part part = 0; part < PART_COUNT; part++)
        fprintf(to, "%s\"%s\":%s", part ? "," : "{", part_names[part], parts[part].json ? parts[part].body : "null");
    fputs("}\n", to);
}

/* EX_OK, or why there is nothing to draw, which is drawn. */
static int draw(const struct cli *cli, FILE *to)
{
    struct answer parts[PART_COUNT];
    if (!fetch(cli, parts)) {
        const bool is_absent = agent_is_absent(cli);
        fprintf(to, "%s of %s %s (%s); %s\n", is_absent ? "no agent" : "the agent", cli->place.environment,
                is_absent ? "answers" : "runs but does not answer", cli->place.runtime,
                is_absent ? "tollgate start" : "tollgate doctor");
        return is_absent ? EX_UNAVAILABLE : EX_TEMPFAIL;
    }
    if (cli->options.json)
        print_json(parts, to);
    else
        draw_parts(cli, parts, to);
    for (enum part part = 0; part < PART_COUNT; part++)
        json_decref(parts[part].json);
    return EX_OK;
}

/* ---- the screen ---- */

static int screen_height(void)
{
    const char *lines = getenv("LINES");
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return lines && atoi(lines) > 0 ? atoi(lines) : 24;
}

static void screen_stop(int signal_number)
{
    (void)signal_number;
    top_is_over = 1;
}

/* ^C and ^\ stay signals, which end the loop; ^Z would leave the other screen behind. */
static void screen_open(void)
{
    const struct sigaction stop = {.sa_handler = screen_stop}, ignore = {.sa_handler = SIG_IGN};
    for (const int *number = (const int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, 0}; *number; number++)
        sigaction(*number, &stop, NULL);
    sigaction(SIGTSTP, &ignore, NULL);
    if (tcgetattr(STDIN_FILENO, &top_terminal) == 0) {
        struct termios raw = top_terminal;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs("\x1b[?1049h\x1b[?25l", stdout);
}

static void screen_close(void)
{
    fputs("\x1b[?25h\x1b[?1049l", stdout);
    fflush(stdout);
    if (isatty(STDIN_FILENO))
        tcsetattr(STDIN_FILENO, TCSANOW, &top_terminal);
}

static void screen_show(const char *drawing)
{
    int left = screen_height();
    fputs("\x1b[H", stdout);
    for (const char *line = drawing; *line && left > 0; left--) {
        size_t length = strcspn(line, "\n");
        printf("%s%.*s\x1b[K", left < screen_height() ? "\r\n" : "", (int)length, line);
        line += length + (line[length] == '\n');
    }
    fputs("\x1b[J", stdout);
    fflush(stdout);
}

/* Until the next drawing is due; true: q was typed. */
static bool screen_wait(long every_s)
{
    struct pollfd keys = {STDIN_FILENO, POLLIN, 0};
    char key = 0;
    int ready = poll(&keys, isatty(STDIN_FILENO) ? 1 : 0, (int)(every_s * 1000));
    return ready > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q');
}

static void screen_run(const struct cli *cli, long every_s)
{
    screen_open();
    while (!top_is_over) {
        struct text_block *mark = text_mark();
        char *drawing = NULL;
        size_t bytes = 0;
        FILE *to = open_memstream(&drawing, &bytes);
        if (!to)
            break;
        draw(cli, to);
        fclose(to);
        screen_show(drawing);
        free(drawing);
        text_release(mark);
        if (screen_wait(every_s))
            break;
    }
    screen_close();
}

int top_command(struct cli *cli)
{
    const char *every = cli->options.every;
    char *end = NULL;
    long every_s = every ? strtol(every, &end, 10) : EVERY_DEFAULT_S;
    if (every_s < 1 || every_s > EVERY_MAX_S || (end && *end)) {
        text_complain("--every is 1 to %d seconds", EVERY_MAX_S);
        return EX_USAGE;
    }
    if (cli->is_both) {
        text_complain("the live view is of one environment");
        return EX_USAGE;
    }
    if (cli->options.compact)
        terminal_set_compact();
    report_zone(cli); /* before memory is given back after each drawing */
    int code = place_verify(&cli->place);
    if (code == EX_OK && agent_is_absent(cli))
        code = api_complain_absent(cli, -ECONNREFUSED);
    if (code != EX_OK)
        return code;
    if (cli->options.json || !isatty(STDOUT_FILENO))
        return draw(cli, stdout);
    screen_run(cli, every_s);
    return EX_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of tollgate report, top and statusline share. Money is a whole number of nano-dollars: sums of it are
 * exact, and never floats. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"

/* ---- report_figures.c: the measures of a row ---- */

/* "0.0125" in nano-dollars; 0 for what is no amount. */
long long nano_parse(const char *decimal);
const char *nano_format(long long nano); /* as terminal_money shows it */

struct figures {
    long long calls, refused, failed, hits;
    long long input, cached, output; /* tokens: to the model but for those from the provider's cache, these, from it */
    long long cost, avoided;         /* nano-dollars */
};
void figures_read(const json_t *measures, struct figures *ret_figures); /* NULL: all 0 */
void figures_add(struct figures *sum, const struct figures *more);
/* Exact; in compact tables "1.2M". */
const char *figures_count(long long count);
/* CALLS, DENIED, IN (from the provider's cache, too), OUT, COST, SAVED: where there is room for no more. */
void figures_add_short(struct table *table, const struct figures *figures);

/* ---- report_ask.c: what is asked for ---- */

/* IANA name: --timezone, TZ, or the machine's. From then on local time is that zone's. */
const char *report_zone(const struct cli *cli);
/* --window, --since and --until, else `otherwise`. EX_USAGE when they contradict each other. */
int report_period(const struct cli *cli, const char *otherwise, const char **ret_period);
/* "/v1/report?…" with the zone, the filters and --limit of the options. `step`, `by` and `limit` NULL: none. */
const char *report_path(const struct cli *cli, const char *what, const char *period, const char *step, const char *by,
                        const char *limit);
/* --by, --breakdown (by model, too), else `otherwise`; NULL: none. */
const char *report_by(const struct cli *cli, const char *otherwise);

/* The environments that were asked for, and what each answered: NULL where it did not, which was reported. */
enum { REPORT_SIDES_MAX = 2 };
struct report_side {
    struct cli cli; /* with its own place */
    struct answer answer;
};
struct report_sides {
    struct report_side rows[REPORT_SIDES_MAX];
    size_t count;
};
int report_sides_find(const struct cli *cli, struct report_sides *ret_sides);
/* Asks each of them. EX_OK when one answered; else the code of the first. */
int report_sides_ask(struct report_sides *sides, const char *path);
void report_sides_done(struct report_sides *sides);
/* The documents as they came: one, or {"environments": [...]}. */
void report_sides_print_json(const struct report_sides *sides);

/* ---- report_rows.c, report_both.c: tables ---- */

/* What was asked for, and so how rows are called: the step's beginning, then the names. */
struct report_shape {
    const char *step; /* NULL: one step is all */
    const char *by;   /* "executable,model"; NULL: none */
};
/* CALLS … SAVED, and their cells of a row's measures. */
enum { REPORT_FIGURE_COLUMNS = 8 };
extern const struct table_column report_figure_columns[REPORT_FIGURE_COLUMNS];
void report_add_figures(struct table *table, const json_t *measures);
size_t report_key_columns(const struct report_shape *shape, struct table_column *ret_columns);
void report_key_cells(const struct report_shape *shape, const json_t *row, struct text_list *ret_cells);
void report_print(const struct report_shape *shape, const json_t *document);
void report_print_both(const struct report_shape *shape, const struct report_sides *sides);
/* "2026-11-29 10:15" of an answer's time; "-": it is none. */
const char *report_moment(const char *time);
/* A wallet's cells: name, left, held, burn per day, days left, this month. */
void report_add_wallet(struct table *table, const json_t *wallet);
/* Beneath: what wallets have left, burn, and come to. Quiet about an agent that does not answer. */
void report_print_wallets(const struct cli *cli);
void report_print_foot(const struct cli *cli, const json_t *document);

/* ---- report_answer.c: in words ---- */

/* Which program spent most, on which model, what the cache saved; of a document by executable and model. */
const char *report_sentence(const json_t *document);

/* ---- report_views.c: sessions and questions ---- */

int report_sessions(struct cli *cli);
int report_questions(struct cli *cli);

/* ---- progress.c: while somebody waits at a terminal ---- */

/* From the second second on a line of standard error says what is waited for; only on a terminal. */
void progress_begin(const char *what);
void progress_end(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client program `tollgate`: shared by the files of agent/cli/ only. It links libc and jansson, nothing of the
 * agent: what it knows of an agent comes over the Unix sockets of control/control.h. Handlers return the process's
 * exit code (sysexits; 1 = negative finding) and report their problems on standard error themselves.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "shim/launch/launch.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CLI_NEGATIVE = 1, CLI_RUN_FAILED = 125 };

/* ---- options.c: one table of options, a set of them per command ---- */

struct options {
    const char *environment, *state, *runtime; /* every command that concerns an agent */
    const char *group, *project;
    const char *policy, *providers, *prices, *log_level;
    const char *shell, *limit, *model, *engine;
    const char *wallet, *provider, *target, *program, *reason; /* report: shell patterns */
    const char *since, *until, *by, *every;
    struct text_list filters;                                  /* events */
    const char *note, *id, *count;                             /* wallet */
    const char *amount, *window, *length, *time_zone, *alerts; /* budget */
    struct text_list scopes;
    const char *format, *output;     /* statusline's; export's, with window and time zone */
    const char *environments, *port; /* dashboard */
    struct text_list runtimes;
    const char *kernel, *name, *prefix, *display_name; /* jupyter */
    const char *root;                                  /* systemd */
    bool create, all, hard, soft, follow, json, off, base_url, list, remove, user, foreground, help;
    bool breakdown, compact, no_open;
    bool redact_names; /* support-bundle, with output */
    bool prod;         /* doctor */
};
enum option_set {
    OPTIONS_PLACE = 1 << 0,
    OPTIONS_IDENTITY = 1 << 1, /* group, project */
    OPTIONS_FILES = 1 << 2,
    OPTIONS_JSON = 1 << 3,
    OPTIONS_SHELL = 1 << 4,
    OPTIONS_WALLET = 1 << 5,
    OPTIONS_EVENTS = 1 << 6,
    OPTIONS_START = 1 << 7,            /* log-level, foreground */
    OPTIONS_STOP_AT_ARGUMENT = 1 << 8, /* what follows the first argument belongs to another program */
    OPTIONS_PASS = 1 << 9,             /* unknown options belong to another program */
    OPTIONS_BUDGET = 1 << 10,
    OPTIONS_CACHE = 1 << 11,    /* group, model */
    OPTIONS_BASE_URL = 1 << 12, /* base-url */
    OPTIONS_TRUST = 1 << 13,
    OPTIONS_JUPYTER = 1 << 14,
    OPTIONS_ENGINE = 1 << 15,
    OPTIONS_REPORT = 1 << 16, /* --env takes both, too */
    OPTIONS_TOP = 1 << 17,
    OPTIONS_STATUSLINE = 1 << 18,
    OPTIONS_EXPORT = 1 << 19,
    OPTIONS_DASHBOARD = 1 << 20,
    OPTIONS_ROOT = 1 << 21,
    OPTIONS_RESTART = 1 << 22, /* log-level */
    OPTIONS_BUNDLE = 1 << 23,
    OPTIONS_DOCTOR = 1 << 24,
};
struct option_row {
    const char *name;
    unsigned set;
    const char *value; /* what it is, for people: "FILE", "dev|prod"; NULL: a flag */
    size_t offset;     /* into struct options: const char *, bool, or struct text_list */
    const char *help;
    bool is_list; /* may be given more than once */
};
/* The next option of these sets at or after row *at, which is moved behind it; NULL at the end. Of a name that several
 * sets have, the first row counts. */
const struct option_row *options_next(unsigned sets, size_t *at);
/* Arguments that are no options are moved to *ret_arguments. EX_USAGE after a message. */
int options_parse(unsigned sets, int argc, char **argv, struct options *ret_options, struct text_list *ret_arguments);
void options_print_help(unsigned sets, FILE *to);

/* ---- project.c: a project's .tollgate.yaml ---- */

#define PROJECT_FILE_NAME ".tollgate.yaml"
struct project {
    const char *path;     /* the directory's canonical path and the file's name */
    const char *refused;  /* why it was not read; NULL: it was */
    const char *problems; /* its mistakes, lines; NULL: none */
    const char *digest;
    const char *environment, *group, *name; /* the latter two NULL: none */
    bool shell;
    bool is_trusted;
    bool has_changed; /* trusted once, with other content */
    bool was_prod;    /* that content said prod */
};
/* The nearest one from the working directory upwards, or NULL. Only looks whether there is one. */
const char *project_locate(void);
/* What it says (tollgated reads it, once) and whether the user trusts exactly that. EX_UNAVAILABLE: no tollgated. */
struct cli;
int project_read(const struct cli *cli, const char *path, struct project *ret_project);
/* For run and env: what a trusted file says, where neither options nor variables do. Otherwise a line says why it is
 * not followed; EX_NOPERM when going on could mean dev where prod was meant. */
int project_apply(struct cli *cli);
/* The place and the names of a trusted file; options and variables go before it. */
int project_follow(struct cli *cli, const struct project *project);

/* ---- trust.c: which project files the user trusts ---- */

/* NULL: never trusted (or the store is not to be believed, which is reported). */
const json_t *trust_find(const char *path);
const char *trust_file(void);

/* ---- main.c: the commands ---- */

struct command;
struct cli {
    const struct command *command;
    struct options options;
    struct launch_place place;
    struct project project; /* that is followed; path NULL: none */
    struct text_list arguments;
    bool is_both; /* --env both: `place` is dev's */
};
struct command {
    const char *name;
    const char *arguments;
    const char *help; /* one line */
    int (*handle)(struct cli *cli);
    const char *details; /* printed by help NAME; NULL: nothing to add */
    unsigned options;
    int argument_min, argument_max; /* -1: any number */
    bool is_hidden;
};
/* The table of commands, hidden ones included; NULL behind its end. */
const struct command *command_at(size_t index);
/* The row nearest to a mistyped name, NULL when none is near. */
const char *cli_suggest(const char *typed, const char *const *names);

/* owner.c. The user's name, or number. */
const char *owner_name(uid_t uid);
/* EX_NOPERM, with the command to use, when root would leave files of its own in another user's state directory. */
int owner_check_root(const struct cli *cli, const char *command);

int run_command(struct cli *cli);
/* What an exec hook of the shim ordered (TOLLGATE_EXECUTE): supervises a program in whose place this one was executed.
 */
int run_for_hook(const char *order, char **arguments);
int env_command(struct cli *cli);
int start_command(struct cli *cli);
int stop_command(struct cli *cli);
int status_command(struct cli *cli);
int reload_command(struct cli *cli);
int log_command(struct cli *cli);
int restart_command(struct cli *cli);
int wallet_command(struct cli *cli);
int why_command(struct cli *cli);
int events_command(struct cli *cli);
int report_command(struct cli *cli);
int top_command(struct cli *cli);
int statusline_command(struct cli *cli);
int secret_command(struct cli *cli);
int doctor_command(struct cli *cli);
int support_bundle_command(struct cli *cli);
int check_command(struct cli *cli);
int explain_command(struct cli *cli);
int targets_command(struct cli *cli);
int jobs_command(struct cli *cli);
int cache_command(struct cli *cli);
int ps_command(struct cli *cli);
int audit_command(struct cli *cli);
int budget_command(struct cli *cli);
int export_command(struct cli *cli);
int backup_command(struct cli *cli);
int restore_command(struct cli *cli);
int dump_command(struct cli *cli);
int trust_command(struct cli *cli);
int hook_command(struct cli *cli);
int hook_step_command(struct cli *cli);
int jupyter_command(struct cli *cli);
int dashboard_command(struct cli *cli);
int completion_command(struct cli *cli);
int systemd_command(struct cli *cli);

/* ---- http.c: HTTP/1.1 over a Unix socket, one request per connection ---- */

struct http_request {
    const char *method, *path;
    const char *body; /* NULL: none */
    size_t body_bytes;
    bool is_admin; /* admin.sock instead of report.sock */
    int timeout_ms;
};
struct http_stream {
    int fd;
    int status;
    long long deadline_ms;  /* monotonic; 0: none */
    long long content_left; /* -1: until the agent closes */
    bool is_chunked;
    long long chunk_left;
    char trailer[16384]; /* of a chunked body that was read to its end: its fields, lines */
    char buffer[16384];
    size_t start, end;
};
/* 0 with the head read; -errno otherwise (-EPROTO: no HTTP, -ETIMEDOUT). The stream must be closed after success. */
int http_open(const struct launch_place *place, const struct http_request *request, struct http_stream *ret_stream);
/* Bytes of the body, 0 at its end, -errno. */
long http_read(struct http_stream *stream, char *bytes, size_t bytes_max);
void http_close(struct http_stream *stream);

/* ---- api.c: requests with JSON answers ---- */

struct answer {
    int status;
    json_t *json;     /* an object; the caller's to json_decref; NULL on failure */
    const char *body; /* as it came */
};
/*
 * EX_OK for 2xx. Otherwise the error is reported (with its hint) unless `quiet` covers the status, and the exit code
 * says whose fault it is; `ret_answer` is filled whenever an answer came. EX_UNAVAILABLE: no agent.
 */
int api_call(const struct cli *cli, const struct http_request *request, int quiet_status, struct answer *ret_answer);
int api_get(const struct cli *cli, const char *path, struct answer *ret_answer);
/* Quiet, and not for long: false when there is no such answer, whatever the reason. */
bool api_try(const struct cli *cli, const char *path, int timeout_ms, struct answer *ret_answer);
/* Likewise, whatever the status is and the answer holds (json may be NULL). 0, or -errno: there was none. */
int api_probe(const struct cli *cli, const char *path, int timeout_ms, struct answer *ret_answer);
/* POST to the admin socket with `order` (taken over; NULL: it was not UTF-8, which is reported). */
int api_post(const struct cli *cli, const char *path, json_t *order, struct answer *ret_answer);
int api_post_slowly(const struct cli *cli, const char *path, json_t *order, int timeout_ms, struct answer *ret_answer);
/* Reports that no agent answers, with what to do about it. */
int api_complain_absent(const struct cli *cli, int error);
/* For an open stream whose answer is an error: says what it says, and whose turn it is. */
int api_refuse(struct http_stream *stream);
/* False (after a message) for names that no wallet, group or secret has: they go into paths as they are. */
bool api_is_name(const char *what, const char *name);
/* As the value of a parameter (RFC 3986 section 2.1): models and paths have all sorts of names. */
const char *api_encode(const char *text);
/* A member as text: strings as they are, numbers and booleans formatted; `otherwise` when absent or null. */
const char *api_text(const json_t *object, const char *member, const char *otherwise);
long long api_integer(const json_t *object, const char *member, long long otherwise);

/* ---- wallet.c, order.c: balances, and what changes them ---- */

void wallet_print(const struct cli *cli, const struct answer *answer); /* one wallet, its history when it is there */
/* "12", "3.5", "-" where nothing burns. */
const char *wallet_days_left(const json_t *wallet);
int wallet_fund(struct cli *cli);
int wallet_adjust(struct cli *cli);

/* ---- lifecycle.c ---- */

void lifecycle_print_hello(const struct cli *cli, const struct answer *hello);

/* ---- agent.c: the agent of the place ---- */

/* What the options, the variables and an earlier `start` say; EX_CONFIG when no policy file is found. */
int agent_find_options(const struct cli *cli, struct launch_agent *ret_agent);
/* tollgated --tool NAME, told of the place and of the agent's files; empty when there is no tollgated (locate_agent).
 */
struct text_list agent_tool(const struct cli *cli, const struct launch_agent *agent, const char *name);
void agent_remember(const struct cli *cli, const struct launch_agent *agent); /* in STATE/start.json */
/* /v1/launch of a running agent. */
int agent_ask_launch(const struct cli *cli, struct launch_facts *ret_facts, bool *ret_refuses_ungoverned);
/* The same, after starting dev's agent when none answers. prod's is never started by accident. */
int agent_get_launch(const struct cli *cli, struct launch_facts *ret_facts, bool *ret_refuses_ungoverned);
bool agent_is_absent(const struct cli *cli);
/* Why a program that is started now would not be governed: its shim, or supervisor, could not read the map. In words,
 * with what to do; NULL: it could. An agent that is asked for launch facts has put its map back before. */
const char *agent_find_map_fault(const struct cli *cli);

/* ---- await.c ---- */

/* Waits, not without bound, and not without a word, while one agent follows another. False: there is none, and none
 * that would come by itself. */
bool agent_await(const struct cli *cli);

/* ---- jupyter*.c: kernelspecs ---- */

struct kernel {
    const char *name, *directory;
    json_t *spec;
    unsigned mode; /* of its kernel.json: the copy is as private */
};
struct kernels {
    struct kernel *items;
    size_t count;
};
bool jupyter_is_name(const char *name);
const char *jupyter_user_directory(void);                    /* that holds kernels/ */
void jupyter_directories(struct text_list *ret_directories); /* all that Jupyter would look into, in its order */
/* A bounded number; broken ones are left out. Those of `prefix` go first; NULL: none is named. */
void kernels_find(const char *prefix, struct kernels *ret_kernels);
bool kernel_read(const char *directory,
                 struct kernel *ret_kernel);               /* false: absent or broken; the spec is the caller's */
const json_t *kernel_wrapper(const struct kernel *kernel); /* what `install` noted; NULL: not from us */
/* The program of a kernel's argv: a bare "python" is that of the installation which the kernel belongs to. */
const char *jupyter_program(const struct kernel *kernel, const char *program);
/* DATA/kernels/NAME: `spec` and a copy of the resources of `from`, in the place of what is there. */
int kernel_write(const struct kernel *from, const json_t *spec, const char *data, const char *name);
int kernel_remove(const char *directory);

/* ---- events.c: what a call's line has ---- */

void events_print(const json_t *event, FILE *to);

/* ---- terminal.c, table.c: what people read ---- */

int terminal_width(void);
bool terminal_is_compact(void);  /* below 100 columns, or … */
void terminal_set_compact(void); /* … since it was asked for */
bool terminal_has_color(FILE *to);
enum color { COLOR_NONE, COLOR_BOLD, COLOR_DIM, COLOR_RED, COLOR_GREEN, COLOR_YELLOW };
const char *terminal_paint(FILE *to, enum color color, const char *text);
/* Free of control characters: executables and models are named by others. */
const char *terminal_clean(const char *text);
int terminal_columns(const char *text); /* UTF-8 code points */
const char *terminal_fit(const char *text, int columns);
const char *terminal_pad(const char *text, int columns); /* cut or filled; negative: filled on the left */
void terminal_print_json(const struct answer *answer);
/* Local time; the text itself when it is no time. */
const char *terminal_time(const char *iso, bool with_date);
const char *terminal_money(const char *decimal); /* at least two decimals */
/* RFC 3339, seconds since 1970. */
bool terminal_parse_time(const char *iso, long long *ret_seconds);
const char *terminal_base(const char *path); /* its last part */

enum table_flag {
    TABLE_RIGHT = 1,
    TABLE_WIDE = 2 /* only from 100 columns on */,
    TABLE_FLEX = 4 /* gives way */,
    TABLE_POINT = 8 /* points below points */
};
struct table_column {
    const char *title;
    unsigned flags;
};
enum { TABLE_COLUMNS_MAX = 24 };
struct table {
    const struct table_column *columns;
    size_t column_count;
    struct text_list cells; /* row by row */
};
void table_add(struct table *table, const char *cell);
void table_print(const struct table *table, FILE *to);

/* ---- child.c ---- */

/* Runs a program (no shell) for at most timeout_ms with the changes applied to its environment; what it said on both of
 * its outputs (64 KiB), or NULL when it did not run. */
const char *child_run(const char *const *arguments, const struct launch_changes *changes, int timeout_ms,
                      int *ret_status);

/* ---- doctor*.c ---- */

enum finding_status { FINDING_OK, FINDING_WARNING, FINDING_FAILURE };
struct doctor {
    const struct cli *cli;
    json_t *findings;    /* [{"name","status","text","fix"}] */
    const json_t *hello; /* NULL: no agent */
    bool has_map;
    struct launch_map map;
};
void doctor_add(struct doctor *doctor, const char *name, enum finding_status status, const char *fix,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
json_t *doctor_examine(const struct cli *cli);        /* all findings */
void doctor_check_agent(struct doctor *doctor);       /* agent, map, port, the agent's own checks */
void doctor_check_files(struct doctor *doctor);       /* directories, CA files, the shim */
void doctor_check_trust(struct doctor *doctor);       /* a governed TLS handshake */
void doctor_check_environment(struct doctor *doctor); /* keys, proxies, other preloads */
void doctor_check_system(struct doctor *doctor);      /* kernel */
/* To the finding that was added last: why it matters. */
void doctor_explain(struct doctor *doctor, const char *why);
/* doctor_prod.c, for --prod */
void doctor_check_prod_owner(struct doctor *doctor);   /* a user of its own */
void doctor_check_prod_files(struct doctor *doctor);   /* what others may read or write */
void doctor_check_prod_units(struct doctor *doctor);   /* systemd */
void doctor_check_prod_system(struct doctor *doctor);  /* swap, clock, disk, backups */
void doctor_check_prod_process(struct doctor *doctor); /* limits, hardening */
void doctor_check_prod_apart(struct doctor *doctor);   /* dev and prod share nothing */
void doctor_check_gaps(struct doctor *doctor);         /* AI programs installed here, and what no engine reaches */

#endif

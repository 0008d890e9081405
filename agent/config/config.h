/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: the policy file, the provider catalogue and the price list, read from YAML into one immutable,
 * reference-counted snapshot. Every key is a row of the settings table (config/settings_table.def), which also prints
 * policies/ REFERENCE.md, the JSON schema and the defaults. All errors are collected; any error means no snapshot. The
 * only folder that includes <yaml.h>. catalogue.h: providers and prices; settings.h: the policy; here: how they are
 * read.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/error.h"
#include "config/settings.h"

#include <stdio.h>

/* Where to look. `providers_file` and `prices_file` may be NULL: beside the installed policies. */
struct config_sources {
    const char *policy_file;
    const char *providers_file;
    const char *prices_file;
    const char *secret_directory; /* for secret_key_ref: store; NULL: none */
    const char *budgets_file;     /* STATE/budgets.yaml, written by `tollgate budget set`; NULL or absent: none */
    int environment;              /* enum environment, or -1: from the file (`environment:`), else from its name */
};

/* One finding, printed by config_print_problems as
 *   FILE:LINE:COLUMN: error: MESSAGE
 *      the line
 *         ^
 *   hint: … */
struct config_problem {
    bool is_warning;
    const char *file;
    struct config_place place;
    const char *message, *hint; /* hint: NULL when there is none */
};

struct config_problems {
    struct arena *arena;
    struct config_problem *rows;
    size_t count, error_count;
    bool is_full; /* CONFIG_PROBLEMS_MAX reached: the rest is not reported */
};

enum { CONFIG_PROBLEMS_MAX = 100 };

void config_problems_init(struct config_problems *problems);
void config_problems_done(struct config_problems *problems);
void config_print_problems(const struct config_problems *problems, FILE *stream);
/* For checks above config (prices_warn_unknown). Texts are copied, what looks like an API key in them is masked; place
 * NULL: the file as a whole; hint may be NULL. */
void config_add_problem(struct config_problems *problems, bool is_warning, const char *file,
                        const struct config_place *place, const char *message, const char *hint);

/* Reads everything. ERROR_OK: *ret_settings holds one reference, problems may hold warnings. ERROR_SETTINGS_INVALID:
 * problems says all of it. Never aborts on input, whatever it is (1 MiB, depth 32, no anchors/aliases/tags). */
enum error config_load(const struct config_sources *sources, struct config_problems *problems,
                       struct settings **ret_settings) MUST_USE;
struct settings *config_retain(struct settings *settings);
void config_release(struct settings *settings); /* NULL is fine; secrets are wiped with the last reference */

/* ---- settings that only a start puts in force (the table's rows without FIELD_RELOADABLE) ---- */
/* As they are now, each as text; no secret is among them. */
struct config_fixed;
struct config_fixed *config_fixed_new(const struct settings *settings);
void config_fixed_free(struct config_fixed *fixed); /* NULL is fine */
/* Each that differs in `settings`: its key from the top of the policy, then and now. Texts are valid during the call.
 */
typedef void config_differs_function(void *context, const char *key, const char *before, const char *after);
void config_fixed_compare(const struct config_fixed *fixed, const struct settings *settings,
                          config_differs_function *differs, void *context);

/* ---- the operator's budgets: settings->budgets_file, whose rows replace those of the policy with the same id ---- */
/* One row of budgets[] as text: a YAML mapping, and JSON is one: {"id": "team", "amount": "50", "window": "monthly"}.
 * Keys, defaults, checks and messages are those of a policy; findings name the file "budget". What it returns lives as
 * long as `arena`. ERROR_SETTINGS_INVALID: problems says why. */
enum error config_parse_budget(const struct settings *settings, struct slice row, struct config_problems *problems,
                               struct arena *arena, struct budget *ret_budget) MUST_USE;
/* `tollgate budget set`: parses the row, checks it against the budgets in force (how many, how many of one call), and
 * writes it with the operator's other rows to settings->budgets_file, in the place of an older one with its id. The
 * settings are not changed: reload to put it in force. Errors: SETTINGS_INVALID (problems says why, nothing was
 * written), NOT_FOUND (no budgets_file), FILE_UNWRITABLE. Writers must take turns. */
enum error config_set_budget(const struct settings *settings, struct slice row,
                             struct config_problems *problems) MUST_USE;
/* Takes an operator's row back; a row of the policy with that id counts again after the reload. NOT_FOUND: the operator
 * has no such row; FILE_UNWRITABLE. */
enum error config_unset_budget(const struct settings *settings, const char *id) MUST_USE;
/* The file as a whole, by rename, 0600, on disk when it returns. FILE_UNWRITABLE: the old one is still there. */
enum error config_write_budgets(const char *file, const struct budget *budgets, size_t count) MUST_USE;

/* ---- a project's .tollgate.yaml: read for the client, never by an agent that runs ---- */
struct project_file {
    unsigned environment;        /* enum environment */
    const char *group, *project; /* NULL: not said */
    bool shell;
    char digest[65]; /* SHA-256 of the bytes that were read, hexadecimal */
};
/* Opens and reads once: what is hashed is what is parsed. Nothing is read of what somebody else could have written (not
 * a regular file, another owner than this user or root, writable by others, larger than 16 KiB): FILE_UNREADABLE with
 * *ret_refused. SETTINGS_INVALID: problems says why; the digest is there all the same. Text lives in the arena. */
enum error config_read_project(const char *file, struct arena *arena, struct config_problems *problems,
                               const char **ret_refused, struct project_file *ret_project) MUST_USE;

/* REFERENCE.md and the JSON schema, generated from the table. */
void config_print_reference(FILE *stream);
void config_print_schema(FILE *stream);

/* What the settings' policy file puts in force, a line per setting, defaults as well; secrets, and whatever could hold
 * one, are ***. Reads the file again. */
void config_print_effective(const struct settings *settings, FILE *stream);

/* The provider that has the host (a governed name); NULL for one that only capture.hosts lists. */
const struct provider *config_find_provider(const struct settings *settings, const char *host);
const struct target *config_find_target(const struct settings *settings, const char *id); /* NULL: none of that id */

const char *config_environment_name(enum environment environment); /* "dev", "prod" */
/* Secret store of an agent: DIRECTORY/NAME, 0600. NAME: [A-Za-z0-9_.-]{1,64}. */
enum error config_store_secret(const char *directory, const char *name, struct slice value) MUST_USE;

#endif

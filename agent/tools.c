/* SPDX-License-Identifier: Apache-2.0 */
/* See tools.h: a table of small programs over the services. */
#include "tools.h"

#include "config/config.h"
#include "dialect/dialect.h"
#include "directories.h"
#include "prices/prices.h"
#include "stores.h"
#include "wallet/wallet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static enum error check_file(const char *file, const char *providers, const char *prices)
{
    const struct config_sources sources = {
        .policy_file = file, .providers_file = providers, .prices_file = prices, .environment = -1};
    struct config_problems problems;
    struct settings *settings = NULL;
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, &settings);
    if (!error) {
        prices_warn_unknown(settings, &problems);
        dialect_warn_endpoints(settings, &problems);
        directories_check(settings, settings, NULL, &problems);
    }
    config_print_problems(&problems, stderr);
    if (!error)
        printf("%s: ok, %s, %zu target%s, %zu group%s, %zu budget%s\n", file,
               config_environment_name(settings->environment), settings->target_count,
               settings->target_count == 1 ? "" : "s", settings->group_count, settings->group_count == 1 ? "" : "s",
               settings->budget_count, settings->budget_count == 1 ? "" : "s");
    config_problems_done(&problems);
    config_release(settings);
    return error;
}

static int run_check(int argc, char **argv)
{
    const char *providers = NULL, *prices = NULL;
    int files = 0, code = EX_OK;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--providers") && i + 1 < argc)
            providers = argv[++i];
        else if (!strcmp(argv[i], "--prices") && i + 1 < argc)
            prices = argv[++i];
        else if (++files && check_file(argv[i], providers, prices))
            code = EX_DATAERR;
    }
    if (!files) {
        fputs("usage: tollgate check [--providers FILE] [--prices FILE] POLICY-FILE…\n", stderr);
        return EX_USAGE;
    }
    return code;
}

static int run_reference(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    config_print_reference(stdout);
    return EX_OK;
}

static int run_schema(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    config_print_schema(stdout);
    return EX_OK;
}

static int run_audit(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[0], "--state")) {
        fputs("usage: tollgate audit [--env ENVIRONMENT] (the agent must be stopped)\n", stderr);
        return EX_USAGE;
    }
    enum { REPORT_BYTES = 65536 };
    char directory[512], *report = calloc(1, REPORT_BYTES);
    if (!report)
        return EX_OSERR;
    snprintf(directory, sizeof directory, "%s/ledger", argv[1]);
    enum error error = wallet_audit(directory, report, REPORT_BYTES);
    fputs(report, stdout);
    free(report);
    if (error)
        fprintf(stderr, "tollgate: audit: %s%s\n", error_row(error)->text,
                error == ERROR_STORE_CORRUPT ? ": tollgate restore FROM puts a backup in its place" : "");
    return error == ERROR_OK                 ? EX_OK
           : error == ERROR_ENVIRONMENT_BUSY ? EX_TEMPFAIL
           : error == ERROR_STORE_CORRUPT    ? 1
                                             : EX_IOERR;
}

static int code_of(enum error error)
{
    static const struct {
        enum error error;
        int code;
    } rows[] = {{ERROR_OK, EX_OK},
                {ERROR_ENVIRONMENT_BUSY, EX_TEMPFAIL},
                {ERROR_NOT_FOUND, EX_NOINPUT},
                {ERROR_FILE_UNREADABLE, EX_NOINPUT},
                {ERROR_STORE_CORRUPT, EX_DATAERR},
                {ERROR_STORE_SCHEMA, EX_DATAERR},
                {ERROR_REQUEST_INVALID, EX_DATAERR},
                {ERROR_FILE_UNWRITABLE, EX_CANTCREAT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].error == error)
            return rows[i].code;
    return EX_IOERR;
}

static int run_restore(int argc, char **argv)
{
    char directory[512], why[512] = "";
    if (argc != 5 || strcmp(argv[0], "--state") || strcmp(argv[3], "--environment")) {
        fputs("usage: tollgate restore [--env ENVIRONMENT] BACKUP-DIRECTORY|DUMP.jsonl (the agent must be stopped)\n",
              stderr);
        return EX_USAGE;
    }
    snprintf(directory, sizeof directory, "%s/ledger", argv[1]);
    enum error error = wallet_restore(argv[2], directory, argv[4], why, sizeof why);
    if (error)
        fprintf(stderr, "tollgate: restore: %s%s%s; nothing was changed\n",
                error == ERROR_REQUEST_INVALID ? "" : error_row(error)->text,
                error == ERROR_REQUEST_INVALID ? "" : ": ", why);
    else
        printf("restored %s%s%s\n", argv[2], why[0] ? "; " : "", why);
    if (!error)
        error = stores_forget(argv[1], "ledger");
    return code_of(error);
}

static int run_dump(int argc, char **argv)
{
    char directory[512];
    if (argc != 2 || strcmp(argv[0], "--state")) {
        fputs("usage: tollgate dump [--env ENVIRONMENT] (the agent must be stopped)\n", stderr);
        return EX_USAGE;
    }
    snprintf(directory, sizeof directory, "%s/ledger", argv[1]);
    enum error error = wallet_dump(directory, stdout);
    if (error)
        fprintf(stderr, "tollgate: dump: %s: %s\n", directory, error_row(error)->text);
    return code_of(error);
}

static const struct tool {
    const char *name;
    int (*run)(int argc, char **argv);
} tools[] = {{"check", run_check},       {"reference", run_reference}, {"schema", run_schema},
             {"audit", run_audit},       {"restore", run_restore},     {"dump", run_dump},
             {"explain", tool_explain},  {"project", tool_project},    {"ready", tool_ready},
             {"settings", tool_settings}};

int tools_run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        if (!strcmp(tools[i].name, name))
            return tools[i].run(argc, argv);
    fprintf(stderr, "tollgated: no tool is named %s\n", name);
    return EX_USAGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tollgated: options → agent_run, or one of the tools that need no running agent. */
#include "agent.h"
#include "tools.h"

#include "base/descriptors.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage_text[] =
    "usage: tollgated --environment dev|prod --policy FILE --state DIR --runtime DIR [OPTIONS]\n"
    "       tollgated --tool check FILE… | reference | schema | audit --state DIR\n"
    "       tollgated --version | --help\n";

/* OPTION(id, name, value (NULL: none), text); the manual page tollgated(8) has the same rows. */
#define OPTIONS                                                                                                        \
    OPTION(ENVIRONMENT, "environment", "dev|prod", "which environment this is; without it, the policy says so")        \
    OPTION(POLICY, "policy", "FILE", "the policy, required")                                                           \
    OPTION(STATE, "state", "DIR", "ledger, events, cache and keys, required; made when it is not there")               \
    OPTION(RUNTIME, "runtime", "DIR", "sockets, map and certificates, required; made when it is not there")            \
    OPTION(PROVIDERS, "providers", "FILE", "the catalogue of providers, instead of the installed one")                 \
    OPTION(PRICES, "prices", "FILE", "the price list, instead of the installed one")                                   \
    OPTION(LOG, "log", "FILE", "where the log is appended (standard error)")                                           \
    OPTION(LOG_LEVEL, "log-level", "LEVEL", "error, warning, info (default) or debug")                                 \
    OPTION(READY_FD, "ready-fd", "N", "a descriptor that gets a line once the agent serves")                           \
    OPTION(TOOL, "tool", "NAME", "run a tool that needs no agent; what follows are its arguments")                     \
    OPTION(VERSION, "version", NULL, "print the version")                                                              \
    OPTION(HELP, "help", NULL, "this")

#define OPTION(id, name, value, text) OPT_##id,
enum option_id { OPT_BEFORE_FIRST = 255, OPTIONS };
#undef OPTION

#define OPTION(id, name, value, text) {name, (value) ? required_argument : no_argument, NULL, OPT_##id},
static const struct option long_options[] = {OPTIONS{NULL, 0, NULL, 0}};
#undef OPTION

static int print_help(void)
{
    static const struct {
        const char *name, *value, *text;
    } rows[] = {
#define OPTION(id, name, value, text) {name, value, text},
        OPTIONS
#undef OPTION
    };
    printf("%s\n", usage_text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int width = printf("  --%s%s%s", rows[i].name, rows[i].value ? " " : "", rows[i].value ? rows[i].value : "");
        printf("%*s%s\n", width < 26 ? 26 - width : 1, "", rows[i].text);
    }
    return ferror(stdout) ? EX_IOERR : EX_OK;
}

static int usage_error(const char *message)
{
    fprintf(stderr, "tollgated: %s\n%s", message, usage_text);
    return EX_USAGE;
}

static bool parse_environment(const char *name, int *ret_environment)
{
    for (int i = 0; i < ENVIRONMENT_COUNT; i++)
        if (!strcmp(name, config_environment_name((enum environment)i))) {
            *ret_environment = i;
            return true;
        }
    return false;
}

/* Where each string option goes; NULL: not a string option. */
static const char **string_option(struct agent_options *options, int id)
{
    switch (id) {
    case OPT_POLICY:
        return &options->policy_file;
    case OPT_STATE:
        return &options->state;
    case OPT_RUNTIME:
        return &options->runtime;
    case OPT_PROVIDERS:
        return &options->providers_file;
    case OPT_PRICES:
        return &options->prices_file;
    case OPT_LOG:
        return &options->log_file;
    default:
        return NULL;
    }
}

int main(int argc, char **argv)
{
    descriptors_fill();
    struct agent_options options = {.environment = -1, .log_level = LOG_LEVEL_INFO, .ready_fd = -1};
    for (int id; (id = getopt_long(argc, argv, "+", long_options, NULL)) != -1;) {
        const char **text = string_option(&options, id);
        if (text)
            *text = optarg;
        else if (id == OPT_TOOL)
            return tools_run(optarg, argc - optind, argv + optind);
        else if (id == OPT_VERSION)
            return printf("tollgated %s\n", TOLLGATE_VERSION) < 0;
        else if (id == OPT_HELP)
            return print_help();
        else if (id == OPT_READY_FD)
            options.ready_fd = atoi(optarg);
        else if (id == OPT_ENVIRONMENT && !parse_environment(optarg, &options.environment))
            return usage_error("--environment is dev or prod");
        else if (id == OPT_LOG_LEVEL && !log_level_parse(optarg, &options.log_level))
            return usage_error("--log-level is error, warning, info or debug");
        else if (id == '?')
            return usage_error("unknown option");
    }
    if (optind < argc)
        return usage_error("unexpected argument");
    if (!options.policy_file || !options.state || !options.runtime)
        return usage_error("--policy, --state and --runtime are required");
    return agent_run(&options);
}

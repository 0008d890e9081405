/* SPDX-License-Identifier: Apache-2.0 */
/* tollgated: options → agent_run, or one of the tools that need no running agent. */
#include "agent.h"
#include "tools.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage_text[] =
    "usage: tollgated --environment dev|prod --policy FILE --state DIR --runtime DIR\n"
    "                 [--providers FILE] [--prices FILE] [--log FILE] [--log-level error|warning|info|debug]\n"
    "                 [--ready-fd N]\n"
    "       tollgated --tool check FILE… | reference | schema | audit --state DIR\n"
    "       tollgated --version | --help\n";

enum option_id {
    OPT_ENVIRONMENT = 256,
    OPT_POLICY,
    OPT_STATE,
    OPT_RUNTIME,
    OPT_PROVIDERS,
    OPT_PRICES,
    OPT_LOG,
    OPT_LOG_LEVEL,
    OPT_READY_FD,
    OPT_TOOL,
    OPT_VERSION,
    OPT_HELP
};

static const struct option long_options[] = {
    {"environment", required_argument, NULL, OPT_ENVIRONMENT},
    {"policy", required_argument, NULL, OPT_POLICY},
    {"state", required_argument, NULL, OPT_STATE},
    {"runtime", required_argument, NULL, OPT_RUNTIME},
    {"providers", required_argument, NULL, OPT_PROVIDERS},
    {"prices", required_argument, NULL, OPT_PRICES},
    {"log", required_argument, NULL, OPT_LOG},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"tool", required_argument, NULL, OPT_TOOL},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

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
            return fputs(usage_text, stdout) < 0;
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent of an environment as the client sees it: with which files it is started, what those were the last time
 * (STATE/start.json), and what it says a governed program needs.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char *agent_memory_path(const struct cli *cli)
{
    return text_format("%s/start.json", cli->place.state);
}

/* NULL: nothing is remembered. Where what is has gone, another file would be in force without a word: other budgets,
 * other people, other providers. */
static const char *agent_recall(const struct cli *cli, const json_t *memory, const char *name, bool *is_gone)
{
    const char *path = json_string_value(json_object_get(memory, name));
    if (path && access(path, F_OK) != 0) {
        text_complain("%s, with which the agent of %s was started, is not there (%s): put it back, or name another "
                      "with --%s FILE",
                      terminal_clean(path), cli->place.environment, strerror(errno), name);
        *is_gone = true;
    }
    return path ? text_format("%s", path) : NULL;
}

static const char *agent_choose(const struct cli *cli, const json_t *memory, const char *name, const char *option,
                                const char *variable, bool *is_gone)
{
    const char *value = variable ? getenv(variable) : NULL;
    if (option)
        return place_absolute(option);
    return value && value[0] ? place_absolute(value) : agent_recall(cli, memory, name, is_gone);
}

int agent_find_options(const struct cli *cli, struct launch_agent *ret_agent)
{
    json_error_t ignored;
    json_t *memory = json_load_file(agent_memory_path(cli), 0, &ignored);
    const struct options *options = &cli->options;
    bool is_gone = false;
    struct launch_agent agent = {
        .policy = agent_choose(cli, memory, "policy", options->policy, LAUNCH_ENV_POLICY, &is_gone),
        .providers = agent_choose(cli, memory, "providers", options->providers, NULL, &is_gone),
        .prices = agent_choose(cli, memory, "prices", options->prices, NULL, &is_gone),
        .log_level = options->log_level,
    };
    json_decref(memory);
    if (is_gone)
        return EX_CONFIG;
    struct text_list tried = {0};
    if (!agent.policy)
        agent.policy = locate_policy(&cli->place, &tried);
    if (!agent.policy) {
        text_complain("no policy file for %s: use --policy FILE, or put it at one of\n  %s", cli->place.environment,
                      text_join(&tried, "\n  "));
        return EX_CONFIG;
    }
    *ret_agent = agent;
    return EX_OK;
}

struct text_list agent_tool(const struct cli *cli, const struct launch_agent *agent, const char *name)
{
    struct text_list list = {0};
    const char *const pairs[][2] = {
        {"--tool", name},
        {"--environment", cli->place.environment},
        {"--policy", agent->policy},
        {"--state", cli->place.state},
        {"--runtime", cli->place.runtime},
        {"--providers", agent->providers},
        {"--prices", agent->prices},
    };
    if (!locate_agent())
        return list;
    text_append(&list, locate_agent());
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][1]) {
            text_append(&list, pairs[i][0]);
            text_append(&list, pairs[i][1]);
        }
    return list;
}

void agent_remember(const struct cli *cli, const struct launch_agent *agent)
{
    const char *path = agent_memory_path(cli), *temporary = text_format("%s.%d", path, (int)getpid());
    /* Ours is found again, unless somebody has written one of their own meanwhile. */
    const char *policy = locate_is_shipped(agent->policy) ? NULL : agent->policy;
    json_t *memory =
        json_pack("{s:s*, s:s*, s:s*}", "policy", policy, "providers", agent->providers, "prices", agent->prices);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_written = fd >= 0 && memory && json_dumpfd(memory, fd, JSON_INDENT(2)) == 0;
    if (fd >= 0)
        close(fd);
    json_decref(memory);
    if (is_written && rename(temporary, path) == 0)
        return;
    text_complain("%s could not be written (%s): later starts will not know these files", path, strerror(errno));
    unlink(temporary);
}

static void agent_take_list(const json_t *object, const char *member, struct text_list *list)
{
    for (size_t index = 0; index < json_array_size(json_object_get(object, member)); index++) {
        const json_t *item = json_array_get(json_object_get(object, member), index);
        if (json_is_string(item))
            text_append(list, text_format("%s", json_string_value(item)));
    }
}

/* A governed program that starts another one keeps its group and project: those of another environment mean nothing. */
static const char *agent_inherit(const struct cli *cli, const char *option, const char *variable, const char *of_file)
{
    const char *own = getenv(TOLLGATE_ENV_ENVIRONMENT), *value = getenv(variable);
    if (option)
        return option;
    bool counts = !own || !own[0] || strcmp(own, cli->place.environment) == 0;
    return counts && value && value[0] ? value : of_file;
}

static int agent_start_for_run(const struct cli *cli)
{
    struct launch_agent agent;
    if (cli->place.is_prod)
        return api_complain_absent(cli, -ECONNREFUSED);
    int code = agent_find_options(cli, &agent);
    return code == EX_OK ? agent_start(&cli->place, &agent, NULL) : code;
}

/* --policy says something about an agent that is to be started; one that runs keeps its own. */
static void agent_warn_other_policy(const struct cli *cli)
{
    struct answer hello;
    if (!cli->options.policy || api_get(cli, "/v1/hello", &hello) != EX_OK)
        return;
    char *wanted = realpath(cli->options.policy, NULL);
    char *running = realpath(api_text(hello.json, "policy", ""), NULL);
    if (wanted && running && strcmp(wanted, running) != 0)
        text_complain("the agent of %s runs with %s; --policy changes nothing (tollgate stop first)",
                      cli->place.environment, running);
    free(wanted);
    free(running);
    json_decref(hello.json);
}

bool agent_is_absent(const struct cli *cli)
{
    int fd = agent_connect(&cli->place, TOLLGATE_FILE_REPORT);
    if (fd >= 0)
        close(fd);
    return fd == -ENOENT || fd == -ECONNREFUSED;
}

static void agent_take_launch(const struct answer *answer, struct launch_facts *facts)
{
    const char *placeholder = json_string_value(json_object_get(answer->json, "placeholder"));
    facts->placeholder = placeholder ? text_format("%s", placeholder) : NULL;
    agent_take_list(answer->json, "key_environment", &facts->key_environment);
    agent_take_list(answer->json, "governed", &facts->governed);
}

/* --base-url, and there is no such port. */
static int agent_complain_base_url(const struct cli *cli)
{
    struct answer hello;
    int code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    text_complain("the agent of %s takes no calls by base URL; add this line to %s, then tollgate stop:\n"
                  "  capture: {base_urls: true}",
                  cli->place.environment, terminal_clean(api_text(hello.json, "policy", "its policy")));
    json_decref(hello.json);
    return EX_CONFIG;
}

int agent_ask_launch(const struct cli *cli, struct launch_facts *ret_facts, bool *ret_refuses_ungoverned)
{
    struct launch_facts facts = {
        .place = &cli->place,
        .group = agent_inherit(cli, cli->options.group, TOLLGATE_ENV_GROUP, cli->project.group),
        .project = agent_inherit(cli, cli->options.project, TOLLGATE_ENV_PROJECT, cli->project.name)};
    if ((facts.group && !api_is_name("group", facts.group)) ||
        (facts.project && !api_is_name("project", facts.project)))
        return EX_USAGE;
    struct answer answer;
    int code = api_get(cli, facts.group ? text_format("/v1/launch?group=%s", facts.group) : "/v1/launch", &answer);
    if (code != EX_OK)
        return code;
    agent_take_launch(&answer, &facts);
    if (cli->options.base_url)
        agent_take_list(answer.json, "base_urls", &facts.base_urls);
    const json_t *refuses = json_object_get(answer.json, "refuses_ungoverned");
    *ret_refuses_ungoverned = refuses ? json_is_true(refuses) : cli->place.is_prod;
    if (json_is_false(json_object_get(answer.json, "is_admitted"))) /* root, whom the socket lets in */
        text_complain(
            "this user may not use the agent of %s (access.uids, access.gids of its policy): calls are closed, "
            "but for a program that changes to a user who may",
            cli->place.environment);
    json_decref(answer.json);
    if (cli->options.base_url && facts.base_urls.count == 0)
        return agent_complain_base_url(cli);
    *ret_facts = facts;
    return EX_OK;
}

const char *agent_find_map_fault(const struct cli *cli)
{
    struct launch_map map;
    const char *path = place_file(&cli->place, TOLLGATE_FILE_MAP), *fault = map_read(path, &map);
    return fault ? text_format("%s %s (tollgate restart%s: the agent writes it)", path, fault,
                               cli->place.is_prod ? " --env prod" : "")
                 : NULL;
}

int agent_get_launch(const struct cli *cli, struct launch_facts *ret_facts, bool *ret_refuses_ungoverned)
{
    int code = place_verify(&cli->place);
    if (code == EX_OK && !agent_await(cli))
        code = agent_start_for_run(cli);
    else if (code == EX_OK)
        agent_warn_other_policy(cli);
    return code == EX_OK ? agent_ask_launch(cli, ret_facts, ret_refuses_ungoverned) : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate start, stop, status, reload: the agent's life as commands. */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#define STOP_WAIT_MS  60000 /* the agent lets running answers end first: limits.drain_timeout_ms */
#define STOP_KNOCK_MS 2000

void lifecycle_print_hello(const struct cli *cli, const struct answer *hello)
{
    static const char *const rows[][2] = {{"environment", "environment"},
                                          {"policy", "policy"},
                                          {"policy digest", "policy_digest"},
                                          {"pid", "pid"},
                                          {"port", "port"},
                                          {"version", "version"},
                                          {"state", "state"},
                                          {"log level", "log_level"}};
    if (cli->options.json) {
        terminal_print_json(hello);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("%-14s %s\n", rows[i][0], terminal_clean(api_text(hello->json, rows[i][1], "-")));
    if (api_integer(hello->json, "base_url_port", 0) > 0)
        printf("%-14s http://127.0.0.1:%s/PROVIDER\n", "base URLs", api_text(hello->json, "base_url_port", "?"));
    else
        printf("%-14s off\n", "base URLs");
    printf("%-14s %s\n", "runtime", cli->place.runtime);
    printf("%-14s %s, ready after %s ms\n", "running since", terminal_time(api_text(hello->json, "started", "-"), true),
           api_text(hello->json, "ready_ms", "?"));
    const json_t *draining = json_object_get(hello->json, "draining");
    if (draining)
        printf("%-14s draining since %s, %s connections left%s\n",
               json_is_true(json_object_get(draining, "has_successor")) ? "restarting" : "ending",
               terminal_time(api_text(draining, "since", "-"), true), api_text(draining, "connections", "?"),
               json_is_true(json_object_get(draining, "has_successor")) ? "; new ones wait for the next agent" : "");
    const json_t *hardening = json_object_get(hello->json, "hardening");
    const char *missing = api_text(hardening, "missing", "");
    printf("%-14s %s%s\n", "hardening", *missing ? "not in force: " : "in force", terminal_clean(missing));
    const json_t *lost = json_object_get(hello->json, "lost");
    for (size_t i = 0; i < json_array_size(lost); i++)
        printf("%-14s %s; tollgate restart\n", "lost", terminal_clean(json_string_value(json_array_get(lost, i))));
    const json_t *pending = json_object_get(hello->json, "pending");
    for (size_t i = 0; i < json_array_size(pending); i++) {
        const json_t *row = json_array_get(pending, i);
        printf("%-14s %s: %s -> %s\n", i ? "" : "at a restart", terminal_clean(api_text(row, "key", "?")),
               terminal_clean(api_text(row, "before", "?")), terminal_clean(api_text(row, "after", "?")));
    }
    if (api_integer(hello->json, "recovered", 0) > 0)
        printf("%-14s %s open holds were settled at that start\n", "recovered",
               api_text(hello->json, "recovered", "?"));
}

int status_command(struct cli *cli)
{
    struct answer hello;
    int code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    lifecycle_print_hello(cli, &hello);
    json_decref(hello.json);
    return EX_OK;
}

static bool lifecycle_has_policy(const struct answer *hello, const char *policy)
{
    char *wanted = realpath(policy, NULL), *running = realpath(api_text(hello->json, "policy", ""), NULL);
    bool is_same = wanted && running && strcmp(wanted, running) == 0;
    free(wanted);
    free(running);
    return is_same;
}

int start_command(struct cli *cli)
{
    struct launch_agent agent;
    bool is_ours = false;
    struct answer hello;
    int code = agent_find_options(cli, &agent);
    if (code == EX_OK && cli->options.foreground)
        return agent_become(&cli->place, &agent);
    if (code == EX_OK)
        code = agent_start(&cli->place, &agent, &is_ours);
    if (code == EX_OK)
        code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    if (is_ours) {
        agent_show_words(&cli->place);
        agent_remember(cli, &agent);
    } else if (cli->options.policy && !lifecycle_has_policy(&hello, agent.policy)) {
        text_complain("the agent of %s runs already, with %s; tollgate stop first", cli->place.environment,
                      terminal_clean(api_text(hello.json, "policy", "another policy")));
        code = EX_TEMPFAIL;
    }
    if (code == EX_OK && !is_ours && !cli->options.json)
        puts("already running");
    if (code == EX_OK)
        lifecycle_print_hello(cli, &hello);
    json_decref(hello.json);
    return code;
}

/* A pidfd knows the end of a process that nobody has reaped yet; kill(pid, 0) does not. */
static int lifecycle_open_process(long long pid)
{
    return pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
}

static bool lifecycle_wait_gone(const struct cli *cli, int process)
{
    struct pollfd wait = {.fd = process, .events = POLLIN};
    if (process >= 0)
        return poll(&wait, 1, STOP_WAIT_MS) > 0;
    for (int waited_ms = 0; waited_ms < STOP_WAIT_MS; waited_ms += 20) {
        int fd = agent_connect(&cli->place, TOLLGATE_FILE_REPORT);
        if (fd == -ENOENT || fd == -ECONNREFUSED)
            return true;
        if (fd >= 0)
            close(fd);
        poll(NULL, 0, 20);
    }
    return false;
}

/* Waits for the end of an agent that was told to stop. Takes the pidfd, -1 where there is none. */
static int lifecycle_await_end(const struct cli *cli, int process)
{
    bool is_gone = lifecycle_wait_gone(cli, process);
    if (process >= 0)
        close(process);
    if (is_gone)
        return EX_OK;
    text_complain("the agent of %s is still ending its last calls", cli->place.environment);
    return EX_TEMPFAIL;
}

/* Nobody listens: there is no agent, or one that somebody told to stop already, or one that cannot be asked. */
static int lifecycle_stop_absent(const struct cli *cli, int error)
{
    const char *what, *fix;
    struct launch_owner owner;
    if (place_find_owner(&cli->place, &owner) && owner.is_ending)
        return lifecycle_await_end(cli, lifecycle_open_process(owner.pid));
    if (place_explain_silence(&cli->place, &what, &fix))
        return api_complain_absent(cli, error);
    printf("no agent of %s is running\n", cli->place.environment);
    return EX_OK;
}

/* 0: somebody answers. An agent that is about to close its doors drops whom it has not let in. */
static int lifecycle_knock(const struct cli *cli)
{
    int error = -ECONNRESET;
    for (int waited_ms = 0; waited_ms < STOP_KNOCK_MS; waited_ms += 20) {
        struct answer hello = {0};
        error = api_probe(cli, "/v1/hello", STOP_KNOCK_MS, &hello);
        json_decref(hello.json);
        if (error != -ECONNRESET && error != -EPIPE && error != -EPROTO)
            break;
        poll(NULL, 0, 20);
    }
    return error;
}

int stop_command(struct cli *cli)
{
    struct answer hello, answer = {0};
    int error = lifecycle_knock(cli);
    if (error == -ENOENT || error == -ECONNREFUSED)
        return lifecycle_stop_absent(cli, error);
    int code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    int process = lifecycle_open_process(api_integer(hello.json, "pid", 0));
    json_decref(hello.json);
    const struct http_request request = {.method = "POST", .path = "/v1/stop", .is_admin = true};
    code = api_call(cli, &request, 0, &answer);
    json_decref(answer.json);
    if (code == EX_OK)
        return lifecycle_await_end(cli, process);
    if (process >= 0)
        close(process);
    return code;
}

int log_command(struct cli *cli)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    const char *level = cli->arguments.count > 0 ? cli->arguments.items[0] : NULL;
    struct answer answer = {0};
    size_t i = 0;
    while (level && i < sizeof levels / sizeof *levels && strcmp(level, levels[i]) != 0)
        i++;
    if (i == sizeof levels / sizeof *levels) {
        text_complain("%s is no log level: error, warning, info or debug", level);
        return EX_USAGE;
    }
    int code = level ? api_post(cli, text_format("/v1/log/%s", level), json_object(), &answer)
                     : api_get(cli, "/v1/hello", &answer);
    if (code == EX_OK && cli->options.json)
        terminal_print_json(&answer);
    else if (code == EX_OK)
        puts(api_text(answer.json, level ? "level" : "log_level", "-"));
    json_decref(answer.json);
    return code;
}

int reload_command(struct cli *cli)
{
    struct answer answer = {0};
    const struct http_request request = {.method = "POST", .path = "/v1/reload", .is_admin = true};
    int code = api_call(cli, &request, 422, &answer);
    if (answer.json && cli->options.json)
        terminal_print_json(&answer);
    else if (answer.status == 422)
        fprintf(stderr, "%s", api_text(answer.json, "problems", ""));
    else if (code == EX_OK)
        fprintf(stderr, "%s", api_text(answer.json, "warnings", ""));
    if (answer.status == 422)
        text_complain("the policy in force stays as it was");
    else if (code == EX_OK && !cli->options.json)
        printf("in force: policy %.12s\n", api_text(answer.json, "policy_digest", "-"));
    json_decref(answer.json);
    return code;
}

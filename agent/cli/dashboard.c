/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate dashboard: finds the agents, makes the secrets, prints the address, and serves until a signal. See
 * dashboard.h for the parts. The token is printed once and is in no argv and no log line.
 */
#include "cli/dashboard.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- whose evidence ---- */

/* --runtime DIR or ENV=DIR. A bare one needs one environment. */
static int dashboard_find_runtime(const struct cli *cli, const char *environment, bool is_alone,
                                  const char **ret_runtime)
{
    const struct text_list *given = &cli->options.runtimes;
    for (size_t i = 0; i < given->count; i++) {
        const char *item = given->items[i];
        bool is_named = text_starts(item, "dev=") || text_starts(item, "prod=");
        if (!is_named && !is_alone) {
            text_complain("--runtime needs one environment: --env dev or prod, or --runtime dev=DIR");
            return EX_USAGE;
        }
        if (!is_named)
            *ret_runtime = item;
        else if (text_starts(item, text_format("%s=", environment)))
            *ret_runtime = strchr(item, '=') + 1;
    }
    return EX_OK;
}

static int dashboard_add_agent(struct dashboard *dashboard, const struct cli *cli, const char *environment,
                               bool is_alone)
{
    const char *runtime = NULL;
    int code = dashboard_find_runtime(cli, environment, is_alone, &runtime);
    struct dashboard_agent *agent = &dashboard->agents[dashboard->agent_count];
    agent->environment = environment;
    if (code == EX_OK)
        code = place_find(environment, NULL, runtime, &agent->place);
    if (code == EX_OK)
        code = place_verify(&agent->place);
    dashboard->agent_count += code == EX_OK;
    return code;
}

static int dashboard_find_agents(struct dashboard *dashboard, const struct cli *cli)
{
    const char *which = cli->options.environments ? cli->options.environments : "both";
    bool is_both = strcmp(which, "both") == 0;
    if (!is_both && strcmp(which, "dev") != 0 && strcmp(which, "prod") != 0) {
        text_complain("unknown environment \"%s\": dev, prod or both", which);
        return EX_USAGE;
    }
    if (!is_both)
        return dashboard_add_agent(dashboard, cli, which, true);
    const char *named = cli->place.environment; /* the only one that the variables speak of */
    const char *other = strcmp(named, "dev") == 0 ? "prod" : "dev";
    int code = dashboard_add_agent(dashboard, cli, named, false);
    unsetenv(LAUNCH_ENV_STATE_DIRECTORY);
    unsetenv(LAUNCH_ENV_RUNTIME_DIRECTORY);
    if (code == EX_OK)
        code = dashboard_add_agent(dashboard, cli, other, false);
    if (code == EX_OK && strcmp(other, "dev") == 0) {
        struct dashboard_agent first = dashboard->agents[0];
        dashboard->agents[0] = dashboard->agents[1];
        dashboard->agents[1] = first;
    }
    return code;
}

/* ---- secrets ---- */

static int dashboard_make_secret(char secret[DASHBOARD_SECRET_MAX])
{
    unsigned char random[20];
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        text_complain("the kernel gives no random numbers: %s", strerror(errno));
        return EX_OSERR;
    }
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(secret + 2 * i, 3, "%02x", random[i]);
    return EX_OK;
}

/* ---- the port ---- */

static int dashboard_listen(const struct cli *cli, struct dashboard *dashboard, int *ret_listener)
{
    const char *given = cli->options.port;
    char *end = NULL;
    long port = given ? strtol(given, &end, 10) : 0;
    if (given && (!*given || *end || port < 1 || port > 65535)) {
        text_complain("--port is 1 to 65535, not %s", terminal_clean(given));
        return EX_USAGE;
    }
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, DASHBOARD_LINKS_MAX) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        text_complain("cannot listen on 127.0.0.1:%ld: %s", port, strerror(errno));
        if (listener >= 0)
            close(listener);
        return EX_UNAVAILABLE;
    }
    dashboard->port = ntohs(address.sin_port);
    *ret_listener = listener;
    return EX_OK;
}

/* ---- the loop ---- */

static int dashboard_signals(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* nohup */
        sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    return signalfd(-1, &ends, SFD_CLOEXEC);
}

static void dashboard_serve(struct dashboard *dashboard, int listener, int signals)
{
    enum { FIXED = 2 };
    struct pollfd rows[FIXED + 2 * DASHBOARD_LINKS_MAX];
    for (;;) {
        struct text_block *mark = text_mark();
        int timeout_ms = -1;
        rows[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        rows[1] = (struct pollfd){.fd = listener, .events = POLLIN};
        size_t count = links_prepare(dashboard, rows + FIXED, &timeout_ms);
        if (poll(rows, FIXED + count, timeout_ms) < 0 && errno != EINTR)
            return;
        if (rows[0].revents)
            return;
        links_serve(dashboard, rows + FIXED, count);
        if (rows[1].revents)
            links_accept(dashboard, listener);
        if (dashboard->is_token_used && dashboard->opener) {
            unlink(dashboard->opener);
            dashboard->opener = NULL;
        }
        text_release(mark);
    }
}

static void dashboard_announce(struct dashboard *dashboard, bool opens)
{
    const char *address = text_format("http://127.0.0.1:%u/?token=%s", dashboard->port, dashboard->token);
    puts(address);
    fflush(stdout);
    text_complain("this address works once, on this machine, until this command ends (Ctrl-C)");
    dashboard->opener = opens ? dashboard_open(dashboard, address) : NULL;
}

int dashboard_command(struct cli *cli)
{
    struct dashboard dashboard = {.agent_count = 0};
    int listener = -1, code = dashboard_find_agents(&dashboard, cli);
    if (code == EX_OK)
        code = dashboard_make_secret(dashboard.token);
    if (code == EX_OK)
        code = dashboard_make_secret(dashboard.cookie);
    if (code == EX_OK)
        code = dashboard_make_secret(dashboard.room);
    if (code == EX_OK)
        code = dashboard_listen(cli, &dashboard, &listener);
    if (code != EX_OK)
        return code;
    int signals = dashboard_signals();
    dashboard.links = links_new();
    dashboard_announce(&dashboard, !cli->options.no_open);
    dashboard_serve(&dashboard, listener, signals);
    if (dashboard.opener)
        unlink(dashboard.opener);
    return EX_OK;
}

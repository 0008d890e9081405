/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate restart: another agent, perhaps of another version, in the place of the one that runs, without a moment in
 * which its port refuses. What can be known before is asked before: the new program reads the policy and the state
 * directory while the old agent still serves.
 *
 *   restart ── tool ready ──▶ tollgated (new): would it start?            no: nothing has happened
 *      │ POST /v1/handover ──▶ the agent that runs: its sockets, then it drains and ends
 *      └─ agent_take_over ──▶ go-between: waits for that end, starts the new one on the sockets
 */
#include "cli/cli.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define RESTART_ANSWER_MS       30000
#define RESTART_TEXT_OF(number) #number
#define RESTART_TEXT(number)    RESTART_TEXT_OF(number)
#define RESTART_BEYOND_MS       30000 /* the drain's end, then its ledger is closed and its events are written */

/* ---- before ---- */

/* Of the targets that have their key now: the new agent must find it, too. */
static const char *restart_list_keys(const struct cli *cli)
{
    struct answer answer;
    struct text_list keys = {0};
    if (api_get(cli, "/v1/targets", &answer) != EX_OK)
        return "";
    const json_t *targets = json_object_get(answer.json, "targets");
    for (size_t i = 0; i < json_array_size(targets); i++)
        if (json_is_true(json_object_get(json_array_get(targets, i), "has_key")))
            text_append(&keys, text_format("%s", api_text(json_array_get(targets, i), "id", "")));
    json_decref(answer.json);
    return keys.count ? text_join(&keys, ",") : "";
}

/* What root may read, or may not as it is not root's, the agent's user may. False: it cannot be that user. */
static bool restart_become(const struct stat *state)
{
    const struct passwd *owner = getpwuid(state->st_uid);
    if (geteuid() != 0 || state->st_uid == 0)
        return true;
    return (owner ? initgroups(owner->pw_name, owner->pw_gid) : setgroups(0, NULL)) == 0 &&
           setgid(owner ? owner->pw_gid : state->st_gid) == 0 && setuid(state->st_uid) == 0;
}

static int restart_run(const struct cli *cli, char **arguments, char **environment)
{
    int status = 0;
    struct stat state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (stat(cli->place.state, &state) == 0 && !restart_become(&state))
            _exit(EX_NOPERM);
        execve(arguments[0], arguments, environment);
        _exit(EX_UNAVAILABLE);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EX_OSERR;
    return child < 0 ? EX_OSERR : WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static int restart_ask_ready(const struct cli *cli, const struct launch_agent *agent)
{
    const char *keys = restart_list_keys(cli);
    struct text_list list = agent_tool(cli, agent, "ready");
    if (!list.count) {
        text_complain("tollgated is neither beside %s nor in PATH", locate_program());
        return EX_UNAVAILABLE;
    }
    if (keys[0]) {
        text_append(&list, "--keys");
        text_append(&list, keys);
    }
    char **arguments = text_allocate((list.count + 1) * sizeof *arguments);
    for (size_t i = 0; i < list.count; i++)
        arguments[i] = text_format("%s", list.items[i]);
    int code = restart_run(cli, arguments, scrub_environment(&cli->place));
    if (code != EX_OK)
        text_complain("a new agent would not start (exit code %d): the one that runs goes on", code);
    return code;
}

/* ---- the sockets ---- */

/* Head, body and descriptors are one message. */
static int restart_receive(int fd, char *text, size_t bytes_max, struct launch_estate *estate)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int) * TOLLGATE_HANDED_MAX)] = {0};
    struct iovec bytes = {text, bytes_max - 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t got = poll(&wait, 1, RESTART_ANSWER_MS) > 0 ? recvmsg(fd, &message, MSG_CMSG_CLOEXEC) : -1;
    if (got <= 0)
        return -1;
    text[got] = '\0';
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (count > TOLLGATE_HANDED_MAX) /* the buffer's alignment has room for one more */
            return -1;
        estate->count = count;
        memcpy(estate->descriptors, CMSG_DATA(head), estate->count * sizeof(int));
    }
    return 0;
}

/* The executable goes its own way; what the answer does not name is not kept. */
static bool restart_name(const char *text, struct launch_estate *estate)
{
    json_error_t ignored;
    const char *body = strstr(text, "\r\n\r\n");
    json_t *answer = body ? json_loads(body + 4, 0, &ignored) : NULL;
    const json_t *names = json_object_get(answer, "descriptors");
    bool is_whole = estate->count > 0 && json_array_size(names) == estate->count;
    for (size_t i = 0; is_whole && i < estate->count; i++)
        estate->names[i] = text_format("%s", json_string_value(json_array_get(names, i)));
    if (is_whole && strcmp(estate->names[estate->count - 1], TOLLGATE_HANDED_PROGRAM) == 0)
        estate->program = estate->descriptors[--estate->count];
    json_decref(answer);
    return is_whole;
}

/* Whose end is to be awaited. Asked when no other start can come between: another restart may have been before us. */
static int restart_find_predecessor(const struct cli *cli, struct launch_estate *estate)
{
    struct answer hello;
    int code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    estate->pid = (int)api_integer(hello.json, "pid", 0);
    estate->process = (int)syscall(SYS_pidfd_open, estate->pid, 0);
    estate->wait_ms = api_integer(hello.json, "drain_timeout_ms", 300000) + RESTART_BEYOND_MS;
    json_decref(hello.json);
    return EX_OK;
}

static int restart_take(void *context, struct launch_estate *ret_estate)
{
    static const char request[] = "POST /v1/handover?descriptors=" RESTART_TEXT(
        TOLLGATE_HANDED_MAX) " HTTP/1.1\r\nHost: tollgate\r\nContent-Length: 0\r\n\r\n";
    const struct cli *cli = context;
    char text[4096] = "";
    struct launch_estate estate = *ret_estate;
    int code = restart_find_predecessor(cli, &estate);
    if (code != EX_OK)
        return code;
    int fd = agent_connect(&cli->place, TOLLGATE_FILE_ADMIN);
    if (fd < 0)
        return api_complain_absent(cli, fd);
    bool is_handed = send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1 &&
                     restart_receive(fd, text, sizeof text, &estate) == 0 && restart_name(text, &estate);
    close(fd);
    if (is_handed) {
        *ret_estate = estate;
        return EX_OK;
    }
    const char *word = strstr(text, "\"message\":\"");
    text_complain("the agent that runs does not hand over its sockets%s%.*s; tollgate stop, then tollgate start",
                  word ? ": " : "", word ? (int)strcspn(word + 11, "\"") : 0, word ? word + 11 : "");
    return EX_UNAVAILABLE;
}

/* ---- the command ---- */

/* A manager would start its agent again beside ours. */
static int restart_of_manager(const struct cli *cli, const char *manager)
{
    if (strcmp(manager, "foreground") == 0) {
        text_complain(
            "the agent of %s runs in the foreground of another program: that one restarts it (SIGTERM drains)",
            cli->place.environment);
        return EX_USAGE;
    }
    const char *const system[] = {"systemctl", "restart", text_format("tollgated@%s", cli->place.environment), NULL};
    const char *const user[] = {"systemctl", "--user", "restart", "tollgated", NULL};
    const char *const *arguments = cli->place.is_prod ? system : user;
    fprintf(stderr, "tollgate: %s is systemd's: systemctl %s%s%s\n", cli->place.environment, arguments[1],
            arguments[2] ? " " : "", cli->place.is_prod ? arguments[2] : "restart tollgated");
    fflush(NULL);
    execvp(arguments[0], (char *const *)(const void *)arguments);
    text_complain("systemctl cannot be executed: %s", strerror(errno));
    return EX_UNAVAILABLE;
}

/* root may order, but the new agent would be root's. */
static int restart_check_owner(const struct cli *cli)
{
    struct stat status = {0};
    if (stat(cli->place.state, &status) == 0 && status.st_uid == geteuid())
        return EX_OK;
    const char *name = owner_name(status.st_uid);
    text_complain("%s is %s's, and so must a new agent be: runuser -u %s -- tollgate restart%s", cli->place.state, name,
                  name, cli->place.is_prod ? " --env prod" : "");
    return EX_NOPERM;
}

static int restart_take_over(struct cli *cli, const struct launch_agent *agent)
{
    struct answer hello;
    int code = agent_take_over(&cli->place, agent, restart_take, cli);
    if (code != EX_OK)
        return code;
    agent_show_words(&cli->place);
    agent_remember(cli, agent);
    code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    lifecycle_print_hello(cli, &hello);
    json_decref(hello.json);
    return EX_OK;
}

/* A new agent, and the one that would come back, inherit our limits: those of this shell, whatever they are. */
static int restart_match_limits(int pid)
{
    const int code = limits_match(pid);
    if (code != EX_OK)
        text_complain("a new agent would not have what it needs: the one that runs goes on");
    return code;
}

int restart_command(struct cli *cli)
{
    struct launch_agent agent;
    struct answer hello;
    signal(SIGXFSZ, SIG_IGN); /* what cannot be written fails, and is said */
    if (agent_is_absent(cli))
        return start_command(cli);
    int code = agent_find_options(cli, &agent);
    if (code == EX_OK)
        code = api_get(cli, "/v1/hello", &hello);
    if (code != EX_OK)
        return code;
    const char *manager = text_format("%s", api_text(hello.json, "manager", "tollgate"));
    const bool is_managed = strcmp(manager, "tollgate") != 0;
    if (!is_managed)
        code = restart_check_owner(cli);
    if (!is_managed && code == EX_OK)
        code = restart_match_limits((int)api_integer(hello.json, "pid", 0));
    json_decref(hello.json);
    code = code == EX_OK ? restart_ask_ready(cli, &agent) : code;
    if (code == EX_OK && is_managed)
        return restart_of_manager(cli, manager);
    return code == EX_OK ? restart_take_over(cli, &agent) : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's questions to and about the agent: is it there, is its map whole, does its port answer, is it trusted. */
#include "cli/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define DOCTOR_HANDSHAKE_MS 5000

static uint16_t doctor_find_port(const struct doctor *doctor)
{
    for (uint32_t i = 0; doctor->has_map && i < doctor->map.header.port_count; i++)
        if (doctor->map.ports[i].original == 443)
            return doctor->map.ports[i].agent;
    return 0;
}

static void doctor_check_map(struct doctor *doctor)
{
    const char *path = place_file(&doctor->cli->place, TOLLGATE_FILE_MAP);
    const char *problem = map_read(path, &doctor->map);
    doctor->has_map = !problem;
    if (problem)
        doctor_add(doctor, "map", doctor->hello ? FINDING_FAILURE : FINDING_WARNING,
                   "tollgate stop; tollgate start: the agent writes a new one", "%s %s", path, problem);
    else
        doctor_add(doctor, "map", FINDING_OK, NULL, "%zu governed names, generation %u", doctor->map.names.count,
                   (unsigned)doctor->map.header.generation);
}

/* One listener serves all of 127/8. The governed address itself would mean another port where a shim is loaded. */
static void doctor_check_port(struct doctor *doctor)
{
    uint16_t port = doctor_find_port(doctor);
    if (!doctor->has_map || doctor->map.names.count == 0 || port == 0) {
        doctor_add(doctor, "port", FINDING_WARNING, "name a provider in the policy", "the map governs no HTTPS name");
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_open = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    char text[INET_ADDRSTRLEN];
    address.sin_addr.s_addr = htonl(doctor->map.addresses[0]);
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    if (is_open)
        doctor_add(doctor, "port", FINDING_OK, NULL, "%s is %s:%u", doctor->map.names.items[0], text, (unsigned)port);
    else
        doctor_add(doctor, "port", FINDING_FAILURE,
                   "tollgate stop; tollgate start; look at agent.log in the state directory", "%s:%u for %s: %s", text,
                   (unsigned)port, doctor->map.names.items[0], strerror(error));
}

static void doctor_merge(struct doctor *doctor)
{
    struct answer answer;
    if (api_get(doctor->cli, doctor->cli->options.prod ? "/v1/doctor?prod=1" : "/v1/doctor", &answer) != EX_OK) {
        doctor_add(doctor, "agent's own checks", FINDING_WARNING, NULL, "not available to this user");
        return;
    }
    for (size_t index = 0; index < json_array_size(json_object_get(answer.json, "checks")); index++) {
        json_t *check = json_array_get(json_object_get(answer.json, "checks"), index);
        if (json_is_object(check))
            json_array_append(doctor->findings, check);
    }
    json_decref(answer.json);
}

void doctor_check_agent(struct doctor *doctor)
{
    const struct cli *cli = doctor->cli;
    const char *what, *fix;
    struct answer hello;
    const bool is_absent = agent_is_absent(cli);
    if (is_absent && place_explain_silence(&cli->place, &what, &fix)) {
        doctor_add(doctor, "agent", FINDING_FAILURE, fix, "%s", what);
        return;
    }
    if (is_absent) {
        doctor_add(doctor, "agent", cli->place.is_prod ? FINDING_FAILURE : FINDING_WARNING,
                   cli->place.is_prod ? "tollgate start --env prod, or systemctl start tollgated@prod"
                                      : "tollgate start, or simply tollgate run",
                   "no agent of %s is running (%s)", cli->place.environment, cli->place.runtime);
        return;
    }
    if (api_get(cli, "/v1/hello", &hello) != EX_OK) {
        doctor_add(doctor, "agent", FINDING_FAILURE, "look at agent.log in the state directory",
                   "the agent of %s does not answer", cli->place.environment);
        return;
    }
    doctor_add(doctor, "agent", FINDING_OK, NULL, "%s, pid %s, port %s, policy %s", cli->place.environment,
               api_text(hello.json, "pid", "?"), api_text(hello.json, "port", "?"),
               api_text(hello.json, "policy", "?"));
    const json_t *draining = json_object_get(hello.json, "draining");
    if (draining)
        doctor_add(doctor, "restart", FINDING_WARNING, "wait for it; tollgate status says how far it is",
                   "the agent ends its last calls since %s: %s connections left; then the next one takes over",
                   api_text(draining, "since", "?"), api_text(draining, "connections", "?"));
    bool is_same = strcmp(api_text(hello.json, "version", ""), TOLLGATE_VERSION) == 0;
    doctor_add(doctor, "version", is_same ? FINDING_OK : FINDING_WARNING, "tollgate restart", "client %s, agent %s",
               TOLLGATE_VERSION, api_text(hello.json, "version", "?"));
    doctor->hello = hello.json;
    doctor_check_map(doctor);
    doctor_check_port(doctor);
    doctor_merge(doctor);
}

/* The last line of a program's output that says something. */
static const char *doctor_last_line(const char *output)
{
    size_t end = strlen(output);
    while (end > 0 && (output[end - 1] == '\n' || output[end - 1] == '\r'))
        end--;
    size_t start = end;
    while (start > 0 && output[start - 1] != '\n')
        start--;
    return text_format("%.*s", (int)(end - start), output + start);
}

/* Root looks after an agent that it may well not use. */
static bool doctor_is_admitted(const struct doctor *doctor)
{
    const struct http_request request = {.method = "GET", .path = "/v1/launch"};
    struct answer answer = {0};
    int code = api_call(doctor->cli, &request, 403, &answer);
    const bool is_refused =
        code == EX_OK ? json_is_false(json_object_get(answer.json, "is_admitted")) : answer.status == 403;
    json_decref(answer.json);
    return !is_refused;
}

/* An unmodified program makes a governed TLS handshake; it sends no request, so nothing is charged. */
void doctor_check_trust(struct doctor *doctor)
{
    struct launch_facts facts;
    struct launch_changes changes;
    bool refuses;
    if (!doctor->has_map || doctor->map.names.count == 0)
        return;
    if (!doctor_is_admitted(doctor)) {
        doctor_add(doctor, "trust", FINDING_WARNING, "ask again as one of access.uids: setpriv --reuid, or su",
                   "not tested: access of the policy does not admit %s", owner_name(geteuid()));
        return;
    }
    if (agent_ask_launch(doctor->cli, &facts, &refuses) != EX_OK || governed_changes(&facts, &changes) != EX_OK) {
        doctor_add(doctor, "trust", FINDING_FAILURE, "see the messages above", "a program could not be launched");
        return;
    }
    const char *name = doctor->map.names.items[0];
    const char *const arguments[] = {
        "openssl", "s_client",         "-connect", text_format("%s:443", name), "-servername",
        name,      "-verify_hostname", name,       "-verify_return_error",      "-brief",
        NULL};
    int status;
    const char *output = child_run(arguments, &changes, DOCTOR_HANDSHAKE_MS, &status);
    if (!output)
        doctor_add(doctor, "trust", FINDING_WARNING, "install openssl to have it tested",
                   "not tested: no openssl here");
    else if (status == 0)
        doctor_add(doctor, "trust", FINDING_OK, NULL, "openssl reaches %s through the agent and trusts it", name);
    else
        doctor_add(doctor, "trust", FINDING_FAILURE,
                   "look at agent.log in the state directory; tollgate stop; tollgate start",
                   "openssl does not reach %s through the agent (%d): %s", name, status, doctor_last_line(output));
}

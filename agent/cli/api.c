/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the agent with JSON answers, and how their failures are told: the agent's message and hint on standard
 * error, an exit code that says whose turn it is. Called by every command that needs an agent.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define API_ANSWER_BYTES_MAX (64u << 20) /* 1,000 events of at most 64 KiB */
#define API_ASK_TIMEOUT_MS   10000
#define API_ORDER_TIMEOUT_MS 30000 /* what was ordered may be done all the same: not given up lightly */

int api_complain_absent(const struct cli *cli, int error)
{
    const char *environment = cli->place.environment;
    const char *what, *fix;
    switch (-error) {
    case ENOENT:
    case ECONNREFUSED:
        if (place_explain_silence(&cli->place, &what, &fix)) {
            text_complain("%s: %s", terminal_clean(what), terminal_clean(fix));
            return EX_UNAVAILABLE;
        }
        text_complain("no agent of %s is running (%s); tollgate start%s starts one", environment, cli->place.runtime,
                      cli->place.is_prod ? " --env prod" : "");
        return EX_UNAVAILABLE;
    case EACCES:
    case EPERM:
        text_complain("this user may not use the agent of %s (%s)", environment, cli->place.runtime);
        return EX_NOPERM;
    case ETIMEDOUT:
    case EAGAIN:
        text_complain(
            "the agent of %s runs but does not answer: it is stopped (kill -CONT), or has too much to do (%s)",
            environment, cli->place.runtime);
        return EX_TEMPFAIL;
    default:
        text_complain("the agent of %s cannot be asked: %s (%s)", environment, strerror(-error), cli->place.runtime);
        return EX_UNAVAILABLE;
    }
}

static int api_read_body(struct http_stream *stream, const char **ret_body, size_t *ret_length)
{
    size_t capacity = 65536, length = 0;
    char *body = text_allocate(capacity);
    long got;
    while ((got = http_read(stream, body + length, capacity - length - 1)) > 0) {
        length += (size_t)got;
        if (length + 1 < capacity)
            continue;
        if (capacity >= API_ANSWER_BYTES_MAX)
            return -EFBIG;
        char *larger = text_allocate(capacity * 2);
        memcpy(larger, body, length);
        body = larger;
        capacity *= 2;
    }
    if (got < 0)
        return (int)got;
    *ret_body = body;
    *ret_length = length;
    return 0;
}

/* Whose turn it is. 404 and 409-like refusals of data are told apart by the caller where it matters. */
static int api_exit_code(int status)
{
    static const struct {
        int status, code;
    } rows[] = {{401, EX_NOPERM},   {403, EX_NOPERM},     {404, CLI_NEGATIVE}, {408, EX_TEMPFAIL},
                {429, EX_TEMPFAIL}, {500, EX_SOFTWARE},   {501, EX_SOFTWARE},  {502, EX_UNAVAILABLE},
                {503, EX_TEMPFAIL}, {504, EX_UNAVAILABLE}};
    if (status >= 200 && status < 300)
        return EX_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return rows[i].code;
    return status >= 400 && status < 500 ? EX_DATAERR : EX_PROTOCOL;
}

static void api_complain(const struct answer *answer)
{
    const json_t *error = json_object_get(answer->json, "error");
    const char *hint = api_text(error, "hint", "");
    text_complain("%s%s%s",
                  terminal_clean(api_text(error, "message", text_format("the agent answered %d", answer->status))),
                  hint[0] ? "; " : "", terminal_clean(hint));
}

int api_refuse(struct http_stream *stream)
{
    struct answer answer = {.status = stream->status};
    json_error_t ignored;
    size_t length = 0;
    if (api_read_body(stream, &answer.body, &length) == 0)
        answer.json = json_loadb(answer.body, length, 0, &ignored);
    api_complain(&answer);
    json_decref(answer.json);
    return api_exit_code(answer.status);
}

/* EX_OK: there is an answer, whatever it says; else it was told why there is none. */
static int api_exchange(const struct cli *cli, const struct http_request *request, struct answer *ret_answer)
{
    struct http_stream stream;
    struct http_request bounded = *request;
    if (request->timeout_ms <= 0)
        bounded.timeout_ms = request->is_admin ? API_ORDER_TIMEOUT_MS : API_ASK_TIMEOUT_MS;
    int error = http_open(&cli->place, &bounded, &stream);
    if (error)
        return api_complain_absent(cli, error);
    struct answer answer = {.status = stream.status};
    size_t length = 0;
    error = api_read_body(&stream, &answer.body, &length);
    http_close(&stream);
    if (error)
        return api_complain_absent(cli, error);
    json_error_t problem;
    answer.json = json_loadb(answer.body, length, 0, &problem);
    if (!json_is_object(answer.json)) {
        json_decref(answer.json);
        text_complain("the agent's answer to %s %s is no JSON object", request->method, request->path);
        return EX_PROTOCOL;
    }
    *ret_answer = answer;
    return EX_OK;
}

/* An agent is found by its runtime directory: --state alone must not lead to one whose money lies elsewhere. */
static int api_check_state(const struct cli *cli)
{
    const struct http_request request = {.method = "GET", .path = "/v1/hello"};
    struct answer hello = {0};
    int code = cli->options.state ? api_exchange(cli, &request, &hello) : EX_OK;
    if (!cli->options.state || code != EX_OK)
        return code;
    const char *state = api_text(hello.json, "state", cli->place.state);
    bool is_same = place_is_same(state, cli->place.state);
    if (!is_same)
        text_complain("the agent of %s that runs at %s keeps its state in %s, not in %s; --runtime finds another agent",
                      cli->place.environment, cli->place.runtime, terminal_clean(state),
                      terminal_clean(cli->place.state));
    json_decref(hello.json);
    return is_same ? EX_OK : EX_USAGE;
}

int api_call(const struct cli *cli, const struct http_request *request, int quiet_status, struct answer *ret_answer)
{
    int code = place_verify(&cli->place);
    if (code == EX_OK)
        code = api_check_state(cli);
    if (code != EX_OK)
        return code;
    struct answer answer = {0};
    code = api_exchange(cli, request, &answer);
    if (code != EX_OK)
        return code;
    code = api_exit_code(answer.status);
    if (code != EX_OK && answer.status != quiet_status)
        api_complain(&answer);
    *ret_answer = answer;
    return code;
}

int api_get(const struct cli *cli, const char *path, struct answer *ret_answer)
{
    const struct http_request request = {.method = "GET", .path = path};
    struct answer answer = {0};
    int code = api_call(cli, &request, 0, &answer);
    if (code == EX_OK)
        *ret_answer = answer;
    else
        json_decref(answer.json);
    return code;
}

int api_probe(const struct cli *cli, const char *path, int timeout_ms, struct answer *ret_answer)
{
    const struct http_request request = {.method = "GET", .path = path, .timeout_ms = timeout_ms};
    struct http_stream stream;
    struct answer answer = {0};
    size_t length = 0;
    json_error_t ignored;
    int error = http_open(&cli->place, &request, &stream);
    if (error)
        return error;
    answer.status = stream.status;
    error = api_read_body(&stream, &answer.body, &length);
    http_close(&stream);
    if (error)
        return error;
    answer.json = json_loadb(answer.body, length, 0, &ignored);
    *ret_answer = answer;
    return 0;
}

bool api_try(const struct cli *cli, const char *path, int timeout_ms, struct answer *ret_answer)
{
    struct answer answer = {0};
    if (api_probe(cli, path, timeout_ms, &answer) == 0 && answer.status == 200 && json_is_object(answer.json)) {
        *ret_answer = answer;
        return true;
    }
    json_decref(answer.json);
    return false;
}

int api_post_slowly(const struct cli *cli, const char *path, json_t *order, int timeout_ms, struct answer *ret_answer)
{
    char *body = order ? json_dumps(order, JSON_COMPACT) : NULL;
    json_decref(order);
    if (!body) {
        text_complain("an argument is not UTF-8");
        return EX_DATAERR;
    }
    const struct http_request request = {.method = "POST",
                                         .path = path,
                                         .body = body,
                                         .body_bytes = strlen(body),
                                         .is_admin = true,
                                         .timeout_ms = timeout_ms};
    int code = api_call(cli, &request, 0, ret_answer);
    free(body);
    return code;
}

int api_post(const struct cli *cli, const char *path, json_t *order, struct answer *ret_answer)
{
    return api_post_slowly(cli, path, order, 0, ret_answer);
}

const char *api_encode(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/@";
    char *encoded = text_allocate(3 * strlen(text) + 1), *to = encoded;
    for (; *text; text++)
        to += strchr(plain, *text) ? sprintf(to, "%c", *text) : sprintf(to, "%%%02X", (unsigned char)*text);
    *to = '\0';
    return encoded;
}

bool api_is_name(const char *what, const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:@+";
    if (name[0] && strlen(name) < TOLLGATE_NAME_MAX && name[strspn(name, allowed)] == '\0')
        return true;
    text_complain("\"%s\" is no name of a %s: letters, digits and ._-:@+, at most %d", terminal_clean(name), what,
                  TOLLGATE_NAME_MAX - 1);
    return false;
}

const char *api_text(const json_t *object, const char *member, const char *otherwise)
{
    const json_t *value = json_object_get(object, member);
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return json_string_value(value);
    case JSON_INTEGER:
        return text_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return text_format("%.9g", json_real_value(value));
    case JSON_TRUE:
        return "yes";
    case JSON_FALSE:
        return "no";
    default:
        return otherwise;
    }
}

long long api_integer(const json_t *object, const char *member, long long otherwise)
{
    const json_t *value = json_object_get(object, member);
    return json_is_number(value) ? (long long)json_number_value(value) : otherwise;
}

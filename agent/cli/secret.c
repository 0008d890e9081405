/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate secret set NAME: hands a provider's API key from standard input to the agent. The key is never an argument
 * (/proc shows those to everybody), never echoed, never printed, and wiped from memory when it has been sent.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_BYTES_MAX 8192

static struct termios secret_terminal;

/* Ctrl-C at the prompt must not leave a terminal without echo. */
static void secret_restore(int number)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &secret_terminal);
    signal(number, SIG_DFL);
    raise(number);
}

static size_t secret_read_all(char bytes[SECRET_BYTES_MAX + 2], bool is_line)
{
    size_t length = 0;
    ssize_t got;
    while (length <= SECRET_BYTES_MAX &&
           (got = read(STDIN_FILENO, bytes + length, SECRET_BYTES_MAX + 1 - length)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        length += (size_t)got;
        if (is_line && bytes[length - 1] == '\n')
            break;
    }
    return length;
}

static size_t secret_read(const char *name, char bytes[SECRET_BYTES_MAX + 2])
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &secret_terminal) != 0)
        return secret_read_all(bytes, false);
    struct termios quiet = secret_terminal;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "%s (not shown): ", name);
    signal(SIGINT, secret_restore);
    signal(SIGTERM, secret_restore);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    size_t length = secret_read_all(bytes, true);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &secret_terminal);
    fputc('\n', stderr);
    return length;
}

static const char *secret_find_problem(const char *bytes, size_t length)
{
    if (length == 0)
        return "the secret is empty";
    if (length > SECRET_BYTES_MAX)
        return "the secret has more than 8192 bytes";
    if (length >= strlen(TOLLGATE_KEY_PREFIX) && memcmp(bytes, TOLLGATE_KEY_PREFIX, strlen(TOLLGATE_KEY_PREFIX)) == 0)
        return "this is a consumer group's placeholder, not a provider's key";
    return NULL;
}

int secret_command(struct cli *cli)
{
    const char *name = cli->arguments.items[1];
    if (strcmp(cli->arguments.items[0], "set") != 0) {
        text_complain("tollgate secret set NAME is the only form");
        return EX_USAGE;
    }
    if (!api_is_name("secret", name))
        return EX_USAGE;
    char bytes[SECRET_BYTES_MAX + 2];
    size_t length = secret_read(name, bytes);
    length -= length > 0 && bytes[length - 1] == '\n';
    const char *problem = secret_find_problem(bytes, length);
    int code = EX_DATAERR;
    if (problem) {
        text_complain("%s", problem);
    } else {
        struct answer answer = {0};
        const struct http_request request = {.method = "POST",
                                             .path = text_format("/v1/secrets/%s", name),
                                             .body = bytes,
                                             .body_bytes = length,
                                             .is_admin = true};
        code = api_call(cli, &request, 0, &answer);
        json_decref(answer.json);
    }
    explicit_bzero(bytes, sizeof bytes);
    if (code == EX_OK)
        printf("stored; secret_key_ref: {store: %s} names it, tollgate reload puts it in force\n", name);
    return code;
}

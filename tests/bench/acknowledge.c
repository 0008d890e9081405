/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acknowledge RUNTIME PORT: as little of an agent as `scripts/bench capture` needs, so that what is measured is the
 * program's side: takes introductions, acknowledges announcements, accepts and closes. Prints "ready", ends when its
 * standard input does.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/contract.h"

enum { PEERS_MAX = 32, FIXED = 4 };

static int listen_unix(const char *runtime, const char *name, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", runtime, name);
    unlink(address.sun_path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || (type != SOCK_DGRAM && listen(fd, 64) != 0))
        exit(1);
    return fd;
}

static int listen_tcp(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo");
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0)
        exit(1);
    return fd;
}

/* False: the supervisor left. */
static int acknowledge(int peer, uint16_t port)
{
    struct tollgate_redirect form;
    struct tollgate_redirect_answer answer = {.magic = TOLLGATE_REDIRECT_MAGIC, .port = port, .address = 0x7f4e0001};
    return recv(peer, &form, sizeof form, 0) == (ssize_t)sizeof form &&
           send(peer, &answer, sizeof answer, MSG_NOSIGNAL) == (ssize_t)sizeof answer;
}

int main(int argc, char **argv)
{
    struct pollfd fds[FIXED + PEERS_MAX];
    char bytes[1024];
    if (argc != 3)
        return 64;
    uint16_t port = (uint16_t)atoi(argv[2]);
    fds[0].fd = listen_tcp(port);
    fds[1].fd = listen_unix(argv[1], TOLLGATE_FILE_REDIRECT, SOCK_SEQPACKET);
    fds[2].fd = listen_unix(argv[1], TOLLGATE_FILE_IDENTITY, SOCK_DGRAM);
    fds[3].fd = STDIN_FILENO;
    for (int i = 0; i < FIXED + PEERS_MAX; i++) {
        fds[i].events = POLLIN;
        fds[i].fd = i < FIXED ? fds[i].fd : -1;
    }
    puts("ready");
    fflush(stdout);
    while (poll(fds, FIXED + PEERS_MAX, -1) > 0 && !fds[3].revents) {
        for (int i = FIXED; i < FIXED + PEERS_MAX; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !acknowledge(fds[i].fd, port)) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        if (fds[0].revents)
            close(accept(fds[0].fd, NULL, NULL));
        if (fds[2].revents && recv(fds[2].fd, bytes, sizeof bytes, 0) < 0)
            return 1;
        for (int i = FIXED; fds[1].revents && i < FIXED + PEERS_MAX; i++)
            if (fds[i].fd < 0) {
                fds[i].fd = accept(fds[1].fd, NULL, NULL);
                break;
            }
    }
    return 0;
}

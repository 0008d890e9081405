/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that calls no provider, between two marks (getpgid(77), getpgid(78)) so that strace can cut out its system
 * calls: connects of every kind to addresses that nobody governs, also on a governed port, look-ups, opens. The
 * scenario compares the trace with and without the shim; there must be no difference. No output of its own.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void try_connect(int family, int type, const void *address, socklen_t length)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (connect(fd, address, length) == 0) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        getpeername(fd, (struct sockaddr *)&peer, &size);
    }
    close(fd);
}

int main(void)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/no/such/socket"};
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *answer = NULL;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    getpgid(77);
    try_connect(AF_INET, SOCK_STREAM, &v4, sizeof v4);
    try_connect(AF_INET, SOCK_DGRAM, &v4, sizeof v4);
    v4.sin_port = htons(443);
    try_connect(AF_INET, SOCK_STREAM, &v4, sizeof v4);
    v4.sin_port = htons(9);
    try_connect(AF_INET6, SOCK_STREAM, &v6, sizeof v6);
    try_connect(AF_INET6, SOCK_DGRAM, &v6, sizeof v6);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
    try_connect(AF_INET6, SOCK_STREAM, &v6, sizeof v6);
    try_connect(AF_UNIX, SOCK_STREAM, &local, sizeof local);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sendto(fd, "x", 1, 0, (const struct sockaddr *)&v4, sizeof v4);
    close(fd);
    if (getaddrinfo("127.0.0.1", "80", &hints, &answer) == 0)
        freeaddrinfo(answer);
    fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    close(fd);
    FILE *file = fopen("/etc/host.conf", "re");
    if (file != NULL)
        fclose(file);
    getpgid(78);
    return 0;
}

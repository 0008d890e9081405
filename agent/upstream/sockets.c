/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets that libcurl holds for us, by local port: the moment before a request goes out libcurl names only the
 * port, and a kept connection must be looked at, since the provider may have said its farewell while nobody did.
 */
#include "upstream/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

void sockets_add(struct upstream *upstream, int fd)
{
    if (fd >= 0 && upstream->open_count < OPEN_SOCKETS_MAX) /* beyond that, connections are trusted unseen */
        upstream->open_sockets[upstream->open_count++] = (struct open_socket){fd, 0};
}

int sockets_close(void *context, curl_socket_t fd)
{
    struct upstream *upstream = context;
    for (unsigned i = 0; i < upstream->open_count; i++)
        if (upstream->open_sockets[i].fd == fd) {
            upstream->open_sockets[i] = upstream->open_sockets[--upstream->open_count];
            break;
        }
    return close(fd);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 address = {0}; /* sin_port and sin6_port share their place */
    socklen_t length = sizeof address;
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 ? ntohs(address.sin6_port) : 0;
}

void sockets_name(struct upstream *upstream)
{
    for (unsigned i = 0; i < upstream->open_count; i++)
        if (upstream->open_sockets[i].port == 0)
            upstream->open_sockets[i].port = port_of(upstream->open_sockets[i].fd);
}

bool sockets_has_ended(const struct upstream *upstream, int local_port)
{
    char byte;
    for (unsigned i = 0; i < upstream->open_count; i++)
        if (upstream->open_sockets[i].port == local_port)
            return recv(upstream->open_sockets[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
                   (errno != EAGAIN && errno != EWOULDBLOCK);
    return false;
}

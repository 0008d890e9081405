/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that supervisors handed over with their announcements: a small table, until the connection that was announced
 * takes its own, or nobody came for it. Whoever sent one may still hold it, and has called its address by himself: to
 * pass bytes on to it gives him nothing that he had not. Called by identity.c under its lock.
 */
#include "identity/internal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t handed_lifetime_ns = 30ll * 1000 * 1000 * 1000; /* a claim's */

static int read_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/* getpeername would know nothing of a socket that is still connecting. */
static bool leads_to(int fd, int family, const uint8_t original[16], uint16_t port)
{
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    struct in6_addr address = {0};
    socklen_t size = family == AF_INET ? sizeof peer.v4 : sizeof peer.v6;
    memset(&peer, 0, sizeof peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &peer, &size) != 0)
        return false;
    if (family == AF_INET) {
        address.s6_addr16[5] = 0xffff;
        address.s6_addr32[3] = peer.v4.sin_addr.s_addr;
    } else {
        address = peer.v6.sin6_addr;
    }
    return memcmp(&address, original, sizeof address) == 0 && ntohs(peer.v4.sin_port) == port;
}

bool handed_is_sound(int fd, uid_t uid, const uint8_t original[16], uint16_t port)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode) || status.st_uid != uid)
        return false;
    int family = read_option(fd, SO_DOMAIN);
    return (family == AF_INET || family == AF_INET6) && read_option(fd, SO_TYPE) == SOCK_STREAM &&
           read_option(fd, SO_PROTOCOL) == IPPROTO_TCP && leads_to(fd, family, original, port);
}

/* Whoever sent it may have asked for a close that waits. */
void handed_close(int fd)
{
    const struct linger none = {0};
    int ignored = setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)ignored;
    close(fd);
}

static void remove_row(struct handed *handed, unsigned index)
{
    handed->rows[index] = handed->rows[--handed->count];
}

unsigned handed_count(const struct handed *handed, uid_t uid)
{
    unsigned count = 0;
    for (unsigned i = 0; i < handed->count; i++)
        count += handed->rows[i].uid == uid;
    return count;
}

bool handed_put(struct handed *handed, const struct handed_row *row)
{
    if (handed_count(handed, row->uid) >= HANDED_PER_UID_MAX || handed->count == HANDED_MAX)
        return false;
    handed->rows[handed->count++] = *row;
    return true;
}

int handed_take(struct handed *handed, uint64_t cookie, uid_t uid)
{
    for (unsigned i = 0; i < handed->count; i++) {
        const struct handed_row row = handed->rows[i];
        if (row.cookie != cookie || row.uid != uid)
            continue;
        remove_row(handed, i);
        return row.fd;
    }
    return -1;
}

void handed_expire(struct handed *handed, int64_t now_ns)
{
    for (unsigned i = handed->count; i-- > 0;)
        if (now_ns - handed->rows[i].arrived_ns >= handed_lifetime_ns) {
            handed_close(handed->rows[i].fd);
            remove_row(handed, i);
        }
}

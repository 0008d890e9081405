/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All TCP connections of this network namespace to one port, as the kernel lists them (sock_diag dump, inet_diag(7)).
 * The port is compared in the kernel, so a machine with many other connections costs nothing more. Called by the leak
 * detector on a thread of its own.
 */
#include "identity/identity.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* include/net/tcp_states.h: those in which a process still holds the socket */
    STATES = 1 << 1 /* ESTABLISHED */ | 1 << 2 /* SYN_SENT */ | 1 << 8 /* CLOSE_WAIT */,
    CONNECTIONS_MAX = 100000,
    ANSWER_BYTES = 32 << 10,
};

/* "its port is at least, and at most, this one": a jump beyond the end means no (net/ipv4/inet_diag.c). */
struct port_filter {
    struct rtattr header;
    struct inet_diag_bc_op operations[4];
};

struct list_query {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
    struct port_filter filter;
};

static void fill_query(struct list_query *query, int family, uint16_t port)
{
    const unsigned char step = 2 * sizeof(struct inet_diag_bc_op);
    *query = (struct list_query){
        .header = {.nlmsg_len = sizeof *query,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = (__u8)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = STATES},
        .filter = {.header = {sizeof query->filter, INET_DIAG_REQ_BYTECODE},
                   .operations = {{INET_DIAG_BC_D_GE, step, 2 * step + sizeof(struct inet_diag_bc_op)},
                                  {0, 0, port},
                                  {INET_DIAG_BC_D_LE, step, step + sizeof(struct inet_diag_bc_op)},
                                  {0, 0, port}}},
    };
}

static struct identity_connection read_connection(const struct inet_diag_msg *message)
{
    struct identity_connection connection = {
        .peer = {.uid = message->idiag_uid,
                 .cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
                 .inode = message->idiag_inode}};
    if (message->idiag_family == AF_INET6) {
        memcpy(connection.remote, message->id.idiag_dst, sizeof connection.remote);
    } else {
        connection.remote[10] = connection.remote[11] = 0xff; /* ::ffff:a.b.c.d, RFC 4291 2.5.5.2 */
        memcpy(connection.remote + 12, message->id.idiag_dst, 4);
    }
    return connection;
}

struct listing {
    identity_visit *visit;
    void *context;
    uint16_t port;
    unsigned left;
};

/* False: the list is at its end. */
static bool read_messages(const char *bytes, size_t length, struct listing *listing)
{
    const struct nlmsghdr *header = (const void *)bytes;
    for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
        if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)) || listing->left == 0)
            return false; /* NLMSG_DONE, NLMSG_ERROR */
        const struct inet_diag_msg *message = NLMSG_DATA(header);
        if (message->idiag_inode == 0 || ntohs(message->id.idiag_dport) != listing->port)
            continue;
        listing->left--;
        const struct identity_connection connection = read_connection(message);
        listing->visit(listing->context, &connection);
    }
    return true;
}

static enum error list_family(int fd, int family, struct listing *listing)
{
    static __thread _Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
    struct list_query query;
    fill_query(&query, family, listing->port);
    if (send(fd, &query, sizeof query, 0) != (ssize_t)sizeof query)
        return ERROR_SYSTEM;
    ssize_t length;
    do
        length = recv(fd, bytes, sizeof bytes, 0); /* the dump is made inside this call: nothing is waited for */
    while (length > 0 && read_messages(bytes, (size_t)length, listing));
    return length > 0 ? ERROR_OK : ERROR_SYSTEM;
}

enum error identity_list_connections(uint16_t port, identity_visit *visit, void *context)
{
    struct listing listing = {visit, context, port, CONNECTIONS_MAX};
    static const int families[] = {AF_INET, AF_INET6};
    enum error error = ERROR_OK;
    for (size_t i = 0; !error && i < sizeof families / sizeof *families; i++) {
        /* A socket of its own for each list: what is left of one cannot be taken for the other's. */
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
            return ERROR_SYSTEM;
        error = list_family(fd, families[i], &listing);
        close(fd);
    }
    return error;
}

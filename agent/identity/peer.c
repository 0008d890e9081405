/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's word on the other end of a loopback connection: one exact sock_diag query (inet_diag(7),
 * linux/inet_diag.h) through a netlink socket that each thread opens once. Called for every accepted connection, on the
 * loops; it never waits: the kernel answers inside the request's own system call.
 */
#include "base/check.h"
#include "identity/identity.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP_STATE_LISTEN = 10 /* include/net/tcp_states.h */, ANSWERS_MAX = 8 };

struct peer_query {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

static pthread_key_t socket_key; /* holds fd + 1, so that NULL means none */
static pthread_once_t socket_key_once = PTHREAD_ONCE_INIT;

static void close_socket(void *value)
{
    close((int)((intptr_t)value - 1));
}

static void create_socket_key(void)
{
    check(pthread_key_create(&socket_key, close_socket) == 0);
}

static void drop_thread_socket(int fd)
{
    close(fd);
    pthread_setspecific(socket_key, NULL);
}

/* This thread's netlink socket, or -1. */
static int thread_socket(void)
{
    pthread_once(&socket_key_once, create_socket_key);
    intptr_t kept = (intptr_t)pthread_getspecific(socket_key);
    if (kept > 0)
        return (int)(kept - 1);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return -1;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (connect(fd, (struct sockaddr *)&kernel, sizeof kernel) != 0 ||
        pthread_setspecific(socket_key, (void *)((intptr_t)fd + 1)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void set_address(__be32 field[4], int family, struct in_addr address)
{
    memset(field, 0, 4 * sizeof field[0]);
    if (family == AF_INET) {
        field[0] = address.s_addr;
    } else {
        field[2] = htonl(0xffff); /* ::ffff:a.b.c.d, RFC 4291 2.5.5.2 */
        field[3] = address.s_addr;
    }
}

static void fill_query(struct peer_query *query, int family, const struct sockaddr_in *client,
                       const struct sockaddr_in *agent)
{
    static __thread uint32_t sequence;
    *query = (struct peer_query){
        .header = {.nlmsg_len = sizeof *query,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = ++sequence},
        .request = {.sdiag_family = (__u8)family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = ~0u,
                    .id = {.idiag_sport = client->sin_port,
                           .idiag_dport = agent->sin_port,
                           .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    set_address(query->request.id.idiag_src, family, client->sin_addr);
    set_address(query->request.id.idiag_dst, family, agent->sin_addr);
}

/* The look-up falls back to a listener on the client's port when the connection is gone: such an answer has other
 * ports or the listening state, and is nobody's identity. Inode 0: the socket was closed, its uid is then mostly 0. */
static bool answer_is_the_peer(const struct inet_diag_msg *answer, const struct inet_diag_req_v2 *asked)
{
    return answer->idiag_inode != 0 && answer->idiag_state != TCP_STATE_LISTEN &&
           answer->id.idiag_sport == asked->id.idiag_sport && answer->id.idiag_dport == asked->id.idiag_dport;
}

static enum error read_answer(const struct nlmsghdr *header, size_t length, const struct peer_query *query,
                              struct identity_peer *ret_peer)
{
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || length < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return ERROR_PEER_UNKNOWN; /* NLMSG_ERROR: mostly ENOENT */
    const struct inet_diag_msg *answer = (const struct inet_diag_msg *)NLMSG_DATA(header);
    if (!answer_is_the_peer(answer, &query->request))
        return ERROR_PEER_UNKNOWN;
    *ret_peer = (struct identity_peer){
        .uid = answer->idiag_uid,
        .cookie = (uint64_t)answer->id.idiag_cookie[1] << 32 | answer->id.idiag_cookie[0],
        .inode = answer->idiag_inode,
        .unread_bytes = answer->idiag_rqueue,
    };
    return ERROR_OK;
}

static enum error ask_kernel(int family, const struct sockaddr_in *client, const struct sockaddr_in *agent,
                             struct identity_peer *ret_peer)
{
    int fd = thread_socket();
    if (fd < 0)
        return ERROR_SYSTEM;
    struct peer_query query;
    fill_query(&query, family, client, agent);
    if (send(fd, &query, sizeof query, 0) != (ssize_t)sizeof query)
        goto broken;
    for (unsigned i = 0; i < ANSWERS_MAX; i++) {
        _Alignas(struct nlmsghdr) char bytes[1024];
        ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (length < (ssize_t)sizeof(struct nlmsghdr))
            goto broken;
        const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)bytes;
        if (header->nlmsg_seq == query.header.nlmsg_seq)
            return read_answer(header, (size_t)length, &query, ret_peer);
    }
broken:
    /* A lost answer must not be taken for the next question's. */
    drop_thread_socket(fd);
    return ERROR_SYSTEM;
}

enum error identity_find_peer(const struct sockaddr_in *client, const struct sockaddr_in *agent,
                              struct identity_peer *ret_peer)
{
    enum error error = ask_kernel(AF_INET, client, agent, ret_peer);
    if (error != ERROR_PEER_UNKNOWN)
        return error;
    /* An AF_INET6 socket connected to ::ffff:127.77.x.y lies in the same hash table and is found above on the kernels
     * we know; a kernel that minds the family answers this one. */
    return ask_kernel(AF_INET6, client, agent, ret_peer);
}

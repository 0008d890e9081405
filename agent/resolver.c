/* SPDX-License-Identifier: Apache-2.0 */
/* See resolver.h: both sides, the agent's below. */
#include "resolver.h"

#include "harden.h"
#include "helper.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { NAME_BYTES_MAX = 256 };

/* An answer tells which question it is to: one of somebody who died may come when the next has been asked. */
struct question {
    uint64_t number; /* from 1 on */
    char name[NAME_BYTES_MAX];
};

struct reply {
    uint64_t number; /* 0: whoever was asked has died */
    struct resolver_answer answer;
};

/* ---- in the helper ---- */

static bool read_address(const struct sockaddr *address, struct config_address *ret_address)
{
    struct config_address mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};
    if (address->sa_family == AF_INET)
        memcpy(mapped.bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(mapped.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    else
        return false;
    *ret_address = mapped;
    return true;
}

static void look_up(const char *name, struct resolver_answer *ret_answer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    memset(ret_answer, 0, sizeof *ret_answer);
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return;
    for (struct addrinfo *row = list; row && ret_answer->count < RESOLVER_ADDRESSES_MAX; row = row->ai_next)
        ret_answer->count += read_address(row->ai_addr, &ret_answer->addresses[ret_answer->count]);
    freeaddrinfo(list);
}

static void answer_all(void)
{
    struct question question;
    struct reply reply;
    while (recv(HELPER_FD, &question, sizeof question, 0) == (ssize_t)sizeof question) {
        reply.number = question.number;
        look_up(question.name, &reply.answer);
        if (send(HELPER_FD, &reply, sizeof reply, MSG_NOSIGNAL) != (ssize_t)sizeof reply)
            break;
    }
}

static void resolver_run(const void *context)
{
    static const struct reply none;
    const bool *is_hardened = context;
    if (*is_hardened)
        harden_loader();
    helper_keep(answer_all, &none, sizeof none);
}

/* ---- in the agent ---- */

struct resolver {
    struct helper helper;
    uint64_t last_number;
};

struct resolver *resolver_open(bool is_hardened)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver && helper_open(&resolver->helper, "tollgate-names", resolver_run, &is_hardened))
        return resolver;
    free(resolver);
    return NULL;
}

bool resolver_is_alive(struct resolver *resolver)
{
    return resolver && helper_is_alive(&resolver->helper);
}

void resolver_close(struct resolver *resolver)
{
    if (!resolver)
        return;
    if (resolver->helper.pid > 0)
        kill(resolver->helper.pid, SIGKILL);
    helper_end(&resolver->helper);
    free(resolver);
}

static bool await_reply(int fd, int stop_fd)
{
    struct pollfd polls[] = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
    while (poll(polls, 2, -1) < 0)
        if (errno != EINTR)
            return false;
    return !polls[1].revents;
}

enum error resolver_find(struct resolver *resolver, const char *name, int stop_fd, struct resolver_answer *ret_answer)
{
    size_t length = strlen(name);
    if (length == 0 || length >= NAME_BYTES_MAX)
        return ERROR_NOT_FOUND;
    int fd = resolver->helper.fd;
    struct question question = {.number = ++resolver->last_number};
    struct reply reply;
    memcpy(question.name, name, length);
    while (recv(fd, &reply, sizeof reply, MSG_DONTWAIT) > 0)
        ; /* of one that died with no question open */
    if (send(fd, &question, sizeof question, MSG_NOSIGNAL) != (ssize_t)sizeof question)
        return ERROR_SYSTEM;
    do
        if (!await_reply(fd, stop_fd) || recv(fd, &reply, sizeof reply, 0) != (ssize_t)sizeof reply ||
            reply.answer.count > RESOLVER_ADDRESSES_MAX)
            return ERROR_SYSTEM;
    while (reply.number != 0 && reply.number != question.number);
    if (reply.answer.count == 0)
        return ERROR_NOT_FOUND;
    *ret_answer = reply.answer;
    return ERROR_OK;
}

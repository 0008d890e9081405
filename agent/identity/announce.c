/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Supervisors' announcements: a program that no preload reaches is about to connect somewhere. One thread, one table of
 * connections, one message of each in turn, answers that never wait: a slow or malicious supervisor holds up nobody. An
 * announcement is in the table of claims before it is acknowledged.
 */
#include "base/check.h"
#include "identity/internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Further ones take the place of whoever was silent longest, of the same user first: it connects again when needed. */
enum { ANNOUNCERS_MAX = 512, ANNOUNCERS_PER_UID_MAX = 128, NEWCOMERS_MAX = 64, PAUSE_MS = 100 };

struct announcer {
    int fd;
    uid_t uid;
    pid_t pid;
    int64_t used_ns;
};

struct announcements {
    struct identity *identity;
    struct identity_redirects options;
    struct endpoint endpoint;
    int stop_fd;
    pthread_t thread;
    unsigned count;
    struct announcer rows[ANNOUNCERS_MAX];
    struct pollfd polls[ANNOUNCERS_MAX + 2];
};

static void drop(struct announcements *announcements, unsigned index)
{
    close(announcements->rows[index].fd);
    announcements->rows[index] = announcements->rows[--announcements->count];
}

/* ---- one announcement ---- */

static uint32_t network_of(const struct identity_redirects *options, const uint8_t original[16], uint32_t *ret_address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint32_t address;
    memcpy(&address, original + sizeof mapped, sizeof address);
    *ret_address = ntohl(address);
    return memcmp(original, mapped, sizeof mapped) == 0 ? *ret_address & options->network_mask : 0;
}

/* Where to connect. */
static uint32_t choose_address(const struct identity_redirects *options, const uint8_t original[16])
{
    uint32_t address, network = network_of(options, original, &address);
    bool is_ours = network == options->network || network == options->redirect_network;
    return is_ours ? address : options->redirect_network + 1;
}

/* An errno; 0: the claim is in the table. */
static int note(struct announcements *announcements, const struct announcer *announcer, const void *bytes,
                size_t length, struct tollgate_redirect *ret_redirect)
{
    if (!claims_parse_redirect(bytes, length, ret_redirect))
        return EPROTO;
    if (ret_redirect->port != announcements->options.port)
        return ECONNREFUSED;
    /* A pid that is not the supervisor's to name makes it the supervisor's own call. */
    bool is_believed = process_descends(ret_redirect->pid, announcer->pid, announcer->uid);
    struct claim_row row = {.cookie = ret_redirect->cookie,
                            .arrived_ns = process_now_ns(),
                            .pid = is_believed ? ret_redirect->pid : announcer->pid,
                            .uid = announcer->uid,
                            .port = ret_redirect->port};
    memcpy(row.original, ret_redirect->original, sizeof row.original);
    memcpy(row.group, ret_redirect->group, sizeof row.group);
    memcpy(row.project, ret_redirect->project, sizeof row.project);
    if (is_believed) {
        memcpy(row.executable, ret_redirect->executable, sizeof row.executable);
        memcpy(row.directory, ret_redirect->directory, sizeof row.directory);
    }
    identity_put_claim(announcements->identity, &row);
    return 0;
}

/* False: it has left, or does not read its answers. */
static bool answer(struct announcements *announcements, struct announcer *announcer)
{
    char bytes[sizeof(struct tollgate_redirect) + 1]; /* one more, so that a longer message is seen */
    struct tollgate_redirect redirect;
    ssize_t length = recv(announcer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (length <= 0)
        return false;
    announcer->used_ns = process_now_ns();
    const struct identity_redirects *options = &announcements->options;
    struct tollgate_redirect_answer reply = {.magic = TOLLGATE_REDIRECT_MAGIC};
    reply.refused = (uint16_t)note(announcements, announcer, bytes, (size_t)length, &redirect);
    if (!reply.refused) {
        reply.port = options->agent_port;
        reply.address = choose_address(options, redirect.original);
    }
    return send(announcer->fd, &reply, sizeof reply, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof reply;
}

/* ---- connections ---- */

/* The row that was silent longest, of one user or (uid -1) of all. */
static unsigned find_idlest(const struct announcements *announcements, uid_t uid)
{
    unsigned idlest = ANNOUNCERS_MAX;
    for (unsigned i = 0; i < announcements->count; i++) {
        const struct announcer *row = &announcements->rows[i];
        if ((uid == (uid_t)-1 || row->uid == uid) &&
            (idlest == ANNOUNCERS_MAX || row->used_ns < announcements->rows[idlest].used_ns))
            idlest = i;
    }
    return idlest;
}

static void make_room(struct announcements *announcements, uid_t uid)
{
    unsigned of_uid = 0;
    for (unsigned i = 0; i < announcements->count; i++)
        of_uid += announcements->rows[i].uid == uid;
    if (of_uid >= ANNOUNCERS_PER_UID_MAX)
        drop(announcements, find_idlest(announcements, uid));
    else if (announcements->count == ANNOUNCERS_MAX)
        drop(announcements, find_idlest(announcements, (uid_t)-1));
}

static void welcome(struct announcements *announcements, int fd)
{
    const struct identity_redirects *options = &announcements->options;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid <= 0 ||
        !options->admits(options->context, peer.uid)) {
        close(fd);
        return;
    }
    make_room(announcements, peer.uid);
    announcements->rows[announcements->count++] = (struct announcer){fd, peer.uid, peer.pid, process_now_ns()};
}

/*
 * Those that wait at the door, not more than get an answer before their place is another's. False: the kernel has no
 * descriptor for them now.
 */
static bool welcome_all(struct announcements *announcements)
{
    for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
        int fd = accept4(announcements->endpoint.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        welcome(announcements, fd);
    }
    return true;
}

/* False: time to end. */
static bool wait_for_any(struct announcements *announcements, bool is_paused)
{
    struct pollfd *polls = announcements->polls;
    polls[0] = (struct pollfd){.fd = announcements->stop_fd, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = is_paused ? -1 : announcements->endpoint.fd, .events = POLLIN};
    for (unsigned i = 0; i < announcements->count; i++)
        polls[i + 2] = (struct pollfd){.fd = announcements->rows[i].fd, .events = POLLIN};
    while (poll(polls, announcements->count + 2, is_paused ? PAUSE_MS : -1) < 0)
        check(errno == EINTR);
    return polls[0].revents == 0;
}

static void *announce_main(void *argument)
{
    struct announcements *announcements = argument;
    bool is_paused = false;
    while (wait_for_any(announcements, is_paused)) {
        bool has_newcomer = announcements->polls[1].revents != 0;
        /* Backwards: a dropped row is replaced by the last, which has had its turn. */
        for (unsigned i = announcements->count; i-- > 0;)
            if (announcements->polls[i + 2].revents && !answer(announcements, &announcements->rows[i]))
                drop(announcements, i);
        is_paused = has_newcomer && !welcome_all(announcements);
    }
    return NULL;
}

struct announcements *announcements_open(struct identity *identity, const struct identity_redirects *options)
{
    struct announcements *announcements = calloc(1, sizeof *announcements);
    check(announcements != NULL);
    announcements->identity = identity;
    announcements->options = *options;
    if (!endpoint_open(&announcements->endpoint, options->path, SOCK_SEQPACKET, options->mode) ||
        listen(announcements->endpoint.fd, SOMAXCONN) != 0) {
        endpoint_close(&announcements->endpoint);
        free(announcements);
        return NULL;
    }
    announcements->options.path = NULL; /* the caller's */
    announcements->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(announcements->stop_fd >= 0);
    check(pthread_create(&announcements->thread, NULL, announce_main, announcements) == 0);
    return announcements;
}

void announcements_close(struct announcements *announcements)
{
    if (!announcements)
        return;
    uint64_t one = 1;
    check(write(announcements->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
    pthread_join(announcements->thread, NULL);
    while (announcements->count > 0)
        drop(announcements, announcements->count - 1);
    endpoint_close(&announcements->endpoint);
    close(announcements->stop_fd);
    free(announcements);
}

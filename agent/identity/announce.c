/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Supervisors' announcements: a program that no preload reaches is about to connect somewhere. One thread, one table of
 * connections, one message of each in turn, answers that never wait: a slow or malicious supervisor holds up nobody. An
 * announcement is in the table of claims before it is acknowledged.
 */
#include "base/check.h"
#include "base/descriptors.h"
#include "base/slice.h"
#include "identity/internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Further ones take the place of whoever was silent longest, of the same user first: it connects again when needed. */
enum { ANNOUNCERS_MAX = 512, ANNOUNCERS_PER_UID_MAX = 128, NEWCOMERS_MAX = 64, PAUSE_MS = 100, TIDY_MS = 1000 };

struct announcer {
    int fd;
    uid_t uid;
    pid_t pid;
    int64_t used_ns;
};

struct announcements {
    struct identity *identity;
    struct identity_redirects options;
    int stop_fd;
    atomic_bool is_put_off;
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

static bool is_ours(const struct identity_redirects *options, const uint8_t original[16], uint32_t *ret_address)
{
    uint32_t network = network_of(options, original, ret_address);
    return network == options->network || network == options->redirect_network;
}

/* Where to connect. */
static uint32_t choose_address(const struct identity_redirects *options, const uint8_t original[16])
{
    uint32_t address;
    return is_ours(options, original, &address) ? address : options->redirect_network + 1;
}

static bool has_room(const struct announcements *announcements, uid_t uid, int upstream)
{
    const struct identity_redirects *options = &announcements->options;
    return upstream >= 0 && !descriptor_is_kept(upstream, DESCRIPTOR_BROUGHT) &&
           options->has_place(options->context, uid, identity_count_sockets(announcements->identity, uid));
}

/* An errno; 0: what was brought, or that nothing was, is in order; ENOBUFS: there is no room for it. Nobody is called
 * who is in our own networks. */
static int judge_socket(const struct announcements *announcements, const struct announcer *announcer,
                        const struct tollgate_redirect *redirect, int upstream)
{
    const struct identity_redirects *options = &announcements->options;
    uint32_t address;
    bool is_own = is_ours(options, redirect->original, &address);
    if (upstream >= 0 && !redirect->has_socket)
        return EPROTO;
    if (redirect->has_socket && !has_room(announcements, announcer->uid, upstream))
        return ENOBUFS; /* also where the kernel had no descriptor for it */
    if (!redirect->has_socket)
        return is_own || options->may_call(options->context, redirect->original) ? 0 : ECONNREFUSED;
    bool is_sound = !is_own && handed_is_sound(upstream, announcer->uid, redirect->original, redirect->port);
    return is_sound ? 0 : EPROTO;
}

/* An errno; 0: the claim is in the table, and the socket (-1: none) with it. */
static int note(struct announcements *announcements, const struct announcer *announcer, struct slice bytes,
                int upstream, struct tollgate_redirect *ret_redirect)
{
    if (!claims_parse_redirect(bytes.data, bytes.length, ret_redirect))
        return EPROTO;
    if (ret_redirect->port != announcements->options.port)
        return ECONNREFUSED;
    int error = judge_socket(announcements, announcer, ret_redirect, upstream);
    if (error)
        return error;
    /* A pid that is not the supervisor's to name makes it the supervisor's own call. */
    bool is_believed = look_descends(ret_redirect->pid, announcer->pid, announcer->uid);
    struct claim_row row = {.cookie = ret_redirect->cookie,
                            .arrived_ns = process_now_ns(),
                            .pid = is_believed ? ret_redirect->pid : announcer->pid,
                            .uid = announcer->uid,
                            .port = ret_redirect->port,
                            .has_socket = upstream >= 0};
    memcpy(row.original, ret_redirect->original, sizeof row.original);
    memcpy(row.group, ret_redirect->group, sizeof row.group);
    memcpy(row.project, ret_redirect->project, sizeof row.project);
    if (is_believed) {
        memcpy(row.executable, ret_redirect->executable, sizeof row.executable);
        memcpy(row.directory, ret_redirect->directory, sizeof row.directory);
    }
    return identity_put_announcement(announcements->identity, &row, upstream) ? 0 : ENOBUFS;
}

/* One message and at most one descriptor (-1: none); room for no more, so that the kernel discards the others. */
static ssize_t receive(int fd, char *bytes, size_t bytes_max, int *ret_upstream)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof *ret_upstream)];
    struct iovec piece = {bytes, bytes_max};
    struct msghdr header = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_LEN(sizeof *ret_upstream)};
    *ret_upstream = -1;
    ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *part = length >= 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
        part->cmsg_len == CMSG_LEN(sizeof *ret_upstream))
        memcpy(ret_upstream, CMSG_DATA(part), sizeof *ret_upstream);
    return length;
}

/* False: it has left, or does not read its answers. */
static bool answer(struct announcements *announcements, struct announcer *announcer)
{
    char bytes[sizeof(struct tollgate_redirect) + 1]; /* one more, so that a longer message is seen */
    struct tollgate_redirect redirect;
    int upstream;
    ssize_t length = receive(announcer->fd, bytes, sizeof bytes, &upstream);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (length <= 0 && upstream >= 0)
        handed_close(upstream);
    if (length <= 0)
        return false;
    announcer->used_ns = process_now_ns();
    const struct identity_redirects *options = &announcements->options;
    struct tollgate_redirect_answer reply = {.magic = TOLLGATE_REDIRECT_MAGIC};
    const struct slice message = {bytes, (size_t)length};
    reply.refused = atomic_load(&announcements->is_put_off)
                        ? TOLLGATE_REDIRECT_AGAIN
                        : (uint16_t)note(announcements, announcer, message, upstream, &redirect);
    if (reply.refused && upstream >= 0)
        handed_close(upstream);
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
        int fd = accept4(announcements->options.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        welcome(announcements, fd);
    }
    return true;
}

/* False: time to end. */
static bool wait_for_any(struct announcements *announcements, bool is_paused)
{
    bool is_tidy = !identity_tidy_sockets(announcements->identity);
    struct pollfd *polls = announcements->polls;
    polls[0] = (struct pollfd){.fd = announcements->stop_fd, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = is_paused ? -1 : announcements->options.fd, .events = POLLIN};
    for (unsigned i = 0; i < announcements->count; i++)
        polls[i + 2] = (struct pollfd){.fd = announcements->rows[i].fd, .events = POLLIN};
    while (poll(polls, announcements->count + 2, is_paused ? PAUSE_MS : is_tidy ? -1 : TIDY_MS) < 0)
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
    announcements->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(announcements->stop_fd >= 0);
    check(pthread_create(&announcements->thread, NULL, announce_main, announcements) == 0);
    return announcements;
}

void announcements_put_off(struct announcements *announcements)
{
    atomic_store(&announcements->is_put_off, true);
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
    close(announcements->stop_fd);
    free(announcements);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datagram socket, the thread that drains it into the table of claims, and the thread that walks /proc for those
 * whose datagram was lost. Announcements of supervisors come to the same table by announce.c. The queue of a Unix
 * datagram socket holds 10 messages (net.unix.max_dgram_qlen): the first thread does nothing but drain. Opened by main,
 * asked by flow/ on the loops.
 */
#include "base/check.h"
#include "identity/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 16, BATCHES_MAX = 64, RECEIVE_BUFFER_BYTES = 1 << 20 };

struct identity {
    struct endpoint endpoint;
    char runtime[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* the directory of the datagram socket */
    int stop_fd;
    struct announcements *announcements; /* NULL until identity_listen */
    pthread_t drain_thread, lookup_thread;
    struct mailbox lookups;
    pthread_mutex_t lock; /* leaf; guards reading the socket and the tables together: see identity_take_claim */
    struct claims claims;
    struct handed handed;
};

/* A message's room: one byte more than a hello, so that a longer one is seen; control data for the credentials and
 * nothing else, so that the kernel discards descriptors that somebody attaches. */
struct message {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
    char bytes[sizeof(struct tollgate_hello) + 1];
};

static bool find_credentials(struct msghdr *header, struct ucred *ret_credentials)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS)
            continue;
        if (part->cmsg_len != CMSG_LEN(sizeof *ret_credentials))
            return false;
        memcpy(ret_credentials, CMSG_DATA(part), sizeof *ret_credentials);
        return true;
    }
    return false;
}

static void accept_message(struct identity *identity, struct mmsghdr *message, int64_t now_ns)
{
    struct ucred credentials;
    struct tollgate_hello hello;
    const void *bytes = message->msg_hdr.msg_iov->iov_base;
    if (!find_credentials(&message->msg_hdr, &credentials) || credentials.pid <= 0 ||
        !claims_parse_hello(bytes, message->msg_len, &hello))
        return;
    struct claim_row row = {
        .cookie = hello.cookie, .arrived_ns = now_ns, .pid = credentials.pid, .uid = credentials.uid};
    memcpy(row.group, hello.group, sizeof row.group);
    memcpy(row.project, hello.project, sizeof row.project);
    memcpy(row.executable, hello.executable, sizeof row.executable);
    memcpy(row.directory, hello.directory, sizeof row.directory);
    claims_put(&identity->claims, &row);
}

/* Assumes the lock. Returns how many messages came; never waits. */
static unsigned drain_batch(struct identity *identity)
{
    struct message messages[BATCH];
    struct iovec pieces[BATCH];
    struct mmsghdr headers[BATCH] = {0};
    for (unsigned i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){messages[i].bytes, sizeof messages[i].bytes};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i],
                                             .msg_iovlen = 1,
                                             .msg_control = messages[i].control,
                                             .msg_controllen = sizeof messages[i].control};
    }
    int count = recvmmsg(identity->endpoint.fd, headers, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (count <= 0)
        return 0;
    int64_t now_ns = process_now_ns();
    for (int i = 0; i < count; i++)
        accept_message(identity, &headers[i], now_ns);
    return (unsigned)count;
}

/* Assumes the lock. Bounded, so that a flood on the socket cannot keep a loop here. */
static void drain_socket(struct identity *identity)
{
    for (unsigned i = 0; i < BATCHES_MAX && drain_batch(identity) == BATCH; i++)
        ;
}

static void *drain_main(void *argument)
{
    struct identity *identity = argument;
    while (endpoint_wait(identity->endpoint.fd, identity->stop_fd)) {
        pthread_mutex_lock(&identity->lock);
        drain_socket(identity);
        pthread_mutex_unlock(&identity->lock);
    }
    return NULL;
}

static void finish_lookup(struct task *task)
{
    struct identity_lookup *lookup = (struct identity_lookup *)(void *)task; /* its first member, see process.c */
    lookup->done(lookup);
}

/* Answers a whole chain with one walk over /proc. */
static void answer_lookups(struct identity *identity, struct task *first, bool may_search)
{
    if (first && may_search)
        look_find_owners((struct identity_lookup *)(void *)first);
    for (struct task *task = first, *next; task; task = next) {
        struct identity_lookup *lookup = (struct identity_lookup *)(void *)task;
        next = task->next;
        if (lookup->claim.pid != 0) {
            look_describe(&lookup->claim, lookup->peer.uid, process_now_ns());
            look_read_names(&lookup->claim, lookup->peer.uid, identity->runtime);
        }
        task->run = finish_lookup;
        mailbox_post(lookup->reply_to, task);
    }
}

static void *lookup_main(void *argument)
{
    struct identity *identity = argument;
    while (endpoint_wait(identity->lookups.event_fd, identity->stop_fd))
        answer_lookups(identity, mailbox_take(&identity->lookups), true);
    answer_lookups(identity, mailbox_take(&identity->lookups), false);
    return NULL;
}

static void release(struct identity *identity)
{
    endpoint_close(&identity->endpoint);
    close(identity->stop_fd);
    mailbox_done(&identity->lookups);
    claims_done(&identity->claims);
    pthread_mutex_destroy(&identity->lock);
    free(identity);
}

static bool prepare_socket(int fd)
{
    int one = 1, bytes = RECEIVE_BUFFER_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); /* best effort, the kernel caps it */
    return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0;
}

enum error identity_open(const char *path, mode_t mode, struct identity **ret_identity)
{
    struct identity *identity = calloc(1, sizeof *identity);
    check(identity != NULL);
    identity->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(identity->stop_fd >= 0);
    mailbox_init(&identity->lookups);
    check(pthread_mutex_init(&identity->lock, NULL) == 0);
    if (!endpoint_open(&identity->endpoint, path, SOCK_DGRAM, mode) || !prepare_socket(identity->endpoint.fd)) {
        release(identity);
        return ERROR_FILE_UNWRITABLE;
    }
    snprintf(identity->runtime, sizeof identity->runtime, "%.*s", (int)(strrchr(path, '/') - path), path);
    check(pthread_create(&identity->drain_thread, NULL, drain_main, identity) == 0);
    check(pthread_create(&identity->lookup_thread, NULL, lookup_main, identity) == 0);
    *ret_identity = identity;
    return ERROR_OK;
}

void identity_listen(struct identity *identity, const struct identity_redirects *options)
{
    check(!identity->announcements);
    identity->announcements = announcements_open(identity, options);
}

void identity_put_off(struct identity *identity)
{
    announcements_put_off(identity->announcements);
}

void identity_unlisten(struct identity *identity)
{
    announcements_close(identity->announcements);
    identity->announcements = NULL;
}

void identity_close(struct identity *identity)
{
    uint64_t one = 1;
    identity_unlisten(identity);
    check(write(identity->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
    pthread_join(identity->drain_thread, NULL);
    pthread_join(identity->lookup_thread, NULL);
    handed_expire(&identity->handed, INT64_MAX);
    release(identity);
}

bool identity_put_announcement(struct identity *identity, const struct claim_row *row, int upstream)
{
    const struct handed_row handed = {row->cookie, row->arrived_ns, row->uid, upstream};
    pthread_mutex_lock(&identity->lock);
    int before = handed_take(&identity->handed, row->cookie, row->uid);
    bool is_put = upstream < 0 || handed_put(&identity->handed, &handed);
    if (is_put && !claims_put(&identity->claims, row)) {
        is_put = false;
        handed_take(&identity->handed, row->cookie, row->uid);
    }
    pthread_mutex_unlock(&identity->lock);
    if (before >= 0)
        handed_close(before);
    return is_put;
}

unsigned identity_count_sockets(struct identity *identity, uid_t uid)
{
    pthread_mutex_lock(&identity->lock);
    unsigned count = handed_count(&identity->handed, uid);
    pthread_mutex_unlock(&identity->lock);
    return count;
}

bool identity_tidy_sockets(struct identity *identity)
{
    pthread_mutex_lock(&identity->lock);
    handed_expire(&identity->handed, process_now_ns());
    bool is_waiting = identity->handed.count > 0;
    pthread_mutex_unlock(&identity->lock);
    return is_waiting;
}

bool identity_take_redirect(struct identity *identity, const struct identity_peer *peer,
                            struct sockaddr_in6 *ret_original, int *ret_upstream)
{
    struct claim_row row = {0};
    int upstream = -1;
    pthread_mutex_lock(&identity->lock);
    bool is_found = claims_find_redirect(&identity->claims, peer->cookie, peer->uid, process_now_ns(), &row);
    if (is_found && row.has_socket)
        upstream = handed_take(&identity->handed, peer->cookie, peer->uid);
    pthread_mutex_unlock(&identity->lock);
    if (!is_found || (row.has_socket && upstream < 0))
        return false;
    *ret_upstream = upstream;
    *ret_original = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(row.port)};
    memcpy(&ret_original->sin6_addr, row.original, sizeof row.original);
    return true;
}

bool identity_take_claim(struct identity *identity, const struct identity_peer *peer, struct identity_claim *ret_claim)
{
    struct claim_row row;
    pthread_mutex_lock(&identity->lock);
    /* The shim sends before it connects. Whoever holds the lock leaves no message between socket and table: what was
     * sent is in the table already, or comes with this drain, or was lost. */
    bool is_found = claims_take(&identity->claims, peer->cookie, peer->uid, process_now_ns(), &row);
    if (!is_found) {
        drain_socket(identity);
        is_found = claims_take(&identity->claims, peer->cookie, peer->uid, process_now_ns(), &row);
    }
    pthread_mutex_unlock(&identity->lock);
    if (!is_found)
        return false;
    *ret_claim = (struct identity_claim){.pid = row.pid, .has_hello = true};
    memcpy(ret_claim->group, row.group, sizeof ret_claim->group);
    memcpy(ret_claim->project, row.project, sizeof ret_claim->project);
    memcpy(ret_claim->executable, row.executable, sizeof ret_claim->executable);
    memcpy(ret_claim->directory, row.directory, sizeof ret_claim->directory);
    look_describe(ret_claim, peer->uid, row.arrived_ns);
    return true;
}

void identity_start_lookup(struct identity *identity, struct identity_lookup *lookup)
{
    lookup->claim = (struct identity_claim){0};
    lookup->task.run = NULL;
    mailbox_post(&identity->lookups, &lookup->task);
}

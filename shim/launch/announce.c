/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the agent's redirect.sock: opened at the first governed connect, kept, opened again after the agent
 * was restarted. Announcements are answered in order, so a ring of askers is all the state there is. Never waits:
 * serve.c polls the descriptor, asks an agent again that has no room at this moment, and keeps the deadlines.
 */
#include "shim/launch/supervise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static void announce_copy_name(char to[TOLLGATE_NAME_MAX], const char *name)
{
    if (name && strlen(name) < TOLLGATE_NAME_MAX)
        snprintf(to, TOLLGATE_NAME_MAX, "%s", name);
}

void announce_open(struct announce *announce, const char *runtime)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *announce = (struct announce){.fd = -1,
                                  .form = {.magic = TOLLGATE_REDIRECT_MAGIC,
                                           .version = TOLLGATE_REDIRECT_VERSION,
                                           .size = sizeof(struct tollgate_redirect)}};
    announce_copy_name(announce->form.group, getenv(TOLLGATE_ENV_GROUP));
    announce_copy_name(announce->form.project, getenv(TOLLGATE_ENV_PROJECT));
    if (!runtime || strlen(runtime) + sizeof "/" TOLLGATE_FILE_REDIRECT > sizeof address.sun_path)
        return;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/" TOLLGATE_FILE_REDIRECT, runtime);
    announce->address = address;
}

static void announce_close(struct announce *announce)
{
    if (announce->fd >= 0)
        close(announce->fd);
    announce->fd = -1;
}

static enum announce_result announce_connect(struct announce *announce)
{
    if (announce->address.sun_family != AF_UNIX)
        return ANNOUNCE_NOBODY;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return ANNOUNCE_NOBODY;
    if (connect(fd, (const struct sockaddr *)&announce->address, sizeof announce->address) != 0) {
        bool is_full = errno == EAGAIN; /* the backlog: many programs that began at the same moment */
        close(fd);
        return is_full ? ANNOUNCE_BUSY : ANNOUNCE_NOBODY;
    }
    announce->fd = fd;
    return ANNOUNCE_SENT;
}

enum announce_result announce_find(struct announce *announce)
{
    return announce->fd >= 0 ? ANNOUNCE_SENT : announce_connect(announce);
}

static bool announce_put(const struct announce *announce, struct tollgate_redirect *form, int upstream)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof upstream)] = {0};
    struct iovec bytes = {form, sizeof *form};
    struct msghdr envelope = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (upstream >= 0) {
        envelope.msg_control = room;
        envelope.msg_controllen = sizeof room;
        struct cmsghdr *head = CMSG_FIRSTHDR(&envelope);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof upstream);
        memcpy(CMSG_DATA(head), &upstream, sizeof upstream);
    }
    return announce->fd >= 0 && sendmsg(announce->fd, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *form;
}

static enum announce_result announce_try(struct announce *announce, struct tollgate_redirect *form, int upstream)
{
    if (announce_put(announce, form, upstream))
        return ANNOUNCE_SENT;
    /* An agent that was restarted left a dead connection behind. While others wait on it, poll says so. */
    if (announce->count > 0)
        return ANNOUNCE_BUSY;
    announce_close(announce);
    enum announce_result result = announce_connect(announce);
    return result == ANNOUNCE_SENT && !announce_put(announce, form, upstream) ? ANNOUNCE_BUSY : result;
}

/* Assumes zeros in `to`; leaves them where the link cannot be read. */
static void announce_read_link(pid_t pid, const char *name, char to[TOLLGATE_PATH_MAX])
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    ssize_t length = readlink(path, to, TOLLGATE_PATH_MAX - 1);
    (void)length;
}

enum announce_result announce_send(struct announce *announce, int asker, const struct pending *pending)
{
    struct tollgate_redirect form = announce->form;
    form.cookie = pending->cookie;
    memcpy(form.original, pending->destination.original, sizeof form.original);
    form.port = pending->destination.port;
    form.has_socket = pending->upstream >= 0;
    form.pid = pending->pid;
    announce_read_link(pending->pid, "exe", form.executable);
    announce_read_link(pending->pid, "cwd", form.directory);
    enum announce_result result = announce_try(announce, &form, pending->upstream);
    if (result == ANNOUNCE_SENT)
        announce->waiting[(announce->first + announce->count++) % SUPERVISE_NOTICES_MAX] = asker;
    return result;
}

int announce_take(struct announce *announce, int *ret_asker, struct tollgate_redirect_answer *ret_answer)
{
    struct tollgate_redirect_answer answer;
    ssize_t got = recv(announce->fd, &answer, sizeof answer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got != (ssize_t)sizeof answer || answer.magic != TOLLGATE_REDIRECT_MAGIC || announce->count == 0)
        return -1;
    *ret_asker = announce->waiting[announce->first];
    *ret_answer = answer;
    announce->first = (announce->first + 1) % SUPERVISE_NOTICES_MAX;
    announce->count--;
    return 1;
}

size_t announce_drop(struct announce *announce, int ret_askers[SUPERVISE_NOTICES_MAX])
{
    size_t count = announce->count;
    for (size_t i = 0; i < count; i++)
        ret_askers[i] = announce->waiting[(announce->first + i) % SUPERVISE_NOTICES_MAX];
    announce->count = 0;
    announce_close(announce);
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/handover: the listening sockets go to whoever starts the next agent, and with them this agent's executable,
 * should the next one not start. Only then does this one drain and exit: what is connected meanwhile waits in the
 * sockets' backlog.
 */
#include "control/internal.h"

#include "base/json.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool send_descriptors(int to, struct slice answer, const int *fds, size_t count)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int) * TOLLGATE_HANDED_MAX)] = {0};
    struct iovec bytes = {(char *)(uintptr_t)answer.data, answer.length};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
    return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)answer.length;
}

static void write_names(struct call *call, const char *const *names, size_t count)
{
    json_write_raw(&call->body, "{\"descriptors\":[");
    for (size_t i = 0; i < count; i++) {
        json_write_raw(&call->body, i ? "," : "");
        json_write_string(&call->body, slice_of(names[i]));
    }
    json_write_raw(&call->body, "]}");
}

/* Head and body in one message, with the descriptors. */
static bool answer(struct call *call, const int *fds, size_t count)
{
    struct slice body = buffer_contents(&call->body);
    const char *text = arena_printf(call->arena,
                                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n"
                                    "connection: close\r\n\r\n" SLICE_FORMAT,
                                    body.length, SLICE_ARGUMENTS(body));
    return send_descriptors(call->fd, slice_of(text), fds, count);
}

/* Clients that do not say how many descriptors they take are of versions that took three. */
static size_t read_count_max(struct call *call)
{
    enum { COUNT_MIN = 2, COUNT_DEFAULT = 3 };
    const char *text = control_find_parameter(call, "descriptors");
    const int count = text ? atoi(text) : COUNT_DEFAULT;
    return count < COUNT_MIN ? COUNT_MIN : count > TOLLGATE_HANDED_MAX ? TOLLGATE_HANDED_MAX : (size_t)count;
}

int control_hand_over(struct call *call)
{
    const struct control_services *services = call->services;
    if (services->write_draining(services->context, NULL))
        return control_fail_draining(call);
    if (!strcmp(services->manager, "systemd"))
        return control_fail_with(call, ERROR_REQUEST_INVALID, "a service manager keeps this agent",
                                 "systemctl restart");
    int fds[TOLLGATE_HANDED_MAX];
    const char *names[TOLLGATE_HANDED_MAX];
    size_t count = services->hand_over(services->context, true, read_count_max(call) - 1, fds, names);
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* may be closed to us: then there is no way back */
    if (program >= 0) {
        fds[count] = program;
        names[count++] = TOLLGATE_HANDED_PROGRAM;
    }
    call->is_streaming = true;
    write_names(call, names, count);
    bool is_sent = answer(call, fds, count);
    if (program >= 0)
        close(program);
    if (is_sent)
        services->stop(services->context);
    else
        services->hand_over(services->context, false, TOLLGATE_HANDED_MAX, fds, names);
    return 200;
}

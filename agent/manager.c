/* SPDX-License-Identifier: Apache-2.0 */
#include "manager.h"

#include "base/check.h"
#include "base/pulse.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* kept: goes along; -1: none. */
static void send_state(const char *state, int kept)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') /* an abstract socket */
        address.sun_path[0] = '\0';
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof kept)] = {0};
    struct iovec bytes = {(char *)(uintptr_t)state, strlen(state)};
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)),
                             .msg_iov = &bytes,
                             .msg_iovlen = 1};
    if (kept >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof kept);
        memcpy(CMSG_DATA(head), &kept, sizeof kept);
    }
    /* A manager's queue may be short (net.unix.max_dgram_qlen: 10) and is all of its services': whoever waits gets a
     * place in turn. */
    const struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sendmsg(fd, &message, MSG_NOSIGNAL);
    close(fd);
}

void manager_tell(const char *state)
{
    send_state(state, -1);
}

bool manager_keeps(void)
{
    const char *count = getenv("FDSTORE");
    return getenv("NOTIFY_SOCKET") && count && atoi(count) > 0;
}

void manager_keep(const char *name, int fd)
{
    char state[128];
    snprintf(state, sizeof state, "FDSTOREREMOVE=1\nFDNAME=%s", name);
    manager_tell(state);
    if (fd < 0)
        return;
    snprintf(state, sizeof state, "FDSTORE=1\nFDNAME=%s", name);
    send_state(state, fd);
}

struct manager_watch {
    struct loops *loops;
    struct pulse *pulse;
};

static void watch_beat(void *context)
{
    const struct manager_watch *watch = context;
    if (loops_answer(watch->loops))
        manager_tell("WATCHDOG=1");
}

/* 0: nobody watches us. */
static unsigned long watch_timeout_us(void)
{
    const char *timeout = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!timeout || (pid && atoi(pid) != (int)getpid()))
        return 0;
    return strtoul(timeout, NULL, 10);
}

struct manager_watch *manager_watch_start(struct loops *loops)
{
    /* A loop that is busy for one beat is not dead yet: three chances. */
    enum { BEATS = 4, PAUSE_MS_MIN = 10, PAUSE_MS_MAX = 60000 };
    unsigned long pause_ms = watch_timeout_us() / 1000 / BEATS;
    if (pause_ms == 0)
        return NULL;
    pause_ms = pause_ms < PAUSE_MS_MIN ? PAUSE_MS_MIN : pause_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : pause_ms;
    struct manager_watch *watch = calloc(1, sizeof *watch);
    check(watch != NULL);
    watch->loops = loops;
    watch->pulse = pulse_start(watch_beat, watch, (unsigned)pause_ms);
    return watch;
}

void manager_watch_stop(struct manager_watch *watch)
{
    if (!watch)
        return;
    pulse_stop(watch->pulse);
    free(watch);
}

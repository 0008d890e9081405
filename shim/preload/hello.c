/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datagram that tells the agent whose connection is about to arrive: the kernel's cookie of the connecting
 * socket, the consumer group and the project, the program's file and directory; pid and uid come from the kernel
 * itself. Sent by connect.c just before a governed connect; waits for room in the agent's queue, but not for long. A
 * loss is allowed: the agent then looks the caller up another way.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "shim/preload/shim.h"

/* The agent's queue is short and everybody's: who floods it must not make others nobody's. The kernel wakes who waits
 * for room in turn. Of 1,000 hellos beside one who does nothing but fill the queue, none was lost in this way, and the
 * slowest took 44 ms; of 1,000 that looked for room every millisecond, 150 times, 15 were. */
enum { HELLO_WAIT_NS = 150000000 };

static struct sockaddr_un hello_address; /* sun_family 0: nobody to tell */
static struct tollgate_hello hello_template;

static void hello_copy_name(char to[TOLLGATE_NAME_MAX], const char *name)
{
    if (name == NULL || text_length(name) >= TOLLGATE_NAME_MAX)
        return;
    text_append(to, name);
}

/* Assumes zeros in `to`; leaves them where the link cannot be read. */
static void hello_read_link(const char *path, char to[TOLLGATE_PATH_MAX])
{
    RAW6(SYS_readlinkat, AT_FDCWD, path, to, TOLLGATE_PATH_MAX - 1, 0, 0);
}

void hello_prepare(const char *runtime, const char *group, const char *project)
{
    if (text_length(runtime) + sizeof "/" TOLLGATE_FILE_IDENTITY > sizeof hello_address.sun_path)
        return;
    text_append(text_append(hello_address.sun_path, runtime), "/" TOLLGATE_FILE_IDENTITY);
    hello_template.magic = TOLLGATE_HELLO_MAGIC;
    hello_template.version = TOLLGATE_HELLO_VERSION;
    hello_template.size = sizeof hello_template;
    hello_copy_name(hello_template.group, group);
    hello_copy_name(hello_template.project, project);
    hello_read_link("/proc/self/exe", hello_template.executable);
    hello_address.sun_family = AF_UNIX;
}

static int64_t hello_now_ns(void)
{
    struct timespec now = {0};
    RAW3(SYS_clock_gettime, CLOCK_MONOTONIC, &now, 0);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

void hello_send(int fd)
{
    if (hello_address.sun_family == 0)
        return;
    struct tollgate_hello hello = hello_template;
    socklen_t size = sizeof hello.cookie;
    if (RAW6(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &hello.cookie, &size, 0) != 0)
        return;
    hello_read_link("/proc/self/cwd", hello.directory); /* it changes */
    long sender = RAW3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender < 0)
        return;
    const struct timeval wait = {.tv_usec = HELLO_WAIT_NS / 1000};
    RAW6(SYS_setsockopt, sender, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait, 0);
    int64_t deadline_ns = hello_now_ns() + HELLO_WAIT_NS;
    while (RAW6(SYS_sendto, sender, &hello, sizeof hello, MSG_NOSIGNAL, &hello_address, sizeof hello_address) == -EINTR)
        if (hello_now_ns() >= deadline_ns)
            break;
    RAW3(SYS_close, sender, 0, 0);
}

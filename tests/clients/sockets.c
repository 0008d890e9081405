/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static program for the scenario of sockets (27): connects that do not go as they usually do, each told in one line.
 * sockets WHAT ADDRESS [NUMBER], port 443.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address target;
static socklen_t target_length;

static socklen_t parse(const char *text, unsigned short port, union address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->v4.sin_port = htons(port);
    if (inet_pton(AF_INET, text, &ret_address->v4.sin_addr) == 1) {
        ret_address->any.sa_family = AF_INET;
        return sizeof ret_address->v4;
    }
    if (inet_pton(AF_INET6, text, &ret_address->v6.sin6_addr) != 1)
        exit(2);
    ret_address->any.sa_family = AF_INET6;
    return sizeof ret_address->v6;
}

static int open_socket(int protocol)
{
    struct timeval patience = {10, 0};
    int fd = socket(target.any.sa_family, SOCK_STREAM, protocol);
    if (fd < 0)
        exit(3);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static const char *connect_it(int fd)
{
    return connect(fd, &target.any, target_length) == 0 ? "connected" : strerror(errno);
}

/* What the other side says first. */
static const char *greeting(int fd)
{
    static char line[100];
    ssize_t got = read(fd, line, sizeof line - 1);
    if (got < 0)
        return strerror(errno);
    line[got] = 0;
    line[strcspn(line, "\n")] = 0;
    return got == 0 ? "the end" : line;
}

static void nothing(int number)
{
    (void)number;
}

/* ---- calls that are left ---- */

static void leave_by_signal(int flags)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    /* More than one: the first may come before the call that it is to end. */
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 200000}, {0, 200000}}, NULL);
}

static void end_signals(void)
{
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

static void leave_by_timeout(int fd)
{
    struct timeval patience = {0, 200000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* As POSIX has it: what a left connect has come to, poll and SO_ERROR say. */
static void say_outcome(int fd, const char *first)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = -1, count = poll(&ready, 1, 10000);
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    printf("%s, poll %d%s%s, error %d, then %s\n", first, count, ready.revents & POLLOUT ? " out" : "",
           ready.revents & (POLLHUP | POLLERR) ? " broken" : "", error, greeting(fd));
}

static void run_left(int fd, int is_signal)
{
    if (is_signal)
        leave_by_signal(0);
    else
        leave_by_timeout(fd);
    const char *first = connect_it(fd);
    end_signals();
    say_outcome(fd, first);
}

/* The same call again, at once and after a while; the handler restarts it, or the program does. */
static void run_again(int fd, unsigned pause_s)
{
    leave_by_timeout(fd);
    const char *first = connect_it(fd);
    struct timeval forever = {0, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever);
    sleep(pause_s);
    printf("%s, again %s", first, connect_it(fd));
    printf(", once more %s\n", connect_it(fd));
}

/* ---- another thread ---- */

static void *shut_soon(void *fd)
{
    usleep(300000);
    shutdown(*(int *)fd, SHUT_RDWR);
    return NULL;
}

static void run_shut(int fd)
{
    pthread_t thread;
    pthread_create(&thread, NULL, shut_soon, &fd);
    alarm(10);
    const char *first = connect_it(fd);
    parse(getenv("SECOND"), 443, &target);
    printf("%s, then %s\n", first, connect_it(fd));
}

static void *connect_main(void *protocol)
{
    connect_it(open_socket((int)(intptr_t)protocol));
    return NULL;
}

/* `count` threads that wait for a silent address; then a connect of the first thread to another. */
static void run_crowd(int count)
{
    pthread_attr_t small;
    pthread_t thread;
    if (getenv("DESCRIPTORS")) { /* of the supervisor, which is our parent */
        struct rlimit few = {(rlim_t)atoi(getenv("DESCRIPTORS")), 4096};
        prlimit(getppid(), RLIMIT_NOFILE, &few, NULL);
    }
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < count; i++)
        if (pthread_create(&thread, &small, connect_main, NULL) != 0)
            exit(3);
    sleep(1);
    target_length = parse(getenv("SECOND"), 443, &target);
    alarm(10);
    int fd = open_socket(0);
    printf("%s, ", connect_it(fd));
    fflush(stdout);
    printf("%s\n", greeting(fd));
    fflush(stdout);
    _exit(0);
}

/* Stops, and goes on, with a thread in a connect. */
static void run_stopped(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, connect_main, NULL) != 0)
        exit(3);
    sleep(1);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* ---- many ---- */

/* Opens `count`, keeps them (or shuts their sending side, and leaves), and says how many were greeted. */
static void run_many(int count, const char *how)
{
    struct rlimit files = {4096, 4096};
    int greeted = 0, *fds = calloc((size_t)count, sizeof *fds);
    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; fds && i < count; i++) {
        fds[i] = open_socket(0);
        const char *first = connect_it(fds[i]);
        greeted += strcmp(first, "connected") == 0 && strncmp(greeting(fds[i]), "other", 5) == 0;
        if (strcmp(how, "close") == 0)
            close(fds[i]);
        else if (strcmp(how, "shut") == 0)
            shutdown(fds[i], SHUT_WR);
    }
    printf("greeted %d\n", greeted);
}

/* Half-closed, and what the server says afterwards. */
static void run_half(int fd)
{
    char line[16];
    int got = 0;
    printf("%s, ", connect_it(fd));
    printf("%s, ", greeting(fd));
    shutdown(fd, SHUT_WR);
    for (ssize_t length; (length = read(fd, line, sizeof line)) > 0;)
        got += (int)length;
    printf("%d bytes more\n", got);
}

/* What the program had said of its socket is still true of it. */
static void run_bound(int fd, const char *source, int is_later)
{
    union address own;
    char peer[INET6_ADDRSTRLEN] = "nobody";
    int on = 1, nodelay = 0;
    socklen_t length = parse(source, 0, &own), size = sizeof nodelay;
    if (bind(fd, &own.any, length) != 0)
        exit(3);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NOATIME | (is_later ? O_NONBLOCK : 0));
    printf("%s", connect_it(fd));
    poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000);
    if (getpeername(fd, &own.any, &(socklen_t){sizeof own}) == 0)
        inet_ntop(AF_INET6, &own.v6.sin6_addr, peer, sizeof peer);
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size);
    printf(" to %s, flags %o %d, nodelay %d, %s\n", peer, (unsigned)fcntl(fd, F_GETFL) & ~(unsigned)O_ACCMODE,
           fcntl(fd, F_GETFD), nodelay, greeting(fd));
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *what = argv[1];
    int number = argc > 3 ? atoi(argv[3]) : 0;
    target_length = parse(argv[2], 443, &target);
    int fd = open_socket(strcmp(what, "mptcp") == 0 ? 262 : 0);
    if (strcmp(what, "signal") == 0 || strcmp(what, "timeout") == 0)
        run_left(fd, what[0] == 's');
    else if (strcmp(what, "again") == 0)
        run_again(fd, (unsigned)number);
    else if (strcmp(what, "shut") == 0)
        run_shut(fd);
    else if (strcmp(what, "crowd") == 0)
        run_crowd(number);
    else if (strcmp(what, "stopped") == 0)
        run_stopped();
    else if (strcmp(what, "many") == 0 && argc > 4)
        run_many(number, argv[4]);
    else if (strcmp(what, "half") == 0)
        run_half(fd);
    else if (strcmp(what, "bound") == 0 && argc > 3)
        run_bound(fd, argv[3], argc > 4);
    else if (strcmp(what, "connect") == 0 || strcmp(what, "mptcp") == 0)
        printf("%s, ", connect_it(fd)), printf("%s\n", greeting(fd));
    else
        return 2;
    return 0;
}

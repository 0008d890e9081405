/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for the supervisor's scenario (22), built statically by gcc and by musl-gcc: it connects in the ways that
 * programs do, and tells what it finds in itself. One word of a command line, one line of output.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address target;
static socklen_t target_length;

static void parse(const char *address, const char *port)
{
    memset(&target, 0, sizeof target);
    if (inet_pton(AF_INET, address, &target.v4.sin_addr) == 1) {
        target.v4.sin_family = AF_INET;
        target_length = sizeof target.v4;
    } else if (inet_pton(AF_INET6, address, &target.v6.sin6_addr) == 1) {
        target.v6.sin6_family = AF_INET6;
        target_length = sizeof target.v6;
    } else {
        exit(2);
    }
    target.v4.sin_port = htons((unsigned short)atoi(port));
}

static int open_socket(int type)
{
    int fd = socket(target.any.sa_family, type, 0);
    if (fd < 0)
        exit(3);
    return fd;
}

static void say_error(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
}

/* The greeting says where the connection arrived. */
static int say_greeting(int fd)
{
    char line[100] = "";
    size_t used = 0;
    ssize_t got;
    while (used < sizeof line - 1 && (got = read(fd, line + used, sizeof line - 1 - used)) > 0)
        used += (size_t)got;
    printf("connected: %s%s", line, used > 0 ? "" : "\n");
    return 0;
}

static int run_connect(void)
{
    int fd = open_socket(SOCK_STREAM);
    if (connect(fd, &target.any, target_length) != 0) {
        say_error("connect");
        return 0;
    }
    return say_greeting(fd);
}

/* A v6 socket that only speaks v6, as Go's and Java's may be; bound: it cannot be mapped any more. */
static int run_only(bool is_bound)
{
    int fd = open_socket(SOCK_STREAM), on = 1;
    union address own = {.v6 = {.sin6_family = AF_INET6}};
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (is_bound && bind(fd, &own.any, sizeof own.v6) != 0)
        return 3;
    if (connect(fd, &target.any, target_length) != 0) {
        say_error("connect");
        return 0;
    }
    return say_greeting(fd);
}

/* The socket stays the same one: its flags, its options and its epoll registration. */
static int run_epoll(void)
{
    int fd = open_socket(SOCK_STREAM | SOCK_NONBLOCK), on = 1, error = 0, keep = 0;
    socklen_t size = sizeof error;
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u32 = 7};
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    int first = connect(fd, &target.any, target_length) == 0 ? 0 : errno;
    int ready = epoll_wait(epoll, &event, 1, 5000);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keep, &size);
    int second = connect(fd, &target.any, target_length) == 0 ? 0 : errno;
    int third = connect(fd, &target.any, target_length) == 0 ? 0 : errno;
    printf("first %s, ready %d %u, error %d, keepalive %d, nonblocking %d, second %s, third %s\n", strerror(first),
           ready, event.data.u32, error, keep, (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, strerror(second),
           strerror(third));
    return 0;
}

/* What a program that does not wait finds out, and how its connection ends. */
static int run_later(void)
{
    int fd = open_socket(SOCK_STREAM | SOCK_NONBLOCK), error = 0;
    socklen_t size = sizeof error;
    char byte;
    int first = connect(fd, &target.any, target_length) == 0 ? 0 : errno;
    if (first != 0 && first != EINPROGRESS) {
        printf("at once: %s\n", strerror(first));
        return 0;
    }
    int ready = poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 5000);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    fcntl(fd, F_SETFL, 0);
    printf("ready %d, error %d, then ", ready, error);
    fflush(stdout);
    if (read(fd, &byte, 1) < 0)
        puts(strerror(errno));
    else
        puts("an answer");
    return 0;
}

static void nothing(int number)
{
    (void)number;
}

/* A timeout of the program's own: by a signal, or by the socket's option. */
static int run_impatient(bool is_signal)
{
    struct timeval patience = {0, 300000};
    struct sigaction action = {.sa_handler = nothing};
    int fd = open_socket(SOCK_STREAM);
    if (is_signal) {
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &(struct itimerval){patience, patience}, NULL); /* the first may come before the call */
    } else {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    if (connect(fd, &target.any, target_length) == 0)
        return say_greeting(fd);
    say_error("connect");
    return 0;
}

/* From an address of its own. */
static int run_from(const char *source)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    int fd = open_socket(SOCK_STREAM);
    if (inet_pton(AF_INET, source, &own.sin_addr) != 1 || bind(fd, (const struct sockaddr *)&own, sizeof own) != 0)
        return 3;
    if (connect(fd, &target.any, target_length) == 0)
        return say_greeting(fd);
    say_error("connect");
    return 0;
}

static int run_on_device(const char *device)
{
    int fd = open_socket(SOCK_STREAM);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) != 0)
        return 3;
    if (connect(fd, &target.any, target_length) == 0)
        return say_greeting(fd);
    say_error("connect");
    return 0;
}

static int run_udp(void)
{
    int fd = open_socket(SOCK_DGRAM);
    if (connect(fd, &target.any, target_length) != 0)
        say_error("udp");
    else
        puts("udp connected");
    return 0;
}

static int run_fastopen(void)
{
    struct iovec bytes = {(char[]){"x"}, 1};
    struct msghdr message = {.msg_name = &target, .msg_namelen = target_length, .msg_iov = &bytes, .msg_iovlen = 1};
    if (sendto(open_socket(SOCK_STREAM), "x", 1, MSG_FASTOPEN, &target.any, target_length) != 1)
        say_error("sendto");
    if (sendmsg(open_socket(SOCK_STREAM), &message, MSG_FASTOPEN) != 1)
        say_error("sendmsg");
    struct mmsghdr both = {.msg_hdr = message};
    if (sendmmsg(open_socket(SOCK_STREAM), &both, 1, MSG_FASTOPEN) != 1)
        say_error("sendmmsg");
    return 0;
}

/* ---- many ---- */

static int counts[4]; /* connected, EINTR, EISCONN, anything else */

static int connect_once(void)
{
    int fd = open_socket(SOCK_STREAM);
    int error = connect(fd, &target.any, target_length) == 0 ? 0 : errno;
    char byte;
    if (error == 0)
        while (read(fd, &byte, 1) < 0 && errno == EINTR)
            ;
    close(fd);
    return error == 0 ? 0 : error == EINTR ? 1 : error == EISCONN ? 2 : 3;
}

static int say_counts(void)
{
    printf("connected %d, EINTR %d, EISCONN %d, other %d\n", counts[0], counts[1], counts[2], counts[3]);
    return 0;
}

static int run_storm(int times)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 1000}, {0, 1000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < times; i++)
        counts[connect_once()]++;
    return say_counts();
}

static int each_times;

static void *thread_main(void *unused)
{
    (void)unused;
    for (int i = 0; i < each_times; i++)
        __atomic_add_fetch(&counts[connect_once()], 1, __ATOMIC_RELAXED);
    return NULL;
}

static int run_threads(int threads, int times)
{
    pthread_t ids[256];
    each_times = times;
    for (int i = 0; i < threads && i < 256; i++)
        if (pthread_create(&ids[i], NULL, thread_main, NULL) != 0)
            return 3;
    for (int i = 0; i < threads && i < 256; i++)
        pthread_join(ids[i], NULL);
    return say_counts();
}

/* Threads that connect while as many wait for a silent address. */
static void *silent_main(void *address)
{
    const union address *silent = address;
    int fd = socket(silent->any.sa_family, SOCK_STREAM, 0);
    connect(fd, &silent->any, sizeof silent->v4);
    return NULL;
}

static int run_beside(const char *silent_address)
{
    static union address silent;
    pthread_t unused;
    silent.v4.sin_family = AF_INET;
    silent.v4.sin_port = target.v4.sin_port;
    if (inet_pton(AF_INET, silent_address, &silent.v4.sin_addr) != 1)
        return 3;
    for (int i = 0; i < 100; i++)
        if (pthread_create(&unused, NULL, silent_main, &silent) != 0)
            return 3;
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    return run_threads(4, 5);
}

static int run_elsewhere(void)
{
    if (unshare(CLONE_NEWNET) != 0)
        return 3;
    return run_connect();
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The median time of a connect alone, in microseconds. */
static int run_cost(int times)
{
    double *rows = calloc((size_t)times + 1, sizeof *rows);
    struct timespec start, end;
    for (int i = 0; i < times && rows != NULL; i++) {
        int fd = open_socket(SOCK_STREAM);
        clock_gettime(CLOCK_MONOTONIC, &start);
        int failed = connect(fd, &target.any, target_length);
        clock_gettime(CLOCK_MONOTONIC, &end);
        close(fd);
        if (failed)
            return 4;
        rows[i] = (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
    }
    if (rows == NULL || times < 1)
        return 5;
    qsort(rows, (size_t)times, sizeof *rows, compare);
    printf("%.3f\n", rows[times / 2]);
    free(rows);
    return 0;
}

/* ---- what a program finds in itself ---- */

static void say_mask(void)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        if (sigismember(&mask, number) == 1)
            printf("blocked %d\n", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("ignored %d\n", number);
    }
}

static int run_self(char **environment)
{
    char path[4096];
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("fd %d flags %d\n", fd, fcntl(fd, F_GETFD));
    say_mask();
    printf("cwd %s umask %o\n", getcwd(path, sizeof path) ? path : "?", (unsigned)umask(0));
    for (int what = 0; what < RLIMIT_NLIMITS; what++) {
        struct rlimit limit;
        if (getrlimit(what, &limit) == 0)
            printf("limit %d %lu %lu\n", what, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    }
    printf("uid %d gid %d dumpable %d nice %d\n", (int)getuid(), (int)getgid(), prctl(PR_GET_DUMPABLE),
           getpriority(0, 0));
    for (; *environment; environment++)
        if (strncmp(*environment, "TOLLGATE_SUPERVISED=", 20) != 0)
            puts(*environment);
    return 0;
}

/* io_uring would connect past every trap; an undumpable process would close its memory to the supervisor. */
static int run_evasion(void)
{
    char parameters[120] = {0};
    long ring = syscall(SYS_io_uring_setup, 4, parameters);
    printf("io_uring %s, ", ring < 0 ? strerror(errno) : "set up");
    int answer = prctl(PR_SET_DUMPABLE, 0);
    printf("undumpable %d, dumpable %d, ", answer, prctl(PR_GET_DUMPABLE));
    long other = syscall(0x40000000 | SYS_getpid);
    printf("x32 %s, ", other < 0 ? strerror(errno) : "works");
    printf("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    return run_connect();
}

/* ---- life and death ---- */

static volatile sig_atomic_t got[65];

static void count_signal(int number)
{
    got[number] = got[number] + 1;
}

/* Prints its process ids, each signal as it comes, and at SIGUSR2 how often each came. */
static int run_count(void)
{
    sigset_t mask, none;
    sigemptyset(&none);
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    for (int number = 1; number < 65; number++)
        if (number != SIGKILL && number != SIGSTOP && number != SIGTSTP)
            signal(number, count_signal);
    printf("%d %d\n", (int)getpid(), (int)getppid());
    fflush(stdout);
    while (!got[SIGUSR2]) {
        sigsuspend(&none);
        for (int number = 1; number < 65; number++)
            if (got[number] > 0)
                printf("got %d\n", number);
        fflush(stdout);
    }
    for (int number = 1; number < 65; number++)
        if (got[number] > 0 && number != SIGUSR2)
            printf("signal %d times %d\n", number, (int)got[number]);
    return 0;
}

/* Leaves a daemon behind, which connects once the file GO is there, says how that went into OUT, and ends. */
static int run_daemon(const char *go, const char *out)
{
    if (fork() != 0)
        return 0;
    setsid();
    if (fork() != 0)
        _exit(0);
    if (freopen("/dev/null", "r", stdin) == NULL || freopen(out, "w", stdout) == NULL ||
        freopen("/dev/null", "w", stderr) == NULL)
        _exit(3);
    printf("%d\n", (int)getpid());
    fflush(stdout);
    for (int i = 0; i < 600 && access(go, F_OK) != 0; i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    run_connect();
    fflush(stdout);
    _exit(0);
}

/* For each line of standard input ("ADDRESS PORT") one connect, one line of answer. */
static int run_lines(void)
{
    char line[200], address[100], port[20];
    printf("%d %d\n", (int)getpid(), (int)getppid());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%99s %19s", address, port) != 2)
            continue;
        parse(address, port);
        run_connect();
        fflush(stdout);
    }
    return 0;
}

/* ---- threads of their own kind ---- */

/* The first thread has ended: the process has no descriptors by the look of it. */
static void *leaderless_main(void *leader)
{
    pthread_join(*(pthread_t *)leader, NULL);
    usleep(100000);
    exit(run_connect());
}

static int run_leaderless(void)
{
    static pthread_t leader;
    pthread_t worker;
    leader = pthread_self();
    if (pthread_create(&worker, NULL, leaderless_main, &leader) != 0)
        return 3;
    pthread_exit(NULL);
}

/* Its own table of descriptors, in which the socket's number means something else to the other threads. */
static void *table_main(void *decoy)
{
    int fd = *(int *)decoy;
    if (unshare(CLONE_FILES) != 0 || dup2(open_socket(SOCK_STREAM), fd) != fd)
        exit(3);
    if (connect(fd, &target.any, target_length) != 0)
        say_error("connect");
    else
        say_greeting(fd);
    return NULL;
}

static int run_table(void)
{
    pthread_t thread;
    int decoy = open_socket(SOCK_STREAM);
    if (pthread_create(&thread, NULL, table_main, &decoy) != 0)
        return 3;
    pthread_join(thread, NULL);
    return 0;
}

/* Connects when whoever started it closes the other end of stdin. */
static int run_gated(void)
{
    char byte;
    printf("ready\n");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    int fd = open_socket(SOCK_STREAM);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (connect(fd, &target.any, target_length) != 0 || getpeername(fd, (struct sockaddr *)&peer, &length) != 0)
        say_error("connect");
    else
        printf("connected: %s\n", inet_ntoa(peer.sin_addr));
    return 0;
}

static int run_childless(void)
{
    if (waitpid(-1, NULL, WNOHANG) < 0)
        printf("%s\n", strerror(errno));
    else
        printf("a child\n");
    return 0;
}

static int run_waiting(const char *what)
{
    if (strcmp(what, "childless") == 0)
        return run_childless();
    if (strcmp(what, "count") == 0)
        return run_count();
    if (strcmp(what, "lines") == 0)
        return run_lines();
    if (strcmp(what, "wait") != 0)
        return 2;
    for (;;)
        pause();
}

static int run_to(int argc, char **argv)
{
    const char *what = argv[1];
    int number = argc > 4 ? atoi(argv[4]) : 0;
    parse(argv[2], argv[3]);
    if (strcmp(what, "connect") == 0)
        return run_connect();
    if (strcmp(what, "leaderless") == 0)
        return run_leaderless();
    if (strcmp(what, "table") == 0)
        return run_table();
    if (strcmp(what, "gated") == 0)
        return run_gated();
    if (strcmp(what, "only") == 0)
        return run_only(number != 0);
    if (strcmp(what, "epoll") == 0)
        return run_epoll();
    if (strcmp(what, "later") == 0)
        return run_later();
    if (strcmp(what, "alarm") == 0 || strcmp(what, "timeout") == 0)
        return run_impatient(what[0] == 'a');
    if (strcmp(what, "elsewhere") == 0)
        return run_elsewhere();
    if (strcmp(what, "beside") == 0 && argc > 4)
        return run_beside(argv[4]);
    if (strcmp(what, "from") == 0 && argc > 4)
        return run_from(argv[4]);
    if (strcmp(what, "device") == 0 && argc > 4)
        return run_on_device(argv[4]);
    if (strcmp(what, "udp") == 0)
        return run_udp();
    if (strcmp(what, "fastopen") == 0)
        return run_fastopen();
    if (strcmp(what, "storm") == 0)
        return run_storm(number);
    if (strcmp(what, "cost") == 0)
        return run_cost(number);
    if (strcmp(what, "threads") == 0 && argc > 5)
        return run_threads(number, atoi(argv[5]));
    if (strcmp(what, "evasion") == 0)
        return run_evasion();
    if (strcmp(what, "daemon") == 0 && argc > 5)
        return run_daemon(argv[4], argv[5]);
    return 2;
}

int main(int argc, char **argv, char **environment)
{
    if (argc < 2)
        return 0;
    if (argc > 3)
        return run_to(argc, argv);
    if (strcmp(argv[1], "self") == 0)
        return run_self(environment);
    if (strcmp(argv[1], "exit") == 0 && argc == 3)
        return atoi(argv[2]);
    if (strcmp(argv[1], "die") == 0 && argc == 3) {
        signal(atoi(argv[2]), SIG_DFL);
        raise(atoi(argv[2]));
    }
    return run_waiting(argv[1]);
}

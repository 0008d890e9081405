/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads on the smallest stacks connect to a governed address while the process forks, spawns and is hit by
 * SIGALRM all the time: shim_storm AGENT_PORT [THREADS ROUNDS]. Passes if nothing crashes, hangs or leaks a descriptor,
 * and every connect either succeeds or fails as connect(2) may.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim_check.h"

static atomic_int wrong;
static atomic_int connected;
static atomic_int alarms;
static int rounds = 20;

static void on_alarm(int number)
{
    (void)number;
    int saved = errno;
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    /* Allowed in a handler, and hooked. */
    getpeername(0, (struct sockaddr *)&peer, &size);
    atomic_fetch_add(&alarms, 1);
    errno = saved;
}

static bool is_allowed(int code)
{
    return code == EINTR || code == EADDRNOTAVAIL || code == EAGAIN || code == EMFILE;
}

static void *run_connects(void *unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(443)};
    address.sin_addr.s_addr = htonl(0x7f4d0001);
    for (int i = 0; i < rounds; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct linger hard = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
            atomic_fetch_add(&connected, 1);
        else if (!is_allowed(errno))
            atomic_fetch_add(&wrong, 1);
        close(fd);
    }
    return unused;
}

/* The exec hooks on the same small stack, with an environment that lacks everything. */
static void *run_spawns(void *unused)
{
    char name[] = "true";
    char *arguments[] = {name, NULL};
    char *nothing[] = {NULL};
    for (int i = 0; i < rounds / 4; i++) {
        pid_t process = 0;
        int status = 0;
        int error = posix_spawn(&process, "/bin/true", NULL, NULL, arguments, nothing);
        if (error == EAGAIN || error == ENOMEM)
            continue;
        while (error == 0 && waitpid(process, &status, 0) == -1 && errno == EINTR)
            continue;
        if (error != 0 || status != 0)
            atomic_fetch_add(&wrong, 1);
    }
    return unused;
}

static void fork_once(void)
{
    int status = 0;
    pid_t process = fork();
    if (process == 0) {
        struct addrinfo *answer = NULL;
        _exit(getaddrinfo("api.openai.com", "443", NULL, &answer) == 0 ? 0 : 1);
    }
    while (process > 0 && waitpid(process, &status, 0) == -1 && errno == EINTR)
        continue;
    if (process > 0 && status != 0)
        atomic_fetch_add(&wrong, 1);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        closedir(directory);
    return count;
}

static void *run_accepts(void *listener)
{
    for (;;) {
        int fd = accept((int)(intptr_t)listener, NULL, NULL);
        if (fd >= 0)
            close(fd);
        else if (errno != EINTR && errno != ECONNABORTED && errno != EMFILE)
            return NULL;
    }
}

static int start_agent(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0 ||
        pthread_create(&thread, NULL, run_accepts, (void *)(intptr_t)fd) != 0)
        exit(77);
    return fd;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 200;
    rounds = argc > 3 ? atoi(argv[3]) : rounds;
    if (argc < 2 || threads < 1 || threads > 1000)
        return 2;
    start_agent((unsigned)atoi(argv[1]));
    int before = count_descriptors();
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval every = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    pthread_attr_t attributes;
    static pthread_t ids[1000];
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
    int started = 0;
    for (int i = 0; i < threads; i++)
        started += pthread_create(&ids[started], &attributes, i % 10 == 0 ? run_spawns : run_connects, NULL) == 0;
    for (int i = 0; i < 50; i++)
        fork_once();
    for (int i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    memset(&every, 0, sizeof every);
    setitimer(ITIMER_REAL, &every, NULL);
    report(started == threads, "storm: all threads start", "%d of %d", started, threads);
    report(atomic_load(&wrong) == 0, "storm: no wrong result", "%d", atomic_load(&wrong));
    report(atomic_load(&connected) > 0 && atomic_load(&alarms) > 0, "storm: it did blow", "%d connects, %d alarms",
           atomic_load(&connected), atomic_load(&alarms));
    /* Connections that the accepting thread still holds are gone when the count settles. */
    int after = count_descriptors();
    for (int i = 0; i < 200 && after > before; i++, after = count_descriptors())
        usleep(10000);
    report(after == before, "storm: no descriptor leaks", "%d before, %d after", before, after);
    return failures != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper that asks for addresses and the thread that keeps the set, against this machine's own resolver:
 * "localhost" needs no network. What hangs is a helper that was stopped.
 */
#include "tests/unit/suite.h"

#include "base/check.h"
#include "refresh.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct settings settings = {.references = 1000};
static const char *hosts[] = {"localhost"};
static struct provider provider = {.id = "here", .hosts = hosts, .host_count = 1};
static atomic_uint published;
static atomic_bool is_disk_full;
static atomic_uint failed;
static char path[64];

static struct settings *retain(void *context)
{
    (void)context;
    return config_retain(&settings);
}

static enum error publish(void *context)
{
    (void)context;
    if (atomic_load(&is_disk_full)) {
        atomic_fetch_add(&failed, 1);
        return ERROR_SYSTEM;
    }
    atomic_fetch_add(&published, 1);
    return ERROR_OK;
}

/* The one child of a process, once it has one. */
static pid_t child_of(pid_t parent)
{
    int pid = 0;
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    for (int i = 0; i < 10000 && pid == 0; i++) {
        FILE *file = fopen(name, "re");
        check(file != NULL);
        if (fscanf(file, "%d", &pid) != 1)
            poll(NULL, 0, 1);
        fclose(file);
    }
    check(pid > 0);
    return pid;
}

static pid_t helper_pid(void)
{
    return child_of(getpid());
}

static bool wait_for(bool (*is_so)(struct redirects *redirects), struct redirects *redirects)
{
    for (int i = 0; i < 10000 && !is_so(redirects); i++)
        poll(NULL, 0, 1);
    return is_so(redirects);
}

static size_t set_size(struct redirects *redirects)
{
    struct tollgate_map_redirect *rows;
    size_t count = redirects_list(redirects, &rows);
    free(rows);
    return count;
}

static bool is_filled(struct redirects *redirects)
{
    return set_size(redirects) > 0 && atomic_load(&published) > 0;
}

static bool is_saved(struct redirects *redirects)
{
    (void)redirects;
    return access(path, R_OK) == 0;
}

static struct redirects *open_redirects(bool is_local)
{
    provider.local = is_local;
    settings.providers = &provider;
    settings.provider_count = 1;
    settings.capture.network = 0x7f4d0000;
    settings.capture.redirect_network = 0x7f4e0000;
    settings.capture.refresh_s = 3600;
    atomic_store(&published, 0);
    snprintf(path, sizeof path, "/tmp/test-refresh-%d", (int)getpid());
    unlink(path);
    return redirects_open(path, settings.capture.redirect_network);
}

static atomic_bool is_stale_now;

static bool is_stale(void *context)
{
    (void)context;
    return atomic_exchange(&is_stale_now, false);
}

static struct refresh *open_refresh(struct resolver *resolver, struct redirects *redirects)
{
    const struct refresh_options options = {.resolver = resolver,
                                            .redirects = redirects,
                                            .retain_settings = retain,
                                            .is_stale = is_stale,
                                            .publish = publish};
    return refresh_open(&options);
}

TEST(a_name_is_looked_up)
{
    struct resolver *resolver = resolver_open(true);
    struct resolver_answer answer = {0};
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    char longer[400];
    EXPECT_INTEGER(resolver_find(resolver, "localhost", stop_fd, &answer), ERROR_OK);
    bool is_loopback = false;
    for (uint32_t i = 0; i < answer.count; i++)
        is_loopback |= !memcmp(answer.addresses[i].bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    EXPECT(is_loopback, "127.0.0.1 among %u", answer.count);
    EXPECT_INTEGER(resolver_find(resolver, "", stop_fd, &answer), ERROR_NOT_FOUND);
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    EXPECT_INTEGER(resolver_find(resolver, longer, stop_fd, &answer), ERROR_NOT_FOUND);
    close(stop_fd);
    resolver_close(resolver);
}

TEST(a_helper_that_hangs_or_dies_harms_nobody)
{
    struct resolver *resolver = resolver_open(true);
    struct resolver_answer answer;
    int stop_fd = eventfd(1, EFD_CLOEXEC);
    kill(child_of(helper_pid()), SIGSTOP);
    EXPECT_INTEGER(resolver_find(resolver, "localhost", stop_fd, &answer), ERROR_SYSTEM);
    resolver_close(resolver);
    resolver = resolver_open(true);
    close(stop_fd);
    stop_fd = eventfd(0, EFD_CLOEXEC);
    EXPECT(resolver_is_alive(resolver), "it lives");
    kill(helper_pid(), SIGKILL);
    enum error error = ERROR_OK; /* who answers ends with who keeps it, but may answer once more */
    for (int i = 0; i < 10000 && error != ERROR_SYSTEM; i++, poll(NULL, 0, 1))
        error = resolver_find(resolver, "localhost", stop_fd, &answer);
    EXPECT_INTEGER(error, ERROR_SYSTEM);
    for (int i = 0; i < 10000 && resolver_is_alive(resolver); i++)
        poll(NULL, 0, 1);
    EXPECT(!resolver_is_alive(resolver), "and it is seen that it does not");
    close(stop_fd);
    resolver_close(resolver);
}

struct killing {
    pid_t pid;
    int signal;
    int stop_fd;
    atomic_bool is_answered;
};

/* Most likely when it has a question. Nobody waits for ever for an answer that does not come. */
static void *signal_soon(void *argument)
{
    struct killing *killing = argument;
    uint64_t one = 1;
    poll(NULL, 0, 20);
    kill(killing->pid, killing->signal);
    for (int i = 0; i < 20000 && !atomic_load(&killing->is_answered); i++)
        poll(NULL, 0, 1);
    if (!atomic_load(&killing->is_answered))
        check(write(killing->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
    return NULL;
}

/* A module of nsswitch.conf may crash: the process that loaded it is made anew, from one that loads nothing. */
TEST(who_asks_is_made_anew_when_it_dies)
{
    struct resolver *resolver = resolver_open(true);
    struct resolver_answer answer;
    struct killing killing = {.signal = SIGKILL, .stop_fd = eventfd(0, EFD_CLOEXEC)};
    const pid_t keeper = helper_pid();
    killing.pid = child_of(keeper);
    kill(killing.pid, SIGKILL);
    pid_t next = killing.pid;
    for (int i = 0; i < 10000 && next == killing.pid; i++, poll(NULL, 0, 1))
        next = child_of(keeper);
    EXPECT(next != killing.pid, "another one");
    EXPECT_INTEGER(resolver_find(resolver, "localhost", killing.stop_fd, &answer), ERROR_OK);
    killing.pid = next;
    kill(next, SIGSTOP);
    pthread_t thread;
    check(pthread_create(&thread, NULL, signal_soon, &killing) == 0);
    EXPECT(resolver_find(resolver, "localhost", killing.stop_fd, &answer) != ERROR_SYSTEM, "an answer, or none");
    atomic_store(&killing.is_answered, true);
    pthread_join(thread, NULL);
    EXPECT_INTEGER(resolver_find(resolver, "localhost", killing.stop_fd, &answer), ERROR_OK);
    next = child_of(keeper);
    check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); /* not every machine's first process waits for others' children */
    resolver_close(resolver);
    for (int i = 0; i < 10000 && kill(next, 0) == 0; i++, poll(NULL, 0, 1))
        (void)waitpid(next, NULL, WNOHANG);
    EXPECT(kill(next, 0) != 0, "it ends with who keeps it");
    check(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
    close(killing.stop_fd);
}

/* Of a question that was given up the answer comes when the next one has been asked. */
TEST(an_answer_is_to_its_question)
{
    struct resolver *resolver = resolver_open(true);
    struct resolver_answer answer;
    struct killing killing = {.pid = child_of(helper_pid()), .signal = SIGCONT, .stop_fd = eventfd(1, EFD_CLOEXEC)};
    uint64_t count;
    kill(killing.pid, SIGSTOP);
    EXPECT_INTEGER(resolver_find(resolver, "192.0.2.7", killing.stop_fd, &answer), ERROR_SYSTEM);
    check(read(killing.stop_fd, &count, sizeof count) == (ssize_t)sizeof count);
    pthread_t thread;
    check(pthread_create(&thread, NULL, signal_soon, &killing) == 0);
    EXPECT_INTEGER(resolver_find(resolver, "192.0.2.8", killing.stop_fd, &answer), ERROR_OK);
    atomic_store(&killing.is_answered, true);
    pthread_join(thread, NULL);
    EXPECT_INTEGER(answer.addresses[0].bytes[15], 8);
    resolver_close(resolver);
    close(killing.stop_fd);
}

static char privileges_of(pid_t pid)
{
    char name[64], line[256], value = '?';
    snprintf(name, sizeof name, "/proc/%d/status", (int)pid);
    FILE *file = fopen(name, "re");
    while (file && fgets(line, sizeof line, file))
        (void)!sscanf(line, "NoNewPrivs: %c", &value);
    if (file)
        fclose(file);
    return value;
}

TEST(it_is_hardened_as_the_policy_says)
{
    for (int is_hardened = 0; is_hardened < 2; is_hardened++) {
        struct resolver *resolver = resolver_open(is_hardened);
        struct resolver_answer answer;
        int stop_fd = eventfd(0, EFD_CLOEXEC);
        EXPECT_INTEGER(resolver_find(resolver, "localhost", stop_fd, &answer), ERROR_OK);
        EXPECT_INTEGER(privileges_of(helper_pid()), '0' + is_hardened);
        EXPECT_INTEGER(privileges_of(child_of(helper_pid())), '0' + is_hardened);
        close(stop_fd);
        resolver_close(resolver);
    }
}

TEST(local_names_fill_the_set_and_the_map_is_written)
{
    struct resolver *resolver = resolver_open(true);
    struct redirects *redirects = open_redirects(true);
    struct refresh *refresh = open_refresh(resolver, redirects);
    EXPECT(wait_for(is_filled, redirects), "the set is still empty");
    EXPECT(is_saved(redirects), "saved before it is published");
    refresh_close(refresh);
    EXPECT_INTEGER(atomic_load(&published), 1);
    redirects_free(redirects);
    resolver_close(resolver);
    unlink(path);
}

static bool is_published(struct redirects *redirects)
{
    (void)redirects;
    return atomic_load(&published) > 0;
}

TEST(the_map_is_written_for_other_settings_too)
{
    struct redirects *redirects = open_redirects(true);
    struct refresh *refresh = open_refresh(NULL, redirects);
    refresh_wake(refresh);
    poll(NULL, 0, 50);
    EXPECT_INTEGER(atomic_load(&published), 0);
    atomic_store(&is_stale_now, true);
    refresh_wake(refresh);
    EXPECT(wait_for(is_published, redirects), "nobody wrote it");
    refresh_close(refresh);
    redirects_free(redirects);
    unlink(path);
}

static bool is_failed(struct redirects *redirects)
{
    (void)redirects;
    return atomic_load(&failed) > 0;
}

TEST(a_map_that_could_not_be_written_stays_due)
{
    struct redirects *redirects = open_redirects(true);
    struct refresh *refresh = open_refresh(NULL, redirects);
    atomic_store(&is_disk_full, true);
    atomic_store(&is_stale_now, true);
    refresh_wake(refresh);
    EXPECT(wait_for(is_failed, redirects), "nobody tried");
    EXPECT_INTEGER(atomic_load(&published), 0);
    atomic_store(&is_disk_full, false);
    refresh_wake(refresh); /* as the minute does that is over */
    EXPECT(wait_for(is_published, redirects), "it was forgotten");
    refresh_close(refresh);
    redirects_free(redirects);
    unlink(path);
}

/* DNS must not point programs' connections at this machine or its network. */
TEST(of_others_such_addresses_are_not_believed)
{
    struct resolver *resolver = resolver_open(true);
    struct redirects *redirects = open_redirects(false);
    struct config_address policy = {.bytes = {[15] = 1}};
    settings.capture.addresses = &policy;
    settings.capture.address_count = 1;
    struct refresh *refresh = open_refresh(resolver, redirects);
    EXPECT(wait_for(is_filled, redirects), "the policy's own");
    EXPECT_INTEGER(set_size(redirects), 1);
    refresh_close(refresh);
    settings.capture.address_count = 0;
    redirects_free(redirects);
    resolver_close(resolver);
    unlink(path);
}

TEST(closing_does_not_wait_for_a_helper_that_hangs)
{
    struct resolver *resolver = resolver_open(true);
    kill(child_of(helper_pid()), SIGSTOP);
    struct redirects *redirects = open_redirects(true);
    struct refresh *refresh = open_refresh(resolver, redirects);
    poll(NULL, 0, 50);
    refresh_wake(refresh);
    refresh_close(refresh);
    EXPECT_INTEGER(set_size(redirects), 0);
    redirects_free(redirects);
    resolver_close(resolver);
    unlink(path);
}

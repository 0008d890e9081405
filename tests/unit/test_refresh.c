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
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct settings settings = {.references = 1000};
static const char *hosts[] = {"localhost"};
static struct provider provider = {.id = "here", .hosts = hosts, .host_count = 1};
static atomic_uint published;
static char path[64];

static struct settings *retain(void *context)
{
    (void)context;
    return config_retain(&settings);
}

static enum error publish(void *context)
{
    (void)context;
    atomic_fetch_add(&published, 1);
    return ERROR_OK;
}

/* Our one child. */
static pid_t helper_pid(void)
{
    int pid = 0;
    FILE *file = fopen("/proc/thread-self/children", "re");
    check(file && fscanf(file, "%d", &pid) == 1);
    fclose(file);
    return pid;
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

static struct refresh *open_refresh(struct resolver *resolver, struct redirects *redirects)
{
    const struct refresh_options options = {
        .resolver = resolver, .redirects = redirects, .retain_settings = retain, .publish = publish};
    return refresh_open(&options);
}

TEST(a_name_is_looked_up)
{
    struct resolver *resolver = resolver_open();
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
    struct resolver *resolver = resolver_open();
    struct resolver_answer answer;
    int stop_fd = eventfd(1, EFD_CLOEXEC);
    kill(helper_pid(), SIGSTOP);
    EXPECT_INTEGER(resolver_find(resolver, "localhost", stop_fd, &answer), ERROR_SYSTEM);
    resolver_close(resolver);
    resolver = resolver_open();
    close(stop_fd);
    stop_fd = eventfd(0, EFD_CLOEXEC);
    kill(helper_pid(), SIGKILL);
    EXPECT_INTEGER(resolver_find(resolver, "localhost", stop_fd, &answer), ERROR_SYSTEM);
    close(stop_fd);
    resolver_close(resolver);
}

TEST(local_names_fill_the_set_and_the_map_is_written)
{
    struct resolver *resolver = resolver_open();
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

/* DNS must not point programs' connections at this machine or its network. */
TEST(of_others_such_addresses_are_not_believed)
{
    struct resolver *resolver = resolver_open();
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
    struct resolver *resolver = resolver_open();
    kill(helper_pid(), SIGSTOP);
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

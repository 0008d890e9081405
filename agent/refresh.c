/* SPDX-License-Identifier: Apache-2.0 */
/* See refresh.h. A round asks for name after name, and gives up early when nobody answers. */
#include "refresh.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "upstream/upstream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES_MAX = 512, /* asked for in a round */
    SILENCE_MAX = 4, /* names in a row without an answer: there is no network */
    RETRY_S = 60,    /* then, or when the map could not be written, it is tried again sooner */
    SAVE_EVERY_S = 3600,
};

struct refresh {
    struct refresh_options options;
    pthread_t thread;
    int wake_fd, stop_fd;
    int64_t saved_s;
    bool is_due; /* the map says something else than it should: until it is written */
};

struct round {
    struct refresh *refresh;
    const struct settings *settings;
    struct config_address *rows; /* REDIRECTS_MAX */
    size_t count, asked_count;
    unsigned silence; /* names in a row without an answer */
    bool is_over;
};

/* Our own networks would lead programs to us for ever; what is no provider's is believed of local ones alone. */
static bool is_acceptable(const struct settings *settings, const struct config_address *address, bool is_local)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memcpy(&v6.sin6_addr, address->bytes, sizeof address->bytes);
    if (!is_local)
        return !upstream_is_forbidden_address((const struct sockaddr *)&v6);
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return !IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) && !IN6_IS_ADDR_MULTICAST(&v6.sin6_addr);
    uint32_t v4 = ntohl(v6.sin6_addr.s6_addr32[3]), network = v4 & 0xffff0000;
    return v4 != INADDR_ANY && !IN_MULTICAST(v4) && v4 != INADDR_BROADCAST && network != settings->capture.network &&
           network != settings->capture.redirect_network;
}

static void ask(struct round *round, const char *name, bool is_local)
{
    struct resolver_answer answer;
    if (round->is_over || round->asked_count++ >= NAMES_MAX)
        return;
    enum error error = resolver_find(round->refresh->options.resolver, name, round->refresh->stop_fd, &answer);
    round->silence = error ? round->silence + 1 : 0;
    round->is_over = error == ERROR_SYSTEM || round->silence >= SILENCE_MAX;
    for (uint32_t i = 0; !error && i < answer.count && round->count < REDIRECTS_MAX; i++)
        if (is_acceptable(round->settings, &answer.addresses[i], is_local))
            round->rows[round->count++] = answer.addresses[i];
}

static void ask_all(struct round *round)
{
    const struct settings *settings = round->settings;
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            ask(round, settings->providers[i].hosts[j], settings->providers[i].local);
    for (size_t i = 0; i < settings->capture.host_count; i++)
        ask(round, settings->capture.hosts[i], false);
}

static void put_in_force(struct refresh *refresh, bool has_changed)
{
    int64_t now_s = clock_monotonic_ns() / 1000000000;
    enum error error = ERROR_OK;
    if (has_changed || now_s - refresh->saved_s >= SAVE_EVERY_S) {
        error = redirects_save(refresh->options.redirects);
        refresh->saved_s = error ? now_s - SAVE_EVERY_S : now_s;
    }
    refresh->is_due |= has_changed | refresh->options.is_stale(refresh->options.context);
    /* Saved first: no program may hold a stand-in that means something else after a restart. */
    if (!error && refresh->is_due) {
        error = refresh->options.publish(refresh->options.context);
        refresh->is_due = error != ERROR_OK;
    }
    if (error)
        log_event(EVENT_ADDRESSES_STALE, NULL, "%s (%s)", error_row(error)->text, error_row(error)->hint);
}

/* Returns how long to wait for the next one; negative: until somebody wakes us. */
static int64_t go_round(struct refresh *refresh)
{
    struct settings *settings = refresh->options.retain_settings(refresh->options.context);
    const uint32_t refresh_s = settings->capture.refresh_s;
    struct round round = {.refresh = refresh, .settings = settings};
    round.rows = calloc(REDIRECTS_MAX, sizeof *round.rows);
    check(round.rows != NULL);
    if (refresh->options.resolver && refresh_s)
        ask_all(&round);
    put_in_force(refresh, redirects_update(refresh->options.redirects, settings, round.rows, round.count,
                                           clock_wall_ns() / 1000000000));
    bool is_soon = refresh->is_due || (round.asked_count > 0 && round.count == 0);
    free(round.rows);
    config_release(settings);
    if (is_soon && (refresh_s == 0 || refresh_s > RETRY_S))
        return 1000 * (int64_t)RETRY_S;
    return refresh_s == 0 ? -1 : 1000 * (int64_t)refresh_s;
}

/* False: stopped. */
static bool wait_until(struct refresh *refresh, int64_t wait_ms)
{
    uint64_t ignored;
    struct pollfd polls[] = {{refresh->wake_fd, POLLIN, 0}, {refresh->stop_fd, POLLIN, 0}};
    while (poll(polls, 2, (int)wait_ms) < 0)
        check(errno == EINTR);
    if (polls[0].revents)
        check(read(refresh->wake_fd, &ignored, sizeof ignored) == (ssize_t)sizeof ignored);
    return polls[1].revents == 0;
}

static void *refresh_main(void *argument)
{
    struct refresh *refresh = argument;
    int64_t wait_ms = 0;
    while (wait_until(refresh, wait_ms))
        wait_ms = go_round(refresh);
    return NULL;
}

struct refresh *refresh_open(const struct refresh_options *options)
{
    struct refresh *refresh = calloc(1, sizeof *refresh);
    check(refresh != NULL);
    refresh->options = *options;
    refresh->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    refresh->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(refresh->wake_fd >= 0 && refresh->stop_fd >= 0);
    check(pthread_create(&refresh->thread, NULL, refresh_main, refresh) == 0);
    return refresh;
}

static void tell(int fd)
{
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

void refresh_wake(struct refresh *refresh)
{
    tell(refresh->wake_fd);
}

void refresh_close(struct refresh *refresh)
{
    if (!refresh)
        return;
    tell(refresh->stop_fd);
    pthread_join(refresh->thread, NULL);
    close(refresh->wake_fd);
    close(refresh->stop_fd);
    free(refresh);
}

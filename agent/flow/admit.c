/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who comes in: users that the settings list, each with so many connections at once, so that one cannot take every
 * place there is. The uid is the kernel's word. Called on the loops by session.c, for each connection when it is
 * accepted, and again when it is open.
 */
#include "flow/exchange.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

enum { USERS_MAX = 1024, SAY_AGAIN_S = 60 };

/* A user and what he has open; of count 0, the row is free for another. */
struct user {
    uid_t uid;
    unsigned count, refused; /* since the log said so last */
    int64_t said_s;          /* monotonic; 0: never */
};

static struct user users[USERS_MAX];
static size_t user_count;
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER; /* leaf */

bool flow_is_admitted(const struct settings *settings, uid_t uid)
{
    return policy_is_uid_admitted(settings, uid) ||
           (settings->access.gid_count && identity_is_member(uid, settings->access.gids, settings->access.gid_count));
}

/* Strangers may knock as often as they like; the log says so once a second, with how many it left out. */
static void log_stranger(const char *why, unsigned number)
{
    static _Atomic int64_t last_second;
    static atomic_uint left_out;
    int64_t second = clock_monotonic_ns() / 1000000000, last = atomic_load(&last_second);
    if (second == last || !atomic_compare_exchange_strong(&last_second, &last, second)) {
        atomic_fetch_add(&left_out, 1);
        return;
    }
    log_event(EVENT_PEER_REFUSED, NULL, "%s %u (%u more since the last line)", why, number,
              atomic_exchange(&left_out, 0));
}

bool admit_peer(struct flow_worker *worker, struct connection *connection, struct identity_peer *ret_peer)
{
    const struct connection_peer *ends = connection_peer(connection);
    if (identity_find_peer(&ends->remote, &ends->local, ret_peer)) {
        log_stranger("no process owns port", ntohs(ends->remote.sin_port));
        return false;
    }
    struct settings *settings = worker->services->retain_settings(worker->services->context);
    bool admitted = flow_is_admitted(settings, ret_peer->uid);
    config_release(settings);
    if (!admitted)
        log_stranger("access.uids and access.gids do not list uid", ret_peer->uid);
    return admitted;
}

bool admit_again(const struct settings *settings, uid_t uid)
{
    const bool admitted = flow_is_admitted(settings, uid);
    if (!admitted)
        log_stranger("access.uids and access.gids no longer list uid", uid);
    return admitted;
}

/* ---- places ---- */

/* Assumes the lock. NULL: more users than there are rows have something open. */
static struct user *find_user(uid_t uid)
{
    struct user *free_row = NULL;
    for (size_t i = 0; i < user_count; i++) {
        if (users[i].uid == uid)
            return &users[i];
        if (users[i].count == 0)
            free_row = &users[i];
    }
    if (user_count < USERS_MAX)
        free_row = &users[user_count++];
    if (free_row)
        *free_row = (struct user){.uid = uid};
    return free_row;
}

/* Assumes the lock. How many were refused, when it is time to say so again; else 0. */
static unsigned count_refusals(struct user *user)
{
    int64_t now_s = clock_monotonic_ns() / 1000000000;
    user->refused++;
    if (user->said_s && now_s - user->said_s < SAY_AGAIN_S)
        return 0;
    unsigned refused = user->refused;
    user->said_s = now_s;
    user->refused = 0;
    return refused;
}

static bool take_place(uid_t uid, unsigned places_max)
{
    unsigned refused = 0;
    pthread_mutex_lock(&users_lock);
    struct user *user = find_user(uid);
    bool is_placed = user && user->count < places_max;
    if (is_placed)
        user->count++;
    else if (user)
        refused = count_refusals(user);
    pthread_mutex_unlock(&users_lock);
    if (refused)
        log_event(EVENT_PEER_REFUSED, NULL,
                  "uid %u has the %u connections of limits.connections_per_uid_max (%u refused since the last line)",
                  (unsigned)uid, places_max, refused);
    return is_placed;
}

bool flow_has_places(const struct settings *settings, uid_t uid, unsigned more)
{
    pthread_mutex_lock(&users_lock);
    const struct user *user = find_user(uid);
    bool has_places = user && user->count + more <= settings->limits.connections_per_uid_max;
    pthread_mutex_unlock(&users_lock);
    return has_places;
}

bool admit_connection(struct flow_worker *worker, struct connection *connection)
{
    struct identity_peer peer;
    if (!admit_peer(worker, connection, &peer))
        return false;
    struct settings *settings = worker->services->retain_settings(worker->services->context);
    const uint32_t places_max = settings->limits.connections_per_uid_max;
    config_release(settings);
    if (!take_place(peer.uid, places_max))
        return false;
    connection_set_owner(connection, peer.uid);
    return true;
}

void admit_release(uid_t uid)
{
    pthread_mutex_lock(&users_lock);
    struct user *user = find_user(uid);
    check(user && user->count > 0);
    user->count--;
    pthread_mutex_unlock(&users_lock);
}

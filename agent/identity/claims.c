/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of claims: for each user a set-associative hash of fixed size, so that no number of datagrams can make it
 * grow, and one user's claims never take another's place. Called by identity.c under its lock.
 */
#include "identity/internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static const int64_t claim_lifetime_ns = 30ll * 1000 * 1000 * 1000;

bool claims_has_valid_name(const char name[TOLLGATE_NAME_MAX])
{
    size_t length = strnlen(name, TOLLGATE_NAME_MAX);
    if (length == TOLLGATE_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] == 0x7f)
            return false;
    return true;
}

/* Unlike a name it decides nothing: a program in a strange directory keeps its group. */
static void clean_path(char path[TOLLGATE_PATH_MAX])
{
    size_t length = strnlen(path, TOLLGATE_PATH_MAX);
    bool is_valid = path[0] == '/' && length < TOLLGATE_PATH_MAX;
    for (size_t i = 0; is_valid && i < length; i++)
        is_valid = (unsigned char)path[i] >= ' ' && (unsigned char)path[i] != 0x7f;
    if (!is_valid)
        path[0] = 0;
    process_trim_deleted(path);
}

bool claims_parse_hello(const void *bytes, size_t length, struct tollgate_hello *ret_hello)
{
    struct tollgate_hello hello;
    if (length != sizeof hello)
        return false;
    memcpy(&hello, bytes, sizeof hello);
    if (hello.magic != TOLLGATE_HELLO_MAGIC || hello.version != TOLLGATE_HELLO_VERSION || hello.size != sizeof hello)
        return false;
    if (hello.cookie == 0 || !claims_has_valid_name(hello.group) || !claims_has_valid_name(hello.project))
        return false;
    clean_path(hello.executable);
    clean_path(hello.directory);
    *ret_hello = hello;
    return true;
}

bool claims_parse_redirect(const void *bytes, size_t length, struct tollgate_redirect *ret_redirect)
{
    struct tollgate_redirect redirect;
    if (length != sizeof redirect)
        return false;
    memcpy(&redirect, bytes, sizeof redirect);
    if (redirect.magic != TOLLGATE_REDIRECT_MAGIC || redirect.version != TOLLGATE_REDIRECT_VERSION ||
        redirect.size != sizeof redirect || redirect.has_socket > 1)
        return false;
    if (redirect.cookie == 0 || redirect.pid <= 0 || !claims_has_valid_name(redirect.group) ||
        !claims_has_valid_name(redirect.project))
        return false;
    clean_path(redirect.executable);
    clean_path(redirect.directory);
    *ret_redirect = redirect;
    return true;
}

/* ---- users ---- */

static struct claims_user *claims_find_user(struct claims *claims, uid_t uid)
{
    for (struct claims_user *user = claims->users; user < claims->users + CLAIMS_USERS_MAX; user++)
        if (user->sets && user->uid == uid)
            return user;
    return NULL;
}

static bool claims_is_proven(const struct claims *claims, uid_t uid)
{
    for (unsigned i = 0; i < claims->proven_count && i < CLAIMS_PROVEN_MAX; i++)
        if (claims->proven[i] == uid)
            return true;
    return false;
}

static void claims_prove(struct claims *claims, struct claims_user *user)
{
    if (!user->is_proven && !claims_is_proven(claims, user->uid))
        claims->proven[claims->proven_count++ % CLAIMS_PROVEN_MAX] = user->uid;
    user->is_proven = true;
}

/* A place that is free, whose claims have all expired, or of who never proved that he may use us, in that order:
 * anybody can send datagrams, and have many uids (subuid(5)). NULL: there is none. */
static struct claims_user *claims_find_place(struct claims *claims, int64_t now_ns)
{
    struct claims_user *place = NULL;
    for (struct claims_user *user = claims->users; user < claims->users + CLAIMS_USERS_MAX; user++) {
        if (!user->sets || now_ns - user->put_ns >= claim_lifetime_ns)
            return user;
        if (!user->is_proven && (!place || user->put_ns < place->put_ns))
            place = user;
    }
    return place;
}

static struct claims_user *claims_welcome(struct claims *claims, uid_t uid, int64_t now_ns)
{
    struct claims_user *user = claims_find_user(claims, uid);
    if (!user) {
        user = claims_find_place(claims, now_ns);
        if (!user)
            return NULL;
        /* Whose rows are whose they say: a table that changes hands need not be cleared. Pages come as they are used.
         */
        struct claim_row(*sets)[CLAIMS_WAYS] = user->sets ? user->sets : calloc(CLAIMS_SETS, sizeof *sets);
        check(sets != NULL);
        *user = (struct claims_user){.uid = uid, .is_proven = claims_is_proven(claims, uid), .sets = sets};
    }
    user->put_ns = now_ns;
    return user;
}

void claims_done(struct claims *claims)
{
    for (unsigned i = 0; i < CLAIMS_USERS_MAX; i++)
        free(claims->users[i].sets);
}

/* ---- rows ---- */

static struct claim_row *claims_set(const struct claims_user *user, uint64_t cookie)
{
    /* Cookies count up: the multiplication spreads neighbours (Fibonacci hashing). */
    return user->sets[(cookie * 0x9e3779b97f4a7c15ull) >> 54];
}
_Static_assert(CLAIMS_SETS == 1 << (64 - 54), "the shift of claims_set yields a set's number");

static struct claim_row *claims_find(const struct claims_user *user, uint64_t cookie)
{
    struct claim_row *set = user ? claims_set(user, cookie) : NULL;
    for (unsigned i = 0; set && i < CLAIMS_WAYS; i++)
        if (set[i].cookie == cookie && set[i].uid == user->uid)
            return &set[i];
    return NULL;
}

static int64_t claims_arrival(const struct claims_user *user, const struct claim_row *row)
{
    return row->uid == user->uid ? row->arrived_ns : 0;
}

bool claims_put(struct claims *claims, const struct claim_row *row)
{
    const struct claims_user *user = claims_welcome(claims, row->uid, row->arrived_ns);
    if (!user)
        return false;
    struct claim_row *place = claims_find(user, row->cookie);
    if (!place) {
        /* The oldest row is also the emptiest. */
        place = claims_set(user, row->cookie);
        for (struct claim_row *other = place + 1, *end = place + CLAIMS_WAYS; other < end; other++)
            if (claims_arrival(user, other) < claims_arrival(user, place))
                place = other;
    }
    struct claim_row before = *place;
    *place = *row;
    /* A hello may have waited in its queue while the announcement of the same socket overtook it. */
    if (row->port == 0 && before.cookie == row->cookie && before.uid == row->uid) {
        place->port = before.port;
        place->has_socket = before.has_socket;
        memcpy(place->original, before.original, sizeof place->original);
    }
    return true;
}

static bool claim_is_living(const struct claim_row *row, int64_t now_ns)
{
    return now_ns - row->arrived_ns < claim_lifetime_ns;
}

bool claims_find_redirect(struct claims *claims, uint64_t cookie, uid_t uid, int64_t now_ns, struct claim_row *ret_row)
{
    const struct claim_row *row = claims_find(claims_find_user(claims, uid), cookie);
    if (!row || row->port == 0 || !claim_is_living(row, now_ns))
        return false;
    *ret_row = *row;
    return true;
}

bool claims_take(struct claims *claims, uint64_t cookie, uid_t uid, int64_t now_ns, struct claim_row *ret_row)
{
    struct claims_user *user = claims_find_user(claims, uid);
    struct claim_row *row = claims_find(user, cookie);
    if (!row)
        return false;
    claims_prove(claims, user);
    bool is_living = claim_is_living(row, now_ns);
    if (is_living)
        *ret_row = *row;
    *row = (struct claim_row){0};
    return is_living;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the agent: its own user, or a member of one of the listed groups. The groups of a uid come from the user
 * database, which may be slow (LDAP): they are kept for 60 s. Called for every accepted connection, on any loop.
 */
#include "base/check.h"
#include "base/clock.h"
#include "identity/identity.h"

#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USERS_KEPT = 64, GROUPS_MAX = 65536 /* NGROUPS_MAX */ };
static const int64_t user_lifetime_ns = 60ll * 1000 * 1000 * 1000;

struct user_groups {
    uid_t uid;
    int64_t read_ns; /* 0: never */
    gid_t *gids;
    size_t count;
};

static struct user_groups users[USERS_KEPT]; /* direct-mapped by uid */
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;

/* The groups of a user; a uid that no user has is in none. The caller frees *ret_gids. */
static size_t read_groups(uid_t uid, gid_t **ret_gids)
{
    char text[4096];
    struct passwd row, *found = NULL;
    if (getpwuid_r(uid, &row, text, sizeof text, &found) != 0 || !found)
        return 0;
    int count = 64;
    gid_t *gids = NULL;
    for (unsigned i = 0; i < 2; i++) { /* the second time with the size that the first one asked for */
        gid_t *larger = realloc(gids, (size_t)count * sizeof *gids);
        check(larger != NULL);
        gids = larger;
        if (getgrouplist(row.pw_name, row.pw_gid, gids, &count) >= 0) {
            *ret_gids = gids;
            return (size_t)count;
        }
        if (count <= 0 || count > GROUPS_MAX)
            break;
    }
    free(gids);
    return 0;
}

static bool has_group(const struct user_groups *user, const gid_t *gids, size_t gid_count)
{
    for (size_t i = 0; i < gid_count; i++)
        for (size_t j = 0; j < user->count; j++)
            if (gids[i] == user->gids[j])
                return true;
    return false;
}

bool identity_is_member(uid_t uid, const gid_t *gids, size_t gid_count)
{
    if (uid == geteuid())
        return true;
    if (gid_count == 0)
        return false;
    pthread_mutex_lock(&users_lock);
    struct user_groups *user = &users[uid % USERS_KEPT];
    int64_t now_ns = clock_monotonic_ns();
    if (user->uid != uid || user->read_ns == 0 || now_ns - user->read_ns >= user_lifetime_ns) {
        free(user->gids);
        *user = (struct user_groups){.uid = uid, .read_ns = now_ns};
        user->count = read_groups(uid, &user->gids);
    }
    bool is_member = has_group(user, gids, gid_count);
    pthread_mutex_unlock(&users_lock);
    return is_member;
}

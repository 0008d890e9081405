/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the agent: its own user, or a member of one of the listed groups. The groups of a uid come from the user
 * database, which may be slow, or away (LDAP): a thread of its own asks it, and they are kept. Called for every
 * accepted connection, on any loop, which waits for an unknown user, but not for long.
 */
#include "base/check.h"
#include "base/clock.h"
#include "identity/identity.h"

#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { USERS_KEPT = 256, ASKED_MAX = 64, AHEAD_MAX = 8, GROUPS_MAX = 65536 /* NGROUPS_MAX */ };
/* As old as that they are asked for again, and count meanwhile; as old as that they do not count. */
static const int64_t fresh_ns = 60ll * 1000 * 1000 * 1000, old_ns = 10 * fresh_ns;
static const int64_t wait_ns = 250ll * 1000 * 1000;

struct user_groups {
    uid_t uid;
    int64_t read_ns, used_ns; /* used: by a member; 0: never */
    gid_t *gids;
    size_t count;
};

static struct {
    pthread_mutex_t lock; /* a leaf */
    pthread_cond_t asked, answered;
    struct user_groups users[USERS_KEPT];
    struct question {
        uid_t uid;
        int64_t asked_ns;
    } waiting[ASKED_MAX]; /* the first one is being answered */
    unsigned waiting_count;
} book = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The groups of a user; a uid that no user has is in none. The caller frees *ret_gids. False: the database has failed.
 */
static bool read_groups(uid_t uid, gid_t **ret_gids, size_t *ret_count)
{
    char text[4096];
    struct passwd row, *found = NULL;
    *ret_count = 0;
    if (getpwuid_r(uid, &row, text, sizeof text, &found) != 0)
        return false;
    if (!found)
        return true;
    int count = 64;
    gid_t *gids = NULL;
    for (unsigned i = 0; i < 2; i++) { /* the second time with the size that the first one asked for */
        gid_t *larger = realloc(gids, (size_t)count * sizeof *gids);
        check(larger != NULL);
        gids = larger;
        if (getgrouplist(row.pw_name, row.pw_gid, gids, &count) >= 0) {
            *ret_gids = gids;
            *ret_count = (size_t)count;
            return true;
        }
        if (count <= 0 || count > GROUPS_MAX)
            break;
    }
    free(gids);
    return false;
}

static bool has_group(const struct user_groups *user, const gid_t *gids, size_t gid_count)
{
    for (size_t i = 0; i < gid_count; i++)
        for (size_t j = 0; j < user->count; j++)
            if (gids[i] == user->gids[j])
                return true;
    return false;
}

/* The rest assumes the lock. */

static struct user_groups *find_user(uid_t uid)
{
    for (size_t i = 0; i < USERS_KEPT; i++)
        if (book.users[i].read_ns && book.users[i].uid == uid)
            return &book.users[i];
    return NULL;
}

/* In the place of its earlier row, else of the one that let somebody in longest ago: those that never did come first,
 * the oldest before others. Anybody can have many uids (subuid(5)): none of his takes a member's place. */
static void keep_user(uid_t uid, gid_t *gids, size_t count)
{
    struct user_groups *known = find_user(uid), *row = known ? known : &book.users[0];
    for (size_t i = 0; i < USERS_KEPT && !known; i++)
        if (book.users[i].used_ns < row->used_ns ||
            (book.users[i].used_ns == row->used_ns && book.users[i].read_ns < row->read_ns))
            row = &book.users[i];
    const int64_t used_ns = known ? known->used_ns : 0;
    free(row->gids);
    *row = (struct user_groups){
        .uid = uid, .read_ns = clock_monotonic_ns(), .used_ns = used_ns, .gids = gids, .count = count};
}

/* And still counts: a database that fails does not make it forgotten. */
static bool is_known(uid_t uid)
{
    const struct user_groups *user = find_user(uid);
    return user && clock_monotonic_ns() - user->read_ns < old_ns;
}

static void *answer_main(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&book.lock);
    for (;;) {
        while (book.waiting_count == 0)
            pthread_cond_wait(&book.asked, &book.lock);
        const uid_t uid = book.waiting[0].uid;
        gid_t *gids = NULL;
        pthread_mutex_unlock(&book.lock);
        size_t count;
        const bool is_said = read_groups(uid, &gids, &count);
        pthread_mutex_lock(&book.lock);
        if (is_said || !is_known(uid))
            keep_user(uid, gids, count);
        memmove(book.waiting, book.waiting + 1, --book.waiting_count * sizeof *book.waiting);
        pthread_cond_broadcast(&book.answered);
    }
    return NULL;
}

static void start_answering(void)
{
    pthread_condattr_t attributes;
    pthread_t thread;
    sigset_t all, old;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&book.asked, NULL);
    pthread_cond_init(&book.answered, &attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's business */
    if (pthread_create(&thread, NULL, answer_main, NULL) == 0)
        pthread_detach(thread);
    else
        book.waiting_count = ASKED_MAX; /* nobody will answer: who is not known is no member */
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Since when it is asked for; 0: too many are. */
static int64_t ask_for(uid_t uid, int64_t now_ns)
{
    for (unsigned i = 0; i < book.waiting_count; i++)
        if (book.waiting[i].uid == uid)
            return book.waiting[i].asked_ns;
    if (book.waiting_count == ASKED_MAX)
        return 0;
    book.waiting[book.waiting_count++] = (struct question){uid, now_ns};
    pthread_cond_signal(&book.asked);
    return now_ns;
}

/* An answer to that question, if it comes soon enough after it. Where many are ahead it will not, and strangers must
 * not keep a thread that has others to serve. */
static struct user_groups *await_user(uid_t uid, int64_t asked_ns)
{
    const int64_t due_ns = book.waiting_count > AHEAD_MAX ? asked_ns : asked_ns + wait_ns;
    const struct timespec due = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
    struct user_groups *user;
    do
        user = find_user(uid);
    while ((!user || user->read_ns < asked_ns) && pthread_cond_timedwait(&book.answered, &book.lock, &due) == 0);
    user = find_user(uid);
    return user && user->read_ns >= asked_ns ? user : NULL;
}

bool identity_is_member(uid_t uid, const gid_t *gids, size_t gid_count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (uid == geteuid())
        return true;
    if (gid_count == 0)
        return false;
    pthread_once(&once, start_answering);
    pthread_mutex_lock(&book.lock);
    const int64_t now_ns = clock_monotonic_ns();
    struct user_groups *user = find_user(uid);
    const int64_t age_ns = user ? now_ns - user->read_ns : INT64_MAX;
    const int64_t asked_ns = age_ns >= fresh_ns ? ask_for(uid, now_ns) : 0;
    if (age_ns >= old_ns)
        user = asked_ns ? await_user(uid, asked_ns) : NULL;
    const bool is_member = user && has_group(user, gids, gid_count);
    if (is_member)
        user->used_ns = now_ns;
    pthread_mutex_unlock(&book.lock);
    return is_member;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of calls, and who gets one. Each kind of caller has its own, so that none keeps another out; of which kind
 * a peer is the kernel alone says (his uid and groups as he connected), as a user database may be slow. Called by
 * control.c under its lock, but for places_judge.
 */
#include "control/internal.h"

#include "policy/policy.h"

#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024 }; /* who has more is taken for a stranger: he gets his answer, too */

/* A kind has more places than are in use at once: those that were cut off have not yet gone. Where nobody's word is
 * worth more than another's, whoever came first gives way, else he who has the most, to who has less. */
static const struct kind {
    int first, count, user_max, others_max; /* of one user; of all but the owner and root */
    bool gives_way;                         /* always, also of users who have alike */
} kinds[] = {
    [PLACES_OWNER] = {0, 24, INT_MAX, INT_MAX, false},
    [PLACES_MEMBERS] = {24, 96, 12, 72, false},
    [PLACES_STRANGERS] = {120, 64, 2, 8, true},
    [PLACES_SCRAPERS] = {184, 64, 8, 8, true}, /* nobody vouches for who they are */
};
_Static_assert(PLACES_MAX == 184 + 64, "the last kind ends where the table does");

struct count {
    int own, others;
    struct place *first_own, *first; /* who came first; NULL: nobody */
};

static struct count count_places(struct places *places, const struct kind *kind, uid_t uid)
{
    struct count count = {0};
    for (struct place *place = places->rows + kind->first; place < places->rows + kind->first + kind->count; place++) {
        if (place->fd < 0 || place->is_cut_off)
            continue;
        count.others += !control_is_owner(place->uid);
        if (!count.first || place->number < count.first->number)
            count.first = place;
        if (place->uid != uid)
            continue;
        count.own++;
        if (!count.first_own || place->number < count.first_own->number)
            count.first_own = place;
    }
    return count;
}

static void cut_off(struct place *place)
{
    place->is_cut_off = true;
    shutdown(place->fd, SHUT_RDWR);
}

/* The first one of the user who has the most, where that is more than a newcomer would then have; NULL: all have alike.
 */
static struct place *find_excess(struct places *places, const struct kind *kind, int own)
{
    struct place *found = NULL;
    int most = own + 1;
    for (int i = kind->first; i < kind->first + kind->count; i++) {
        const struct place *place = &places->rows[i];
        if (place->fd < 0 || place->is_cut_off || control_is_owner(place->uid))
            continue;
        const struct count count = count_places(places, kind, place->uid);
        if (count.own > most) {
            most = count.own;
            found = count.first_own;
        }
    }
    return found;
}

static bool make_room(struct places *places, const struct kind *kind, uid_t uid)
{
    const struct count count = count_places(places, kind, uid);
    const bool is_greedy = count.own >= kind->user_max;
    if (control_is_owner(uid) || (!is_greedy && count.others < kind->others_max))
        return true;
    struct place *place = NULL;
    if (kind->gives_way)
        place = is_greedy ? count.first_own : count.first;
    else if (!is_greedy)
        place = find_excess(places, kind, count.own);
    if (place)
        cut_off(place);
    return place != NULL;
}

int places_take(struct places *places, enum places_kind which, int fd, uid_t uid)
{
    const struct kind *kind = &kinds[which];
    if (!make_room(places, kind, uid))
        return -1;
    for (int i = kind->first; i < kind->first + kind->count; i++) {
        if (places->rows[i].fd >= 0)
            continue;
        places->rows[i] = (struct place){fd, uid, ++places->came, false};
        places->taken++;
        return i;
    }
    return -1;
}

void places_leave(struct places *places, int index)
{
    places->rows[index].fd = -1;
    places->taken--;
}

void places_shut_down(struct places *places, int how)
{
    for (int i = 0; i < PLACES_MAX; i++)
        if (places->rows[i].fd >= 0)
            shutdown(places->rows[i].fd, how);
}

void places_init(struct places *places)
{
    *places = (struct places){0};
    for (int i = 0; i < PLACES_MAX; i++)
        places->rows[i].fd = -1;
}

/* ---- who is it ---- */

static bool is_group_listed(const struct settings *settings, gid_t gid)
{
    for (size_t i = 0; i < settings->access.gid_count; i++)
        if (settings->access.gids[i] == gid)
            return true;
    return false;
}

enum places_kind places_judge(const struct settings *settings, int fd, const struct ucred *peer)
{
    gid_t groups[GROUPS_MAX];
    socklen_t bytes = sizeof groups;
    if (control_is_owner(peer->uid) || policy_is_uid_admitted(settings, peer->uid) ||
        control_is_reader(settings, peer->uid) || is_group_listed(settings, peer->gid))
        return PLACES_MEMBERS;
    if (!settings->access.gid_count || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
        return PLACES_STRANGERS;
    for (size_t i = 0; i < bytes / sizeof *groups; i++)
        if (is_group_listed(settings, groups[i]))
            return PLACES_MEMBERS;
    return PLACES_STRANGERS;
}

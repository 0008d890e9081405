/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about other processes. Landlock forbids the agent to look into any (what /proc shows of executables,
 * directories, environments and open files wants the right to trace, see proc(5) and ptrace(2)); so helpers look, which
 * know no secret and no stranger's bytes but numbers. Two of them: one for what takes microseconds and is asked for on
 * loops, one for walks over all of /proc. Without helpers (none was wanted, tests) the caller looks.
 */
#include "base/check.h"
#include "base/clock.h"
#include "identity/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WANTED_MAX = 128, SILENT_S = 30 };
enum kind { KIND_DESCRIBE, KIND_DESCENDS, KIND_AGENT, KIND_OWNERS, KIND_NAMES };

struct question {
    uint64_t number;
    enum kind kind;
    pid_t pid, ancestor;
    uid_t uid;
    int64_t alive_at_ns;
    char runtime[sizeof((struct sockaddr_un *)0)->sun_path];
    unsigned count;
    struct wanted {
        uint32_t inode;
        uid_t uid;
    } wanted[WANTED_MAX];
};

struct reply {
    uint64_t number; /* of its question: one that is late is not taken for the next one's */
    bool is_true;
    struct identity_claim claim;
    pid_t pids[WANTED_MAX]; /* of `wanted`, 0: nobody's */
};

static struct looker {
    pthread_mutex_t lock;
    int fd;
    uint64_t asked;
    int64_t silent_until_ns; /* it was late: nobody waits for it again before */
} quick = {PTHREAD_MUTEX_INITIALIZER, -1, 0, 0}, walker = {PTHREAD_MUTEX_INITIALIZER, -1, 0, 0};

/* ---- in the helper ---- */

static void find_owners(const struct question *question, struct reply *reply)
{
    static struct identity_lookup lookups[WANTED_MAX];
    const unsigned count = question->count < WANTED_MAX ? question->count : WANTED_MAX;
    for (unsigned i = 0; i < count; i++) {
        lookups[i] =
            (struct identity_lookup){.peer = {.inode = question->wanted[i].inode, .uid = question->wanted[i].uid}};
        lookups[i].task.next = i + 1 < count ? &lookups[i + 1].task : NULL;
    }
    process_find_owners(count ? lookups : NULL);
    for (unsigned i = 0; i < count; i++)
        reply->pids[i] = lookups[i].claim.pid;
}

static void answer(struct question *question, struct reply *reply)
{
    *reply = (struct reply){.number = question->number, .claim.pid = question->pid};
    question->runtime[sizeof question->runtime - 1] = 0;
    switch (question->kind) {
    case KIND_DESCRIBE:
        process_describe(&reply->claim, question->uid, question->alive_at_ns);
        break;
    case KIND_DESCENDS:
        reply->is_true = process_descends(question->pid, question->ancestor, question->uid);
        break;
    case KIND_AGENT:
        reply->is_true = process_is_agent(question->pid);
        break;
    case KIND_OWNERS:
        find_owners(question, reply);
        break;
    case KIND_NAMES:
        process_read_names(&reply->claim, question->uid, question->runtime);
        break;
    }
}

void identity_look(int fd)
{
    static struct question question;
    static struct reply reply;
    while (recv(fd, &question, sizeof question, 0) == (ssize_t)sizeof question) {
        answer(&question, &reply);
        if (send(fd, &reply, sizeof reply, MSG_NOSIGNAL) != (ssize_t)sizeof reply)
            break;
    }
}

/* ---- in the agent ---- */

void identity_use_lookers(int quick_fd, int walker_fd)
{
    const struct timeval soon = {.tv_sec = 1}, later = {.tv_sec = 3}; /* a walk takes one second at most */
    quick.fd = quick_fd;
    walker.fd = walker_fd;
    const int directions[] = {SO_RCVTIMEO, SO_SNDTIMEO};
    for (unsigned i = 0; i < 2; i++) {
        (void)!setsockopt(quick_fd, SOL_SOCKET, directions[i], &soon, sizeof soon);
        (void)!setsockopt(walker_fd, SOL_SOCKET, directions[i], &later, sizeof later);
    }
    quick.silent_until_ns = walker.silent_until_ns = 0;
}

/* A process that is stopped and goes on has its waits interrupted (signal(7), SO_RCVTIMEO). */
static bool exchange(int fd, const struct question *question, struct reply *ret_reply)
{
    ssize_t moved;
    do
        moved = send(fd, question, sizeof *question, MSG_NOSIGNAL);
    while (moved < 0 && errno == EINTR);
    while (moved > 0) {
        moved = recv(fd, ret_reply, sizeof *ret_reply, 0);
        if (moved == (ssize_t)sizeof *ret_reply && ret_reply->number == question->number)
            return true;
        moved = moved < 0 && errno == EINTR ? 1 : moved;
    }
    return false;
}

/* False: it is not known, as when /proc is closed. */
static bool ask(struct looker *looker, struct question *question, struct reply *ret_reply)
{
    pthread_mutex_lock(&looker->lock);
    question->number = ++looker->asked;
    bool is_told = clock_monotonic_ns() >= looker->silent_until_ns && exchange(looker->fd, question, ret_reply);
    if (!is_told && clock_monotonic_ns() >= looker->silent_until_ns)
        looker->silent_until_ns = clock_monotonic_ns() + SILENT_S * 1000000000ll;
    pthread_mutex_unlock(&looker->lock);
    return is_told;
}

void look_describe(struct identity_claim *claim, uid_t uid, int64_t alive_at_ns)
{
    struct question question = {.kind = KIND_DESCRIBE, .pid = claim->pid, .uid = uid, .alive_at_ns = alive_at_ns};
    struct reply reply;
    if (quick.fd < 0) {
        process_describe(claim, uid, alive_at_ns);
    } else if (ask(&quick, &question, &reply)) {
        if (reply.claim.executable[0])
            memcpy(claim->executable, reply.claim.executable, sizeof claim->executable);
        if (reply.claim.directory[0])
            memcpy(claim->directory, reply.claim.directory, sizeof claim->directory);
    }
}

bool look_descends(pid_t pid, pid_t ancestor, uid_t uid)
{
    struct question question = {.kind = KIND_DESCENDS, .pid = pid, .ancestor = ancestor, .uid = uid};
    struct reply reply;
    return quick.fd < 0 ? process_descends(pid, ancestor, uid) : ask(&quick, &question, &reply) && reply.is_true;
}

static bool look_is_agent(pid_t pid)
{
    struct question question = {.kind = KIND_AGENT, .pid = pid};
    struct reply reply;
    return walker.fd < 0 ? process_is_agent(pid) : ask(&walker, &question, &reply) && reply.is_true;
}

static struct identity_lookup *next_lookup(const struct identity_lookup *lookup)
{
    return (struct identity_lookup *)(void *)lookup->task.next; /* its first member */
}

void look_find_owners(struct identity_lookup *first)
{
    struct question question = {.kind = KIND_OWNERS};
    struct reply reply;
    if (walker.fd < 0) {
        process_find_owners(first);
        return;
    }
    for (struct identity_lookup *from = first; from;) {
        struct identity_lookup *to = from; /* the first one that finds no place in this question */
        for (question.count = 0; to && question.count < WANTED_MAX; to = next_lookup(to))
            question.wanted[question.count++] = (struct wanted){to->peer.inode, to->peer.uid};
        bool is_known = ask(&walker, &question, &reply);
        for (unsigned i = 0; is_known && from != to; from = next_lookup(from))
            from->claim.pid = reply.pids[i++];
        from = to;
    }
}

void look_read_names(struct identity_claim *claim, uid_t uid, const char *runtime)
{
    struct question question = {.kind = KIND_NAMES, .pid = claim->pid, .uid = uid};
    struct reply reply;
    if (walker.fd < 0) {
        process_read_names(claim, uid, runtime);
    } else if ((size_t)snprintf(question.runtime, sizeof question.runtime, "%s", runtime) < sizeof question.runtime &&
               ask(&walker, &question, &reply)) {
        memcpy(claim->group, reply.claim.group, sizeof claim->group);
        memcpy(claim->project, reply.claim.project, sizeof claim->project);
    }
}

void identity_find_processes(struct identity_lookup *lookups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lookups[i].claim = (struct identity_claim){0};
        lookups[i].task.next = i + 1 < count ? &lookups[i + 1].task : NULL;
    }
    look_find_owners(count ? lookups : NULL);
    for (size_t i = 0; i < count; i++)
        if (lookups[i].claim.pid != 0)
            look_describe(&lookups[i].claim, lookups[i].peer.uid, process_now_ns());
}

bool identity_is_agent(const struct identity_claim *claim)
{
    return claim->pid > 0 && (claim->pid == getpid() || look_is_agent(claim->pid));
}

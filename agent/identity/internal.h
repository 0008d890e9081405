/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of identity/ share: the table of claims, facts of /proc, and the table's reader. Nobody outside this
 * folder includes it.
 */
#ifndef IDENTITY_INTERNAL_H
#define IDENTITY_INTERNAL_H

#include "identity/identity.h"

#include <stdint.h>
#include <sys/un.h>

/* ---- endpoint.c: a bound Unix socket that takes its path away again, unless somebody else's stands there by now ----
 */
struct endpoint {
    int fd; /* -1: none */
    struct sockaddr_un address;
    dev_t device;
    ino_t inode; /* 0: not bound */
};
/* False: nothing is left open. */
bool endpoint_open(struct endpoint *endpoint, const char *path, int type, mode_t mode);
void endpoint_close(struct endpoint *endpoint);
/* Waits until fd is readable. False: stop_fd is. */
bool endpoint_wait(int fd, int stop_fd);

/* ---- claims.c: what datagrams said, until a connection takes it or it expires ---- */
struct claim_row {
    uint64_t cookie;    /* 0: empty */
    int64_t arrived_ns; /* CLOCK_BOOTTIME, comparable with a process's start */
    pid_t pid;
    uid_t uid;
    uint16_t port;        /* 0: a hello; else a supervisor's announcement: where its program wants to go */
    uint8_t original[16]; /* as in struct tollgate_redirect */
    bool has_socket;      /* that leads there came with it */
    char group[TOLLGATE_NAME_MAX], project[TOLLGATE_NAME_MAX];
    char executable[TOLLGATE_PATH_MAX], directory[TOLLGATE_PATH_MAX]; /* what it said of itself */
};

/* Rows lie in sets of four: a burst evicts the oldest row of its set, never more than that. Each user has a table of
 * his own, so that it is his. */
enum { CLAIMS_WAYS = 4, CLAIMS_SETS = 1024, CLAIMS_USERS_MAX = 32, CLAIMS_PROVEN_MAX = 256 };

struct claims {
    struct claims_user {
        uid_t uid;
        int64_t put_ns;                        /* when he claimed something last */
        bool is_proven;                        /* a connection took one: he may use this agent */
        struct claim_row (*sets)[CLAIMS_WAYS]; /* NULL: nobody's */
    } users[CLAIMS_USERS_MAX];
    /* Who was let in once, the latest ones, also when another has his table: a stranger is never among them. */
    uid_t proven[CLAIMS_PROVEN_MAX];
    unsigned proven_count; /* ever */
};

/* A group's or project's: with an end, no space, no control character. */
bool claims_has_valid_name(const char name[TOLLGATE_NAME_MAX]) MUST_USE;
/* True when the bytes are a well-formed struct tollgate_hello: copied to *ret_hello, paths that cannot be true left
 * out. */
bool claims_parse_hello(const void *bytes, size_t length, struct tollgate_hello *ret_hello);
/* The same of an announcement; who sent it is still to be asked for. */
bool claims_parse_redirect(const void *bytes, size_t length, struct tollgate_redirect *ret_redirect);
void claims_done(struct claims *claims);
/* A later claim of the same socket and uid replaces the earlier one; a hello leaves an announcement's destination.
 * False when there are too many users at once: nobody whose claims were ever taken makes room for another. */
bool claims_put(struct claims *claims, const struct claim_row *row);
/* Copies the living announcement of that socket by that uid, and leaves it to claims_take. */
bool claims_find_redirect(struct claims *claims, uint64_t cookie, uid_t uid, int64_t now_ns, struct claim_row *ret_row);
/* Removes and copies the living claim of that socket by that uid. */
bool claims_take(struct claims *claims, uint64_t cookie, uid_t uid, int64_t now_ns, struct claim_row *ret_row);

/* ---- handed.c: sockets of supervisors, until the connection that was announced takes its own ---- */
struct handed_row {
    uint64_t cookie; /* of the program's socket */
    int64_t arrived_ns;
    uid_t uid; /* whose announcement it was */
    int fd;
};

/* A connection follows its announcement within moments: more than these wait only where somebody plays with us. */
enum { HANDED_PER_UID_MAX = 256, HANDED_MAX = 1024 };

struct handed {
    struct handed_row rows[HANDED_MAX];
    unsigned count;
};

/* A TCP socket of that user that is connected, or connecting, to the announced address (port: host order). */
bool handed_is_sound(int fd, uid_t uid, const uint8_t original[16], uint16_t port);
void handed_close(int fd); /* without waiting for anything */
/* Takes row->fd. False: no room, it is still the caller's. Assumes that none is there for the same socket and uid. */
bool handed_put(struct handed *handed, const struct handed_row *row);
unsigned handed_count(const struct handed *handed, uid_t uid);
int handed_take(struct handed *handed, uint64_t cookie, uid_t uid); /* the caller's from now on; -1: none is there */
void handed_expire(struct handed *handed, int64_t now_ns);          /* closes what nobody came for */

/* ---- identity.c, for announce.c: any thread ---- */
/* An announcement and its socket (-1: none), in place of an earlier one. False: there are too many that nobody took;
 * the socket is still the caller's. */
bool identity_put_announcement(struct identity *identity, const struct claim_row *row, int upstream);
/* Of that user's connections that are announced with a socket, those that have not come yet. */
unsigned identity_count_sockets(struct identity *identity, uid_t uid);
/* True while there are sockets that wait for their connections; closes those that have waited for too long. */
bool identity_tidy_sockets(struct identity *identity);

/* ---- announce.c: the thread that answers supervisors ---- */
struct announcements;
struct announcements *announcements_open(struct identity *identity, const struct identity_redirects *options);
void announcements_put_off(struct announcements *announcements);
void announcements_close(struct announcements *announcements); /* NULL is fine */

/* ---- look.c: the same as process.c and environment.c, by the helpers where there are some ---- */
void look_describe(struct identity_claim *claim, uid_t uid, int64_t alive_at_ns);
bool look_descends(pid_t pid, pid_t ancestor, uid_t uid);
void look_find_owners(struct identity_lookup *first);
void look_read_names(struct identity_claim *claim, uid_t uid, const char *runtime);

/* ---- process.c: what /proc says; best effort ---- */
int64_t process_now_ns(void); /* CLOCK_BOOTTIME */
/* Its directory in /proc; -1 when there is none of that uid. */
int process_open(pid_t pid, uid_t uid);
/* proc(5): a link's target that is gone ends in " (deleted)". */
void process_trim_deleted(char *path);
/* Sets claim->executable and directory by claim->pid where they can be read, else leaves them; not when that process
 * started after `alive_at_ns` (then the pid was used again and the facts would be a stranger's) or belongs to another
 * uid. */
void process_describe(struct identity_claim *claim, uid_t uid, int64_t alive_at_ns);
/* True when the process has that (effective) uid and descends from `ancestor`. */
bool process_descends(pid_t pid, pid_t ancestor, uid_t uid);
/* One walk over /proc for a chain of lookups (linked by task.next): sets claim.pid of those whose inode a process of
 * their uid holds. Gives up after one second. */
void process_find_owners(struct identity_lookup *first);
/* It runs the caller's own program file, or one that is named tollgated. */
bool process_is_agent(pid_t pid);

/* ---- environment.c ---- */
/* Sets claim->group and project by the environment that claim->pid was started with, if that is one of `runtime`'s
 * agent. Reads at most 256 KiB of it. */
void process_read_names(struct identity_claim *claim, uid_t uid, const char *runtime);

#endif

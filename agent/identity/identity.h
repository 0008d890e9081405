/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose call: the kernel's word on the peer of a loopback connection (sock_diag), joined with the datagram its shim
 * sent (struct tollgate_hello) by socket cookie, and what /proc says of the process. Decides nothing.
 */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "base/error.h"
#include "base/mailbox.h"
#include "shim/contract.h"

#include <netinet/in.h>
#include <sys/types.h>

struct identity; /* the datagram thread and its table */

struct identity_peer {
    uid_t uid;
    uint64_t cookie;
    uint32_t inode;
    uint32_t unread_bytes; /* have arrived, and the program has not read them; now */
};

struct identity_claim {
    pid_t pid; /* 0: unknown (no datagram, and not found in /proc) */
    bool has_hello;
    char group[TOLLGATE_NAME_MAX], project[TOLLGATE_NAME_MAX];
    /* /proc/PID/exe and cwd; where they are closed to us, what the program said of itself; "": unknown */
    char executable[TOLLGATE_PATH_MAX], directory[TOLLGATE_PATH_MAX];
};

/* What helpers run, before the agent restricts itself: answers questions about processes until the other end closes. */
void identity_look(int fd);
/* From now on, for the whole process, such helpers are asked: one at once, one for walks over /proc. The descriptors
 * stay the caller's. Before identity_open; without it, /proc is read by whoever asks. */
void identity_use_lookers(int quick_fd, int walker_fd);

/* Binds the datagram socket at `path` in the runtime directory (mode 0600 or 0666) and starts the thread that drains
 * it. */
enum error identity_open(const char *path, mode_t mode, struct identity **ret_identity) MUST_USE;
void identity_close(struct identity *identity);

/* Supervisors announce the connections of their programs (struct tollgate_redirect) and are answered. */
struct identity_redirects {
    int fd; /* the SOCK_SEQPACKET socket that listens, non-blocking; stays the caller's */
    uint32_t network, redirect_network, network_mask; /* host order */
    uint16_t port, agent_port;                        /* the governed port, and ours for it */
    bool (*admits)(void *context, uid_t uid);         /* on a thread of its own, as the next */
    /* May the agent itself call that address (IPv4 as ::ffff:a.b.c.d), for who brings no socket that leads there? */
    bool (*may_call)(void *context, const uint8_t original[16]);
    /* May the user have one more connection, when so many are coming already? */
    bool (*has_place)(void *context, uid_t uid, unsigned coming);
    void *context;
};
/* Starts the thread that answers; once. An announcement is acknowledged when a connection that follows will find it. */
void identity_listen(struct identity *identity, const struct identity_redirects *options);
/* From now on every announcement is told to ask again (TOLLGATE_REDIRECT_AGAIN): another agent comes for it. What was
 * acknowledged before can still be taken. Before the ports stop. */
void identity_put_off(struct identity *identity);
/* No more announcements. Once the socket is closed, too, supervisors find no agent, and let programs reach what is not
 * a provider by themselves. What was acknowledged before can still be taken. Before the port closes; idempotent, from
 * one thread. */
void identity_unlisten(struct identity *identity);
/* Where the announced connection of that socket and uid wants to go, IPv4 as ::ffff:a.b.c.d, and the socket that leads
 * there, non-blocking for who keeps it so, the caller's; -1: none was brought. Leaves the claim, which is then the
 * program's, to identity_take_claim. */
bool identity_take_redirect(struct identity *identity, const struct identity_peer *peer,
                            struct sockaddr_in6 *ret_original, int *ret_upstream);

/* One sock_diag query for the client's end of an accepted connection: remote → local as seen by the client. 3 µs. Uses
 * a per-thread netlink socket. PEER_UNKNOWN when the socket is gone or its inode is 0. */
enum error identity_find_peer(const struct sockaddr_in *client, const struct sockaddr_in *agent,
                              struct identity_peer *ret_peer) MUST_USE;
/* The claim that arrived for this cookie and uid (a datagram from another uid does not count). Forgotten once taken.
 * Reads /proc for executable and directory, and takes the claim's word where it must. False: none arrived. */
bool identity_take_claim(struct identity *identity, const struct identity_peer *peer, struct identity_claim *ret_claim);
/* Looks for the process that owns the inode by /proc/PID/fd, on the identity thread (it takes milliseconds); the result
 * is posted to reply_to. Group and project are those of the environment that the process was started with, where it is
 * one of this agent's. */
struct identity_lookup {
    struct task task;
    struct identity_peer peer;
    struct mailbox *reply_to;
    void (*done)(struct identity_lookup *lookup);
    struct identity_claim claim; /* result; pid 0 when not found */
};
void identity_start_lookup(struct identity *identity, struct identity_lookup *lookup);
/* The same for `count` of them (only peer and claim count), on the calling thread, which waits: one walk over /proc, at
 * most a second. */
void identity_find_processes(struct identity_lookup *lookups, size_t count);

/* A TCP connection that a process of this network namespace holds, or is opening. */
struct identity_connection {
    struct identity_peer peer; /* its owner's end */
    uint8_t remote[16];        /* IPv6, network order; IPv4 as ::ffff:a.b.c.d */
};
typedef void identity_visit(void *context, const struct identity_connection *connection);
/* Visits all of them to that port, at most 100,000. Takes milliseconds: not on a loop. */
enum error identity_list_connections(uint16_t port, identity_visit *visit, void *context) MUST_USE;
/* True when the process runs the same program file as the calling one, or another one that is named tollgated (a second
 * installation, the file before an upgrade): it is an agent, too. This is no proof: who wants to hide calls a program
 * so. */
bool identity_is_agent(const struct identity_claim *claim);
/* True when the process may use the agent: uid is the agent's own, or listed, or one of gids is among the uid's groups
 * (getgrouplist; kept per uid for 60 s, and for 10 minutes while the user database does not answer). Waits for at most
 * 250 ms; who is not known by then is no member yet. */
bool identity_is_member(uid_t uid, const gid_t *gids, size_t gid_count);

#endif

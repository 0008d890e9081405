/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the supervisor share (supervise.c, front.c, link.c, serve.c, socket.c, standin.c, reach.c,
 * destination.c, announce.c, filter.c); the rest of the launcher uses launch.h. supervise.c begins with how it all
 * works.
 */
#ifndef TOLLGATE_SUPERVISE_H
#define TOLLGATE_SUPERVISE_H

#include "shim/launch/launch.h"

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

/* Connects that wait for the agent or for the network at one time; further ones wait in the kernel: reach.c sees to it
 * that it is not for long. */
#define SUPERVISE_NOTICES_MAX 256
#define SUPERVISE_POLL_MAX    (SUPERVISE_NOTICES_MAX + 4)

/* Memory of both supervising processes: what one knew when it was killed, the other goes on with. */
struct supervise_shared {
    int stop_signal;      /* the program is stopped, by this signal; 0: it runs */
    int front_is_stopped; /* the front stopped itself for it */
    union {               /* received and not answered yet when its id is not 0 */
        struct seccomp_notif call;
        char room[256]; /* newer kernels may write more */
    } notices[SUPERVISE_NOTICES_MAX];
};

/* ---- filter.c ---- */

/* 0, or the errno: EBUSY another supervisor's filter is in force, EINVAL a kernel before 5.19. */
int filter_install(int *ret_listener);

/* ---- destination.c: where a call wants to go ---- */

/* What the supervisor must know of the map; a copy that it owns. */
struct gate {
    struct stat file;                         /* that was read last */
    long long looked_us;                      /* when it was asked for last */
    uint32_t network, redirect_network, mask; /* host order; mask 0: nothing is governed */
    size_t port_count, redirect_count;
    struct tollgate_map_port *ports;
    struct tollgate_map_redirect *redirects;
};
/* Reads the map again when the file is another one, at most once in a millisecond; without a readable map nothing
 * changes. */
void gate_refresh(struct gate *gate, const char *path);
uint16_t gate_find_agent(const struct gate *gate, uint16_t original); /* 0: not governed */

enum destination_kind {
    DESTINATION_ELSEWHERE, /* none of ours */
    DESTINATION_CLOSED,    /* an address of ours, a port that nobody governs */
    DESTINATION_OURS,      /* an address of the map's networks */
    DESTINATION_PROVIDER,  /* an address at which a provider answers */
    DESTINATION_ANY        /* a governed port of any other address: the agent reads the name and decides */
};
struct destination {
    enum destination_kind kind;
    sa_family_t family;
    uint8_t original[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;        /* host order */
};
/* Reads the address out of the program's memory; without its kind. False: it is none of IP, the kernel shall judge. */
bool destination_read(const struct seccomp_notif *call, struct destination *ret_destination);
enum destination_kind destination_judge(const struct gate *gate, const struct destination *destination);

/* ---- announce.c: the connection to the agent's redirect.sock ---- */

struct announce {
    struct sockaddr_un address; /* without a family: there is no agent */
    struct tollgate_redirect form;
    int fd; /* -1: not connected */
    int waiting[SUPERVISE_NOTICES_MAX];
    size_t first, count; /* of `waiting`, a ring: who asked, in order */
};
void announce_open(struct announce *announce, const char *runtime);
/* BUSY: an agent is there, ask again soon; NOBODY: none took it. `asker` comes back from announce_take. */
enum announce_result { ANNOUNCE_SENT, ANNOUNCE_BUSY, ANNOUNCE_NOBODY };
enum announce_result announce_find(struct announce *announce); /* SENT: there seems to be one */
struct pending;
enum announce_result announce_send(struct announce *announce, int asker, const struct pending *pending);
/* The next answer: 1, *ret_asker's is in *ret_answer; 0, none yet; -1, the agent is gone. */
int announce_take(struct announce *announce, int *ret_asker, struct tollgate_redirect_answer *ret_answer);
/* Gives up; *ret_askers had no answer. Returns how many. */
size_t announce_drop(struct announce *announce, int ret_askers[SUPERVISE_NOTICES_MAX]);

/* ---- serve.c: answers to the program's calls ---- */

enum pending_state {
    PENDING_NONE,
    PENDING_REACHING,   /* our own connection to the original address is under way */
    PENDING_PARKED,     /* so it is, the agent has it, too, and the program left a call that may come again */
    PENDING_WAITING,    /* to be announced */
    PENDING_ANNOUNCED,  /* the agent's answer is to come */
    PENDING_CONNECTING, /* the program's socket to the agent */
};
struct pending {
    enum pending_state state;
    int fd;          /* the program's own socket */
    int standin;     /* what is connected in its place, and then put there; -1: itself */
    int upstream;    /* ours, to the original address; -1: none */
    uint64_t cookie; /* of what is connected to the agent */
    pid_t pid;       /* the program */
    bool is_second_hand, is_blocking;
    bool is_held;     /* longer than others, see reach.c */
    bool is_handed;   /* REACHING again: the program's socket is with the agent already */
    int leave_error;  /* the program leaves the call with it once its socket is with the agent; 0: it waits */
    bool is_put_off;  /* another agent takes over: it is asked again at again_ms */
    unsigned hangups; /* of agents that had not answered */
    struct destination destination;
    struct sockaddr_in agent;
    long long deadline_ms, again_ms, look_ms; /* look: when a blocking REACHING is to be asked after again */
};
struct serve {
    int listener;
    struct supervise_shared *shared;
    const char *map_path;
    struct gate gate;
    struct announce announce;
    struct pending pendings[SUPERVISE_NOTICES_MAX];
    size_t pending_count;
    int polled[SUPERVISE_NOTICES_MAX]; /* whose descriptors serve_prepare gave, in order */
};
void serve_open(struct serve *serve, int listener, struct supervise_shared *shared);
/* Fills fds (room for SUPERVISE_POLL_MAX - 2) and lowers *timeout_ms to the next deadline. */
size_t serve_prepare(struct serve *serve, struct pollfd *fds, int *timeout_ms);
void serve_work(struct serve *serve, const struct pollfd *fds, size_t count);
/* Answers what a killed supervisor had received. */
void serve_inherit(struct serve *serve);

/* ---- socket.c: the program's own socket ---- */

/* A copy of the descriptor that the call names, or -errno; -EBADF: there is none. *ret_pid is the process of its
 * thread. */
int socket_borrow(const struct seccomp_notif *call, pid_t *ret_pid);
int socket_option(int fd, int level, int name); /* -1: it has none */
/* TCP_CLOSE: it is free. Else connected, connecting or listening: the kernel alone knows the answer, and where it leads
 * is settled. -1: no TCP socket. */
int socket_tcp_state(int fd);
bool socket_can_be_mapped(int fd);                   /* to IPv4; makes it so */
uint64_t socket_network(int fd);                     /* the cookie of its network namespace; 0: unknown */
bool socket_is_of(int fd, pid_t thread, int number); /* is it what the thread knows by that number? */
int socket_to_connect(const struct pending *pending);
/* Connects it to pending->agent. 0 or an errno; of a blocking socket EINPROGRESS and EALREADY mean: ask again. */
int socket_dial(const struct pending *pending);
/* Begins to, without waiting, also on a blocking socket: its next connect waits, and says what has come of it. */
int socket_begin(const struct pending *pending);
bool socket_is_shut(int fd); /* for reading, by either side */
/* As before its first connect, but for what it is bound to. */
void socket_forget(int fd);

/* ---- standin.c: instead of a socket that cannot come to the agent ---- */

bool standin_make(struct pending *pending); /* where it is needed. False: it cannot be */
/* Puts it in the place of the program's socket, before the answer. 0 or an errno; without a stand-in 0. */
int standin_put(int listener, const struct seccomp_notif *call, const struct pending *pending);

/* For reach.c. Nothing is done to a program before it was found waiting; an answer to one that is gone goes nowhere by
 * itself. */
bool serve_is_waiting(struct serve *serve, int index);
void serve_finish(struct serve *serve, int index); /* without an answer */
/* `error` as the kernel counts it: 0 or a positive errno. A program that was killed meanwhile hears nothing. */
void serve_send(struct serve *serve, int index, int error, uint32_t flags);
void serve_answer(struct serve *serve, int index, int error, uint32_t flags); /* sends, and finishes */
void serve_go_on(struct serve *serve, int index);                             /* … in the kernel */
void serve_begin_announcing(struct serve *serve, int index);
void serve_repeat(struct serve *serve, int index); /* one that is with the agent */

/* ---- reach.c: our own connection to where the program wants to go ---- */

void reach_begin(struct serve *serve, int index);
/* The call was left, and comes again: false, nothing is known of it (any more). */
bool reach_resume(struct serve *serve, int index);
/* The program's socket is with the agent, or on the way: leaves the call with leave_error. */
void reach_park(struct serve *serve, int index);
/* The socket of one that is REACHING has something to say; or time has passed. */
void reach_end(struct serve *serve, int index);
void reach_check(struct serve *serve, int index, long long now_ms);

/* ---- link.c, supervise.c, front.c ---- */

enum link_kind { LINK_STARTED, LINK_FAILED, LINK_STOPPED, LINK_ENDED, LINK_ASK, LINK_SEEN };
struct link_message {
    enum link_kind kind;
    int value; /* FAILED: errno; STOPPED, ASK, SEEN: signal; ENDED: wait status */
    int flag;  /* ENDED: nothing of the tree is left; SEEN: it was */
};
bool link_open(int ret_ends[2]);
bool link_send(int link, struct link_message message, const int *fds, size_t fd_count);
/* False: the other side is gone (or nothing is there, for a link that does not block). */
bool link_receive(int link, struct link_message *ret_message, int *ret_fds, size_t fd_count);
int link_raise(int fd); /* away from the standard streams, which may be closed */
/* Leaves everything of the program's that was inherited: descriptors, working directory. */
void supervise_detach(const int *kept, size_t count);

/* Relays signals, stops and the end of the program to whoever started us. Never returns. */
_Noreturn void front_run(int link, pid_t server, int listener, int program_fd, pid_t program,
                         struct supervise_shared *shared);

#endif

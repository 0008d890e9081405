/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network side towards programs: event loops, the loopback listener, TLS connections, and the certificates the
 * agent shows. The only folder that includes <openssl/…>. It moves bytes and knows nothing of HTTP.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/arena.h"
#include "base/error.h"
#include "base/mailbox.h"
#include "base/slice.h"

#include <netinet/in.h>

/* ---- loop: one thread, one epoll, timers, a mailbox ---- */
struct loop;

/* A watched descriptor; embed it. `ready` gets EPOLL* bits. */
struct watch {
    int fd;
    uint32_t events;
    void (*ready)(struct watch *watch, uint32_t events);
};
/* A one-shot timer; embed it, zeroed before first use. Resolution 1 ms or better; O(log n). */
struct timer {
    int64_t due_ns;      /* monotonic */
    unsigned heap_index; /* 0: not armed */
    void (*expired)(struct timer *timer);
};

struct loop *loop_new(void);
void loop_free(struct loop *loop);
void loop_run(struct loop *loop);                /* until loop_stop; on the calling thread */
void loop_stop(struct loop *loop);               /* from any thread */
struct mailbox *loop_mailbox(struct loop *loop); /* tasks posted here run on the loop's thread */
/* `now`: monotonic time of the current iteration (cheap). */
int64_t loop_now_ns(const struct loop *loop);

/* Edge cases: watch_remove may be called from any callback, also of another watch in the same iteration: no further
 * callback comes after it returns. */
void watch_add(struct loop *loop, struct watch *watch);    /* level-triggered, watch->events */
void watch_change(struct loop *loop, struct watch *watch); /* after changing watch->events */
void watch_remove(struct loop *loop, struct watch *watch);
void timer_arm(struct loop *loop, struct timer *timer, int64_t delay_ms); /* re-arms when armed */
void timer_disarm(struct loop *loop, struct timer *timer);                /* harmless when not armed */

/* ---- certificates: the private CA ---- */
struct certificates;

/* The signer's life, in a process of its own that has forked before there were threads: loads or creates the CA in
 * `directory` (0700; keys 0600), says on `fd` (a pair of SOCK_SEQPACKET) how that went, and signs leaves until the
 * other end closes. Roots carry critical name constraints for exactly the names (permitted) and exclude every IP
 * address; the root's key never touches the disk and is destroyed after it signed the intermediate (same constraints,
 * pathlen 0, serverAuth, 400 days, P-256). When `names` has one that no living pair permits, a pair is added. `names`
 * are lower-case host names. */
void certificates_sign(int fd, const char *directory, const char *const *names, size_t name_count);
/* What the signer at the other end of `signer_fd` has, without its keys; waits for it. The descriptor stays the
 * caller's, and open until certificates_free. Errors: the signer's, SETTINGS_INVALID: not a lower-case host name;
 * SYSTEM: it is gone. */
enum error certificates_open(const char *directory, int signer_fd, struct certificates **ret_certificates) MUST_USE;
void certificates_free(struct certificates *certificates);
/* False: the signer is gone; what was signed serves until it expires, no new name and no renewal does. Any thread. */
bool certificates_can_sign(struct certificates *certificates);
/* Writes ca.pem (our living roots), bundle.pem (system roots + ours), cacerts.jks (the same for Java, password
 * "changeit") into `directory`, each by temporary file, fsync and rename, with `mode` (0600 or 0644). Any thread. */
enum error certificates_publish(struct certificates *certificates, const char *directory, mode_t mode) MUST_USE;
/* The same, but only where one of the files is not any more as it was written; *ret_was_spoilt says so. Four system
 * calls when nothing has happened. Any thread. */
enum error certificates_keep_published(struct certificates *certificates, const char *directory, mode_t mode,
                                       bool *ret_was_spoilt) MUST_USE;
/* Human-readable facts for doctor: "pair 1: 2 names, expires 2027-12-28", into arena. */
const char *certificates_describe(struct certificates *certificates, struct arena *arena);

/* ---- connection: TLS with one program, or a plain one ---- */
struct connection;

/* All callbacks run on the connection's loop. After `closed` the connection is gone. A callback may call
 * connection_close on its own connection: `closed` has run when connection_close returns. No other function of a
 * connection calls back: what they find out (a broken socket) and what they cause (more reading) comes from the loop.
 */
struct connection_handler {
    /* Plaintext arrived. Returns how many bytes were taken; less than given = the rest is kept and offered again after
     * connection_resume, and reading from the socket pauses (back-pressure). */
    size_t (*readable)(void *context, struct slice bytes);
    /* The output buffer fell below its low mark after connection_write had reported it full. */
    void (*writable)(void *context);
    /* The program sent its end of stream (legal half-close: the answer may still be written). */
    void (*ended)(void *context);
    /* The connection is gone, for whatever reason; context must not be used after. */
    void (*closed)(void *context);
};

/* Where a connection came from. */
struct connection_peer {
    struct sockaddr_in local, remote; /* local: 127.77.x.y names the destination */
    uint16_t port;                    /* the agent port it was accepted on */
};

void connection_set_handler(struct connection *connection, const struct connection_handler *handler, void *context);
/* Once, of an accepted connection: `released` gets it back. */
void connection_set_owner(struct connection *connection, uint32_t owner);
const struct connection_peer *connection_peer(const struct connection *connection);
struct loop *connection_loop(struct connection *connection);
bool connection_is_plain(const struct connection *connection); /* no TLS */
/* The SNI name of the handshake, "" when none. Valid while the connection lives. */
const char *connection_server_name(const struct connection *connection);
/* Queues bytes (copied); starts writing at once. False when the connection is broken. *ret_full: stop producing until
 * `writable`. The bound is soft by one call. */
bool connection_write(struct connection *connection, struct slice bytes, bool *ret_full);
/* Two pieces as one TLS write (head and body). */
bool connection_write_two(struct connection *connection, struct slice first, struct slice second, bool *ret_full);
size_t connection_pending_bytes(const struct connection *connection);
/* Bytes on the wire that the program's kernel has acknowledged; what it has not read yet is still among them. */
uint64_t connection_delivered_bytes(const struct connection *connection);
/* Offers kept bytes again and goes on reading, from the loop, before it waits again. Harmless when nothing is kept. */
void connection_resume(struct connection *connection);
/* Writes what is queued, sends close_notify and FIN, throws away what still arrives (so that no RST overtakes the last
 * bytes), closes when the program has closed; bounded by 5 s. Until `closed`, no callback. Not needed for an idle
 * connection: connection_close sends close_notify too. */
void connection_finish(struct connection *connection);
/* Closes now (RST when `abort`: the program must not take a cut answer for a whole one). What is queued is dropped, and
 * then no close_notify is sent. */
void connection_close(struct connection *connection, bool abort);

/* ---- listener ---- */
struct listener;

struct listener_options {
    uint16_t port;                  /* 0: any, see listener_port */
    int inherited_fd;               /* socket activation; -1: none */
    bool is_handed;                 /* inherited_fd is ours alone: the agent before us has handed it over */
    uint32_t address;               /* to bind, host order; 0: all of 127/8 */
    uint32_t network, network_mask; /* only local addresses in it are served: host order */
    bool is_plain;                  /* no TLS: connections are open when they are accepted */
    uint32_t redirect_network;      /* … or in this one, same mask: see `redirected`; 0: none */
    uint32_t hello_timeout_ms;      /* of silence on a redirected connection, then the original is called */
    struct listener *beside;        /* its connections and ours are counted together; closed after us. NULL: none */
    /* Others may come later, see listener_set_bounds. */
    uint32_t connections_max;
    uint32_t buffer_bytes_max; /* output buffer of a connection */
    uint32_t handshake_timeout_ms;
};
struct listener_handler {
    /* A TCP connection was accepted, before any TLS byte is read or written. Returns false: closed without a byte. It
     * may be slow to decide: returns true and *ret_wait set, then listener_admit is called later. `governed name` of
     * the local address is in `name`, NULL for a redirected connection. */
    bool (*accepted)(void *context, struct connection *connection, const char *name, bool *ret_wait);
    /* An accepted connection has come to redirect_network: where did the program want to go (IPv4 as ::ffff:a.b.c.d)?
     * When its first flight names a governed server, it goes on as if it had come to that name's address; else it is
     * passed on to *ret_original, untouched: over *ret_upstream_fd where that is set, a TCP socket that is connected or
     * connecting to it, which the connection then owns. False: nobody knows, closed without a byte. May be NULL. */
    bool (*redirected)(void *context, struct connection *connection, struct sockaddr_in6 *ret_original,
                       int *ret_upstream_fd);
    /* For whoever wants to know: such a connection is passed on to `original` from now on. server_name: what its first
     * flight named, lower case; "": nothing that could be read. May be NULL. */
    void (*passed_on)(void *context, struct connection *connection, const struct sockaddr_in6 *original,
                      const char *server_name);
    /* Does any process still hold the other end of a connection that is passed on, and whose end has come? May be NULL:
     * always. */
    bool (*is_held)(void *context, struct connection *connection);
    /* The TLS handshake is complete (or there is none): set the handler here. False: close. */
    bool (*established)(void *context, struct connection *connection, const char *name);
    /* For the log only: why a handshake failed ("tls alert unknown ca", "timeout"). */
    void (*failed)(void *context, const struct connection_peer *peer, const char *why);
    void (*fds_exhausted)(void *context);
    /* A connection that was given an owner is gone. */
    void (*released)(void *context, uint32_t owner);
    void *context;
};
/* Maps local addresses to governed names: sorted array, owned by the caller, immutable while the listener lives or
 * until replaced. */
struct listener_names {
    const struct listener_name {
        uint32_t address; /* host order */
        const char *name;
    } * rows; /* ascending by address */
    size_t count;
    const char *const *by_name; /* the same names, ascending; NULL: none can be found by its name */
};

/* For connections that are not ours (an SSL * of libcurl's; NULL is fine): their empty buffers of 16 KiB go back to the
 * heap, until they are needed again. False: not now, they are in use. */
bool tls_spare_buffers(void *ssl);

/* Binds `address`, or 0.0.0.0:port with SO_BINDTODEVICE lo (never reachable from outside; falls back to refusing
 * non-127/8 local addresses at accept when the kernel forbids it), listens, non-blocking. */
enum error listener_open(const struct listener_options *options, const struct listener_handler *handler,
                         struct certificates *certificates, const struct listener_names *names,
                         struct listener **ret_listener) MUST_USE;
uint16_t listener_port(const struct listener *listener); /* NULL: 0 */
/* Each loop that shall accept joins (EPOLLEXCLUSIVE), before it runs; one thread joins them all. Connections are spread
 * evenly: a loop that has two more than another passes the next one on. */
void listener_join(struct listener *listener, struct loop *loop);
/* After accepted() with *ret_wait: go on with TLS, or close. On the connection's loop; exactly once, soon: until then
 * the connection is not watched and has no timeout. */
void listener_admit(struct connection *connection, bool admitted);
/* No more accepts; connections live on. Our own socket refuses from now on; one that others keep collects connections
 * for the next agent. Any thread. NULL is fine. */
void listener_stop(struct listener *listener);
/* Before listener_stop: somebody else has the socket, too, and keeps it (or, false, does not). Returns the listener's
 * descriptor, to be copied; -1: there is no listener. Any thread. */
int listener_share(struct listener *listener, bool is_shared);
/* Atomically uses other names from now on (the old array must outlive current handshakes: keep it). */
void listener_set_names(struct listener *listener, const struct listener_names *names);
/* Of connections that are accepted from now on. Any thread; a NULL listener is fine. */
void listener_set_bounds(struct listener *listener, uint32_t connections_max, uint32_t buffer_bytes_max,
                         uint32_t handshake_timeout_ms);
unsigned listener_connection_count(const struct listener *listener);
/* Of redirected connections, those that are passed on; and how often bytes came on any of them, since the start. */
unsigned listener_splice_count(const struct listener *listener);
uint64_t listener_splice_reads(const struct listener *listener);
/* After the loops stopped, before loop_free: cuts what is still open (`closed` is called), closes the socket. NULL is
 * fine. */
void listener_close(struct listener *listener);

#endif

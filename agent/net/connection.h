/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the listener, the TLS glue and the two halves of a connection (reading, writing) share. Not for other folders.
 */
#ifndef NET_CONNECTION_H
#define NET_CONNECTION_H

#include "base/buffer.h"
#include "net/loop.h"

#include <openssl/ssl.h>

struct listener;
struct member;
struct splice;

/*
 *   WAITING ── admit ──▶ HANDSHAKE ──▶ OPEN ── finish ──▶ FINISHING ──▶ LINGERING
 *      │                    ▲           │                    │              │
 *      └─ redirected ─▶ PEEKING ──▶ SPLICED                  │              │
 *      └───────────────────┴─────────┴──┴────── close ───────┴──────────────┴──▶ CLOSED (freed by the loop)
 */
enum connection_state {
    CONNECTION_WAITING,   /* for listener_admit; not watched */
    CONNECTION_PEEKING,   /* which server does it name? timer: hello timeout, then handshake timeout; see peek.c */
    CONNECTION_HANDSHAKE, /* timer: handshake timeout */
    CONNECTION_OPEN,
    CONNECTION_FINISHING, /* writing what is queued, then close_notify; timer: FINISH_MS */
    CONNECTION_LINGERING, /* our side is shut; what still comes is thrown away, so that no RST hurts our last bytes */
    CONNECTION_SPLICED,   /* passed on to where the program wanted to go; its watches are the splice's; timer: who holds
                             the program's end? see splice.c */
    CONNECTION_CLOSED,
};

enum { CONNECTION_FINISH_MS = 5000 };

/* The socket below: see transport.c. */
struct transport {
    int fd;
    bool is_drained;   /* the last read left nothing: the next one would only say EAGAIN */
    bool is_ended;     /* FIN */
    bool more_follows; /* the next write is followed by another at once */
    uint64_t sent;     /* bytes that the kernel took */
};

/* What the loop shall do with the connection before it waits again. */
enum connection_errand {
    ERRAND_NONE,
    ERRAND_RESUME,
    ERRAND_CLOSE,
    ERRAND_ABORT,
};

/* What filling the scratch memory came to. */
enum read_outcome {
    READ_MORE,    /* the scratch memory is full; there may be more */
    READ_DRAINED, /* epoll will say when there is more */
    READ_ENDED,
    READ_BROKEN,
};

struct connection {
    struct watch watch;
    struct timer timer;
    struct deferred deferred;
    struct list node; /* of member->connections */
    struct loop *loop;
    struct member *member;
    struct transport transport;
    SSL *ssl; /* NULL while WAITING, and when is_plain */
    enum connection_state state;
    enum connection_errand errand;
    bool is_plain;         /* no TLS: plain.c */
    bool read_is_paused;   /* the handler left bytes in `kept` */
    bool read_wants_write; /* TLS must write before it can read on (key update) */
    bool input_is_ended;   /* FIN or close_notify was read */
    bool ended_is_told;    /* … and the handler knows */
    bool full_is_told;     /* the handler was told to stop producing */
    bool name_is_refused;  /* the SNI was not the name of the address */
    bool has_server_name;  /* the SNI was there */
    bool is_watched;
    bool has_owner;
    uint32_t owner;   /* the handler's word */
    const char *name; /* governed name of the local address; lives as long as the certificates */
    const struct connection_handler *handler; /* NULL until set */
    void *context;
    struct splice *splice; /* of a redirected connection that is PEEKING or SPLICED */
    struct buffer output;  /* plaintext that the socket did not take yet */
    struct slice kept;     /* plaintext that the handler did not take yet: what is left of kept_memory */
    char *kept_memory;
    uint32_t output_bytes_max;
    struct connection_peer peer;
};

/* connection.c */
/* Takes the descriptor. */
struct connection *connection_new(struct member *member, struct loop *loop, int fd, const struct connection_peer *peer,
                                  uint32_t output_bytes_max);
/* Starts TLS with a context whose reference it takes. False: out of memory. */
bool connection_start(struct connection *connection, SSL_CTX *context, const char *name, uint32_t timeout_ms) MUST_USE;
/* Once it is open: the listener's handler takes it, or it is closed. True: it is open still. */
bool connection_greet(struct connection *connection);
/* Closes (or aborts, or resumes) from the loop, before it waits again: for places where the handler is on the stack. */
void connection_run_later(struct connection *connection, enum connection_errand errand);
/* Makes the watch follow the state. */
void connection_update(struct connection *connection);

/* Stops watching the socket. */
void connection_unwatch(struct connection *connection);

/* connection_read.c */
void connection_read(struct connection *connection);
void connection_offer_kept(struct connection *connection);
void connection_discard(struct connection *connection); /* FINISHING, LINGERING */

/* connection_write.c */
void connection_flush(struct connection *connection);

/* plain.c: instead of connection_start, of SSL_read into the scratch memory, of SSL_write. */
void plain_start(struct connection *connection, const char *name);
enum read_outcome plain_fill(struct connection *connection, size_t *ret_bytes);
ssize_t plain_write(struct connection *connection, struct slice bytes); /* 0: the socket is full, -1: broken */

/* transport.c: recv and send on the socket; -1 with *ret_again: nothing is there, or nothing goes, now. */
ssize_t transport_receive(struct transport *transport, char *data, size_t length, bool *ret_again);
ssize_t transport_send(struct transport *transport, const char *data, size_t length, bool *ret_again);
/* A BIO on connection->transport. */
BIO *transport_new_bio(struct transport *transport);

/* tls.c */
/* The error of the operation that just returned `result`, with OpenSSL's queue left empty. */
int tls_error(SSL *ssl, int result);
/* Before an operation whose result goes to tls_error: other users of this thread leave errors behind. */
void tls_clear_errors(void);
struct connection *tls_connection(const SSL *ssl);
void tls_set_connection(SSL *ssl, struct connection *connection);

/* peek.c */
/* The connection is to go to `original`, unless it names a governed server before that one has said anything. The
 * original is called when the program has, or after so long; upstream_fd (taken; -1: none) is a call of it that was
 * begun, and whatever becomes of that becomes of the connection. */
void peek_start(struct connection *connection, const struct sockaddr_in6 *original, int upstream_fd,
                uint32_t timeout_ms);
void peek_ready(struct connection *connection, uint32_t events);
void peek_expired(struct connection *connection);
/* For splice.c. The original server was first to speak, or left: no more looking. server_name: what was found until
 * then. */
void peek_pass_on(struct connection *connection, const char *server_name);
/* Nobody answers at the original address: the program may still name a governed server, but not for ever. */
void peek_limit(struct connection *connection);

/* splice.c */
struct splice *splice_new(struct connection *connection, const struct sockaddr_in6 *original, int upstream_fd);
/* Remembers how many bytes a look found; true when there are more than the last time. */
bool splice_has_more(struct splice *splice, size_t bytes);
/* Connects to the original address, unless that was begun by another, and tells peek.c what comes of it. The program's
 * socket is left alone. */
void splice_start(struct splice *splice);
bool splice_is_started(const struct splice *splice);
const struct sockaddr_in6 *splice_original(const struct splice *splice);
/* Passes bytes on, started or not; the program's socket may be watched by nobody else. */
void splice_take(struct splice *splice);
void splice_expired(struct splice *splice);
/* Lets go of both sockets and closes the original one. */
void splice_close(struct splice *splice, bool abort);
void splice_free(struct splice *splice); /* closed, or never started; NULL is fine */

/* accept.c, for peek.c: the governed name that is equal, NULL when there is none; and on with TLS under it. */
const char *listener_find_name(const struct listener *listener, const char *name);
void listener_secure(struct connection *connection, const char *name);

/* listener.c, for connection.c: the handshake is complete (false: close), failed, or the connection is gone. */
bool listener_established(struct connection *connection);
void listener_failed(struct connection *connection, const char *why);
void listener_passed_on(struct connection *connection, const struct sockaddr_in6 *original, const char *server_name);
bool listener_is_held(struct connection *connection);
void listener_released(struct connection *connection);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to providers: libcurl's multi_socket interface on our loops. The only folder that includes <curl/…>.
 * HTTP/1.1 with keep-alive, TLS ≥ 1.2 always verified, no redirects, nothing ever sent twice (a POST that libcurl would
 * resend on a dropped connection fails instead), loopback and private addresses refused unless the request is `local`.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/slice.h"
#include "http/http.h"
#include "net/net.h"

#include <stdatomic.h>

struct upstream; /* one per loop */
struct upstream_transfer;

struct upstream *upstream_new(struct loop *loop);
void upstream_free(struct upstream *upstream); /* cancels what runs */

struct upstream_request {
    const char *method;              /* POST */
    const char *url;                 /* https://host/path?query */
    const struct http_field *fields; /* ready to send: no hop-by-hop, no Host, no Content-Length, no key */
    size_t field_count;
    const char *key_field;    /* "authorization", "x-api-key", …; NULL: no key */
    const struct secret *key; /* revealed only into libcurl's header list; "Bearer " is put before for authorization */
    struct slice body;        /* must live until `done` */
    bool is_stream;           /* asks for a stream of events: many may wait at once, so each with a smaller buffer */
    const char *ca_file;      /* NULL: system roots */
    bool local;
    uint32_t connect_timeout_ms;
    uint32_t timeout_ms; /* to the first byte of the answer, and between bytes of it */
};

/* How a transfer ended. */
struct upstream_result {
    enum error error;     /* OK: the answer is complete */
    bool bytes_were_sent; /* false: proof that no byte of the request left (resolve, connect, TLS failed) */
    bool head_was_received;
    int64_t connect_ns, first_byte_ns, total_ns; /* durations since start */
    char detail[160];                            /* for log and event: no URL query, no header values */
};

struct upstream_handler {
    /* The answer's head: once, before any body. Fields valid during the call. Not called for 1xx. */
    void (*head)(void *context, int status, const struct http_field *fields, size_t count);
    /* Body bytes. Returns false: pause (these bytes are kept by the transfer and come again after upstream_resume). */
    bool (*body)(void *context, struct slice bytes);
    /* Exactly once, unless cancelled. The transfer is gone after. */
    void (*done)(void *context, const struct upstream_result *result);
};

/* Starts; callbacks come later, on the loop, never from inside this call. The request struct and its fields may go
 * after the call (body excepted). */
struct upstream_transfer *upstream_start(struct upstream *upstream, const struct upstream_request *request,
                                         const struct upstream_handler *handler, void *context);
void upstream_resume(struct upstream_transfer *transfer);
/* Ends it now, no further callback; closes its connection. Returns what is known: *ret_result (error CLIENT_GONE). */
void upstream_cancel(struct upstream_transfer *transfer, struct upstream_result *ret_result);

/* Loopback, private, link-local, unique-local, multicast, reserved: never a provider's. */
bool upstream_is_forbidden_address(const struct sockaddr *address);

/* ---- webhook.c: one small POST that waits, for threads that are no loop ---- */
struct upstream_webhook {
    const char *url;             /* https; http too when `local` */
    const char *ca_file;         /* NULL: system roots */
    bool local;                  /* may be at a loopback or private address */
    struct slice body;           /* JSON */
    const char *delivery;        /* tollgate-delivery: the same when it is tried again, so that a receiver can tell */
    const struct secret *secret; /* tollgate-signature: t=UNIX,v1=HEX, HMAC-SHA256 over "t.body"; NULL: unsigned */
    int64_t time_s;              /* t: now, so that a receiver can refuse what is old */
    uint32_t timeout_ms;         /* for all of it */
    const atomic_bool *is_cancelled; /* set from another thread: it ends within a second. NULL: never */
};
/* ERROR_OK: the receiver answered 2xx. A redirect is not followed, the answer's body is not read. Otherwise an error of
 * the upstream ones, *ret_status the answer's status (0: there was none), and `why` in words without the URL's query.
 */
enum error upstream_post_webhook(const struct upstream_webhook *webhook, int *ret_status, char *why,
                                 size_t why_bytes) MUST_USE;

#endif

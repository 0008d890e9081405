/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of upstream/ share: the structs behind upstream.h and who may call libcurl when. libcurl must not be
 * entered from inside its own callbacks, so everything that a handler may ask for from there (start, resume, cancel)
 * is put on a list and done by upstream_settle, once libcurl has returned. Nobody outside this folder includes it.
 */
#ifndef UPSTREAM_INTERNAL_H
#define UPSTREAM_INTERNAL_H

#include "base/buffer.h"
#include "base/list.h"
#include "upstream/upstream.h"

#include <curl/curl.h>

enum {
    HEAD_BYTES_MAX = 64 << 10,
    HEAD_FIELDS_MAX = 200,
    REQUEST_FIELDS_MAX = 256,
    /* libcurl sends smaller bodies in one piece with the head (its own limit is 64 KiB). */
    SMALL_BODY_BYTES_MAX = 60 << 10,
};

struct upstream_proxy {
    char *url;      /* NULL: none */
    char *no_proxy; /* list of names that go directly; "" when none */
};

enum { OPEN_SOCKETS_MAX = 256 };

struct open_socket {
    int fd;
    uint16_t port; /* local, 0 until connected */
};

struct upstream {
    struct loop *loop;
    CURLM *multi;
    CURLSH *sessions;      /* TLS sessions, shared by all transfers of this loop */
    unsigned depth;        /* > 0: inside libcurl */
    struct timer timeout;  /* libcurl's */
    struct timer wake;     /* runs upstream_settle and resumes soon, from the loop */
    struct list transfers; /* every one that is not in the pool, by `node` */
    struct list pool;      /* by `node`: easy handles that keep their options */
    unsigned pool_count;
    struct list starting, failed, resuming, cancelled; /* by `action` */
    struct list idle_sockets;                          /* struct upstream_socket that watch nothing now */
    struct upstream_proxy proxy;
    const char *system_ca_file;
    struct open_socket open_sockets[OPEN_SOCKETS_MAX]; /* sockets.c */
    unsigned open_count;
};

enum transfer_state {
    TRANSFER_IDLE,      /* in the pool */
    TRANSFER_WAITING,   /* to be added to libcurl, or to fail, later */
    TRANSFER_RUNNING,   /* libcurl has it */
    TRANSFER_CANCELLED, /* libcurl still has it, every callback refuses */
    TRANSFER_ENDED,     /* inside its own `done` */
};

struct upstream_transfer {
    struct upstream *upstream;
    struct list node, action;
    CURL *easy;
    enum transfer_state state;
    struct upstream_handler handler;
    void *context;

    /* The request. */
    struct slice body;
    size_t body_offset;
    bool is_local, uses_proxy;
    uint32_t timeout_ms;
    char host[128]; /* for detail texts */
    char *lines;    /* the header lines, NUL-terminated, key included: wiped after use */
    size_t lines_length, lines_capacity;
    struct curl_slist nodes[REQUEST_FIELDS_MAX];

    /* What the easy handle was last told, so that it is not told again. */
    bool options_local;
    long options_connect_timeout_ms, options_send_buffer_bytes, options_receive_buffer_bytes;
    char *options_ca_file, *options_method, *options_proxy;

    /* What happened. */
    bool has_opened, was_sent, was_resent, is_stale, head_received, is_paused;
    bool has_body, is_spared; /* the answer's first piece has come; TLS has given back what it does not need */
    enum error refusal;       /* why one of our callbacks stopped it */
    struct buffer head;
    int64_t started_ns, connected_ns, first_byte_ns, active_ns;
    struct timer idle;
    char error_text[CURL_ERROR_SIZE];
};

/* ---- upstream.c ---- */
/* Does what handlers asked for while libcurl ran, and tells `done`. Only from the loop, never inside libcurl. */
void upstream_settle(struct upstream *upstream);
void upstream_wake(struct upstream *upstream);
void upstream_init_library(void); /* once, whoever comes first */
const char *upstream_system_ca_file(void);

/* ---- sockets.c ---- */
void sockets_add(struct upstream *upstream, int fd);
int sockets_close(void *context, curl_socket_t fd); /* CURLOPT_CLOSESOCKETFUNCTION */
/* Looks up the local ports of sockets that have connected since. */
void sockets_name(struct upstream *upstream);
/* Something is readable on the connection of that local port, before we asked: its end, or no answer of ours. A race
 * remains, and then the request fails rather than go out twice. */
bool sockets_has_ended(const struct upstream *upstream, int local_port);

/* ---- transfer.c ---- */
struct upstream_transfer *transfer_take(struct upstream *upstream);
void transfer_give_back(struct upstream_transfer *transfer);
void transfer_free(struct upstream_transfer *transfer);
/* Hands it to libcurl. */
void transfer_add(struct upstream_transfer *transfer);
/* Tells `done` and recycles it. */
void transfer_finish(struct upstream_transfer *transfer, CURLcode code);
void transfer_unpause(struct upstream_transfer *transfer);
/* The last word on a transfer. `code` CURLE_OK and no refusal: complete. */
void transfer_fill_result(struct upstream_transfer *transfer, CURLcode code, struct upstream_result *ret_result);

/* ---- options.c ---- */
/* What all requests have in common. */
void options_set_common(struct upstream_transfer *transfer);
/* ERROR_HTTP_MALFORMED, ERROR_NO_SECRET: the request cannot be sent as it is. */
enum error options_set_request(struct upstream_transfer *transfer, const struct upstream_request *request) MUST_USE;

/* ---- fields.c ---- */
/* Builds transfer->nodes; *ret_first is what CURLOPT_HTTPHEADER wants. */
enum error fields_build(struct upstream_transfer *transfer, const struct upstream_request *request,
                        struct curl_slist **ret_first) MUST_USE;
void fields_wipe(struct upstream_transfer *transfer);

/* memory.c: curl_global_init with an allocator that wipes. */
bool memory_init_library(void) MUST_USE;

/* ---- answer.c: libcurl's callbacks while a transfer runs ---- */
size_t answer_take_line(char *bytes, size_t size, size_t count, void *context);
size_t answer_take_body(char *bytes, size_t size, size_t count, void *context);
size_t request_read_body(char *bytes, size_t size, size_t count, void *context);
int request_before_send(void *context, char *remote, char *local, int remote_port, int local_port);
curl_socket_t request_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address);

/* ---- head.c ---- */
/* Parses a whole head. Returns the status, or 0 when it is malformed. Fields point into `head`. */
int upstream_parse_head(struct slice head, struct http_field fields[HEAD_FIELDS_MAX], size_t *ret_count);

/* ---- address.c, with upstream_is_forbidden_address ---- */
bool address_text_is_forbidden(const char *text);

/* ---- proxy.c ---- */
void proxy_read_environment(struct upstream_proxy *ret_proxy);
void proxy_done(struct upstream_proxy *proxy);
/* The proxy for https to that host, "" for none. */
const char *proxy_choose(const struct upstream_proxy *proxy, const char *host);

#endif

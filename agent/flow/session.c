/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session is the HTTP side of one connection: it owns the parser, knows the peer, and runs one exchange at a time.
 * The connection's callbacks end here. An exchange leaves its session when its answer is written; its tail (settle,
 * record) goes on without one.
 */
#include "flow/exchange.h"

#include "base/check.h"

#include <stdlib.h>

struct session {
    struct list link; /* of worker->sessions */
    struct flow_worker *worker;
    struct connection *connection; /* NULL once closed */
    const char *name;              /* the governed host name */
    struct http_parser *parser;
    struct settings *settings; /* those of the connection's start: limits */
    struct settings *admitted; /* those under which its user was let in last */
    struct identity_peer peer;
    struct identity_claim claim;
    bool has_claim;
    struct exchange *exchange; /* that owns the connection now */
    struct session_input input;
    struct timer timer; /* head, body, or keep-alive: whatever we wait for */
    uint64_t taken;     /* between exchanges: session_taken_bytes when it was last waited for */
    uint32_t wait_ms;   /* what the timer shall be set to when reading ends; 0: not at all */
    bool wait_is_new;
    bool is_reading, has_ended, must_close;
    bool has_head;     /* of the request that comes in */
    bool said_close;   /* the answer that was written last */
    bool is_lingering; /* a drain waits for the next request, as nobody has told the program that there can be none */
};

enum { LINGER_MS = 300 };

static void session_free(struct session *session)
{
    timer_disarm(session->worker->loop, &session->timer);
    list_remove(&session->link);
    http_parser_free(session->parser);
    config_release(session->settings);
    config_release(session->admitted);
    free(session);
}

static void set_timer(struct session *session)
{
    session->wait_is_new = false;
    if (session->wait_ms)
        timer_arm(session->worker->loop, &session->timer, session->wait_ms);
    else
        timer_disarm(session->worker->loop, &session->timer);
}

/* 0: for ever. While a request is read, what is waited for changes four times; the last one counts. */
static void wait_at_most(struct session *session, uint32_t delay_ms)
{
    session->wait_ms = delay_ms;
    session->wait_is_new = true;
    if (!session->is_reading)
        set_timer(session);
}

static void linger(struct session *session)
{
    session->is_lingering = true;
    session->worker->lingering++;
    wait_at_most(session, LINGER_MS);
}

static void stop_lingering(struct session *session)
{
    session->worker->lingering -= session->is_lingering;
    session->is_lingering = false;
}

/* False: the session is gone. */
static bool end_reading(struct session *session)
{
    session->is_reading = false;
    if (!session->connection) {
        session_free(session);
        return false;
    }
    if (session->wait_is_new)
        set_timer(session);
    return true;
}

/* The program reads on, slowly, what is left of an answer: that is not idle. */
static bool is_reading_on(struct session *session)
{
    uint64_t before = session->taken;
    session->taken = session_taken_bytes(session);
    return connection_pending_bytes(session->connection) > 0 && session->taken != before;
}

/* What we waited for did not come. An idle connection is closed silently, a half request gets its 408. */
static void session_expired(struct timer *timer)
{
    struct session *session = list_entry(timer, struct session, timer);
    struct exchange *exchange = session->exchange;
    if (!exchange && is_reading_on(session)) {
        wait_at_most(session, session->is_lingering ? LINGER_MS : session->settings->limits.keepalive_timeout_ms);
        return;
    }
    if (!exchange) {
        struct flow_worker *worker = session->worker;
        stop_lingering(session);
        connection_finish(session->connection); /* which may be the session's end */
        flow_look_drained(worker);
        return;
    }
    check(exchange->step == STEP_receive);
    exchange->error = ERROR_HTTP_TIMEOUT;
    session->is_reading = true; /* keeps the session alive while the exchange ends */
    flow_run(exchange);
    end_reading(session);
}

/* An open connection is no right to go on: a reload may have taken its user off the list. Looked up once for each. */
static bool is_still_welcome(struct session *session)
{
    struct settings *settings = session->worker->services->retain_settings(session->worker->services->context);
    const bool is_welcome = settings == session->admitted || admit_again(settings, session->peer.uid);
    config_release(is_welcome ? session->admitted : settings);
    if (is_welcome)
        session->admitted = settings;
    return is_welcome;
}

static size_t session_readable(void *context, struct slice bytes)
{
    struct session *session = context;
    size_t taken = 0;
    if (session->is_reading)
        return 0;
    session->is_reading = true;
    while (taken < bytes.length && session->connection && !session->must_close) {
        if (session->exchange && session->exchange->step != STEP_receive)
            break; /* one request at a time; the rest is offered again */
        if (!session->exchange && !is_still_welcome(session)) {
            connection_close(session->connection, true);
            break;
        }
        if (!session->exchange) {
            stop_lingering(session);
            session->exchange = exchange_new(session->worker, session);
            wait_at_most(session, session->worker->is_draining ? LINGER_MS : session->settings->limits.head_timeout_ms);
        }
        session->input = (struct session_input){slice_from(bytes, taken), 0};
        flow_run(session->exchange);
        taken += session->input.taken;
        if (!session->input.taken)
            break;
    }
    return end_reading(session) && !session->must_close ? taken : bytes.length;
}

static void session_writable(void *context)
{
    struct session *session = context;
    if (session->exchange)
        relay_writable(session->exchange);
}

/* A half-close is legal: an answer under way is still written. Nothing more can come. */
static void session_ended(void *context)
{
    struct session *session = context;
    session->has_ended = true;
    if (!session->exchange || session->exchange->step == STEP_receive)
        connection_close(session->connection, false);
}

static void session_closed(void *context)
{
    struct session *session = context;
    session->connection = NULL;
    struct exchange *exchange = session->exchange;
    session->exchange = NULL;
    bool was_reading = session->is_reading;
    session->is_reading = true;
    stop_lingering(session);
    if (exchange)
        exchange_client_gone(exchange);
    flow_look_drained(session->worker);
    session->is_reading = was_reading;
    if (!session->is_reading)
        session_free(session);
}

static const struct connection_handler session_handler = {session_readable, session_writable, session_ended,
                                                          session_closed};

void session_release(struct session *session, bool abort)
{
    struct connection *connection = session->connection;
    session->exchange = NULL;
    session->has_head = false;
    http_parser_reset(session->parser);
    if (!connection)
        return;
    const bool must_linger =
        !abort && !session->must_close && !session->has_ended && !session->said_close && session->worker->is_draining;
    if (must_linger) {
        linger(session);
    } else if (abort || session_will_close(session)) {
        session->must_close = true;
        wait_at_most(session, 0);
        if (abort)
            connection_close(connection, true);
        else
            connection_finish(connection);
        return;
    }
    if (!must_linger)
        wait_at_most(session, session->settings->limits.keepalive_timeout_ms);
    if (!session->is_reading)
        connection_resume(connection);
}

struct connection *session_connection(struct session *session)
{
    return session->connection;
}

const char *session_name(const struct session *session)
{
    return session->name;
}

bool session_is_base_url(const struct session *session)
{
    return connection_is_plain(session->connection);
}

struct session_input *session_input(struct session *session)
{
    return &session->input;
}

struct http_parser *session_parser(struct session *session)
{
    return session->parser;
}

struct identity_claim *session_claim(struct session *session)
{
    return session->has_claim ? &session->claim : NULL;
}

void session_set_claim(struct session *session, const struct identity_claim *claim)
{
    session->claim = *claim;
    session->has_claim = true;
}

const struct identity_peer *session_peer(const struct session *session)
{
    return &session->peer;
}

uint64_t session_taken_bytes(const struct session *session)
{
    const struct connection_peer *ends = connection_peer(session->connection);
    uint64_t delivered = connection_delivered_bytes(session->connection); /* before: what is read in between counts */
    struct identity_peer peer;
    if (identity_find_peer(&ends->remote, &ends->local, &peer))
        return delivered;
    return delivered > peer.unread_bytes ? delivered - peer.unread_bytes : 0;
}

void session_must_close(struct session *session)
{
    session->must_close = true;
}

bool session_will_close(const struct session *session)
{
    return session->must_close || session->has_ended || session->worker->is_draining;
}

void session_note_head(struct session *session, bool says_close)
{
    session->said_close = says_close;
}

void session_wait_for_body(struct session *session)
{
    session->has_head = true;
    wait_at_most(session, session->settings->limits.body_idle_timeout_ms);
}

void session_listen(struct session *session)
{
    wait_at_most(session, 0);
}

/* ---- the listener's side ---- */

static struct flow_worker *find_worker(const struct flow_workers *workers, const struct loop *loop)
{
    for (unsigned i = 0; i < workers->count; i++)
        if (workers->rows[i]->loop == loop)
            return workers->rows[i];
    check_panic("loop without worker", __FILE__, __LINE__);
}

static bool flow_accepted(void *context, struct connection *connection, const char *name, bool *ret_wait)
{
    (void)name;
    struct flow_worker *worker = find_worker(context, connection_loop(connection));
    *ret_wait = false;
    return !worker->is_draining && admit_connection(worker, connection);
}

static void flow_released(void *context, uint32_t owner)
{
    (void)context;
    admit_release(owner);
}

/* An address of the set says by its stand-in what the program asked for, any other by its supervisor's announcement. */
static bool flow_redirected(void *context, struct connection *connection, struct sockaddr_in6 *ret_original,
                            int *ret_upstream_fd)
{
    struct flow_worker *worker = find_worker(context, connection_loop(connection));
    const struct flow_services *services = worker->services;
    const struct connection_peer *ends = connection_peer(connection);
    struct identity_peer peer;
    if (services->find_original(services->context, ntohl(ends->local.sin_addr.s_addr), ret_original))
        return true;
    return identity_find_peer(&ends->remote, &ends->local, &peer) == ERROR_OK &&
           identity_take_redirect(services->identity, &peer, ret_original, ret_upstream_fd);
}

static void flow_passed_on(void *context, struct connection *connection, const struct sockaddr_in6 *original,
                           const char *server_name)
{
    const struct flow_services *services = find_worker(context, connection_loop(connection))->services;
    const struct connection_peer *ends = connection_peer(connection);
    struct identity_peer peer;
    if (identity_find_peer(&ends->remote, &ends->local, &peer) == ERROR_OK)
        services->passed_on(services->context, &peer, original, server_name);
}

static bool flow_is_held(void *context, struct connection *connection)
{
    (void)context;
    const struct connection_peer *ends = connection_peer(connection);
    struct identity_peer peer;
    return identity_find_peer(&ends->remote, &ends->local, &peer) != ERROR_PEER_UNKNOWN;
}

static bool flow_established(void *context, struct connection *connection, const char *name)
{
    struct flow_worker *worker = find_worker(context, connection_loop(connection));
    struct identity_peer peer;
    if (worker->is_draining || !admit_peer(worker, connection, &peer))
        return false;
    struct session *session = calloc(1, sizeof *session);
    check(session != NULL);
    session->worker = worker;
    session->connection = connection;
    session->name = name;
    session->peer = peer;
    session->settings = worker->services->retain_settings(worker->services->context);
    session->admitted = config_retain(session->settings);
    const struct http_limits limits = {
        session->settings->limits.head_bytes_max, session->settings->limits.request_line_bytes_max,
        session->settings->limits.fields_max, session->settings->limits.body_bytes_max, session_is_base_url(session)};
    session->parser = http_parser_new(&limits);
    session->timer.expired = session_expired;
    list_append(&worker->sessions, &session->link);
    connection_set_handler(connection, &session_handler, session);
    wait_at_most(session, session->settings->limits.head_timeout_ms);
    return true;
}

static void flow_failed(void *context, const struct connection_peer *peer, const char *why)
{
    (void)context;
    log_event(EVENT_CONNECTION_FAILED, NULL, "port %u: %s", (unsigned)ntohs(peer->remote.sin_port), why);
}

static void flow_fds_exhausted(void *context)
{
    (void)context;
    log_event(EVENT_FDS_EXHAUSTED, NULL, "open connections live on");
}

struct listener_handler flow_listener_handler(struct flow_workers *workers)
{
    return (struct listener_handler){.accepted = flow_accepted,
                                     .redirected = flow_redirected,
                                     .passed_on = flow_passed_on,
                                     .is_held = flow_is_held,
                                     .established = flow_established,
                                     .released = flow_released,
                                     .failed = flow_failed,
                                     .fds_exhausted = flow_fds_exhausted,
                                     .context = workers};
}

/* ---- the worker ---- */

struct flow_worker *flow_worker_new(struct loop *loop, const struct flow_services *services)
{
    struct flow_worker *worker = calloc(1, sizeof *worker);
    check(worker != NULL);
    worker->loop = loop;
    worker->services = services;
    worker->upstream = upstream_new(loop);
    list_init(&worker->exchanges);
    list_init(&worker->sessions);
    buffer_init(&worker->scratch, 1u << 22);
    worker->piece = malloc(FLOW_PIECE_BYTES);
    check(worker->piece);
    return worker;
}

void flow_worker_free(struct flow_worker *worker)
{
    check(list_is_empty(&worker->exchanges));
    upstream_free(worker->upstream);
    buffer_done(&worker->scratch);
    config_release(worker->cache_settings);
    free(worker->piece);
    free(worker);
}

void flow_worker_drain(struct flow_worker *worker, void (*drained)(void *context), void *context)
{
    worker->is_draining = true;
    list_for_each_safe(node, &worker->sessions)
    {
        struct session *session = list_entry(node, struct session, link);
        if (!session->exchange)
            linger(session); /* a request may be on its way: nobody has said that it comes too late */
        else if (session->exchange->step == STEP_receive && !session->has_head)
            wait_at_most(session, LINGER_MS); /* for the rest of its head */
    }
    worker->drained = drained;
    worker->drained_context = context;
    flow_look_drained(worker);
}

void flow_worker_abort(struct flow_worker *worker)
{
    list_for_each_safe(node, &worker->exchanges)
    {
        struct exchange *exchange = list_entry(node, struct exchange, link);
        exchange->is_aborted = true;
        exchange->is_cut = !exchange->is_client_gone;
    }
    list_for_each_safe(node, &worker->sessions)
        connection_close(list_entry(node, struct session, link)->connection, true);
    /* What remains is read for nobody of ours, or for those who share it. Who waits for the ledger alone goes on by
     * itself. */
    for (unsigned budget = 100000; budget > 0; budget--) {
        struct exchange *left = NULL;
        list_for_each(node, &worker->exchanges)
        {
            struct exchange *exchange = list_entry(node, struct exchange, link);
            if (!exchange->session && exchange->attempt_count && exchange_attempt(exchange)->transfer)
                left = exchange;
        }
        if (!left)
            break;
        exchange_client_gone(left);
    }
}

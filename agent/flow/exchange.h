/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange: one request and all that is known about it. One field per step of steps.def, filled by that step alone.
 * Private to flow/.
 */
#ifndef FLOW_EXCHANGE_H
#define FLOW_EXCHANGE_H

#include "base/arena.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "budget/budget.h"
#include "dialect/dialect.h"
#include "flow/flow.h"
#include "http/http.h"
#include "policy/policy.h"
#include "prices/prices.h"

enum step {
#define STEP(name, is_tail) STEP_##name,
#include "flow/steps.def"
#undef STEP
    STEP_COUNT
};

/* What a step answers. */
enum outcome {
    OUTCOME_NEXT,   /* the step is done */
    OUTCOME_WAIT,   /* something will call flow_run again, and the step goes on */
    OUTCOME_AGAIN,  /* this attempt failed before its first byte: back to reserve with the next target */
    OUTCOME_ANSWER, /* a response exists: go to relay */
    OUTCOME_FAIL,   /* exchange->error says why: answer it, then the tail */
};

enum { ATTEMPTS_MAX = 3 };

/* One try at one target: its own hold, transfer, usage and basis. */
struct attempt {
    struct exchange *exchange;
    const struct target *target;     /* NULL: passed to the called provider */
    const struct provider *provider; /* who is asked and paid */
    const char *model;               /* as sent */
    struct price_quote quote;
    bool is_priced;
    struct {                                           /* how the hold was found */
        uint64_t input_tokens, output_tokens, choices; /* output: per choice, as asked or the model's maximum */
        uint64_t output_tokens_least;                  /* the clamp goes no lower; 0: this request is not clamped */
        const char *service_tier;
        bool is_learned; /* the input is not the hard bound, but what was learned */
    } bound;
    const struct budget *budgets[WALLET_BUDGETS_MAX]; /* that count it, rows of reserve.budgets */
    struct budget_window windows[WALLET_BUDGETS_MAX];
    struct money hold;
    struct wallet_operation reserve, resolve; /* resolve: the settle or void */
    enum attempt_phase { ATTEMPT_NEW, ATTEMPT_RESERVING, ATTEMPT_ANSWERED, ATTEMPT_FAILED } phase;
    bool is_held, is_resolved, is_loaded; /* loaded: counted in routing's load */
    bool hold_exceeded;                   /* the usage cost more than the hold */
    /* forward */
    struct upstream_transfer *transfer;
    struct upstream_result result;
    bool is_done; /* result is valid */
    int status;   /* of the provider's answer, 0 before its head */
    /* relay, settle */
    struct usage usage;
    enum usage_source usage_source;
    enum wallet_basis basis;
    struct money charge;
};

/* How the answer goes to the program. */
enum relay_mode { RELAY_BUFFERED, RELAY_LENGTH, RELAY_CHUNKED };

struct step_note {
    enum outcome outcome;
    int64_t since_start_ns; /* when it was left */
    const char *text;       /* its decision in words, NULL when obvious */
    bool was_run;
};

struct session;

struct exchange {
    struct list link; /* of worker->exchanges */
    struct arena *arena;
    struct flow_worker *worker;
    struct session *session; /* NULL once the answer is complete or the client is gone */
    struct settings *settings;
    struct id id;
    char id_text[ID_TEXT_MAX];
    int64_t started_wall_ns, started_ns;
    enum step step;
    bool is_running; /* flow_run is on the stack */
    struct step_note notes[STEP_COUNT];
    enum error error;
    const char *error_detail; /* English, arena; what the client may read */
    bool is_client_gone, is_aborted;

    struct http_request *request; /* receive */
    const char *host;             /* the governed name that was called */
    const struct provider *provider;
    bool is_catalogued; /* provider is a row of the catalogue */
    const struct dialect *dialect;

    struct principal { /* identify */
        struct identity_peer peer;
        struct identity_claim claim;
        struct group_answer group;
        struct slice key; /* what the program brought */
        const char *wallet;
    } principal;
    struct identity_lookup lookup;

    const struct endpoint *endpoint; /* authorize */
    struct request_facts facts;
    struct policy_verdict verdict;

    struct route route; /* route */

    struct { /* reserve: what will be sent, per attempt */
        struct slice body;
        bool hides_usage;
        int64_t output_tokens_max; /* -1: none is sent */
        int64_t clamped_to;        /* output_tokens_max where less was granted than asked for; -1: it was not */
    } outgoing;
    struct attempt attempts[ATTEMPTS_MAX];
    unsigned attempt_count;
    struct money wallet_available; /* after the last reserve */

    struct { /* forward: the answer's head */
        int status;
        struct http_field *fields;
        size_t field_count;
        bool is_event_stream;
        int64_t content_length; /* -1 unknown */
    } answer;

    struct { /* relay */
        struct meter meter;
        bool is_metered, is_started, head_written, is_blocked, is_complete, is_draining;
        enum relay_mode mode;
        struct buffer out;
        struct timer drain_timer;
    } relay;

    struct { /* settle */
        struct money charge;
        unsigned waiting;
        bool is_started, alarm;
    } charge;
    uint64_t load_estimate; /* tokens counted in routing's load */
    int status_sent;        /* what the program saw, 0 when nothing */
    uint64_t answer_bytes;
};

/* The worker and its open exchanges. */
struct flow_worker {
    struct loop *loop;
    const struct flow_services *services;
    struct upstream *upstream;
    struct list exchanges, sessions;
    struct buffer scratch; /* framing of one write */
    unsigned drains;
    bool is_draining;
    void (*drained)(void *context);
    void *drained_context;
};

/* flow.c */
void flow_run(struct exchange *exchange);
struct exchange *exchange_new(struct flow_worker *worker, struct session *session);
/* Sets the error and its detail (printf into the arena) and returns OUTCOME_FAIL. */
enum outcome exchange_fail(struct exchange *exchange, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The decision of the current step in words. */
void exchange_note(struct exchange *exchange, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct attempt *exchange_attempt(struct exchange *exchange); /* the current one */
/* The program is gone: abort or drain, by policy. */
void exchange_client_gone(struct exchange *exchange);
/* The provider's side of a client that left: the answer is drained, or the transfer ends (attempt->is_done). */
void exchange_leave(struct exchange *exchange);
const char *flow_step_name(unsigned step);
const char *flow_outcome_name(enum outcome outcome);

/* one per step */
#define STEP(name, is_tail) enum outcome step_##name(struct exchange *exchange);
#include "flow/steps.def"
#undef STEP

/* answer.c: the program's side of an error, and the fields every answer carries. */
void answer_error(struct exchange *exchange);
size_t answer_add_fields(struct exchange *exchange, struct http_field *fields, size_t count, bool with_cost);
enum { ANSWER_FIELDS_MAX = 12 }; /* how many it may add */

/* relay.c */
bool relay_body(struct exchange *exchange, struct slice bytes);
void relay_writable(struct exchange *exchange);

/* bound.c: what this attempt can cost at most. The quote, the bound, and of its reserve: amount, amount_min, floor.
 * PRICE_UNKNOWN, AMOUNT_OVERFLOW. */
enum error bound_find(struct exchange *exchange, struct attempt *attempt) MUST_USE;
/* The greatest output limit whose bound is within what was granted (at least amount_min). */
int64_t bound_find_limit(const struct attempt *attempt, struct money granted);
/* The usage is known: what `hold: learned` learns from it. */
void bound_learn(const struct exchange *exchange, const struct attempt *attempt);

/* budgets.c: those that count this attempt, and their windows of now, into its reserve. */
void budgets_match(struct exchange *exchange, struct attempt *attempt);
/* A hard budget that has nothing left, for a call that nothing is held for; -1: none. */
int budgets_find_empty(const struct exchange *exchange, const struct attempt *attempt);

/* refusal.c: no money: why, what is left, what was needed, the command that helps. `needed` NULL: not known. */
enum outcome refuse_reserve(struct exchange *exchange, struct attempt *attempt, enum error error);
enum outcome refuse_wallet(struct exchange *exchange, struct money left, const char *needed);
enum outcome refuse_budget(struct exchange *exchange, const struct attempt *attempt, int index, struct money left,
                           const char *needed);

/* settle.c: attempt->charge from what is known of its usage. Idempotent. */
void settle_compute_charge(struct exchange *exchange, struct attempt *attempt);

/* session.c */
void session_listen(struct session *session); /* goes on reading after an exchange */
struct connection *session_connection(struct session *session);
const char *session_name(const struct session *session);
struct session_input {
    struct slice bytes;
    size_t taken;
};
struct session_input *session_input(struct session *session);
struct http_parser *session_parser(struct session *session);
/* The claim of this connection's process, once it is known. NULL before. */
struct identity_claim *session_claim(struct session *session);
void session_set_claim(struct session *session, const struct identity_claim *claim);
const struct identity_peer *session_peer(const struct session *session);
void session_must_close(struct session *session); /* after this answer */
bool session_will_close(const struct session *session);
/* The exchange no longer needs the program's connection: it may send its next request, or is closed. `abort`: cut. */
void session_release(struct session *session, bool abort);
void session_wait_for_body(struct session *session);

#endif

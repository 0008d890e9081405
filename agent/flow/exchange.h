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
#include "cache/cache.h"
#include "dialect/dialect.h"
#include "flow/flow.h"
#include "http/http.h"
#include "policy/policy.h"
#include "prices/prices.h"
#include "translate/translate.h"

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

/* The request as one api has it: as it came (redacted where a rule says so), or translated. See renditions.c. */
struct rendition {
    const struct dialect *dialect;
    const struct endpoint *endpoint;
    struct slice body;
    struct request_facts facts;
    bool is_translated;
    struct translate_facts translation;
    enum error error; /* it cannot be had: `problem` says why */
    const char *problem;
};
/* Those that a request may be translated to; chat has two names for the limit of the output. */
enum rendition_kind { RENDITION_CHAT, RENDITION_CHAT_MAX_TOKENS, RENDITION_MESSAGES, RENDITION_COUNT };

/* What a request can cost at most at one target, and how that was found. See bound.c. */
struct bound {
    struct price_quote quote;
    struct price_bound most;
    struct money cost, cost_least, floor; /* least: with its output clamped to output_tokens_least; floor: its input */
    uint64_t output_tokens_least;         /* the clamp goes no lower; 0: this request is not clamped */
    bool is_learned;                      /* the input is not the hard bound, but what was learned */
};

/* One try at one target: its own hold, transfer, usage and basis. */
struct attempt {
    struct exchange *exchange;
    const struct target *target;       /* NULL: passed to the called provider */
    const struct provider *provider;   /* who is asked and paid */
    const char *model;                 /* as sent */
    const struct rendition *rendition; /* the request as this target wants it */
    struct slice body;                 /* the rendition's with what this target and the policy change in it */
    struct slice path;
    bool asks_usage; /* stream_options were injected: the program shall not see what comes of it */
    bool is_plain;   /* they are not, since the target refused them */
    bool is_priced;
    struct bound bound;
    const struct budget *budgets[WALLET_BUDGETS_MAX]; /* that count it, rows of reserve.budgets */
    struct budget_window windows[WALLET_BUDGETS_MAX];
    struct money hold;
    struct wallet_operation reserve, resolve; /* resolve: the settle or void */
    enum attempt_phase { ATTEMPT_NEW, ATTEMPT_RESERVING, ATTEMPT_ANSWERED, ATTEMPT_FAILED } phase;
    bool is_held, is_resolved;
    uint64_t ticket;        /* counted in routing's load; 0: not, or no longer */
    bool is_deferred;       /* its hold became a job's */
    bool is_job_end;        /* its answer ended a job: that hold is resolved */
    bool is_undeferrable;   /* the ledger would not have it */
    uint64_t load_estimate; /* tokens counted there */
    bool hold_exceeded;     /* the usage cost more than the hold */
    /* forward */
    struct upstream_transfer *transfer;
    struct upstream_result result;
    bool is_done;       /* result is valid */
    int status;         /* of the provider's answer, 0 before its head */
    bool is_looking;    /* an error's body is held back: it decides whether another target is asked */
    struct buffer look; /* that body */
    enum attempt_failure {
        FAILURE_NONE,
        FAILURE_TARGET,        /* refused, cut, timed out, overloaded: counts for its breaker */
        FAILURE_MODEL_MISSING, /* it does not know the model */
        FAILURE_WINDOW,        /* the request is too long for it */
        FAILURE_STREAM_OPTIONS /* it takes no stream_options: asked again without */
    } failure;
    /* relay, settle */
    struct usage usage;
    enum usage_source usage_source;
    enum wallet_basis basis;
    struct money charge;
};

/* How the answer goes to the program. */
enum relay_mode {
    RELAY_BUFFERED,
    RELAY_LENGTH,
    RELAY_CHUNKED,
    RELAY_BODILESS, /* by its method or status: ends with its head (RFC 9112 section 6.3) */
    RELAY_UNFRAMED  /* to an HTTP/1.0 program: ends with its connection */
};

struct step_note {
    enum outcome outcome;
    int64_t since_start_ns; /* when it was left */
    int64_t took_ns;        /* in all its runs */
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
    bool is_running;      /* flow_run is on the stack */
    int64_t step_left_ns; /* since started_ns: when the last step was left */
    struct step_note notes[STEP_COUNT];
    enum error error;
    const char *error_detail; /* English, arena; what the client may read */
    bool is_client_gone, is_aborted;
    bool is_cut; /* by the end of this agent's drain */

    struct http_request *request; /* receive */
    bool is_base_url;             /* it came to the port of base URLs; `request` is without the provider in its path */
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

    const struct endpoint
        *endpoint; /* authorize: `rendition` is what came in, `redacted` says what was taken out of it */
    struct rendition rendition;
    const char *redacted;
    struct policy_verdict verdict;
    struct {
        struct ratelimit_answer answer;
        bool is_taken;
        int64_t taken_ns;
        uint64_t tokens;
    } limits;
    struct job_reference { /* a call that asks after a job */
        const char *id;    /* the provider's; NULL: this is no such call */
        bool is_known;     /* its hold is open */
        struct wallet_job job;
        const char *model, *service_tier;
        const char *group;           /* whose it was when it began; "" unknown */
        uint64_t limit_tokens;       /* that its limits count since then, until it ends */
        int64_t limit_since_s;       /* wall clock */
        const struct target *target; /* NULL: it went to the called provider itself */
    } job;

    struct { /* recall; the lower part is replay.c's and relay.c's */
        struct cache_ask ask;
        bool was_asked;  /* it must be left */
        bool is_leading; /* others may wait for what this exchange gets */
        bool is_answer;  /* the answer comes from the cache, or from the one that leads */
        bool is_forbidden, wants_no_store;
        bool is_json;       /* the request's body: json_scan found it valid */
        const char *status; /* Cache-Status; NULL: the cache has no say */
        bool has_told;      /* the head is the cache's */
        bool saw_refusal;   /* the provider's own, or its failure, which are no answers to keep */
        bool is_damaged;    /* nor is what is no JSON, or was not looked at (and meter.is_damaged) */
        bool is_whole;
        bool is_behind; /* a leader's program is full, and reads on from what is shared */
        const char *why_not_stored;
        struct money avoided; /* what the answer cost when it was made */
        size_t offset, frame, frame_offset;
        int64_t begun_ns;
        struct timer timer; /* replay.c: until the next frame */
    } recall;

    struct route route; /* route */
    struct rendition *renditions[RENDITION_COUNT];
    uint64_t conversation; /* where it began is remembered under this; 0: none */

    struct {                       /* reserve: of the attempt */
        int64_t output_tokens_max; /* -1: none is sent */
        int64_t clamped_to;        /* output_tokens_max where less was granted than asked for; -1: it was not */
    } outgoing;
    unsigned next_target;                   /* of the route */
    bool is_cheaper;                        /* money was short, and a cheaper target took it */
    struct attempt *attempts[ATTEMPTS_MAX]; /* made when it begins: most calls have one, hits none */
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
        struct translation *translation; /* NULL: the bytes go on as they are */
        struct buffer raw;               /* the target's bytes on their way into it */
        bool is_final;                   /* an error that no retry mends */
        bool is_metered, is_started, head_written, is_blocked, is_complete, is_draining;
        bool is_ending;    /* all is there but what its program has yet to read */
        bool is_deferring; /* its hold becomes a job's: that is on disk before the program can ask after the job */
        enum relay_mode mode;
        struct buffer out;
        struct timer drain_timer;
    } relay;

    struct {                /* sharing: does its program read? */
        struct timer timer; /* until the next look, while it is_blocked */
        uint64_t taken;     /* at the last one */
        uint32_t idle_ms;   /* it took nothing for so long */
    } patience;

    struct { /* settle */
        struct money charge;
        unsigned waiting;
        bool is_started, alarm;
    } charge;
    uint32_t retry_after_s; /* with a refusal that may pass; 0: none is sent */
    int status_sent;        /* what the program saw, 0 when nothing */
    uint64_t answer_bytes;
};

enum { FLOW_PIECE_BYTES = 64 << 10 };
/* The worker and its open exchanges. */
struct flow_worker {
    struct loop *loop;
    const struct flow_services *services;
    struct upstream *upstream;
    struct list exchanges, sessions;
    struct buffer scratch;           /* framing of one write */
    char *piece;                     /* FLOW_PIECE_BYTES: what is read at once of what is shared */
    struct settings *cache_settings; /* of which cache_policy was made; retained */
    struct cache_policy cache_policy;
    unsigned drains;
    unsigned lingering; /* sessions: the drain waits for them, too */
    bool is_draining;
    void (*drained)(void *context);
    void *drained_context;
    struct histogram overhead, steps[STEP_COUNT];
};

/* flow.c: tells `drained` when nothing is open any more. */
void flow_look_drained(struct flow_worker *worker);

/* admit.c */
/* The kernel's word on who that is; false, and a line in the log: not one of those who may. */
bool admit_peer(struct flow_worker *worker, struct connection *connection, struct identity_peer *ret_peer);
/* The same of one who came in under other settings. */
bool admit_again(const struct settings *settings, uid_t uid);
/* The same, and a place of that user's, which the connection has until admit_release. */
bool admit_connection(struct flow_worker *worker, struct connection *connection);
void admit_release(uid_t uid);

/* flow.c */
void flow_run(struct exchange *exchange);
struct exchange *exchange_new(struct flow_worker *worker, struct session *session);
/* Sets the error and its detail (printf into the arena) and returns OUTCOME_FAIL. */
enum outcome exchange_fail(struct exchange *exchange, enum error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The decision of the current step in words; a step that runs again adds to what it said. */
void exchange_note(struct exchange *exchange, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct attempt *exchange_attempt(struct exchange *exchange); /* the current one */
/* The program is gone: abort or drain, by policy. */
void exchange_client_gone(struct exchange *exchange);
/* The provider's side of a client that left: the answer is drained, or the transfer ends (attempt->is_done). */
void exchange_leave(struct exchange *exchange);
const char *flow_step_name(unsigned step);
const char *flow_outcome_name(enum outcome outcome);

/* timing.c: the exchange is over; what it spent in which step is counted. */
void timing_count(const struct exchange *exchange);
/* What it waited for us, and for nobody else, before it was sent or answered. */
int64_t timing_find_overhead(const struct exchange *exchange);

/* one per step */
#define STEP(name, is_tail) enum outcome step_##name(struct exchange *exchange);
#include "flow/steps.def"
#undef STEP

/* receive.c: whose name was called; what only capture.hosts lists is a provider of its own. */
void receive_find_provider(struct exchange *exchange, const char *name);

/* base_url.c: may this request of the base URL's port be answered, and by whom? Fills host, provider, dialect. */
enum outcome base_url_accept(struct exchange *exchange, const struct http_request *request);
/* A copy, as the provider's host would have got it. */
struct http_request *base_url_strip(struct exchange *exchange, const struct http_request *request);

/* answer.c: the program's side of an error, and the fields every answer carries. */
void answer_error(struct exchange *exchange);
size_t answer_add_fields(struct exchange *exchange, struct http_field *fields, size_t count, bool with_cost);
enum { ANSWER_FIELDS_MAX = 18 }; /* how many it may add */

/* recall.c: what a leader tells; recall_end: the exchange is over, whatever happened (idempotent). */
void recall_tell_head(struct exchange *exchange, const struct http_field *fields, size_t count);
void recall_tell_bytes(struct exchange *exchange, struct slice bytes);
bool recall_is_followed(const struct exchange *exchange);
/* What comes is this exchange's alone: those who wait for it ask for themselves, and nobody joins any more. */
void recall_part(struct exchange *exchange);
/* Nobody joins any more. */
void recall_shut(struct exchange *exchange);
/* All is told, and the charge known, or it failed: it is stored, or not, and those who follow get their end. Before the
 * program gets its last bytes: who asks again after them meets a hit, or nobody to wait for. Idempotent. */
void recall_land(struct exchange *exchange);
/* The program of a leader has gone, and nobody wants the answer to its end: false when somebody does after all. */
bool recall_give_up(struct exchange *exchange) MUST_USE;
void recall_end(struct exchange *exchange);
/* sharing.c: the program has all that it takes now; is_blocked, and from now on it is looked at whether it reads. */
void sharing_blocked(struct exchange *exchange);
/* What comes now is told, and not written: the program reads it by sharing_read_on (0: no more) when it can. */
bool sharing_holds_back(struct exchange *exchange);
size_t sharing_read_on(struct exchange *exchange, char *bytes, size_t bytes_max);
void sharing_forget_own(struct exchange *exchange); /* the program has left */
/* Nothing more may be given now: the leader's program is full, or somebody too far behind. Then sharing_go_on comes. */
bool sharing_must_wait(struct exchange *exchange);
void sharing_go_on(struct exchange *exchange); /* whatever held it may have changed */
/* How an answer whose body has a length (-1: not known yet) is framed for who asked. */
enum relay_mode relay_choose_mode(const struct http_request *request, int status, int64_t length);
/* Adds the field that says so, if one does, behind `count` others; returns their new count. */
size_t relay_add_framing(const struct exchange *exchange, struct http_field *fields, size_t count, int64_t length);
/* replay.c: the relay of what recall answered. */
enum outcome replay(struct exchange *exchange);

/* relay.c */
bool relay_body(struct exchange *exchange, struct slice bytes);
void relay_writable(struct exchange *exchange);

/* renditions.c: the request as a target wants it, made when first asked for; never NULL, `error` says that it cannot
 * be. */
const struct rendition *rendition_find(struct exchange *exchange, const struct target *target);
/* What came in, read anew from `body`. */
enum error rendition_read(struct exchange *exchange, struct slice body, struct rendition *ret_rendition) MUST_USE;

/* route.c: under which the place of a provider's identifier is remembered; never 0. */
uint64_t route_hash(const char *id);
/* Do rules and lists of the group let that model answer? by_group_name: it was asked for by a name of the policy's. */
bool route_may_serve(const struct exchange *exchange, const char *model, bool by_group_name);
/* Money is short: any target of the environment whose bound is less becomes the route. */
bool route_find_cheaper(struct exchange *exchange, struct money than);
/* SDKs sleep through a Retry-After: what takes longer is said to be final. */
enum { RETRY_AFTER_SECONDS_MAX = 60 };

/* outgoing.c: what is sent. */
/* Body and path of the attempt: model, usage flag, output limit (-1: none). */
void outgoing_make(struct exchange *exchange, struct attempt *attempt, int64_t limit);
const char *outgoing_url(struct exchange *exchange, const struct attempt *attempt);
size_t outgoing_fields(struct exchange *exchange, const struct attempt *attempt, struct http_field **ret_fields);

/* fallback.c: has this answer (or its absence) failed so that another target may do better? May start to look. */
enum attempt_failure fallback_judge(struct exchange *exchange, struct attempt *attempt);
/* Is there another try? */
bool fallback_is_left(const struct exchange *exchange);
/* Ends the attempt: its transfer, its load. */
void fallback_give_up(struct exchange *exchange, struct attempt *attempt, enum attempt_failure failure);
/* The attempt no longer counts as load; what came of it goes to the breaker. Idempotent. */
void fallback_end_load(struct exchange *exchange, struct attempt *attempt);

/* jobs.c: background responses and batches. */
/* The bound and the model of what an OpenAI batch names; refuses what was not uploaded here, and batches of several
 * models, which no rule and no price could look at. */
enum outcome job_find_batch(struct exchange *exchange);
/* Which job a call asks after, and where that is; NOT_FOUND: another wallet's. */
enum outcome job_find(struct exchange *exchange);
/* Makes the attempt's resolve a DEFER when its work goes on at the provider. */
bool job_defer(struct exchange *exchange, struct attempt *attempt);
/* The answer says that the job has ended: its charge into the attempt, its hold into the attempt's resolve. */
bool job_settle(struct exchange *exchange, struct attempt *attempt);
/* The bound of the file that a batch names; false: this agent has not seen it. */
bool job_find_file(const char *id, const char *wallet, struct batch_facts *ret_batch);
/* The limits of the job's group count what it used, in place of what was thought when it began. */
void job_settle_limits(const struct exchange *exchange, uint64_t tokens_used);
void job_remember_file(const char *id, const char *wallet, const struct batch_facts *batch);

/* bound.c: what a request can cost at most at a target (NULL: at the called provider itself). `limit` of its output as
 * it would be sent, -1: none. PRICE_UNKNOWN, AMOUNT_OVERFLOW. */
struct bound_question {
    const struct rendition *rendition;
    const struct provider *provider;
    const struct target *target;
    const char *model;
    size_t body_bytes;
    int64_t limit;
};
/* The question before there is an attempt: the rendition's own limit, or the policy's where that is lower. */
struct bound_question bound_ask(const struct exchange *exchange, const struct rendition *rendition,
                                const struct target *target);
enum error bound_find(const struct exchange *exchange, const struct bound_question *question,
                      struct bound *ret_bound) MUST_USE;
/* The greatest output limit whose bound is within what was granted (at least cost_least). */
int64_t bound_find_limit(const struct bound *bound, struct money granted);
/* The usage is known: what `hold: learned` learns from it. */
void bound_learn(const struct exchange *exchange, const struct attempt *attempt);
/* False: no call like this one can cost so much. A bound may be beaten (an alarm): not a hundredfold, and by more than
 * the model's whole window and longest answer. */
bool bound_is_believable(const struct attempt *attempt, struct money cost);

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
/* Resolves the attempt's hold now, not at the end of the exchange: what failed shall not keep money from the next. */
void settle_attempt(struct exchange *exchange, struct attempt *attempt);

/* session.c */
void session_listen(struct session *session); /* goes on reading after an exchange */
struct connection *session_connection(struct session *session);
const char *session_name(const struct session *session);
bool session_is_base_url(const struct session *session); /* its connection came to the port of base URLs */
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
/* What the program has read of what was sent to it, TLS included: the kernels' queues are not counted. */
uint64_t session_taken_bytes(const struct session *session);
void session_must_close(struct session *session); /* after this answer */
bool session_will_close(const struct session *session);
/* The head of an answer is on its way: whether it says "connection: close". */
void session_note_head(struct session *session, bool says_close);
/* The exchange no longer needs the program's connection: it may send its next request, or is closed. `abort`: cut. */
void session_release(struct session *session, bool abort);
void session_wait_for_body(struct session *session);

#endif

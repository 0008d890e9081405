/* SPDX-License-Identifier: Apache-2.0 */
/* Private to control/: one call and its answer. */
#ifndef CONTROL_INTERNAL_H
#define CONTROL_INTERNAL_H

#include "base/arena.h"
#include "control/control.h"
#include "http/http.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Who may use a route. */
enum audience {
    AUDIENCE_MEMBER, /* whoever may use the agent: access.uids, access.gids, the owner */
    AUDIENCE_READER, /* the owner and access.readers */
    AUDIENCE_OWNER,  /* the agent's own user, on the admin socket */
};

/* Of an answer: all rows that a report may have, as their names are in life. */
enum { CONTROL_BODY_BYTES_MAX = 32 << 20 };

struct call {
    const struct control_services *services;
    struct arena *arena;
    struct http_request *request;
    struct slice rest; /* the path after the route's prefix */
    uid_t uid;
    bool is_admin_socket;
    int fd;
    atomic_bool *is_closing;  /* the agent is stopping */
    struct buffer body;       /* the answer; forgives, as strangers' names are as long as they like */
    const char *content_type; /* of the answer; NULL: JSON */
    bool is_streaming;        /* the handler wrote its own answer */
};

/* ---- places.c ---- */
enum places_kind {
    PLACES_OWNER,     /* of admin.sock */
    PLACES_MEMBERS,   /* of report.sock: whom the policy names */
    PLACES_STRANGERS, /* of report.sock: all others, who are told so */
    PLACES_SCRAPERS,  /* of the port of metrics */
};
enum { PLACES_MAX = 248 };

struct place {
    int fd; /* -1: free */
    uid_t uid;
    uint64_t number; /* in the order of coming */
    bool is_cut_off; /* it has given way: its call ends by itself */
};

struct places {
    struct place rows[PLACES_MAX];
    uint64_t came;
    unsigned taken;
};

void places_init(struct places *places);
/* Which of the report socket's: the kernel's word on its peer, without any look-up. */
enum places_kind places_judge(const struct settings *settings, int fd, const struct ucred *peer);
/* The place's index; -1 when there is none for this caller. `fd` stays the caller's, and open until it has left. */
int places_take(struct places *places, enum places_kind kind, int fd, uid_t uid);
void places_leave(struct places *places, int index);
void places_shut_down(struct places *places, int how); /* shutdown(2) of all that are taken */

/* ---- routes.c ---- */
int control_dispatch(struct call *call);
/* So many a second, then a number: anybody may ask, and the log is on the ledger's disk. */
void control_log_refused(const char *path, const char *whom);
/* The agent's own user, and root. */
bool control_is_owner(uid_t uid);
/* By the policy that is in force now: calls that last ask again. */
bool control_is_in_audience(const struct call *call, enum audience audience);
/* access.readers. */
bool control_is_reader(const struct settings *settings, uid_t uid);
/* Handlers return the HTTP status. These make the error document of `error`; detail and hint NULL: those of its row. */
int control_fail(struct call *call, enum error error, const char *detail);
int control_fail_with(struct call *call, enum error error, const char *detail, const char *hint);
/* The answer did not fit. */
int control_fail_large(struct call *call);
/* The value of a query parameter, NULL when absent. */
const char *control_find_parameter(struct call *call, const char *name);
const char *control_rest_text(struct call *call);

/* ---- admin.c ---- */
/* 422: what a file's checks have said goes with the error. */
int control_fail_problems(struct call *call, enum error error, struct slice problems);
/* Orders that nobody gives twice. */
int control_fail_draining(struct call *call);
/* Where the policy wants backups. */
const char *control_backup_directory(struct call *call, const struct settings *settings);

/* ---- doctor.c ---- */
/* Appends an object to a list of checks that is open; status: ok, warning, failure; why it matters: NULL, left out. */
void control_write_check(struct buffer *out, const char *name, const char *status, const char *text, const char *fix,
                         const char *why);

/* ---- doctor_prod.c ---- */
/* Appends findings to the list of checks: what production wants of a policy. */
void control_check_prod(struct call *call, const struct settings *settings);

/* ---- amount.c ---- */
/* "12.50", "$5", "5 USD"; either sign. AMOUNT_INVALID, CURRENCY_UNKNOWN; *ret_why in words, NULL: the row's. */
enum error control_parse_amount(struct slice text, struct money *ret_amount, const char **ret_why) MUST_USE;

/* ---- report.c ---- */
struct period;
/* The parameters period and timezone. 0, or the status of the answer that says what is wrong. */
int control_read_period(struct call *call, struct period *ret_period);

/* ---- the handlers, by file ---- */
int control_get_hello(struct call *call);
int control_get_launch(struct call *call);
int control_doctor(struct call *call);
int control_list_wallets(struct call *call);
int control_get_wallet(struct call *call);
int control_change_wallet(struct call *call);
int control_list_budgets(struct call *call);
int control_list_alerts(struct call *call);
int control_list_leaks(struct call *call);
int control_export(struct call *call); /* streams */
int control_list_exports(struct call *call);
int control_list_targets(struct call *call);
int control_list_jobs(struct call *call);
int control_get_cache(struct call *call);
int control_clear_cache(struct call *call);
int control_set_budget(struct call *call);
int control_unset_budget(struct call *call);
int control_get_report(struct call *call);
int control_list_sessions(struct call *call);
int control_list_questions(struct call *call);
int control_get_question(struct call *call);
int control_rebuild_sums(struct call *call);
int control_list_live(struct call *call);
int control_list_events(struct call *call);
int control_get_event(struct call *call);
int control_follow(struct call *call); /* streams events until the client leaves */
int control_reload(struct call *call);
int control_backup(struct call *call);
int control_store_secret(struct call *call);
int control_get_metrics(struct call *call);

/* ---- metrics.c: the port of evidence.metrics ---- */
/* Binds 127.0.0.1:PORT; -1: metrics are off. FILE_UNWRITABLE: it is taken. */
enum error control_listen_metrics(const struct control_services *services, int *ret_fd) MUST_USE;
/* Answers a request to it: who has the token gets /metrics, and that alone. */
int control_scrape(struct call *call);
int control_stop(struct call *call);
int control_set_log_level(struct call *call);
int control_hand_over(struct call *call); /* writes its own answer */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Private to control/: one call and its answer. */
#ifndef CONTROL_INTERNAL_H
#define CONTROL_INTERNAL_H

#include "base/arena.h"
#include "control/control.h"
#include "http/http.h"

#include <stdatomic.h>
#include <sys/types.h>

/* Who may use a route. */
enum audience {
    AUDIENCE_MEMBER, /* whoever may use the agent: access.uids, access.gids, the owner */
    AUDIENCE_READER, /* the owner and access.readers */
    AUDIENCE_OWNER,  /* the agent's own user, on the admin socket */
};

struct call {
    const struct control_services *services;
    struct arena *arena;
    struct http_request *request;
    struct slice rest; /* the path after the route's prefix */
    uid_t uid;
    bool is_admin_socket;
    int fd;
    atomic_bool *is_closing;  /* the agent is stopping */
    struct buffer body;       /* the answer */
    const char *content_type; /* of the answer; NULL: JSON */
    bool is_streaming;        /* the handler wrote its own answer */
};

/* ---- routes.c ---- */
int control_dispatch(struct call *call);
/* The agent's own user, and root. */
bool control_is_owner(uid_t uid);
/* Handlers return the HTTP status. These make the error document of `error`; detail and hint NULL: those of its row. */
int control_fail(struct call *call, enum error error, const char *detail);
int control_fail_with(struct call *call, enum error error, const char *detail, const char *hint);
/* The value of a query parameter, NULL when absent. */
const char *control_find_parameter(struct call *call, const char *name);
const char *control_rest_text(struct call *call);

/* ---- admin.c ---- */
/* 422: what a file's checks have said goes with the error. */
int control_fail_problems(struct call *call, enum error error, struct slice problems);

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

/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent's parts, shared by agent.c (settings, life) and services.c (what is opened in which order, and what
 * the parts ask of each other). */
#ifndef SERVICES_H
#define SERVICES_H

#include "agent.h"
#include "control/control.h"
#include "flow/flow.h"
#include "helper.h"
#include "loops.h"
#include "startup.h"

#include <pthread.h>
#include <stdatomic.h>

struct agent {
    const struct agent_options *options;
    int64_t begun_ns;
    int64_t clock_offset_ns, steady_since_ns; /* of the wall clock against the monotonic one, for so long */
    pthread_mutex_t reload_lock;              /* one reload at a time; settings_lock may be taken while holding it */
    pthread_mutex_t settings_lock;            /* leaf */
    struct settings *settings;
    struct startup_names names;
    struct startup_map map;
    struct harden *harden;
    struct helper signer;                   /* has the CA's keys */
    struct helper lookers[STARTUP_LOOKERS]; /* look into other processes; without hardening there are none */
    const char *missing_helper;             /* the agent ends: what it does could not be done. NULL: all are there */
    struct notify *notify;
    struct resolver *resolver;
    struct redirects *redirects;
    struct refresh *refresh;
    struct wallet_ledger *ledger;
    unsigned recovered;
    struct reconcile *reconcile;
    struct events_file *events_file;
    atomic_bool is_ledger_stopped;
    atomic_bool is_handed_over; /* the next agent has our sockets */
    struct journal *journal;
    struct metrics *metrics;
    struct identity *identity;
    struct routing *routing;
    struct ratelimit *ratelimit;
    struct cache *cache;
    struct certificates *certificates;
    struct listener *listener, *base_url_listener; /* the latter may be NULL */
    struct alerts *alerts;
    struct leaks *leaks;
    struct export_schedule *exports;
    struct control *control;
    struct control_services control_services;
    struct flow_services flow_services;
    struct loops *loops;
    struct manager_watch *manager_watch; /* NULL: nobody wants to know */
    struct listener_handler listener_handler;
};

/* ---- agent.c; `context` is the agent ---- */

struct settings *agent_retain_settings(void *context);
enum error agent_reload(void *context, struct buffer *text);
enum error agent_change_budgets(void *context, struct slice row, const char *unset_id, struct buffer *text);
void agent_stop(void *context);
void agent_ledger_stopped(void *context, const char *why);

/* ---- services.c ---- */

/* Everything but the control sockets, which are opened when all else stands. */
enum error services_open(struct agent *agent) MUST_USE;
enum error services_open_control(struct agent *agent) MUST_USE;
void services_close(struct agent *agent);

#endif

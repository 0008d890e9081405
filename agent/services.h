/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent's parts, shared by agent.c (settings, life) and services.c (what is opened in which order, and what
 * the parts ask of each other). */
#ifndef SERVICES_H
#define SERVICES_H

#include "agent.h"
#include "control/control.h"
#include "doors.h"
#include "flow/flow.h"
#include "helper.h"
#include "loops.h"
#include "owner.h"
#include "startup.h"

#include <pthread.h>
#include <stdatomic.h>

/* What an agent goes on without when the helper that did it has died. */
enum services_loss { SERVICES_LOST_ALERTS, SERVICES_LOST_NAMES, SERVICES_LOSSES };

struct agent {
    const struct agent_options *options;
    int64_t begun_ns;
    int64_t clock_offset_ns, steady_since_ns; /* of the wall clock against the monotonic one, for so long */
    pthread_mutex_t reload_lock;              /* one reload at a time; settings_lock may be taken while holding it */
    pthread_mutex_t settings_lock;            /* leaf */
    struct settings *settings;
    struct config_fixed *fixed; /* of the start */
    struct startup_names names;
    struct startup_map map;
    struct harden *harden;
    struct helper signer;                   /* has the CA's keys */
    struct helper lookers[STARTUP_LOOKERS]; /* look into other processes; without hardening there are none */
    const char *missing_helper;             /* the agent ends: what it does could not be done. NULL: all are there */
    atomic_bool are_lost[SERVICES_LOSSES];
    struct notify *notify;
    struct resolver *resolver;
    struct redirects *redirects;
    struct refresh *refresh;
    struct wallet_ledger *ledger;
    unsigned recovered;
    struct reconcile *reconcile;
    struct events_file *events_file;
    atomic_bool is_ledger_stopped;
    atomic_bool is_handed_over;        /* the next agent has our sockets */
    _Atomic int64_t draining_since_ns; /* wall clock; 0: it does not */
    struct doors doors;
    struct owner owner;
    struct journal *journal;
    struct metrics *metrics;
    struct identity *identity;
    struct routing *routing;
    struct ratelimit *ratelimit;
    struct cache *cache;
    struct startup_trust trust;
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
/* A JSON array of the settings that wait for a restart. */
void agent_write_pending(void *context, struct buffer *out);
void agent_stop(void *context);
void agent_ledger_stopped(void *context, const char *why);

/* ---- services.c ---- */

/* Another agent comes after this one, or may come: somebody keeps a socket of ours open for it. */
bool services_have_successor(const struct agent *agent);
/* Leaves copies of the listening sockets with a service manager that keeps them. */
void services_leave_sockets(struct agent *agent);
/* Everything but the control sockets, which are opened when all else stands. */
enum error services_open(struct agent *agent) MUST_USE;
enum error services_open_control(struct agent *agent) MUST_USE;
void services_close(struct agent *agent);
/* What programs read when they start is there, whatever has become of it. `context` is the agent; any thread. */
void services_keep_published(void *context);
/* In words, for people. */
const char *services_describe_loss(enum services_loss loss);

#endif

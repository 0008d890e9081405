/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a request. The agent opens the services and the listener; flow turns accepted connections into sessions
 * and their requests into exchanges. One worker per loop; nothing here is shared between workers but the services.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/histogram.h"
#include "base/list.h"
#include "cache/cache.h"
#include "config/config.h"
#include "identity/identity.h"
#include "journal/journal.h"
#include "net/net.h"
#include "ratelimit/ratelimit.h"
#include "routing/routing.h"
#include "upstream/upstream.h"
#include "wallet/wallet.h"

/* What flow uses; opened and closed by the agent. */
struct flow_services {
    struct wallet_ledger *ledger;
    struct journal *journal;
    struct identity *identity;
    struct routing *routing;
    struct ratelimit *ratelimit;
    struct cache *cache; /* NULL: there is none */
    /* The settings in force, retained for the caller. Any thread. */
    struct settings *(*retain_settings)(void *context);
    /* The address of a provider that `address` (host order, in the redirect network) stands for; false: none. Any
     * thread. */
    bool (*find_original)(void *context, uint32_t address, struct sockaddr_in6 *ret_original);
    /* That peer's connection is passed on, unread; server_name: what it named, "" nothing. On the loops. */
    void (*passed_on)(void *context, const struct identity_peer *peer, const struct sockaddr_in6 *original,
                      const char *server_name);
    void *context;
};

struct flow_worker;

struct flow_worker *flow_worker_new(struct loop *loop, const struct flow_services *services);
void flow_worker_free(struct flow_worker *worker); /* after its loop stopped; no exchange may be open */

/* The listener's handler; `context` of each callback must be a function from loop to worker, see flow_listener_handler.
 */
struct flow_workers {
    struct flow_worker *rows[16];
    unsigned count;
};
/* Handler functions for listener_open; the handler's context is a struct flow_workers. */
struct listener_handler flow_listener_handler(struct flow_workers *workers);

/* How long calls spent in our own steps, all workers together. Row 0: "overhead", all that a call waited for us before
 * it was sent or answered without; the others: one step each, by its name. NULL: there is no such row. Any thread. */
const char *flow_find_timing(const struct flow_workers *workers, unsigned row, struct histogram_sum *ret_sum);

/* Appends a JSON array of the calls that run now, a bounded part when they are very many: id, since, step, executable,
 * pid, group, wallet, model, target, stream. Waits for every loop: not from one, and only while they run. */
void flow_write_live(const struct flow_workers *workers, struct buffer *out);

/* Whether programs of that user may use the agent. */
bool flow_is_admitted(const struct settings *settings, uid_t uid);
/* Would limits.connections_per_uid_max let that user have `more` connections? Any thread. */
bool flow_has_places(const struct settings *settings, uid_t uid, unsigned more);

/* Stops taking requests: idle connections close, unless a request comes at once; open exchanges go on. `drained` runs
 * on the worker's loop once none is open. Call on the worker's loop (post a task). */
void flow_worker_drain(struct flow_worker *worker, void (*drained)(void *context), void *context);
/* Ends open exchanges now: holds are settled, events recorded. On the worker's loop. */
void flow_worker_abort(struct flow_worker *worker);

/* What would become of a request, see explain.c. */
struct flow_question {
    const char *host, *path;     /* "api.openai.com", "/v1/chat/completions" */
    struct slice body;           /* JSON */
    const char *group, *project; /* NULL: the default, none */
    uid_t uid;
};
/* Appends one JSON object: the verdict, the targets in order with the hold of each, what was left out and why. False:
 * it would be refused ("refused" says how). */
bool flow_explain(struct settings *settings, const struct flow_question *question, struct buffer *out);

#endif

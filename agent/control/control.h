/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control API: HTTP/1.1 with JSON bodies on two Unix sockets of the runtime directory. Above the services; only
 * main calls it. report.sock serves admitted users (launch facts) and access.readers (reports), admin.sock only the
 * agent's owner (and root). The peer's uid is the kernel's word (SO_PEERCRED). One thread of its own: never on a loop.
 *
 *   socket method path → answer. The admin socket serves the report paths, too.
 *   report GET  /v1/hello                    environment, version, pid, port, base_url_port, policy, started …; while
 *                                            it ends its calls: draining {since, connections, has_successor}
 *   report GET  /v1/launch[?group=G]         environment, group, placeholder, key_environment[], base_urls[] …
 *   report GET  /v1/wallets                  {"wallets": [{wallet, available, held, spent, funded, transfers}]}
 *   report GET  /v1/wallets/NAME[/history]   the same row + history[]; ?count=N (20), &all=1: budgets' rows, too
 *   report GET  /v1/budgets                  {"budgets": [{id, scope, window, used, held, limit, percent, …}]}
 *   report GET  /v1/alerts                   {"alerts": [{id, kind, …, delivery}]}
 *   report GET  /v1/leaks                    {"leaks": [{pid, uid, executable, directory, host, since}]}
 *   report GET  /v1/report?period=P&step=S&by=D,D&timezone=Z&DIMENSION=PATTERN&limit=N&ledger=1
 *                                            {environment, since, until, rows[], total{}, ledger{spent}}: evidence.h
 *   report GET  /v1/report/sessions?…        {sessions[], total{}}: of one program in one place, between pauses
 *   report GET  /v1/questions[/NAME?period=P&timezone=Z]  {question, answer, columns[], rows[{key, now, before}]}
 *   admin  POST /v1/report/rebuild           {events}: the sums are made anew of the events
 *   report GET  /v1/live                     {"live": [{id, since, step, executable, pid, group, wallet, model, …}]}
 *   report GET  /v1/events[?limit=N]         {"events": [...]} newest first; "rest": true, when the older ones of
 *                                            these did not fit into an answer
 *   report GET  /v1/events?follow=1          JSON lines as they happen, until the client leaves
 *   report GET  /v1/events/ID                the event; ID is its own or that of one of its transfers
 *   report GET  /v1/targets                  {"targets": [{id, provider, model, breaker, requests, tokens, …}]}
 *   report GET  /v1/cache                    hits, misses, entries, bytes …; ?group=NAME, &model=NAME: theirs alone
 *   admin  POST /v1/cache/clear              {group?, model?} → {cleared}; 422: no such group, and nothing of it here
 *   report GET  /v1/jobs                     {"jobs": [{key, provider, wallet, held, deadline}]}
 *   report GET  /metrics                     figures for Prometheus, as text; also at 127.0.0.1:PORT (evidence.metrics)
 *   report GET  /v1/doctor[?prod=1]          {"checks": [{name, status: ok|warning|failure, text, fix, why?}]}
 *   report GET  /v1/export?format=F&period=P  the file's bytes (csv, jsonl, focus), chunked; &timezone=Z (UTC). Its
 * manifest (evidence.h) follows as the trailer field tollgate-manifest report GET  /v1/exports {"exports": [{schedule,
 * format, since, until, rows, cost, file …}]} report GET  /v1/targets                  {"targets": [{id, provider,
 * model, breaker, requests, tokens, …}]} report GET  /v1/cache                    hits, misses, entries, bytes …;
 * ?group=NAME, &model=NAME: theirs alone admin  POST /v1/cache/clear              {group?, model?} → {cleared}; 422: no
 * such group, and nothing of it here report GET  /v1/jobs                     {"jobs": [{key, provider, wallet, held,
 * deadline}]} report GET  /v1/doctor                   {"checks": [{name, status: ok|warning|failure, text, fix}]}
 *   admin  POST /v1/wallets/NAME/fund        {amount, note?, create?, id?} → the wallet's row and the transfer's id
 *   admin  POST /v1/wallets/NAME/adjust      {amount, note, id?} → likewise
 *   admin  POST /v1/budgets                  a row of budgets[] → {} or 422 with "problems"
 *   admin  POST /v1/budgets/unset            {id} → {}
 *   admin  POST /v1/backup                   {directory?} → {directory}: where it is
 *   admin  POST /v1/reload                   {policy_digest, warnings} or 422 with "problems"
 *   admin  POST /v1/secrets/NAME             the secret's bytes (≤ 8 KiB, one trailing newline dropped) → {}
 *   admin  POST /v1/log/LEVEL               what the log tells from now on, until the next start → {level, before}
 *   admin  POST /v1/stop                     {} and the agent drains and exits; 503: it does so already
 *   admin  POST /v1/handover[?descriptors=N] {"descriptors": [names]} with copies of the listening sockets and the
 *                                            executable (SCM_RIGHTS), at most N (3), and the agent drains and exits,
 *                                            while these collect connections; 503: it ends already
 * Amounts are decimal strings, USD. Errors: status + {"error": {code, message, hint}}; 400 is also what an answer of
 * more than 32 MiB becomes, with what to ask instead.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/buffer.h"
#include "base/error.h"
#include "cache/cache.h"
#include "config/config.h"
#include "evidence/evidence.h"
#include "journal/journal.h"
#include "net/net.h"
#include "routing/routing.h"
#include "wallet/wallet.h"

#include "shim/contract.h"

struct control;

enum { CONTROL_LOSSES_MAX = 4 };

/* What the control API shows and does; owned by the agent, alive until control_close returns. */
struct control_services {
    const char *runtime, *state; /* directories */
    int admin_fd, report_fd;     /* listening Unix sockets, non-blocking; stay the caller's */
    uint16_t port;               /* the TLS port */
    uint16_t base_url_port;      /* 0: there is none */
    int64_t started_wall_ns;
    uint32_t ready_ms;  /* from the process's start to here */
    unsigned recovered; /* holds that the start settled */
    struct wallet_ledger *ledger;
    struct journal *journal;
    struct certificates *certificates;
    struct routing *routing;
    struct cache *cache;
    struct metrics *metrics;
    struct settings *(*retain_settings)(void *context);
    /* Loads the policy file anew. The text (problems, warnings) is appended to `text`. */
    enum error (*reload)(void *context, struct buffer *text);
    /* Sets one budget (a row of budgets[] as JSON), or takes the operator's row `unset_id` back, and reloads; all or
     * nothing. Problems are appended to `text`. */
    enum error (*change_budgets)(void *context, struct slice row, const char *unset_id, struct buffer *text);
    /* Appends a JSON array of the alerts of this run, the oldest first. */
    void (*write_alerts)(void *context, struct buffer *out);
    /* Appends a JSON array of the connections to providers that are open past the agent now. Takes milliseconds. */
    void (*write_leaks)(void *context, struct buffer *out);
    /* Appends a JSON array of the calls that run now. */
    void (*write_live)(void *context, struct buffer *out);
    /* Appends a JSON array of the exports that were written by schedule, the newest first. */
    void (*write_exports)(void *context, struct buffer *out);
    /* What the process has given up (harden.h): as a JSON object; what is not in force, in words; whether the agent can
     * make a file at the path. */
    void (*write_hardening)(void *context, struct buffer *out);
    const char *(*missing_hardening)(void *context);
    bool (*may_write)(void *context, const char *path);
    bool (*admits)(void *context, uid_t uid); /* may his programs call through the agent */
    /* What programs read when they start is there, whatever has become of it: put back where it can be. */
    void (*keep_published)(void *context);
    /* Appends a JSON array of the settings that wait for a restart: [{"key", "before", "after"}]. */
    void (*write_pending)(void *context, struct buffer *out);
    /* One that is due cannot be written: why, in words. */
    bool (*is_export_failing)(void *context, char text[EXPORT_FAILURE_MAX]);
    /* What the agent goes on without, as a helper has died, in words; how many. */
    size_t (*list_losses)(void *context, const char *ret_losses[CONTROL_LOSSES_MAX]);
    size_t (*count_addresses)(void *context); /* of providers, that are known now */
    /* In evidence.events_file, since the start. */
    uint64_t (*count_missing_events)(void *context);
    void (*stop)(void *context); /* begins the drain, returns at once */
    /* The listening sockets, at most so many, as they stand in `ret_fds` (still the agent's), with their names; from
     * now on they are somebody else's, too. Returns how many. `is_over` false: that somebody has gone, all is as it
     * was. */
    size_t (*hand_over)(void *context, bool is_over, size_t count_max, int ret_fds[TOLLGATE_HANDED_MAX],
                        const char *ret_names[TOLLGATE_HANDED_MAX]);
    /* Is the agent ending its last calls? If so, appends a JSON object: since when, how many connections are left,
     * whether the next agent is certain to come. `out` may be NULL. */
    bool (*write_draining)(void *context, struct buffer *out);
    const char *manager; /* who started the agent: inherited.h */
    void *context;
};

/* Binds the port of metrics where the policy wants one, and starts the control thread. */
enum error control_open(const struct control_services *services, struct control **ret_control) MUST_USE;
/* Takes no more requests, ends open ones and followers. NULL is fine. */
void control_close(struct control *control);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control API: HTTP/1.1 with JSON bodies on two Unix sockets of the runtime directory. Above the services; only
 * main calls it. report.sock serves admitted users (launch facts) and access.readers (reports), admin.sock only the
 * agent's owner (and root). The peer's uid is the kernel's word (SO_PEERCRED). One thread of its own: never on a loop.
 *
 *   socket  method path                     answer
 *   report  GET  /v1/hello {"environment","version","pid","port","policy","policy_digest","started","state"} report GET
 * /v1/launch[?group=G]
 * {"environment","group","placeholder","key_environment":[…],"governed":[…],"prod_refuses_unhooked":bool} report  GET
 * /v1/wallets                {"wallets":[{"wallet","available","held","spent","funded","transfers"}]} amounts: decimal
 * strings, USD report  GET  /v1/wallets/NAME           the same row +
 * "history":[{"sequence","kind","id","time","wallet","counterparty","amount","basis","note"}] report  GET
 * /v1/events[?limit=N]       {"events":[…]} newest first report  GET  /v1/events?follow=1        JSON lines as they
 * happen, until the client leaves report  GET  /v1/events/ID              the event report  GET  /v1/doctor
 * {"checks":[{"name","status":"ok|warning|failure","text","fix"}]} admin   POST /v1/wallets/NAME/fund
 * {"amount","note","create":bool,"id"?} → the wallet's row admin   POST /v1/reload {"policy_digest","warnings":"text"}
 * or 422 {"error":{…},"problems":"text"} admin   POST /v1/secrets/NAME           body: the secret's bytes (≤ 8 KiB, one
 * trailing newline dropped) → {} admin   POST /v1/stop                   {} and the agent drains and exits The admin
 * socket serves the report paths too. Errors: status + {"error":{"code","message","hint"}}.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"
#include "journal/journal.h"
#include "net/net.h"
#include "wallet/wallet.h"

struct control;

/* What the control API shows and does; owned by the agent, alive until control_close returns. */
struct control_services {
    const char *runtime, *state; /* directories */
    uint16_t port;               /* the TLS port */
    int64_t started_wall_ns;
    struct wallet_ledger *ledger;
    struct journal *journal;
    struct certificates *certificates;
    struct settings *(*retain_settings)(void *context);
    /* Loads the policy file anew. The text (problems, warnings) is appended to `text`. */
    enum error (*reload)(void *context, struct buffer *text);
    void (*stop)(void *context); /* begins the drain, returns at once */
    void *context;
};

/* Binds both sockets in the runtime directory and starts the control thread. */
enum error control_open(const struct control_services *services, struct control **ret_control) MUST_USE;
/* Ends open requests and followers. NULL is fine. */
void control_close(struct control *control);

#endif

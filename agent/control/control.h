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

#include "base/error.h"

struct agent;
struct control;

/* Binds both sockets in the runtime directory and starts the control thread. */
enum error control_open(struct agent *agent, struct control **ret_control) MUST_USE;
void control_close(struct control *control);

#endif

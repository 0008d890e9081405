/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate dashboard: a small HTTP/1.1 server on 127.0.0.1 for one browser, shared by the files dashboard*.c only.
 *
 *   dashboard.c          options, secrets, the poll loop
 *   dashboard_link.c     one connection: a head in, an answer out, or an agent's answer passed on
 *   dashboard_request.c  what a head says, and whether a browser of ours sent it
 *   dashboard_route.c    which answer a target gets; the paths of an agent that may be read
 *   dashboard_assets.c   the page's files, gzipped, inside the program
 *   dashboard_open.c     starting a browser without the token in anybody's argv
 *
 * Whoever can reach the port is a stranger until the cookie says otherwise: other users of this machine, pages of
 * other origins, names that resolve to 127.0.0.1. One connection serves one request; nothing here ever blocks.
 */
#ifndef CLI_DASHBOARD_H
#define CLI_DASHBOARD_H

#include "cli/cli.h"

#include <poll.h>

enum {
    DASHBOARD_AGENTS_MAX = 2,
    DASHBOARD_LINKS_MAX = 48,
    DASHBOARD_STREAMS_MAX = 4, /* of those: calls as they happen. A browser has six connections for all its tabs */
    DASHBOARD_SECRET_MAX = 48,
    DASHBOARD_HEAD_BYTES_MAX = 8192, /* of a browser, and of an agent */
    DASHBOARD_OUT_BYTES_MAX = 65536,
    DASHBOARD_HEAD_MS = 10000, /* for the whole head, however it trickles */
    DASHBOARD_AGENT_MS = 60000,
    DASHBOARD_WRITE_MS = 20000, /* without a byte taken */
    DASHBOARD_DRAIN_MS = 1000,
};

struct dashboard_agent {
    const char *environment;
    struct launch_place place;
};
struct dashboard {
    struct dashboard_agent agents[DASHBOARD_AGENTS_MAX];
    size_t agent_count;
    unsigned port;
    bool is_token_used;
    char token[DASHBOARD_SECRET_MAX];  /* of the address that is printed */
    char cookie[DASHBOARD_SECRET_MAX]; /* what the token is exchanged for */
    /* The page's first path segment: cookies know no ports, so that a server of somebody else's on 127.0.0.1 would be
     * sent ours for "/". */
    char room[DASHBOARD_SECRET_MAX];
    const char *opener; /* the file that leads the browser here; NULL: none */
    struct dashboard_link *links;
};

/* ---- dashboard_request.c ---- */

struct dashboard_request {
    const char *method, *target;
    const char *host, *origin, *site, *mode, *destination, *cookie; /* NULL: absent */
    bool has_body;
};
/* Cuts `head` (NUL-terminated, with its blank line) into pieces. 0, or the status of the refusal. */
int dashboard_parse(char *head, size_t length, struct dashboard_request *ret_request);
/* Did a browser send it, for a page of ours? `is_entry`: the way in, which a link elsewhere may lead to. 0 or status.
 */
int dashboard_check(const struct dashboard *dashboard, const struct dashboard_request *request, bool is_entry);
bool dashboard_has_session(const struct dashboard *dashboard, const struct dashboard_request *request);
/* In constant time for texts of one length. */
bool dashboard_is_secret(const char *secret, const char *text, size_t length);

/* ---- dashboard_assets.c ---- */

struct dashboard_asset {
    const char *name, *type;
    const unsigned char *bytes, *end; /* gzip */
};
const struct dashboard_asset *dashboard_find_asset(const char *name); /* NULL: none */

/* ---- dashboard_route.c ---- */

struct dashboard_answer {
    int status;
    const char *type;
    const char *text;    /* the body, unless there is an asset */
    const char *headers; /* further lines, each with its CRLF; "" */
    const struct dashboard_asset *asset;
    /* Set: the body is what this agent says to the path. */
    const struct dashboard_agent *agent;
    const char *agent_path;
    bool is_stream;
};
/* What is given out lives until text_release. */
struct dashboard_answer dashboard_route(struct dashboard *dashboard, const struct dashboard_request *request);
struct dashboard_answer dashboard_refuse(int status);
/* An agent that could not be asked, in the form of its own error documents. */
struct dashboard_answer dashboard_explain(const struct dashboard_agent *agent, int error);
/* What an agent said, or would have: a header of a 200, as an agent that is away is no error of the page. */
const char *dashboard_agent_status(int status);
/* Status line and all headers but the body's length. */
const char *dashboard_head(int status, const char *type, const char *headers);

/* ---- dashboard_link.c ---- */

struct dashboard_link;
struct dashboard_link *links_new(void);
void links_accept(struct dashboard *dashboard, int listener);
/* The rows of poll(), at most 2 × DASHBOARD_LINKS_MAX; and after poll() what they ask for. */
size_t links_prepare(struct dashboard *dashboard, struct pollfd *rows, int *ret_timeout_ms);
void links_serve(struct dashboard *dashboard, const struct pollfd *rows, size_t count);

/* ---- dashboard_open.c ---- */

/* Starts the desktop's browser, where there is a desktop. The file that it is given holds the address, for this user
 * alone; NULL: no browser was started. */
const char *dashboard_open(const struct dashboard *dashboard, const char *address);

#endif

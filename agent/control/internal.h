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
    atomic_bool *is_closing; /* the agent is stopping */
    struct buffer body;      /* the answer */
    bool is_streaming;       /* the handler wrote its own answer */
};

/* Handlers return the HTTP status; a body that is left empty gets the error document of `error`. */
int control_fail(struct call *call, enum error error, const char *detail);
int control_dispatch(struct call *call);
/* doctor.c */
int control_doctor(struct call *call);
/* follow.c: streams events until the client leaves. */
int control_follow(struct call *call);

#endif

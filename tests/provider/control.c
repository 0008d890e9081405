/* SPDX-License-Identifier: Apache-2.0 */
/* Control paths; see control.h. Called by connection.c before dispatch; runs in the loop that got the request.
 */
#include "tests/provider/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int bill_show(struct server *server, struct exchange *exchange)
{
    const char *query = exchange->request->query;
    if (strncmp(query, "summary=1", 9) == 0)
        bill_format_summary(&server->bill, &exchange->body);
    else
        bill_format_rows(&server->bill, strncmp(query, "tag=", 4) == 0 ? query + 4 : NULL, &exchange->body);
    return 200;
}

static int stats_show(struct server *server, struct exchange *exchange)
{
    buffer_format(&exchange->body,
                  "{\"open_connections\":%lld,\"accepted\":%llu,\"requests\":%llu,\"in_flight\":%lld,\"held\":%" PRIu32
                  ",\"threads\":%u}\n",
                  atomic_load(&server->open), atomic_load(&server->accepted), atomic_load(&server->sequence),
                  atomic_load(&server->in_flight), gate_count_held(&server->gate), server->loop_count);
    return 200;
}

static int reset(struct server *server, struct exchange *exchange)
{
    bill_reset(&server->bill);
    script_reset(&server->script);
    buffer_add(&exchange->body, "{}\n");
    return 200;
}

static int script_set(struct server *server, struct exchange *exchange)
{
    char message[160];
    const struct buffer *body = &exchange->request->body;
    if (script_load(&server->script, body->data ? body->data : "", body->length, message, sizeof message)) {
        buffer_add(&exchange->body, "{}\n");
        return 200;
    }
    buffer_add(&exchange->body, "{\"error\":\"");
    buffer_add_escaped(&exchange->body, message, strlen(message));
    buffer_add(&exchange->body, "\"}\n");
    return 400;
}

static int release(struct server *server, struct exchange *exchange)
{
    buffer_format(&exchange->body, "{\"released\":%" PRIu32 "}\n", gate_open(&server->gate));
    server_wake(server);
    return 200;
}

static const struct control_path {
    uint8_t method;
    const char *path;
    int (*answer)(struct server *server, struct exchange *exchange);
} paths[] = {
    {HTTP_GET, "/_bill", bill_show},     {HTTP_GET, "/_stats", stats_show}, {HTTP_POST, "/_reset", reset},
    {HTTP_POST, "/_script", script_set}, {HTTP_POST, "/_release", release},
};

bool control_answer(struct server *server, struct exchange *exchange)
{
    const struct request *request = exchange->request;
    if (strncmp(request->target, "/_", 2) != 0)
        return false;
    exchange->control = true;
    exchange->dialect = &dialect_openai;
    exchange->behaviour = behaviour_unset;
    exchange->content_type = "application/json";
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i].method == request->method && strcmp(paths[i].path, request->target) == 0) {
            exchange->status = paths[i].answer(server, exchange);
            return true;
        }
    }
    exchange->status = 404;
    buffer_add(&exchange->body, "{\"error\":\"no such control path\"}\n");
    return true;
}

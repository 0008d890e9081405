/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/events, /v1/events/ID: the record of past calls, from the journal. GET /v1/live: those that run now. */
#include "control/internal.h"

#include "base/json.h"

#include <stdlib.h>

enum { EVENTS_DEFAULT = 50, EVENTS_MAX = 1000, EVENT_BYTES_MAX = 64 << 10 };

struct recent {
    struct buffer *out;
    bool is_cut; /* the older ones do not fit into an answer */
};

static bool write_event(void *context, struct id id, struct slice json)
{
    enum { END_BYTES = 32 }; /* of the answer */
    struct recent *recent = context;
    struct buffer *out = recent->out;
    (void)id;
    recent->is_cut = buffer_length(out) + json.length + END_BYTES > out->bytes_max;
    if (recent->is_cut)
        return false;
    json_write_raw(out, out->data[out->end - 1] == '[' ? "" : ",");
    json_write_bytes(out, json);
    return true;
}

int control_list_events(struct call *call)
{
    const char *follow = control_find_parameter(call, "follow"), *limit = control_find_parameter(call, "limit");
    struct recent recent = {.out = &call->body};
    if (follow && !strcmp(follow, "1"))
        return control_follow(call);
    long count = limit ? strtol(limit, NULL, 10) : EVENTS_DEFAULT;
    if (count < 1 || count > EVENTS_MAX)
        return control_fail(call, ERROR_REQUEST_INVALID, "limit is 1 to 1000");
    json_write_raw(&call->body, "{\"events\":[");
    journal_flush(call->services->journal);
    enum error error = journal_recent(call->services->journal, (size_t)count, write_event, &recent);
    if (error)
        return control_fail(call, error, NULL);
    json_write_raw(&call->body, recent.is_cut ? "],\"rest\":true}" : "]}");
    return 200;
}

int control_list_live(struct call *call)
{
    json_write_raw(&call->body, "{\"live\":");
    call->services->write_live(call->services->context, &call->body);
    json_write_raw(&call->body, "}");
    return 200;
}

/* By its own id; by that of one of its transfers, what histories of wallets show; by that of a call whose event the
 * ledger gave, under the hold's id (reconcile.c), what the program was told. */
static enum error find_event(struct journal *journal, struct id id, char *text, size_t *ret_length)
{
    const struct id whole = id_without_attempt(id);
    enum error error = journal_find(journal, id, text, EVENT_BYTES_MAX, ret_length);
    if (error == ERROR_NOT_FOUND && !id_is_equal(whole, id))
        return journal_find(journal, whole, text, EVENT_BYTES_MAX, ret_length);
    for (unsigned attempt = 1; error == ERROR_NOT_FOUND && attempt <= JOURNAL_LINES_MAX; attempt++)
        error = journal_find(journal, id_with_attempt(whole, attempt), text, EVENT_BYTES_MAX, ret_length);
    return error;
}

int control_get_event(struct call *call)
{
    struct id id;
    size_t length = 0;
    char *text = arena_alloc(call->arena, EVENT_BYTES_MAX);
    if (!id_parse(call->rest, &id))
        return control_fail(call, ERROR_NOT_FOUND, "an id has 26 characters, e.g. 01J8Z3K4W5X6Y7Z8A9B0C1D2E3");
    journal_flush(call->services->journal);
    enum error error = find_event(call->services->journal, id, text, &length);
    if (error)
        return control_fail(call, error, error == ERROR_NOT_FOUND ? "no event has this id" : NULL);
    return buffer_append(&call->body, (struct slice){text, length}) ? 200 : control_fail(call, ERROR_INTERNAL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See leak.h. */
#include "leak.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <string.h>

enum { EVENT_BYTES_MAX = 4096 };

static const char *format_address(const struct leak *leak, char text[INET6_ADDRSTRLEN])
{
    struct config_address address;
    memcpy(address.bytes, leak->connection.remote, sizeof address.bytes);
    return redirects_format(&address, text);
}

void leak_write_members(const struct leak *leak, struct buffer *out)
{
    char address[INET6_ADDRSTRLEN];
    json_write_member_integer(out, "uid", leak->connection.peer.uid);
    json_write_member_integer(out, "pid", leak->claim.pid);
    json_write_member_string(out, "executable", leak->claim.executable);
    json_write_member_string(out, "directory", leak->claim.directory);
    json_write_member_string(out, "host", format_address(leak, address));
}

static void record(const struct leak *leak, struct journal *journal, enum environment environment, const char *detail)
{
    char id_text[ID_TEXT_MAX], time_text[CLOCK_TEXT_MAX];
    struct id id = id_new();
    struct buffer out;
    buffer_init(&out, EVENT_BYTES_MAX);
    json_write_raw(&out, "{");
    json_write_member_string(&out, "id", id_format(id, id_text));
    json_write_member_string(&out, "time", clock_format(leak->since_ns, time_text));
    json_write_member_string(&out, "kind", "ungoverned");
    json_write_member_string(&out, "environment", config_environment_name(environment));
    leak_write_members(leak, &out);
    json_write_member_string(&out, "error", "ungoverned");
    json_write_member_string(&out, "error_detail", detail);
    json_write_member_string(&out, "version", TOLLGATE_VERSION);
    json_write_raw(&out, "}");
    journal_append_event(journal, id, buffer_contents(&out));
    buffer_done(&out);
}

void leak_say(const struct leak *leak, struct journal *journal, enum environment environment,
              const struct leak_words *words)
{
    char address[INET6_ADDRSTRLEN];
    log_event(EVENT_UNGOVERNED, NULL, "%s (pid %d, uid %u) %s %s port %d%s",
              leak->claim.executable[0] ? leak->claim.executable : "a program that this agent cannot see",
              (int)leak->claim.pid, (unsigned)leak->connection.peer.uid, words->verb, format_address(leak, address),
              LEAK_PORT, words->rest);
    record(leak, journal, environment, words->detail);
}

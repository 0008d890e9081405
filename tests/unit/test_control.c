/* SPDX-License-Identifier: Apache-2.0 */
/* The control sockets' end, and answers that are too large, with an agent that has little else. Who may ask is the
 * scenarios'. */
#include "tests/unit/suite.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/control.h"
#include "doors.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_BYTES = 6 << 20, TOO_MANY_BYTES = 36 << 20, SIP_BYTES = 4096, SIP_MS = 10 };
#define ALL_NAMES "requested,group,executable,directory,model,provider,wallet,project,target,uid,reason"

static struct settings settings = {.references = 1000};

static struct settings *retain(void *context)
{
    (void)context;
    return config_retain(&settings);
}

static void write_much(void *context, struct buffer *out)
{
    static const char spaces[1024] = {' '};
    (void)context;
    for (unsigned i = 0; i < ANSWER_BYTES / sizeof spaces; i++)
        check(buffer_append(out, (struct slice){spaces, sizeof spaces}));
}

static int ask(const char *runtime, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char request[256];
    snprintf(address.sun_path, sizeof address.sun_path, "%s/" TOLLGATE_FILE_REPORT, runtime);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: tollgate\r\n\r\n", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    check(send(fd, request, (size_t)length, MSG_NOSIGNAL) == length);
    return fd;
}

struct reader {
    int fd;
    atomic_size_t bytes;
};

/* Always soon enough for a timeout of one write, and never done. */
static void *sip(void *argument)
{
    struct reader *reader = argument;
    char bytes[SIP_BYTES];
    for (ssize_t length; (length = read(reader->fd, bytes, sizeof bytes)) > 0; poll(NULL, 0, SIP_MS))
        atomic_fetch_add(&reader->bytes, (size_t)length);
    return NULL;
}

/* ---- an agent that has its doors, and perhaps a journal ---- */

struct world {
    char runtime[32], aux[48];
    struct doors doors;
    struct control_services services;
    struct control *control;
    struct journal *journal;
};

static void open_world(struct world *world, bool has_journal)
{
    *world = (struct world){.runtime = "/tmp/test-control-XXXXXX"};
    check(mkdtemp(world->runtime) != NULL);
    snprintf(world->aux, sizeof world->aux, "%s/aux", world->runtime);
    doors_init(&world->doors);
    check(doors_open(&world->doors, INHERITED_ADMIN, world->runtime, false) == ERROR_OK &&
          doors_open(&world->doors, INHERITED_REPORT, world->runtime, false) == ERROR_OK);
    check(!has_journal || (mkdir(world->aux, 0700) == 0 && journal_open(world->aux, &world->journal) == ERROR_OK));
    world->services = (struct control_services){.runtime = world->runtime,
                                                .admin_fd = world->doors.fds[INHERITED_ADMIN],
                                                .report_fd = world->doors.fds[INHERITED_REPORT],
                                                .journal = world->journal,
                                                .retain_settings = retain,
                                                .write_live = write_much};
    check(control_open(&world->services, &world->control) == ERROR_OK);
}

static void close_world(struct world *world)
{
    char command[128];
    control_close(world->control);
    doors_close(&world->doors, world->runtime, false);
    if (world->journal) {
        journal_close(world->journal);
        snprintf(command, sizeof command, "rm -r %s", world->aux);
        check(system(command) == 0);
    }
    check(rmdir(world->runtime) == 0);
}

/* Of a whole answer: its status, and its body in `body`. */
static int read_answer(int fd, struct buffer *body)
{
    char bytes[65536];
    int status = 0, skipped;
    for (ssize_t length; (length = read(fd, bytes, sizeof bytes)) > 0;)
        check(buffer_append(body, (struct slice){bytes, (size_t)length}));
    close(fd);
    struct slice answer = buffer_contents(body);
    const char *head_end = memmem(answer.data, answer.length, "\r\n\r\n", 4);
    check(head_end && sscanf(answer.data, "HTTP/1.1 %d %n", &status, &skipped) == 1);
    buffer_consume(body, (size_t)(head_end + 4 - answer.data));
    return status;
}

/* What is asked of an agent that has too much to tell, and the answer's first member. */
static void expect_json(const struct world *world, const char *path, int wanted, const char *member)
{
    struct buffer body;
    struct json_value value;
    struct json_problem problem = {0};
    const struct json_query query = {member, &value};
    buffer_init(&body, 64 << 20);
    int status = read_answer(ask(world->runtime, path), &body);
    EXPECT(status == wanted, "%s: %d", path, status);
    EXPECT(json_scan(buffer_contents(&body), 16, &query, 1, &problem) == ERROR_OK && value.kind != JSON_KIND_ABSENT,
           "%s: %zu bytes without %s, or no JSON", path, buffer_length(&body), member);
    buffer_done(&body);
}

TEST(who_reads_slowly_does_not_keep_the_agent)
{
    struct world world;
    open_world(&world, false);
    struct reader reader = {.fd = ask(world.runtime, "/v1/live")};
    pthread_t thread;
    check(pthread_create(&thread, NULL, sip, &reader) == 0);
    for (int i = 0; i < 20000 && atomic_load(&reader.bytes) == 0; i++)
        poll(NULL, 0, 1);
    control_close(world.control);
    world.control = NULL;
    pthread_join(thread, NULL);
    const size_t bytes = atomic_load(&reader.bytes);
    EXPECT(bytes > 0 && bytes < ANSWER_BYTES, "he is cut off in the middle, after %zu bytes", bytes);
    close(reader.fd);
    close_world(&world);
}

/* ---- answers that are too large: never the agent's end, and always JSON ---- */

static void write_too_much(void *context, struct buffer *out)
{
    char text[4096];
    (void)context;
    memset(text, '\1', sizeof text); /* six bytes each */
    json_write_raw(out, "[");
    for (unsigned i = 0; i < TOO_MANY_BYTES / sizeof text / 6; i++) {
        json_write_raw(out, i ? ",{" : "{");
        json_write_name(out, (struct slice){text, sizeof text});
        json_write_string(out, (struct slice){text, sizeof text});
        json_write_raw(out, "}");
    }
    json_write_raw(out, "]");
}

TEST(an_answer_without_room_is_an_error)
{
    struct world world;
    open_world(&world, false);
    world.services.write_live = write_too_much;
    expect_json(&world, "/v1/live", 400, "error");
    world.services.write_live = write_much;
    expect_json(&world, "/v1/questions", 200, "questions");
    close_world(&world);
}

/* Names of a stranger's choice: as long as they are kept, each byte six in JSON. What is paid for keeps its names. */
static void append_calls(struct journal *journal, unsigned count)
{
    char names[DIMENSION_COUNT][JOURNAL_NAME_BYTES_MAX + 1];
    struct journal_line line = {.time_ms = clock_wall_ns() / 1000000, .of[MEASURE_attempts] = 1};
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        memset(names[i], '\1', sizeof names[i]);
        names[i][JOURNAL_NAME_BYTES_MAX] = '\0';
        line.names[i] = names[i];
    }
    for (unsigned i = 0; i < count; i++) {
        snprintf(names[DIMENSION_requested], sizeof names[0], "%u", i);
        journal_append(journal, id_new(), SLICE_LITERAL("{}"), &line, 1);
    }
    journal_flush(journal);
}

TEST(a_report_of_long_names_is_an_error_or_asked_for_shorter)
{
    struct world world;
    open_world(&world, true);
    append_calls(world.journal, TOO_MANY_BYTES / (6 * JOURNAL_NAME_BYTES_MAX * (DIMENSION_COUNT - 1)));
    expect_json(&world, "/v1/report?period=all", 200, "rows");
    expect_json(&world, "/v1/report?period=all&limit=100&by=" ALL_NAMES, 200, "rows");
    expect_json(&world, "/v1/report?period=all&by=" ALL_NAMES, 400, "error");
    close_world(&world);
}

TEST(events_that_do_not_fit_are_left_off)
{
    enum { EVENT_BYTES = 60000, EVENTS = TOO_MANY_BYTES / EVENT_BYTES };
    static char event[EVENT_BYTES + 1];
    struct world world;
    open_world(&world, true);
    memset(event, ' ', EVENT_BYTES);
    event[0] = '{';
    event[EVENT_BYTES - 1] = '}';
    for (unsigned i = 0; i < EVENTS; i++)
        journal_append(world.journal, id_new(), slice_of(event), NULL, 0);
    expect_json(&world, "/v1/events?limit=1000", 200, "rest");
    expect_json(&world, "/v1/events?limit=100", 200, "events");
    close_world(&world);
}

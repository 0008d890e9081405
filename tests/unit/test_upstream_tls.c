/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over TLS to the stand-in provider: who is trusted, which connections are shared, and what arrived by the
 * provider's own count. Needs its binary: PROVIDER=path, or `provider` beside the directory of this program; without
 * one every test says SKIP.
 */
#include "tests/unit/suite.h"

#include "tests/unit/upstream_call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct provider {
    pid_t pid;
    unsigned port;
    const char *host;
    char directory[64], ca_file[80];
};

static struct bench bench;

static const char *provider_binary(void)
{
    static char path[4200];
    const char *given = getenv("PROVIDER");
    if (given)
        return access(given, X_OK) == 0 ? given : NULL;
    ssize_t length = readlink("/proc/self/exe", path, 4096);
    check(length > 0);
    path[length] = 0;
    for (unsigned i = 0; i < 2; i++)
        *strrchr(path, '/') = 0;
    strcat(path, "/provider");
    return access(path, X_OK) == 0 ? path : NULL;
}

static void exec_provider(const struct provider *provider, const char *binary, int ready_fd)
{
    char listen[64], ready[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(listen, sizeof listen, "%s:0", provider->host);
    snprintf(ready, sizeof ready, "%d", ready_fd);
    check(freopen("/dev/null", "w", stdout) != NULL && freopen("/dev/null", "w", stderr) != NULL);
    execl(binary, "provider", "--listen", listen, "--ca-file", provider->ca_file, "--ready-fd", ready, (char *)NULL);
    _exit(127);
}

/* False: there is no provider to run. */
static bool provider_start(struct provider *provider, const char *host)
{
    const char *binary = provider_binary();
    char text[16] = {0};
    int ready[2];
    if (!binary) {
        fprintf(stderr, " SKIP (no provider; set PROVIDER) ");
        return false;
    }
    *provider = (struct provider){.host = host, .directory = "/tmp/test-upstream-XXXXXX"};
    check(mkdtemp(provider->directory) != NULL && pipe(ready) == 0);
    snprintf(provider->ca_file, sizeof provider->ca_file, "%s/ca.pem", provider->directory);
    provider->pid = fork();
    if (provider->pid == 0)
        exec_provider(provider, binary, ready[1]);
    close(ready[1]);
    check(read(ready[0], text, sizeof text - 1) > 0);
    close(ready[0]);
    provider->port = (unsigned)strtoul(text, NULL, 10);
    return true;
}

static void provider_stop(struct provider *provider)
{
    kill(provider->pid, SIGTERM);
    check(waitpid(provider->pid, NULL, 0) == provider->pid);
    unlink(provider->ca_file);
    rmdir(provider->directory);
}

static bool begin(struct provider *provider)
{
    if (!provider_start(provider, "127.0.0.1"))
        return false;
    bench_open(&bench);
    return true;
}

static void finish(struct provider *provider)
{
    bench_close(&bench);
    provider_stop(provider);
}

static struct upstream_request request_to(const struct provider *provider, const char *path, const char *body)
{
    static char url[256];
    static struct secret *key;
    static const struct http_field type = {{"content-type", 12}, {"application/json", 16}};
    if (!key)
        key = secret_new(SLICE_LITERAL("sk-test"));
    snprintf(url, sizeof url, "https://%s:%u%s", provider->host, provider->port, path);
    return (struct upstream_request){.method = body ? "POST" : "GET",
                                     .url = url,
                                     .fields = &type,
                                     .field_count = body ? 1 : 0,
                                     .key_field = "authorization",
                                     .key = key,
                                     .body = slice_of(body ? body : ""),
                                     .ca_file = provider->ca_file,
                                     .local = true,
                                     .connect_timeout_ms = 20000,
                                     .timeout_ms = 60000};
}

#define CHAT      "/v1/chat/completions"
#define ASK(text) "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"
#define ASK_STREAM(text)                                                                                               \
    "{\"model\":\"gpt-4o\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"

static struct call ask(const struct provider *provider, const char *body)
{
    struct call call = {0};
    struct upstream_request request = request_to(provider, CHAT, body);
    call_run(&bench, &call, &request);
    return call;
}

/* A number of GET /_stats or /_bill?summary=1; -1 when it did not come. */
static long stat_once(const struct provider *provider, const char *path, const char *member)
{
    struct call call = {0};
    char name[64];
    struct upstream_request request = request_to(provider, path, NULL);
    call_run(&bench, &call, &request);
    snprintf(name, sizeof name, "\"%s\":", member);
    const char *found = call.body ? memmem(call.body, call.body_bytes, name, strlen(name)) : NULL;
    long value = found ? strtol(found + strlen(name), NULL, 10) : -1;
    call_free(&call);
    return value;
}

/* Asked twice: a fault may have left a kept connection that dies under the first question. */
static long stat_of(const struct provider *provider, const char *path, const char *member)
{
    long value = stat_once(provider, path, member);
    return value >= 0 ? value : stat_once(provider, path, member);
}

static void expect_refused(struct call *call, enum error error)
{
    EXPECT(call->result.error == error, "%s: %s", error_row(call->result.error)->name, call->result.detail);
    EXPECT(!call->result.bytes_were_sent && call->heads == 0 && call->dones == 1, "sent or told");
}

/* ---- who is trusted ---- */

TEST(trusted_certificate_is_answered)
{
    struct provider provider;
    if (!begin(&provider))
        return;
    struct call call = ask(&provider, ASK("hello [[tokens=5]]"));
    EXPECT(call.result.error == ERROR_OK, "%s", call.result.detail);
    EXPECT_INTEGER(call.status, 200);
    EXPECT(memmem(call.body, call.body_bytes, "You said: hello", 15), "%.*s", (int)call.body_bytes, call.body);
    call_free(&call);
    finish(&provider);
}

TEST(certificate_of_another_authority_is_refused)
{
    struct provider provider, other;
    if (!begin(&provider))
        return;
    check(provider_start(&other, "127.0.0.1"));
    struct call good = ask(&provider, ASK("one"));
    EXPECT_INTEGER(good.result.error, ERROR_OK);
    const char *const ca_files[] = {NULL, other.ca_file, "/nonexistent/ca.pem"};
    for (unsigned i = 0; i < 3; i++) {
        /* The connection that the first call left open must not serve these. */
        struct call call = {0};
        struct upstream_request request = request_to(&provider, CHAT, ASK("two"));
        request.ca_file = ca_files[i];
        call_run(&bench, &call, &request);
        expect_refused(&call, ERROR_UPSTREAM_TLS);
    }
    struct call again = ask(&provider, ASK("three"));
    EXPECT_INTEGER(again.result.error, ERROR_OK);
    EXPECT_INTEGER(stat_of(&provider, "/_bill?summary=1", "rows"), 2);
    call_free(&good);
    call_free(&again);
    provider_stop(&other);
    finish(&provider);
}

TEST(certificate_for_another_name_is_refused)
{
    struct provider provider;
    if (!provider_start(&provider, "127.0.0.2")) /* its certificate names 127.0.0.1 */
        return;
    bench_open(&bench);
    struct call call = ask(&provider, ASK("hello"));
    expect_refused(&call, ERROR_UPSTREAM_TLS);
    EXPECT(strstr(call.result.detail, "127.0.0.2") != NULL, "%s", call.result.detail);
    finish(&provider);
}

TEST(handshake_that_hangs_ends_in_time)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 4) == 0);
    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    struct provider nobody = {.host = "127.0.0.1", .port = ntohs(address.sin_port)};
    bench_open(&bench);
    struct call call = {0};
    struct upstream_request request = request_to(&nobody, CHAT, ASK("hello"));
    request.ca_file = NULL;
    request.connect_timeout_ms = 60;
    call_run(&bench, &call, &request);
    expect_refused(&call, ERROR_UPSTREAM_CONNECT);
    bench_close(&bench);
    close(listener);
}

/* ---- connections ---- */

TEST(connections_are_kept_and_shared)
{
    struct provider provider;
    if (!begin(&provider))
        return;
    for (unsigned i = 0; i < 20; i++) {
        struct call call = ask(&provider, ASK("again [[tokens=2]]"));
        EXPECT(call.result.error == ERROR_OK, "%s", call.result.detail);
        call_free(&call);
    }
    EXPECT_INTEGER(stat_of(&provider, "/_bill?summary=1", "rows"), 20);
    EXPECT_INTEGER(stat_of(&provider, "/_stats", "accepted"), 1);
    finish(&provider);
}

/* A kept connection that a local target opened serves nobody who may not go there. */
TEST(kept_local_connection_is_refused_to_others)
{
    struct provider provider;
    if (!begin(&provider))
        return;
    struct call first = ask(&provider, ASK("one"));
    EXPECT_INTEGER(first.result.error, ERROR_OK);
    struct call second = {0};
    struct upstream_request request = request_to(&provider, CHAT, ASK("two"));
    request.local = false;
    call_run(&bench, &second, &request);
    expect_refused(&second, ERROR_UPSTREAM_FORBIDDEN_ADDRESS);
    EXPECT_INTEGER(stat_of(&provider, "/_bill?summary=1", "rows"), 1);
    call_free(&first);
    finish(&provider);
}

TEST(request_on_a_dropped_connection_arrives_once)
{
    struct provider provider;
    if (!begin(&provider))
        return;
    struct call first = ask(&provider, ASK("first [[drop_next=1]]"));
    EXPECT_INTEGER(first.result.error, ERROR_OK);
    struct call second = ask(&provider, ASK("second"));
    EXPECT(second.result.error == ERROR_UPSTREAM_CUT && second.result.bytes_were_sent, "%s", second.result.detail);
    EXPECT_INTEGER(stat_of(&provider, "/_bill?summary=1", "rows"), 2); /* the dropped one has a row, once */
    call_free(&first);
    call_free(&second);
    finish(&provider);
}

/* ---- answers that go wrong ---- */

TEST(faults_of_the_provider_have_their_names)
{
    static const struct {
        const char *body;
        enum error error;
        int status;
    } rows[] = {
        {ASK("a [[fault=429]]"), ERROR_OK, 429},
        {ASK("a [[fault=500]]"), ERROR_OK, 500},
        {ASK("a [[fault=short_body]]"), ERROR_UPSTREAM_CUT, 200},
        {ASK("a [[fault=cut_fin]]"), ERROR_UPSTREAM_CUT, 200},
        {ASK("a [[fault=cut_rst]]"), ERROR_UPSTREAM_CUT, 200},
        {ASK_STREAM("a [[fault=cut_fin]]"), ERROR_UPSTREAM_CUT, 200},
        {ASK_STREAM("a [[fault=cut_rst]]"), ERROR_UPSTREAM_CUT, 200},
        {ASK_STREAM("a [[fault=half_close]]"), ERROR_UPSTREAM_CUT, 200},
        {ASK_STREAM("a [[framing=close]]"), ERROR_OK, 200},
        {ASK("a [[fault=drop]]"), ERROR_UPSTREAM_CUT, 0},
        {ASK("a [[fault=drop_rst]]"), ERROR_UPSTREAM_CUT, 0},
        {ASK("a [[fault=close_after]]"), ERROR_OK, 200},
    };
    struct provider provider;
    if (!begin(&provider))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call = ask(&provider, rows[i].body);
        EXPECT(call.result.error == rows[i].error, "%s: %s: %s", rows[i].body, error_row(call.result.error)->name,
               call.result.detail);
        EXPECT_INTEGER(call.status, rows[i].status);
        EXPECT(call.result.bytes_were_sent && call.dones == 1, "%s", rows[i].body);
        call_free(&call);
    }
    EXPECT_INTEGER(stat_of(&provider, "/_bill?summary=1", "rows"), sizeof rows / sizeof *rows);
    finish(&provider);
}

TEST(streams_pass_under_back_pressure)
{
    struct provider provider;
    if (!begin(&provider))
        return;
    struct call call = {.pauses = 30, .pause_ms = 1};
    struct upstream_request request = request_to(&provider, CHAT, ASK_STREAM("hello [[tokens=3000]]"));
    call_run(&bench, &call, &request);
    EXPECT(call.result.error == ERROR_OK, "%s", call.result.detail);
    EXPECT(call.body_bytes > 100000, "%zu bytes", call.body_bytes);
    EXPECT(memmem(call.body, call.body_bytes, "data: [DONE]\n\n", 14), "the end is missing");
    EXPECT_INTEGER(call.pauses, 0);
    call_free(&call);
    finish(&provider);
}

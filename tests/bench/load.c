/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load generator of scripts/bench: one thread, N TLS connections that are kept alive, each asks again as soon as its
 * answer is complete (or reads one paced stream). Prints one line of NAME=VALUE: what the clients saw, and what the
 * process in the middle (--pid) used meanwhile. Any answer that is not 200, whole and of the expected size ends it with
 * exit code 1: a figure of wrong answers is worth nothing.
 */
#include "tests/bench/answer.h"
#include "tests/bench/latencies.h"
#include "tests/bench/options.h"
#include "tests/bench/process.h"
#include "tests/bench/target.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 32768, BATCH = 256, SILENCE_MS = 30000, TOKENS_SPARE = 64 };
enum { NUMBER_DIGITS = 20, IDLE_MS = 30, IDLE_CPU_NS = 300000, IDLE_TRIES = 100 };

struct client {
    SSL *ssl;
    char *request; /* the load's, or a copy where no two are the same */
    size_t sent;   /* bytes of the request */
    uint64_t asked, started_ns;
    bool is_asking, has_event, has_piece;
    struct answer answer;
    struct stamps stamps;
    struct numbers numbers;
};

/* What the middle had used, and the clients had seen, at one moment. */
struct reading {
    uint64_t at_ns, cpu_ns, rss_kib, answers, events;
};

struct load {
    struct sockaddr_in address;
    SSL_CTX *tls;
    int epoll;
    pid_t pid;
    unsigned connections, pieces, pace_ms, spread_ms, repeats;
    bool has_stamps, has_numbers, has_any_size;
    bool is_paced;  /* streams that run side by side; else each answer is timed as a whole */
    bool is_varied; /* no two requests are the same */
    bool is_idle_awaited;
    uint64_t answer_bytes;
    char *request;
    size_t request_length, number_at; /* where the number is that makes requests differ */
    uint64_t number;
    FILE *save;
    struct client *clients;
    uint64_t until_ns, each_max; /* no connection asks again after either */
    unsigned asking, streaming;  /* streaming: had their first event */
    uint64_t answers, events;
    uint64_t lost, reordered;       /* events, of numbered streams */
    struct latencies latencies;     /* of answers; of streams: to their first event */
    struct latencies first, on_way; /* of stamped streams: to the first piece of text; of each piece from its stamp */
    struct reading from, to;
    bool is_window_open, is_window_closed;
};

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "load: %s: %s\n", what, detail);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

static struct reading take_reading(const struct load *load)
{
    return (struct reading){now_ns(), process_read_cpu_ns(load->pid), process_read_rss_kib(load->pid), load->answers,
                            load->events};
}

/* ---- one connection ---- */

static void open_client(struct load *load, struct client *client, const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&load->address, sizeof load->address) != 0)
        fail("connect", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    client->ssl = SSL_new(load->tls);
    if (!client->ssl || SSL_set_fd(client->ssl, fd) != 1 || SSL_set_tlsext_host_name(client->ssl, name) != 1 ||
        SSL_set1_host(client->ssl, name) != 1 || SSL_connect(client->ssl) != 1)
        fail("handshake", name);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll", strerror(errno));
}

static void send_request(struct load *load, struct client *client)
{
    while (client->sent < load->request_length) {
        size_t sent = 0;
        int result =
            SSL_write_ex(client->ssl, client->request + client->sent, load->request_length - client->sent, &sent);
        int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(client->ssl, result);
        if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ)
            fail("send", "the connection was closed");
        bool is_blocked = error != SSL_ERROR_NONE;
        if (is_blocked || client->sent) {
            struct epoll_event event = {.events = is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = client};
            epoll_ctl(load->epoll, EPOLL_CTL_MOD, SSL_get_fd(client->ssl), &event);
        }
        if (is_blocked)
            return;
        client->sent += sent;
    }
}

static void number_request(struct load *load, struct client *client)
{
    char digits[NUMBER_DIGITS + 1];
    snprintf(digits, sizeof digits, "%0*llu", NUMBER_DIGITS, (unsigned long long)load->number++);
    memcpy(client->request + load->number_at, digits, NUMBER_DIGITS);
}

static void ask(struct load *load, struct client *client)
{
    answer_init(&client->answer);
    client->answer.save = load->save;
    if (load->is_varied)
        number_request(load, client);
    client->sent = 0;
    client->is_asking = true;
    client->has_event = client->has_piece = false;
    client->stamps = (struct stamps){.latencies = &load->on_way};
    client->answer.stamps = load->has_stamps ? &client->stamps : NULL;
    client->numbers = (struct numbers){0};
    client->answer.numbers = load->has_numbers ? &client->numbers : NULL;
    client->asked++;
    load->asking++;
    client->started_ns = now_ns();
    send_request(load, client);
}

static void check_answer(const struct load *load, const struct client *client)
{
    const struct answer *answer = &client->answer;
    char detail[600];
    bool is_whole = answer->state == ANSWER_DONE && answer->status == 200;
    if (is_whole && load->pieces)
        is_whole = answer_ends_with(answer, "data: [DONE]\n\n") && answer->events >= load->pieces + 2 &&
                   (!load->has_stamps || client->stamps.count == load->pieces);
    else if (is_whole)
        is_whole = (load->has_any_size || answer->body_bytes == load->answer_bytes) && answer_ends_with(answer, "}");
    if (is_whole)
        return;
    snprintf(detail, sizeof detail, "status %d, state %d, %llu bytes, %u events: %.400s", answer->status,
             (int)answer->state, (unsigned long long)answer->body_bytes, answer->events, answer->head);
    fail("answer is not what was asked for", detail);
}

static void finish_answer(struct load *load, struct client *client)
{
    check_answer(load, client);
    if (load->has_numbers) {
        numbers_finish(&client->numbers, load->pieces);
        load->lost += client->numbers.lost;
        load->reordered += client->numbers.reordered;
    }
    load->answers++;
    load->asking--;
    client->is_asking = false;
    if (load->is_window_open && !load->is_window_closed) {
        load->is_window_closed = true;
        load->to = take_reading(load);
    }
    uint64_t now = now_ns();
    if (load->is_paced) {
        if (client->asked < load->repeats)
            ask(load, client);
        return;
    }
    latencies_add(&load->latencies, now - client->started_ns);
    if (now < load->until_ns && client->asked < load->each_max)
        ask(load, client);
}

/* All streams run: from here until the first one ends is the steady state that is measured. */
static void note_first_event(struct load *load, struct client *client)
{
    client->has_event = true;
    latencies_add(&load->latencies, now_ns() - client->started_ns);
    if (++load->streaming == load->connections && load->answers == 0 && load->repeats == 1) {
        load->is_window_open = true;
        load->from = take_reading(load);
    }
}

static void receive(struct load *load, struct client *client)
{
    static char bytes[READ_BYTES];
    size_t length = 0;
    for (int result; (result = SSL_read_ex(client->ssl, bytes, sizeof bytes, &length)) == 1;) {
        uint32_t before = client->answer.events;
        if (!client->is_asking)
            fail("receive", "bytes that nobody asked for");
        client->stamps.now_ns = now_ns();
        client->stamps.is_timed = load->is_window_open && !load->is_window_closed;
        answer_take(&client->answer, bytes, length);
        load->events += client->answer.events - before;
        if (load->is_paced && !client->has_event && client->answer.events)
            note_first_event(load, client);
        if (client->stamps.count && !client->has_piece) {
            client->has_piece = true;
            latencies_add(&load->first, client->stamps.now_ns - client->started_ns);
        }
        if (client->answer.state >= ANSWER_DONE) {
            finish_answer(load, client);
            return;
        }
    }
    int error = SSL_get_error(client->ssl, 0);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        fail("receive", client->is_asking ? "closed in mid-answer" : "an idle connection was closed");
}

/* ---- the run ---- */

static void wait_events(struct load *load, int timeout_ms)
{
    struct epoll_event events[BATCH];
    int count = epoll_wait(load->epoll, events, BATCH, timeout_ms);
    if (count < 0 && errno != EINTR)
        fail("epoll_wait", strerror(errno));
    if (count == 0 && timeout_ms == SILENCE_MS)
        fail("silence", "no answer comes");
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (client->is_asking && client->sent < load->request_length)
            send_request(load, client);
        receive(load, client);
    }
}

/* Every connection asks again and again, each_max times or until then. */
static void run_closed_loop(struct load *load, uint64_t each_max, uint64_t until_ns)
{
    load->each_max = each_max;
    load->until_ns = until_ns;
    for (unsigned i = 0; i < load->connections && each_max; i++) {
        load->clients[i].asked = 0;
        ask(load, &load->clients[i]);
    }
    while (load->asking)
        wait_events(load, SILENCE_MS);
}

/* Streams begin evenly spread, so that their pieces are spread as well. */
static void run_streams(struct load *load)
{
    uint64_t begin_ns = now_ns(), step_ns = load->spread_ms * 1000000ull / load->connections;
    load->from = take_reading(load);
    for (unsigned next = 0; load->asking || next < load->connections;) {
        while (next < load->connections && now_ns() >= begin_ns + next * step_ns)
            ask(load, &load->clients[next++]);
        wait_events(load, next < load->connections ? 1 : SILENCE_MS);
    }
    if (!load->is_window_closed)
        load->to = take_reading(load);
}

/* What the middle has put off (a log, a store) is part of its cost: it is waited for, before and after. */
static void await_idle(const struct load *load)
{
    uint64_t used_ns = process_read_cpu_ns(load->pid);
    for (int i = 0; load->is_idle_awaited && load->pid && i < IDLE_TRIES; i++) {
        usleep(IDLE_MS * 1000);
        uint64_t before_ns = used_ns;
        used_ns = process_read_cpu_ns(load->pid);
        if (used_ns - before_ns < IDLE_CPU_NS)
            return;
    }
}

static void run(struct load *load, const struct options *options)
{
    if (load->is_paced) {
        run_streams(load);
        return;
    }
    run_closed_loop(load, number_of(options->warmup, 10), UINT64_MAX);
    await_idle(load);
    load->latencies.count = 0;
    load->from = take_reading(load);
    run_closed_loop(load, UINT64_MAX, load->from.at_ns + number_of(options->milliseconds, 1000) * 1000000ull);
    load->to = take_reading(load);
    await_idle(load);
    load->to.cpu_ns = process_read_cpu_ns(load->pid);
}

/* ---- set-up and report ---- */

/* A chat request whose body has exactly that many bytes. */
static void build_chat(struct load *load, const struct options *options, const char *name)
{
    char front[1024];
    size_t body_bytes = number_of(options->request_bytes, 1024);
    unsigned long long tokens = (load->pieces ? load->pieces : load->answer_bytes / 4) + TOKENS_SPARE;
    int length = snprintf(
        front, sizeof front, "{\"model\":\"%s\",\"max_tokens\":%llu,%s\"messages\":[{\"role\":\"user\",\"content\":\"",
        options->model, tokens, load->pieces ? "\"stream\":true,\"stream_options\":{\"include_usage\":true}," : "");
    if (load->pieces)
        length +=
            snprintf(front + length, sizeof front - (size_t)length, "[[tokens=%u]][[pace_ms=%u]]%s%s ", load->pieces,
                     load->pace_ms, load->has_stamps ? "[[stamp=1]]" : "", load->has_numbers ? "[[number=1]]" : "");
    if (!load->pieces || options->text_bytes)
        length += snprintf(front + length, sizeof front - (size_t)length, "[[bytes=%llu]] ",
                           load->pieces ? number_of(options->text_bytes, 0) : (unsigned long long)load->answer_bytes);
    load->number_at = (size_t)length; /* after the head, which comes below */
    if (load->is_varied)
        length += snprintf(front + length, sizeof front - (size_t)length, "%0*d ", NUMBER_DIGITS, 0);
    static const char words[] = "Say in one sentence why the sea is salt, then count to ten. ", end[] = "\"}]}";
    if ((size_t)length + sizeof end - 1 > body_bytes)
        fail("request", "--request-bytes is too small");
    load->request = malloc(body_bytes + 1024);
    if (!load->request)
        fail("request", "no memory");
    size_t at = (size_t)snprintf(load->request, 1024,
                                 "POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\n"
                                 "content-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\n"
                                 "content-length: %zu\r\n\r\n",
                                 name, options->key, body_bytes);
    load->request_length = at + body_bytes;
    load->number_at += at;
    memcpy(load->request + at, front, (size_t)length);
    size_t fill_end = load->request_length - (sizeof end - 1);
    for (size_t i = at + (size_t)length; i < fill_end; i++)
        load->request[i] = words[(i - at - (size_t)length) % (sizeof words - 1)];
    memcpy(load->request + fill_end, end, sizeof end - 1);
}

/* A file, of one who has it ready. */
static void build_get(struct load *load, const struct options *options, const char *name)
{
    load->request = malloc(1024);
    int length = load->request ? snprintf(load->request, 1024,
                                          "GET %s HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\naccept: */*\r\n"
                                          "user-agent: bench\r\n\r\n",
                                          options->get, name, options->key)
                               : -1;
    if (length < 0 || length >= 1024)
        fail("request", "--get is too long");
    load->request_length = (size_t)length;
}

static void build_requests(struct load *load, const struct options *options, const char *name)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    load->number = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec; /* nobody had these before */
    (options->get ? build_get : build_chat)(load, options, name);
    for (unsigned i = 0; i < load->connections; i++) {
        struct client *client = &load->clients[i];
        client->request = load->is_varied ? malloc(load->request_length) : load->request;
        if (!client->request)
            fail("request", "no memory");
        if (load->is_varied)
            memcpy(client->request, load->request, load->request_length);
    }
}

static void setup(struct load *load, const struct options *options, const char *name)
{
    load->connections = number_of(options->connections, 1);
    load->pieces = number_of(options->pieces, 0);
    load->pace_ms = number_of(options->pace_ms, 100);
    load->spread_ms = number_of(options->spread_ms, load->pace_ms);
    load->repeats = number_of(options->repeats, 1);
    load->has_any_size = number_of(options->any_size, 0) > 0;
    load->has_stamps = number_of(options->stamps, 0) > 0;
    load->has_numbers = number_of(options->numbers, 0) > 0;
    load->is_paced = load->pieces && number_of(options->whole, 0) == 0;
    load->is_varied = number_of(options->vary, 0) > 0 && !options->get;
    load->is_idle_awaited = number_of(options->idle, 0) > 0;
    load->save = options->save ? fopen(options->save, "we") : NULL;
    load->answer_bytes = number_of(options->answer_bytes, 1024);
    load->pid = (pid_t)number_of(options->pid, 0);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(load->connections, sizeof *load->clients);
    load->tls = SSL_CTX_new(TLS_client_method());
    if (load->epoll < 0 || !load->clients || !load->tls || (options->save && !load->save) ||
        SSL_CTX_load_verify_file(load->tls, options->ca) != 1)
        fail("set-up", options->ca);
    if (options->map ? !target_find(options->map, name, &load->address)
                     : !target_parse(options->connect, &load->address))
        fail("no such place", options->map ? options->map : options->connect);
    SSL_CTX_set_verify(load->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(load->tls, (const unsigned char *)"\x08http/1.1", 9);
    SSL_CTX_set_mode(load->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    build_requests(load, options, name);
}

static void report_stamps(struct load *load)
{
    latencies_sort(&load->first);
    latencies_sort(&load->on_way);
    printf("first_us=%.1f first_p99_us=%.1f ", latencies_quantile_us(&load->first, 0.50),
           latencies_quantile_us(&load->first, 0.99));
    if (load->on_way.count) /* else they never ran all at once */
        printf("event_us=%.1f event_p99_us=%.1f event_mean_us=%.1f ", latencies_quantile_us(&load->on_way, 0.50),
               latencies_quantile_us(&load->on_way, 0.99), latencies_mean_us(&load->on_way));
}

static void report(struct load *load, uint64_t rss_before_kib)
{
    const struct reading *from = &load->from, *to = &load->to;
    double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
    uint64_t units = load->is_paced ? to->events - from->events : to->answers - from->answers;
    if (!units)
        fail("report", "nothing was measured");
    latencies_sort(&load->latencies);
    if (load->has_stamps)
        report_stamps(load);
    if (load->has_numbers)
        printf("lost=%llu reordered=%llu ", (unsigned long long)load->lost, (unsigned long long)load->reordered);
    printf(
        "answers=%llu units=%llu seconds=%.3f rate=%.1f p50_us=%.1f p99_us=%.1f mean_us=%.1f cpu_us=%.3f rss_kib=%llu "
        "rss_before_kib=%llu steady=%d\n",
        (unsigned long long)load->answers, (unsigned long long)units, seconds, (double)units / seconds,
        latencies_quantile_us(&load->latencies, 0.50), latencies_quantile_us(&load->latencies, 0.99),
        latencies_mean_us(&load->latencies), (double)(to->cpu_ns - from->cpu_ns) / 1e3 / (double)units,
        (unsigned long long)to->rss_kib, (unsigned long long)rss_before_kib,
        !load->is_paced || (load->is_window_open && load->is_window_closed));
}

int main(int argc, char **argv)
{
    struct options options = {.name = "api.openai.com"};
    if (!options_parse(argc, argv, &options))
        return 64;
    struct load load = {0};
    setup(&load, &options, options.name);
    uint64_t rss_before_kib = process_read_rss_kib(load.pid);
    for (unsigned i = 0; i < load.connections; i++)
        open_client(&load, &load.clients[i], options.name);
    run(&load, &options);
    report(&load, rss_before_kib);
    if (load.save && fclose(load.save) != 0)
        fail("save", strerror(errno));
    for (unsigned i = 0; i < load.connections; i++) {
        SSL_free(load.clients[i].ssl);
        if (load.is_varied)
            free(load.clients[i].request);
    }
    SSL_CTX_free(load.tls);
    free(load.latencies.rows_ns);
    free(load.first.rows_ns);
    free(load.on_way.rows_ns);
    free(load.clients);
    free(load.request);
    return 0;
}

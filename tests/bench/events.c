/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal of many events, written by the journal's own code as fast as it goes, for what reads them to be measured:
 *   events fill DIRECTORY COUNT DAYS   COUNT events, the newest of today, bursts of 20 spread evenly over DAYS
 *   events rebuild DIRECTORY           makes the sums anew
 * Prints `figure NAME VALUE UNIT` lines. Always the same events: 12 programs of 6 teams with 8 models, a tenth from the
 * cache, some refused, some that failed over. Called by scripts/bench report.
 */
#include "base/check.h"
#include "base/clock.h"
#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { EVENT_BYTES_MAX = 4096, BURST = 20, BURST_MS = 10, FLUSH_EVERY = 4000, PROGRAMS = 12, MODELS = 8 };

static uint64_t seed = 0x2545f4914f6cdd1d;

/* xorshift: the same numbers in every run. */
static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

static struct id make_id(int64_t time_ms)
{
    struct id id = {{0}};
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(time_ms >> (40 - 8 * i));
    for (int i = 6; i < 15; i++)
        id.bytes[i] = (uint8_t)draw(256);
    return id;
}

struct call {
    char id[ID_TEXT_MAX], time[CLOCK_TEXT_MAX], settled[CLOCK_TEXT_MAX];
    unsigned program, model, input, output, nano;
    bool is_refused, is_hit, has_failed_over;
};

static struct call draw_call(struct id id, int64_t time_ms)
{
    struct call call = {.program = draw(PROGRAMS), .input = 200 + draw(8000), .output = 20 + draw(1200)};
    const unsigned luck = draw(100);
    id_format(id, call.id);
    clock_format(time_ms * 1000000, call.time);
    clock_format((time_ms + 800) * 1000000, call.settled);
    call.model = (call.program + draw(3)) % MODELS; /* a program has its favourites */
    call.nano = call.input * 250 + call.output * 2000;
    call.is_refused = luck < 3;
    call.is_hit = luck >= 3 && luck < 13;
    call.has_failed_over = luck >= 13 && luck < 15;
    return call;
}

static int write_attempts(char *text, size_t room, const struct call *call)
{
    static const char failed[] =
        "{\"target\":\"spare\",\"provider\":\"openai\",\"model\":\"model-0\",\"hold\":\"0.01\",\"charge\":"
        "\"0\",\"basis\":\"none\",\"usage_source\":\"none\",\"status\":503,\"bytes_sent\":true},";
    if (call->is_refused || call->is_hit)
        return 0;
    return snprintf(
        text, room,
        "%s{\"target\":\"target-%u\",\"provider\":\"%s\",\"model\":\"model-%u\",\"price_basis\":\"list\",\"hold\":"
        "\"0.012\",\"hold_basis\":\"bound\",\"charge\":\"0.%09u\",\"settled\":\"%s\",\"basis\":\"exact\","
        "\"usage_source\":\"provider\",\"status\":200,\"bytes_sent\":true,\"connect_us\":812,"
        "\"first_byte_us\":301122,\"total_us\":788123,\"tokens\":{\"input\":%u,\"cache_read\":%u,\"output\":%u}}",
        call->has_failed_over ? failed : "", call->model, call->model % 2 ? "openai" : "anthropic", call->model,
        call->nano, call->settled, call->input, call->input / 4, call->output);
}

static const char *result_of(const struct call *call, char text[256])
{
    if (call->is_refused)
        return "\"status\":402,\"outcome\":\"refused\",\"error\":\"wallet_exhausted\",\"error_detail\":\"wallet team "
               "has 0.001 USD left\"";
    if (!call->is_hit)
        return "\"status\":200,\"outcome\":\"answered\",\"cache_status\":\"tollgate; fwd=miss\",\"error\":null";
    snprintf(text, 256,
             "\"status\":200,\"outcome\":\"answered\",\"cache_status\":\"tollgate; hit; "
             "ttl=300\",\"avoided_cost\":\"0.%09u\"",
             call->nano);
    return text;
}

static struct slice write_event(const struct call *call, char text[EVENT_BYTES_MAX])
{
    char attempts[2048] = "", result[256];
    write_attempts(attempts, sizeof attempts, call);
    const unsigned team = call->program % 6;
    int length = snprintf(
        text, EVENT_BYTES_MAX,
        "{\"id\":\"%s\",\"time\":\"%s\",\"environment\":\"dev\",\"uid\":1000,\"pid\":%u,\"executable\":\"/usr/bin/"
        "program-%u\","
        "\"directory\":\"/home/you/"
        "project-%u\",\"project\":\"project-%u\",\"group\":\"team-%u\",\"group_source\":\"key\","
        "\"flagged\":false,\"wallet\":\"wallet-%u\",\"host\":\"api.openai.com\",\"dialect\":\"openai\",\"endpoint\":"
        "\"chat_completions\",\"method\":\"POST\",\"path\":\"/v1/chat/"
        "completions\",\"stream\":false,\"model\":\"model-%u\","
        "\"request_bytes\":%u,%s,\"provider\":\"openai\",\"tokens\":{\"input\":%u,\"cache_read\":%u,\"output\":%u},"
        "\"charge\":"
        "\"0.%09u\",\"answer_bytes\":%u,\"duration_us\":800000,\"attempts\":[%s],\"steps\":[{\"step\":\"identify\","
        "\"outcome\":"
        "\"next\",\"us\":99},{\"step\":\"authorize\",\"outcome\":\"next\",\"us\":106},{\"step\":\"reserve\","
        "\"outcome\":\"next\","
        "\"us\":779,\"text\":\"held 0.012 "
        "USD\"},{\"step\":\"relay\",\"outcome\":\"next\",\"us\":799000}],\"version\":\"0\"}",
        call->id, call->time, 1000 + call->program, call->program, call->program, call->program % 5, team, team,
        call->model, call->input * 4, result_of(call, result), attempts[0] ? call->input : 0,
        attempts[0] ? call->input / 4 : 0, attempts[0] ? call->output : 0, attempts[0] ? call->nano : 0,
        call->output * 5, attempts);
    check(length > 0 && length < EVENT_BYTES_MAX);
    return (struct slice){text, (size_t)length};
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void fill(struct journal *journal, unsigned long count, unsigned long days)
{
    const int64_t end_ms = clock_wall_ns() / 1000000 - 60000, span_ms = (int64_t)days * 86400000;
    const int64_t start_ns = clock_monotonic_ns();
    for (unsigned long i = 0; i < count; i++) {
        char text[EVENT_BYTES_MAX];
        const unsigned long burst = i / BURST, bursts = (count + BURST - 1) / BURST;
        const int64_t time_ms =
            end_ms - span_ms + (int64_t)((__int128)span_ms * burst / bursts) + (int64_t)(i % BURST * BURST_MS);
        const struct id id = make_id(time_ms);
        const struct call call = draw_call(id, time_ms);
        journal_append_event(journal, id, write_event(&call, text));
        if (i % FLUSH_EVERY == FLUSH_EVERY - 1)
            journal_flush(journal); /* what waits is bounded */
    }
    journal_flush(journal);
    check(journal_dropped(journal) == 0 && !journal_is_failed(journal));
    printf("figure fill_events_per_s %.0f 1/s\n", (double)count * 1e9 / (double)(clock_monotonic_ns() - start_ns));
    printf("figure fill_peak_memory %ld KiB\n", peak_kib());
}

static void rebuild(struct journal *journal)
{
    const int64_t start_ns = clock_monotonic_ns();
    uint64_t events = 0;
    check(journal_rebuild_sums(journal, &events) == ERROR_OK);
    const double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    printf("figure rebuild_events %llu events\n", (unsigned long long)events);
    printf("figure rebuild %.2f s\n", seconds);
    printf("figure rebuild_per_million %.2f s\n", seconds * 1e6 / (double)events);
    printf("figure rebuild_peak_memory %ld KiB\n", peak_kib());
}

int main(int argc, char **argv)
{
    struct journal *journal;
    const bool is_fill = argc == 5 && strcmp(argv[1], "fill") == 0;
    if (!is_fill && !(argc == 3 && strcmp(argv[1], "rebuild") == 0)) {
        fputs("usage: events fill DIRECTORY COUNT DAYS | events rebuild DIRECTORY\n", stderr);
        return 64;
    }
    check(journal_open(argv[2], &journal) == ERROR_OK);
    if (is_fill)
        fill(journal, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    else
        rebuild(journal);
    journal_close(journal);
    return 0;
}

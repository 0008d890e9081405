/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast exports are, and what they take: fills a journal with EVENTS events of 30 days in a directory of its own,
 * then exports it in each format into a file, and prints rows, rows per second, bytes and the peak of memory while
 * exporting. Run in the repository's root.
 *
 *   build/tests/bench/export EVENTS
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "evidence/evidence.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BEGUN_MS INT64_C(1790000000000)
enum { SPAN_MS_DAYS = 30, MODELS = 12, PROGRAMS = 9 };

static char root[] = "/tmp/tollgate-bench-export-XXXXXX";

static struct id id_at(int64_t ms, unsigned number)
{
    struct id id = {{0}};
    for (int i = 6; i-- > 0; ms >>= 8)
        id.bytes[i] = (uint8_t)ms;
    for (int i = 15; i-- > 9; number >>= 8)
        id.bytes[i] = (uint8_t)number;
    return id;
}

/* As large as an event of a plain call. */
static void make_event(unsigned number, int64_t ms, struct buffer *out)
{
    char time_text[CLOCK_TEXT_MAX];
    clock_format(ms * 1000000, time_text);
    check(buffer_append_format(
        out,
        "{\"time\":\"%s\",\"environment\":\"dev\",\"uid\":1000,\"pid\":4711,\"executable\":\"/usr/bin/program-%u\","
        "\"directory\":\"/home/someone/work/"
        "project-%u\",\"project\":\"project-%u\",\"group\":\"team\",\"wallet\":\"team\","
        "\"host\":\"api.openai.com\",\"endpoint\":\"chat.completions\",\"model\":\"model-%u\",\"stream\":true,"
        "\"request_bytes\":2000,\"status\":200,\"outcome\":\"answered\",\"tokens\":{\"input\":%u,\"cache_read\":100,"
        "\"output\":%u},\"charge\":\"0.00%04u\",\"duration_us\":1200000,\"attempts\":[{\"provider\":\"openai\","
        "\"model\":\"model-%u\",\"hold\":\"0.01\",\"charge\":\"0.00%04u\",\"basis\":\"exact\",\"usage_source\":"
        "\"provider\","
        "\"status\":200,\"settled\":\"%s\"}],\"steps\":[{\"step\":\"receive\",\"outcome\":\"next\",\"us\":10},"
        "{\"step\":\"authorize\",\"outcome\":\"next\",\"us\":20},{\"step\":\"reserve\",\"outcome\":\"next\",\"us\":900}"
        "]}",
        time_text, number % PROGRAMS, number % 5, number % 5, number % MODELS, 50 + number % 900, number % 300,
        number % 10000, number % MODELS, number % 10000, time_text));
}

static void fill(struct journal *journal, unsigned events)
{
    const int64_t step_ms = INT64_C(86400000) * SPAN_MS_DAYS / events;
    struct buffer out;
    buffer_init(&out, 8192);
    for (unsigned i = 0; i < events; i++) {
        const int64_t ms = BEGUN_MS + (int64_t)i * (step_ms ? step_ms : 1);
        buffer_reset(&out, 8192);
        make_event(i, ms, &out);
        journal_append_event(journal, id_at(ms, i), buffer_contents(&out));
        if (i % 4000 == 3999)
            journal_flush(journal);
    }
    journal_flush(journal);
    buffer_done(&out);
}

/* kB; "5" resets it (proc(5), clear_refs). */
static long peak_kb(void)
{
    char line[256];
    long peak = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (file)
        fclose(file);
    return peak;
}

static void reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    check(fd >= 0 && write(fd, "5", 1) == 1);
    close(fd);
}

static bool write_bytes(void *context, struct slice bytes)
{
    return file_write_all(*(const int *)context, bytes);
}

static void run(const struct export_order *order)
{
    char path[128];
    struct export_result result;
    snprintf(path, sizeof path, "%s/out.%s", root, export_suffix(order->format));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0);
    reset_peak();
    const int64_t begun_ns = clock_monotonic_ns();
    enum error error = export_run(order, write_bytes, &fd, &result);
    const double s = (double)(clock_monotonic_ns() - begun_ns) / 1e9;
    close(fd);
    check(error == ERROR_OK);
    printf("%-5s %8llu rows %6.2f s %9.0f rows/s %6.1f MB, peak of memory %ld MB\n", export_format_name(order->format),
           (unsigned long long)result.rows, s, (double)result.rows / s, (double)result.bytes / 1e6, peak_kb() / 1024);
}

static struct settings *load_settings(void)
{
    struct config_problems problems;
    struct settings *settings = NULL;
    const struct config_sources sources = {.policy_file = "policies/policy-config.dev.yaml",
                                           .providers_file = "policies/providers.yaml",
                                           .prices_file = "policies/prices.yaml",
                                           .environment = ENVIRONMENT_DEV};
    config_problems_init(&problems);
    check(config_load(&sources, &problems, &settings) == ERROR_OK);
    config_problems_done(&problems);
    return settings;
}

int main(int argc, char **argv)
{
    char path[64];
    unsigned recovered, events = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (events == 0) {
        fprintf(stderr, "usage: export EVENTS\n");
        return 64;
    }
    struct arena *arena = arena_new(256);
    struct settings *settings = load_settings();
    struct export_order order = {.settings = settings};
    check(mkdtemp(root) != NULL);
    snprintf(path, sizeof path, "%s/aux", root);
    check(journal_open(path, &order.journal) == ERROR_OK);
    snprintf(path, sizeof path, "%s/ledger", root);
    const struct wallet_options options = {.directory = path, .environment = "dev"};
    check(wallet_open(&options, &order.ledger, &recovered) == ERROR_OK);
    fill(order.journal, events);
    order.period = (struct period){0, INT64_C(4102444800), zone_load(arena, "UTC"), "UTC"};
    for (order.format = 0; order.format < EXPORT_FORMAT_COUNT; order.format++)
        run(&order);
    journal_close(order.journal);
    wallet_close(order.ledger);
    config_release(settings);
    arena_free(arena);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command) != 0;
}

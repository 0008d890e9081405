/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's speed, beside the disk's own: `ledger DIRECTORY [SECONDS]` prints `figure NAME VALUE UNIT` lines.
 * DIRECTORY is made, must not exist, and must lie on the disk that is to be measured. A batch of n is n operations that
 * share one commit, half of them reserves, half settles of the batch before. Called by scripts/bench.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "wallet/wallet.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_MAX = 128, SYNC_BYTES = 1000, SYNC_FILE_BYTES = 1 << 20 };

static void print_figure(const char *name, double value, const char *unit)
{
    printf("figure %s %.1f %s\n", name, value, unit);
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* One small write and fdatasync in a file whose blocks are all there: what the ledger's log does. */
static double measure_disk(const char *directory, double seconds)
{
    char path[4096], bytes[SYNC_BYTES] = {1};
    snprintf(path, sizeof path, "%s/disk", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    check(fd >= 0);
    for (off_t at = 0; at < SYNC_FILE_BYTES; at += SYNC_BYTES)
        check(pwrite(fd, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes);
    check(fsync(fd) == 0);
    int64_t start_ns = clock_monotonic_ns(), end_ns = start_ns + (int64_t)(seconds * 1e9), now_ns = start_ns;
    unsigned long count = 0;
    for (; now_ns < end_ns; now_ns = clock_monotonic_ns(), count++) {
        off_t at = (off_t)(count % (SYNC_FILE_BYTES / SYNC_BYTES)) * SYNC_BYTES;
        check(pwrite(fd, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes && fdatasync(fd) == 0);
    }
    close(fd);
    unlink(path);
    return (double)(now_ns - start_ns) / 1e3 / (double)count;
}

static void fund(struct wallet_ledger *ledger)
{
    struct wallet_operation operation = {
        .kind = WALLET_FUND, .id = id_new(), .wallet = "bench", .amount = {1000000000000000}, .create = true};
    wallet_run(ledger, &operation);
    check(operation.error == ERROR_OK);
}

static void prepare_reserve(struct wallet_operation *operation)
{
    *operation = (struct wallet_operation){.kind = WALLET_RESERVE,
                                           .id = id_new(),
                                           .wallet = "bench",
                                           .provider = "openai",
                                           .amount = {50000},
                                           .floor = {1000}};
}

static void prepare_settle(struct wallet_operation *operation, struct id id)
{
    *operation = (struct wallet_operation){
        .kind = WALLET_SETTLE,
        .id = id,
        .provider = "openai",
        .amount = {20000},
        .basis = BASIS_EXACT,
        .memo = {.model = "gpt-4o-mini", .provider = "openai", .group = "bench", .tokens_input = 900}};
}

static struct mailbox replies;
static unsigned answered;

static void count_answer(struct wallet_operation *operation)
{
    check(operation->error == ERROR_OK);
    answered++;
}

static void wait_for(unsigned count)
{
    while (answered < count) {
        struct pollfd ready = {.fd = replies.event_fd, .events = POLLIN};
        check(poll(&ready, 1, -1) >= 0);
        mailbox_run(&replies);
    }
}

static void submit(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    operation->reply_to = &replies;
    operation->done = count_answer;
    wallet_submit(ledger, operation);
}

/* Settles first: with the reserves behind them nothing lingers, and all of it is one batch, or nearly. */
static void run_round(struct wallet_ledger *ledger, struct wallet_operation *reserves, struct wallet_operation *settles,
                      unsigned pairs, bool has_settles)
{
    for (unsigned i = 0; has_settles && i < pairs; i++) {
        prepare_settle(&settles[i], reserves[i].id);
        submit(ledger, &settles[i]);
    }
    for (unsigned i = 0; i < pairs; i++) {
        prepare_reserve(&reserves[i]);
        submit(ledger, &reserves[i]);
    }
    answered = 0;
    wait_for(has_settles ? 2 * pairs : pairs);
}

static void measure_batch(struct wallet_ledger *ledger, unsigned batch, double seconds)
{
    static struct wallet_operation reserves[BATCH_MAX / 2], settles[BATCH_MAX / 2];
    char name[64];
    unsigned pairs = batch / 2;
    struct wallet_statistics before, after;
    run_round(ledger, reserves, settles, pairs, false);
    wallet_get_statistics(ledger, &before);
    double cpu = cpu_us();
    int64_t start_ns = clock_monotonic_ns(), end_ns = start_ns + (int64_t)(seconds * 1e9), now_ns = start_ns;
    int64_t longest_ns = 0;
    unsigned long count = 0;
    for (; now_ns < end_ns; count += pairs) {
        run_round(ledger, reserves, settles, pairs, true);
        int64_t then_ns = now_ns;
        now_ns = clock_monotonic_ns();
        longest_ns = now_ns - then_ns > longest_ns ? now_ns - then_ns : longest_ns;
    }
    cpu = cpu_us() - cpu;
    wallet_get_statistics(ledger, &after);
    for (unsigned i = 0; i < pairs; i++) {
        struct wallet_operation settle;
        prepare_settle(&settle, reserves[i].id);
        wallet_run(ledger, &settle);
    }
    snprintf(name, sizeof name, "ledger_pairs_batch_%u", batch);
    print_figure(name, (double)count * 1e9 / (double)(now_ns - start_ns), "pairs/s");
    snprintf(name, sizeof name, "ledger_cpu_batch_%u", batch);
    print_figure(name, cpu / (double)count, "us/pair");
    snprintf(name, sizeof name, "ledger_operations_per_commit_%u", batch);
    print_figure(name, (double)(after.operations - before.operations) / (double)(after.batches - before.batches),
                 "operations");
    snprintf(name, sizeof name, "ledger_longest_wait_batch_%u", batch);
    print_figure(name, (double)longest_ns / 1e6, "ms");
}

/* Nobody shares anything: what one request alone pays. */
static void measure_lone(struct wallet_ledger *ledger, double disk_us, double seconds)
{
    int64_t start_ns = clock_monotonic_ns(), end_ns = start_ns + (int64_t)(seconds * 1e9), reserve_ns = 0;
    unsigned long count = 0;
    for (; clock_monotonic_ns() < end_ns; count++) {
        struct wallet_operation reserve, settle;
        prepare_reserve(&reserve);
        int64_t then_ns = clock_monotonic_ns();
        wallet_run(ledger, &reserve);
        reserve_ns += clock_monotonic_ns() - then_ns;
        prepare_settle(&settle, reserve.id);
        wallet_run(ledger, &settle);
        check(reserve.error == ERROR_OK && settle.error == ERROR_OK);
    }
    print_figure("ledger_pairs_batch_1", (double)count * 1e9 / (double)(clock_monotonic_ns() - start_ns), "pairs/s");
    print_figure("ledger_lone_reserve_us", (double)reserve_ns / 1e3 / (double)count, "us");
    print_figure("ledger_lone_reserve_ratio", (double)reserve_ns / 1e3 / (double)count / disk_us, "fdatasync");
}

int main(int argc, char **argv)
{
    const double seconds = argc > 2 ? atof(argv[2]) : 2;
    char directory[4096];
    struct wallet_ledger *ledger;
    unsigned recovered;
    if (argc < 2 || mkdir(argv[1], 0700) != 0) {
        fprintf(stderr, "usage: ledger NEW_DIRECTORY [SECONDS]\n");
        return 64;
    }
    snprintf(directory, sizeof directory, "%s/ledger", argv[1]);
    const struct wallet_options options = {
        .directory = directory, .environment = "dev", .settle_recovered_in_full = true};
    mailbox_init(&replies);
    double disk_us = measure_disk(argv[1], seconds / 2);
    print_figure("disk_fdatasync", 1e6 / disk_us, "syncs/s");
    enum error error = wallet_open(&options, &ledger, &recovered);
    check(error == ERROR_OK);
    fund(ledger);
    measure_lone(ledger, disk_us, seconds);
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned batches[] = {8, 32, 128};
        measure_batch(ledger, batches[i], seconds);
    }
    print_figure("disk_fdatasync_after", 1e6 / measure_disk(argv[1], seconds / 2), "syncs/s");
    wallet_close(ledger);
    mailbox_done(&replies);
    char report[2048];
    int64_t start_ns = clock_monotonic_ns();
    error = wallet_audit(directory, report, sizeof report);
    check(error == ERROR_OK);
    print_figure("ledger_audit_s", (double)(clock_monotonic_ns() - start_ns) / 1e9, "s");
    printf("%s", report);
    return 0;
}

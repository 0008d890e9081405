/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wallet/replay.c by way of wallet_restore: the lines of a backup. An input is a dump as it is, or edits of a real one
 * (four bytes each: place, what, byte), since no mutation of bytes meets its chain of hashes. What is refused says why
 * and leaves nothing; what is accepted says the same when it is dumped again.
 */
#include "fuzz.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "wallet/wallet.h"

static char *base; /* the real dump */
static size_t base_bytes;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static void order(struct wallet_ledger *ledger, enum wallet_operation_kind kind, struct id id, int64_t nano)
{
    struct wallet_operation operation = {.kind = kind,
                                         .id = id,
                                         .wallet = "team",
                                         .provider = "openai",
                                         .amount = {nano},
                                         .basis = BASIS_EXACT,
                                         .create = true,
                                         .note = "a note",
                                         .memo = {.model = "m", .group = "g", .tokens_input = 3}};
    if (kind == WALLET_RESERVE) {
        operation.budgets[0] = (struct wallet_budget){"b", 1, 1, MONEY_MAX};
        operation.budget_count = 1;
    }
    if (kind == WALLET_DEFER)
        operation.job = (struct wallet_job){.provider = "openai", .key = "resp_1", .note = "n", .deadline_s = 1 << 30};
    wallet_run(ledger, &operation);
    FUZZ_REQUIRE(operation.error == ERROR_OK, "%s", error_row(operation.error)->name);
}

static void dump(const char *directory, char **ret_text, size_t *ret_bytes)
{
    FILE *out = open_memstream(ret_text, ret_bytes);
    FUZZ_REQUIRE(out && wallet_dump(directory, out) == ERROR_OK, "no dump");
    fclose(out);
}

static void make_base(void)
{
    const struct wallet_options options = {.directory = fuzz_path("ledger"), .environment = "dev"};
    struct wallet_ledger *ledger = NULL;
    unsigned recovered;
    FUZZ_REQUIRE(wallet_open(&options, &ledger, &recovered) == ERROR_OK, "no ledger");
    order(ledger, WALLET_FUND, id_new(), 5000);
    const struct id paid = id_new(), returned = id_new(), open = id_new();
    order(ledger, WALLET_RESERVE, paid, 700);
    order(ledger, WALLET_SETTLE, paid, 500);
    order(ledger, WALLET_RESERVE, returned, 600);
    order(ledger, WALLET_VOID, returned, 0);
    order(ledger, WALLET_RESERVE, open, 400);
    order(ledger, WALLET_DEFER, open, 0);
    order(ledger, WALLET_ADJUST, id_new(), -100);
    wallet_close(ledger);
    dump(fuzz_path("ledger"), &base, &base_bytes);
}

/* The line that holds a place. */
static struct slice line_at(struct slice text, size_t place)
{
    size_t from = place, to = place;
    while (from > 0 && text.data[from - 1] != '\n')
        from--;
    while (to < text.length && text.data[to] != '\n')
        to++;
    return (struct slice){text.data + from, to - from + (to < text.length)};
}

static char *edit(struct slice edits, size_t *ret_bytes)
{
    char *text = malloc(base_bytes * 2 + 4096);
    size_t bytes = base_bytes;
    memcpy(text, base, bytes);
    for (size_t i = 0; i + 4 <= edits.length && i < 64; i += 4) {
        const unsigned char *row = (const unsigned char *)edits.data + i;
        size_t place = (row[0] * 256u + row[1]) % (bytes + 1);
        struct slice line = line_at((struct slice){text, bytes}, place);
        size_t from = (size_t)(line.data - text);
        if (row[2] % 3 == 0 && place < bytes) {
            text[place] = (char)row[3];
        } else if (row[2] % 3 == 1) {
            memmove(text + from, text + from + line.length, bytes - from - line.length);
            bytes -= line.length;
        } else if (bytes + line.length < base_bytes * 2) {
            memmove(text + from + line.length, text + from, bytes - from);
            bytes += line.length;
        }
    }
    *ret_bytes = bytes;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    char why[256] = "", *text = NULL, *again = NULL;
    size_t bytes = 0, again_bytes = 0;
    struct stat status;
    if (!base)
        make_base();
    if (fuzz_choose(&input, 4) > 0)
        text = edit(input, &bytes);
    else
        text = fuzz_copy((input)), bytes = input.length;
    const char *file = fuzz_file("dump", (struct slice){text, bytes}), *directory = fuzz_path("restored");
    enum error error = wallet_restore(file, directory, "dev", why, sizeof why);
    if (error) {
        FUZZ_REQUIRE(*why, "refused without a word: %s", error_row(error)->name);
        FUZZ_REQUIRE(stat(directory, &status) != 0, "refused, and put in place");
    } else {
        dump(directory, &again, &again_bytes);
        FUZZ_REQUIRE(again_bytes == bytes && memcmp(again, text, bytes) == 0, "another dump:\n%s", again);
        nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    free(again);
    free(text);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wallet/rows.c and cache/row.c: rows from a damaged store. A row of the ledger that is accepted is what we would write
 * (so that its hash covers all that is said); a row of the cache is accepted by its digest alone.
 */
#include "fuzz.h"

#include "cache/keep.h"
#include "wallet/rows.h"

static void play_transfer(struct slice row)
{
    unsigned char written[TRANSFER_ROW_BYTES];
    const struct row_key key = row_key_of(7);
    struct transfer transfer;
    if (!transfer_parse(row_slice(key.bytes, sizeof key.bytes), row, &transfer))
        return;
    FUZZ_REQUIRE(transfer.sequence == 7 && transfer.kind < TRANSFER_KINDS && transfer_kind_name(transfer.kind), "kind");
    transfer_format(&transfer, written);
    FUZZ_REQUIRE(slice_is_equal(row, row_slice(written, sizeof written)), "another row");
}

static void play_accounts(struct slice row)
{
    unsigned char written[BALANCE_ROW_BYTES + ANCHOR_ROW_BYTES];
    struct balance balance;
    struct head head;
    struct anchor anchor;
    if (balance_parse(row, &balance)) {
        balance_format(&balance, written);
        FUZZ_REQUIRE(slice_is_equal(row, row_slice(written, BALANCE_ROW_BYTES)), "another balance");
    }
    if (wallet_parse_head(row, &head)) {
        head_format(&head, written);
        FUZZ_REQUIRE(slice_is_equal(row, row_slice(written, HEAD_ROW_BYTES)), "another head");
    }
    if (anchor_parse(row, &anchor)) {
        anchor_format(&anchor, written);
        FUZZ_REQUIRE(slice_is_equal(row, row_slice(written, ANCHOR_ROW_BYTES)), "another anchor");
    }
}

static void play_detail(struct slice row)
{
    struct memo memo;
    struct wallet_job job = {.deadline_s = 0};
    struct detail detail = {.key = 0};
    char note[WALLET_NOTE_MAX];
    if (memo_parse(row, &memo) && row.length == MEMO_ROW_BYTES) {
        memo_format(&memo, &detail);
        FUZZ_REQUIRE(slice_is_equal(row, row_slice(detail.bytes, detail.length)), "another memo");
    }
    if (job_parse(row, &job)) {
        job_format(&job, &detail);
        FUZZ_REQUIRE(slice_is_equal(row, row_slice(detail.bytes, detail.length)), "another job");
    }
    (void)detail_resolution(row);
    detail_note(row, note);
    FUZZ_REQUIRE(strnlen(note, sizeof note) < sizeof note, "a note without an end");
}

static void play_cache(struct slice bytes)
{
    const struct cache_key key = {{1}};
    struct http_field fields[ROW_FIELDS_MAX];
    struct row row;
    unsigned char both[2 * DIGEST_BYTES];
    if (bytes.length <= DIGEST_BYTES)
        return;
    /* with the digest that makes it ours */
    char *copy = fuzz_copy(bytes);
    size_t length = bytes.length - DIGEST_BYTES;
    memcpy(both, key.bytes, DIGEST_BYTES);
    digest_sha256((struct slice){copy, length}, both + DIGEST_BYTES);
    digest_sha256((struct slice){(const char *)both, sizeof both}, (unsigned char *)copy + length);
    if (row_read(&key, (struct slice){copy, bytes.length}, fields, &row) == ROW_FINE) {
        FUZZ_REQUIRE(row.answer.field_count <= ROW_FIELDS_MAX, "%zu fields", row.answer.field_count);
        for (size_t i = 0; i < row.answer.field_count; i++)
            FUZZ_REQUIRE(fuzz_is_within(fields[i].name, (struct slice){copy, bytes.length}), "field %zu", i);
        FUZZ_REQUIRE(strlen(row.group) + strlen(row.model) < bytes.length, "texts");
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const plays[])(struct slice) = {play_transfer, play_accounts, play_detail, play_cache};
    struct slice input = fuzz_slice(data, size);
    unsigned kind = fuzz_choose(&input, 4);
    char *row = fuzz_copy(input);
    plays[kind]((struct slice){row, input.length});
    free(row);
    return 0;
}

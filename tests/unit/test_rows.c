/* SPDX-License-Identifier: Apache-2.0 */
/* wallet/rows.c: a row of the ledger that is accepted is what we would write: bit by bit, none is overlooked. */
#include "suite.h"
#include "wallet/rows.h"

static bool is_accepted_otherwise(const unsigned char row[TRANSFER_ROW_BYTES])
{
    unsigned char again[TRANSFER_ROW_BYTES];
    struct transfer transfer;
    const struct row_key key = row_key_of(7);
    if (!transfer_parse(row_slice(key.bytes, sizeof key.bytes), row_slice(row, TRANSFER_ROW_BYTES), &transfer))
        return false;
    transfer_format(&transfer, again);
    return memcmp(row, again, sizeof again) != 0;
}

TEST(a_transfer_with_a_flipped_bit_is_refused_or_says_so)
{
    struct transfer transfer = {.sequence = 7, .basis = BASIS_NONE, .amount = 5, .debit = 1, .credit = 3, .related = 9};
    for (int kind = TRANSFER_PENDING; kind < TRANSFER_KINDS; kind++) {
        unsigned char row[TRANSFER_ROW_BYTES];
        transfer.kind = kind;
        transfer_format(&transfer, row);
        for (size_t bit = 0; bit < 8 * sizeof row; bit++) {
            row[bit / 8] ^= (unsigned char)(1u << bit % 8);
            EXPECT(!is_accepted_otherwise(row), "kind %d, bit %zu", kind, bit);
            row[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
}

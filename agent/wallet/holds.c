/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open holds, by id. A live ledger has one set, a verification builds its own.
 */
#include "wallet/internal.h"

#include "base/check.h"

#include <stdlib.h>

struct hold *holds_add(struct hold **holds, const struct transfer *pending)
{
    struct hold *hold = calloc(1, sizeof *hold);
    check(hold != NULL);
    *hold = (struct hold){
        .id = pending->id,
        .sequence = pending->sequence,
        .wallet = pending->debit,
        .counterparty = pending->credit,
        .amount = pending->amount,
        .floor = pending->floor,
        .is_unenforced = (pending->flags & TRANSFER_UNENFORCED) != 0,
    };
    HASH_ADD(hh, *holds, id, sizeof hold->id, hold);
    return hold;
}

void holds_link(struct hold *hold, const struct transfer *pending)
{
    check(hold->linked_count < WALLET_BUDGETS_MAX);
    hold->linked[hold->linked_count++] = pending->debit;
    hold->allowance = pending->credit;
}

struct hold *holds_find(struct hold *holds, struct id id)
{
    struct hold *hold;
    HASH_FIND(hh, holds, &id, sizeof id, hold);
    return hold;
}

void holds_remove(struct hold **holds, struct hold *hold)
{
    HASH_DEL(*holds, hold); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
    free(hold);
}

void holds_free(struct hold **holds)
{
    struct hold *hold, *next;
    HASH_ITER(hh, *holds, hold, next)
    {
        holds_remove(holds, hold);
    }
}

uint64_t holds_oldest(const struct hold *holds)
{
    uint64_t oldest = 0;
    for (const struct hold *hold = holds; hold; hold = hold->hh.next)
        if (!oldest || hold->sequence < oldest)
            oldest = hold->sequence;
    return oldest;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Dividing an amount of nano-dollars among rows so that they sum up to it exactly. Called by export_focus.c. */
#include "evidence/export.h"

/* So that a share's product fits into 128 bits. */
static unsigned find_shift(const unsigned __int128 *weights, size_t count)
{
    unsigned shift = 0;
    for (size_t i = 0; i < count; i++)
        while (weights[i] >> shift > UINT64_MAX >> 8)
            shift++;
    return shift;
}

bool export_split(uint64_t amount, const unsigned __int128 *weights, size_t count, uint64_t *ret_shares)
{
    const unsigned shift = find_shift(weights, count);
    unsigned __int128 sum = 0;
    uint64_t left = amount;
    size_t greatest = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i] >> shift;
        greatest = weights[i] > weights[greatest] ? i : greatest;
    }
    if (sum == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        ret_shares[i] = (uint64_t)(amount * (weights[i] >> shift) / sum);
        left -= ret_shares[i];
    }
    ret_shares[greatest] += left;
    return true;
}

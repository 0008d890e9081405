/* SPDX-License-Identifier: Apache-2.0 */
/* See id.h. Random bits come from getrandom(2), drawn in blocks: a system call per id would be felt. */
#include "base/id.h"

#include "base/check.h"
#include "base/clock.h"

#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct id id_new(void)
{
    static _Thread_local uint8_t pool[252];
    static _Thread_local size_t pool_left;
    if (pool_left < 9) {
        check(getrandom(pool, sizeof pool, 0) == (ssize_t)sizeof pool);
        pool_left = sizeof pool;
    }
    struct id id = {{0}};
    uint64_t milliseconds = (uint64_t)clock_wall_ns() / 1000000;
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
    pool_left -= 9;
    memcpy(id.bytes + 6, pool + pool_left, 9);
    return id;
}

struct id id_with_attempt(struct id id, unsigned attempt)
{
    check(attempt < 256 && id.bytes[15] == 0);
    id.bytes[15] = (uint8_t)attempt;
    return id;
}

struct id id_without_attempt(struct id id)
{
    id.bytes[15] = 0;
    return id;
}

bool id_is_equal(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

char *id_format(struct id id, char text[ID_TEXT_MAX])
{
    unsigned __int128 value = 0;
    for (int i = 0; i < 16; i++)
        value = value << 8 | id.bytes[i];
    for (int i = 25; i >= 0; i--, value >>= 5)
        text[i] = alphabet[(unsigned)value & 31];
    text[26] = '\0';
    return text;
}

bool id_parse(struct slice text, struct id *ret_id)
{
    if (text.length != 26 || text.data[0] < '0' || text.data[0] > '7')
        return false;
    unsigned __int128 value = 0;
    for (size_t i = 0; i < 26; i++) {
        char c = text.data[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        const char *place = c ? strchr(alphabet, c) : NULL;
        if (!place)
            return false;
        value = value << 5 | (unsigned)(place - alphabet);
    }
    for (int i = 15; i >= 0; i--, value >>= 8)
        ret_id->bytes[i] = (uint8_t)value;
    return true;
}

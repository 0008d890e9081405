/* SPDX-License-Identifier: Apache-2.0 */
/* Mutations: bits, bytes, numbers, lengths, parts of the input and of others, tokens of a dictionary. */
#include "tests/fuzz/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- chance (splitmix64) ---- */

uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t chance_below(struct chance *chance, size_t bound)
{
    return bound ? (size_t)(chance_next(chance) % bound) : 0;
}

/* ---- dictionary ---- */

/* A token between its quotes; false when the line has none. */
static bool read_token(const char *line, struct input *ret_token)
{
    const char *at = strchr(line, '"'), *end = strrchr(line, '"');
    if (!at || at == end || line[0] == '#')
        return false;
    uint8_t *bytes = malloc((size_t)(end - at));
    size_t size = 0;
    for (at++; bytes && at < end; at++) {
        unsigned code;
        if (*at != '\\') {
            bytes[size++] = (uint8_t)*at;
        } else if (at[1] == 'x' && sscanf(at + 2, "%2x", &code) == 1) {
            bytes[size++] = (uint8_t)code;
            at += 3;
        } else {
            bytes[size++] = (uint8_t) * ++at;
        }
    }
    if (!size) {
        free(bytes);
        return false;
    }
    *ret_token = (struct input){bytes, size};
    return true;
}

bool tokens_read(const char *file, struct tokens *ret_tokens)
{
    enum { TOKENS_MAX = 1024 };
    char line[512];
    FILE *stream = fopen(file, "re");
    struct tokens tokens = {.rows = calloc(TOKENS_MAX, sizeof *tokens.rows)};
    if (!stream || !tokens.rows)
        return false;
    while (tokens.count < TOKENS_MAX && fgets(line, sizeof line, stream))
        tokens.count += read_token(line, &tokens.rows[tokens.count]);
    fclose(stream);
    *ret_tokens = tokens;
    return true;
}

/* ---- one change ---- */

struct work {
    struct chance *chance;
    const struct tokens *tokens;
    const struct input *other;
    uint8_t *bytes;
    size_t size, bytes_max;
};

static size_t below(struct work *work, size_t bound)
{
    return chance_below(work->chance, bound);
}

/* Replaces `gone` bytes at `at` by `count` of `with`; not when there is no room. */
static void replace(struct work *work, size_t at, size_t gone, const uint8_t *with, size_t count)
{
    if (work->size - gone + count > work->bytes_max)
        return;
    memmove(work->bytes + at + count, work->bytes + at + gone, work->size - at - gone);
    if (count)
        memmove(work->bytes + at, with, count);
    work->size = work->size - gone + count;
}

static void change_bit(struct work *work)
{
    if (work->size)
        work->bytes[below(work, work->size)] ^= (uint8_t)(1u << below(work, 8));
}

static void change_byte(struct work *work)
{
    static const uint8_t special[] = {0,   1,   9,   10,  13,   ' ',  '"',  '\'', '\\', '{',  '}',  '[', ']',
                                      ':', ',', '-', '0', 0x7f, 0x80, 0xc0, 0xe2, 0xed, 0xf4, 0xff, '/', ';'};
    if (!work->size)
        return;
    uint8_t *byte = &work->bytes[below(work, work->size)];
    *byte = below(work, 2) ? special[below(work, sizeof special)] : (uint8_t)below(work, 256);
}

static void delete_part(struct work *work)
{
    if (work->size) {
        size_t at = below(work, work->size), most = work->size - at;
        replace(work, at, 1 + below(work, below(work, 4) ? (most < 8 ? most : 8) : most), NULL, 0);
    }
}

/* What follows may be repeated many times: depth, counts, lengths. */
static void repeat_part(struct work *work)
{
    if (!work->size)
        return;
    uint8_t part[256];
    size_t at = below(work, work->size), most = work->size - at < sizeof part ? work->size - at : sizeof part;
    size_t count = 1 + below(work, below(work, 2) ? (most < 4 ? most : 4) : most);
    memcpy(part, work->bytes + at, count);
    for (size_t times = 1 + below(work, below(work, 8) ? 3 : 200); times > 0; times--)
        replace(work, at, 0, part, count);
}

static void copy_part(struct work *work)
{
    uint8_t part[512];
    if (!work->size)
        return;
    size_t from = below(work, work->size), at = below(work, work->size);
    size_t most = work->size - (from > at ? from : at);
    size_t count = 1 + below(work, most < sizeof part ? most : sizeof part);
    if (count > most)
        return;
    memcpy(part, work->bytes + from, count);
    memcpy(work->bytes + at, part, count);
}

static void splice(struct work *work)
{
    if (!work->other || !work->other->size)
        return;
    size_t from = below(work, work->other->size), count = 1 + below(work, work->other->size - from);
    size_t at = below(work, work->size + 1), gone = below(work, 2) ? 0 : below(work, work->size - at + 1);
    replace(work, at, gone, work->other->bytes + from, count);
}

static void put_token(struct work *work)
{
    if (!work->tokens->count)
        return;
    const struct input *token = &work->tokens->rows[below(work, work->tokens->count)];
    size_t at = below(work, work->size + 1), most = work->size - at < token->size ? work->size - at : token->size;
    replace(work, at, below(work, 3) ? 0 : most, token->bytes, token->size);
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* A number in digits becomes another. */
static void change_number(struct work *work)
{
    static const char *const numbers[] = {"0",
                                          "1",
                                          "-1",
                                          "00",
                                          "255",
                                          "256",
                                          "4294967295",
                                          "4294967296",
                                          "1e999",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "0.1",
                                          "1e-9",
                                          "99999999999999999999999"};
    size_t at = below(work, work->size + 1), end;
    while (at < work->size && !is_digit(work->bytes[at]))
        at++;
    for (end = at; end < work->size && is_digit(work->bytes[end]);)
        end++;
    const char *number = numbers[below(work, sizeof numbers / sizeof *numbers)];
    if (at < end)
        replace(work, at, end - at, (const uint8_t *)number, strlen(number));
}

/* A binary length or offset: near its size, near its bounds, or a little more or less. */
static void change_length(struct work *work)
{
    static const size_t widths[] = {1, 2, 3, 4, 8};
    size_t width = widths[below(work, sizeof widths / sizeof *widths)];
    if (work->size < width)
        return;
    size_t at = below(work, work->size - width + 1);
    const uint64_t choices[] = {work->size, work->size - at, 0, 1, UINT64_MAX, INT64_MAX, INT32_MAX, UINT32_MAX};
    uint64_t value = choices[below(work, sizeof choices / sizeof *choices)] + below(work, 5) - 2;
    bool is_big_endian = below(work, 2) != 0;
    for (size_t i = 0; i < width; i++)
        work->bytes[at + i] = (uint8_t)(value >> 8 * (is_big_endian ? width - 1 - i : i));
}

size_t mutate(struct chance *chance, const struct tokens *tokens, const struct input *other, uint8_t *bytes,
              size_t size, size_t bytes_max)
{
    static void (*const changes[])(struct work *) = {change_bit,  change_byte,   change_byte,  delete_part,
                                                     repeat_part, copy_part,     splice,       put_token,
                                                     put_token,   change_number, change_length};
    struct work work = {chance, tokens, other, bytes, size, bytes_max};
    for (size_t count = 1 + below(&work, below(&work, 2) ? 2 : 8); count > 0; count--)
        changes[below(&work, sizeof changes / sizeof *changes)](&work);
    return work.size;
}

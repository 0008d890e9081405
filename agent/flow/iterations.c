/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/iterations.h"

#include <pthread.h>

enum {
    ROWS = 16384, /* of the table: one row per hash, the newest wins */
    BODY_BYTES_MAX = 1 << 20,
    HASHED_BYTES_MAX = 16 << 10, /* of each part; longer ones differ by their length, too */
};
#define PAUSE_NS (30 * 60 * INT64_C(1000000000))

static struct row {
    uint64_t hash;
    int64_t last_ns;
    uint32_t count;
} rows[ROWS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a leaf lock */

/* FNV-1a: no stranger gains anything by a collision. */
static uint64_t hash_bytes(uint64_t hash, struct slice bytes)
{
    size_t length = bytes.length < HASHED_BYTES_MAX ? bytes.length : HASHED_BYTES_MAX;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * 0x100000001b3;
    return (hash ^ bytes.length) * 0x100000001b3;
}

/* What comes before the last element of an array. */
static struct slice without_last(struct slice array)
{
    struct json_value element;
    size_t at = 0, last = 0;
    while (json_next_element(array, &at, &element))
        last = element.offset;
    return (struct slice){array.data, last};
}

/* False: nothing that two calls could share. OpenAI: messages, or input and instructions; Anthropic: messages and
 * system; Gemini: contents and systemInstruction (the providers' API references). */
static bool hash_prefix(const struct exchange *exchange, uint64_t *ret_hash)
{
    enum { LISTS = 3, INSTRUCTIONS = 4 };
    struct json_value lists[LISTS], instructions[INSTRUCTIONS];
    const struct json_query queries[] = {
        {"messages", &lists[0]},
        {"input", &lists[1]},
        {"contents", &lists[2]},
        {"instructions", &instructions[0]},
        {"system", &instructions[1]},
        {"systemInstruction", &instructions[2]},
        {"system_instruction", &instructions[3]},
    };
    const struct slice body = exchange->request->body;
    uint64_t hash = 0xcbf29ce484222325;
    bool is_shared = false;
    if (!body.length || body.length > BODY_BYTES_MAX || exchange->rendition.facts.is_form ||
        json_scan(body, exchange->settings->limits.json_depth_max, queries, sizeof queries / sizeof *queries, NULL))
        return false;
    for (size_t i = 0; i < INSTRUCTIONS; i++)
        if (instructions[i].kind > JSON_KIND_NULL) {
            hash = hash_bytes(hash, instructions[i].raw);
            is_shared = true;
        }
    for (size_t i = 0; i < LISTS; i++)
        if (lists[i].kind == JSON_KIND_ARRAY) {
            struct slice shared = without_last(lists[i].raw);
            hash = hash_bytes(hash, shared);
            is_shared |= shared.length > 1; /* more than the bracket */
        }
    *ret_hash = hash;
    return is_shared;
}

static uint64_t hash_session(const struct exchange *exchange, uint64_t hash)
{
    const struct identity_claim *claim = &exchange->principal.claim;
    const unsigned uid = (unsigned)exchange->principal.peer.uid;
    hash = hash_bytes(hash, (struct slice){(const char *)&uid, sizeof uid});
    hash = hash_bytes(hash, slice_of(claim->executable));
    hash = hash_bytes(hash, slice_of(claim->directory));
    return hash_bytes(hash, slice_of(claim->project));
}

uint32_t iterations_count(const struct exchange *exchange)
{
    uint64_t hash;
    if (!hash_prefix(exchange, &hash))
        return 0;
    hash = hash_session(exchange, hash);
    struct row *row = &rows[(hash ^ hash >> 32) % ROWS];
    pthread_mutex_lock(&lock);
    bool goes_on = row->hash == hash && exchange->started_ns - row->last_ns < PAUSE_NS;
    *row = (struct row){hash, exchange->started_ns, goes_on ? row->count + 1 : 1};
    uint32_t count = row->count;
    pthread_mutex_unlock(&lock);
    return count;
}

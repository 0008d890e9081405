/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many events as one row. What a hundred calls of one program say differs in little: packed together, an event of 1.3
 * KB comes to 60 bytes, and where a row of its own costs Berkeley DB 8 µs (its page, its log, their checksums), its
 * share of a row costs half of one. Knows bytes only; keep.c writes them, read.c finds them again.
 */
#include "journal/internal.h"

enum {
    LEVEL = -3, /* 0.3 µs an event, 60 bytes; level 3: 0.4 and 40 */
    FORMAT = 1, /* the last byte of the key */
    EVENTS_BYTES_MAX = CHUNK_BYTES,
};

struct pack_head {
    struct id oldest;
    uint32_t events_bytes; /* unpacked */
};

struct slice chunk_events(const struct chunk *chunk)
{
    return (struct slice){chunk->bytes, chunk->used};
}

bool events_next(struct slice *events, struct id *ret_id, struct slice *ret_json)
{
    struct event_head head;
    if (events->length < sizeof head)
        return false;
    memcpy(&head, events->data, sizeof head);
    struct slice rest = slice_from(*events, sizeof head);
    if (head.bytes > rest.length)
        return false;
    *ret_id = head.id;
    *ret_json = (struct slice){rest.data, head.bytes};
    *events = slice_from(rest, head.bytes);
    return true;
}

uint64_t id_milliseconds(const struct id *id)
{
    return number_read(id->bytes, 6);
}

static int compare(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

struct pack pack_plan(const struct chunk *chunk)
{
    struct pack pack = {.newest = {{0}}};
    struct id id;
    struct slice json, events = chunk_events(chunk);
    while (events_next(&events, &id, &json))
        if (compare(&id, &pack.newest) > 0)
            pack.newest = id;
    pack.oldest = pack.newest;
    events = chunk_events(chunk);
    while (events_next(&events, &id, &json)) {
        if (!pack_has(&pack, &id))
            continue;
        pack.count++;
        if (compare(&id, &pack.oldest) < 0)
            pack.oldest = id;
    }
    return pack;
}

bool pack_has(const struct pack *pack, const struct id *id)
{
    return id_milliseconds(id) + PACK_SPAN_MS >= id_milliseconds(&pack->newest);
}

void pack_make_key(const struct pack *pack, char ret_key[PACK_KEY_BYTES])
{
    memcpy(ret_key, pack->newest.bytes, sizeof pack->newest.bytes);
    ret_key[sizeof pack->newest.bytes] = FORMAT;
}

bool pack_read_key(struct slice key, struct id *ret_newest)
{
    if (key.length != PACK_KEY_BYTES || key.data[PACK_KEY_BYTES - 1] != FORMAT)
        return false;
    memcpy(ret_newest->bytes, key.data, sizeof ret_newest->bytes);
    return true;
}

bool pack_write(const struct pack *pack, struct slice events, struct packer *packer, struct buffer *row)
{
    const struct pack_head head = {pack->oldest, (uint32_t)events.length};
    buffer_reset(row, SIZE_MAX);
    return events.length <= EVENTS_BYTES_MAX && buffer_append(row, (struct slice){(const char *)&head, sizeof head}) &&
           packer_pack(packer, LEVEL, events, row);
}

static bool read_head(struct slice row, struct pack_head *ret_head)
{
    if (row.length < sizeof *ret_head)
        return false;
    memcpy(ret_head, row.data, sizeof *ret_head);
    return ret_head->events_bytes <= EVENTS_BYTES_MAX;
}

bool pack_read_oldest(struct slice row, struct id *ret_oldest)
{
    struct pack_head head;
    if (!read_head(row, &head))
        return false;
    *ret_oldest = head.oldest;
    return true;
}

bool pack_read(struct slice row, struct packer *packer, struct buffer *events)
{
    struct pack_head head;
    return read_head(row, &head) && packer_unpack(packer, slice_from(row, sizeof head), head.events_bytes, events);
}

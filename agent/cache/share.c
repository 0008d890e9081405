/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flows through a flight: the leader's head and bytes in, each follower's copy out at its own pace, for as long as
 * all of the answer is kept.
 *
 * An answer that outgrows that has a window from the slowest follower on. Whoever has been given nothing yet asks for
 * itself, and nobody joins any more. Those half-way can go nowhere else, as the same question has another answer the
 * next time: they must have this one to its end, whatever the leader's program does. So the leader is told to wait for
 * the slowest of them (cache_lead_must_wait); who sleeps while others wait is cut off (flow/sharing.c). The leader's
 * own program, once it is full, is a reader like any other. Spilling to disk would spare the sleepers up to another
 * bound, for disk work on the loops. Called by flow/ from the loops.
 */
#include "cache/flight.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum {
    PIECE_BYTES_MIN = 4 << 10,
    PIECE_BYTES_MAX = 64 << 10,
    CROWDED_WINDOW_BYTES = 256 << 10, /* kept for slow followers when there is no room for whole answers */
    FIELDS_BYTES_MAX = 16 << 10,
    NS_PER_MS = 1000000,
};

static struct flight *led_by(const struct cache_ask *ask)
{
    return ask->reply == CACHE_LEAD && ask->seat ? ask->seat->flight : NULL;
}

/* ---- leading ---- */

static struct cache_answer *copy_head(const struct cache_head *head)
{
    struct http_field fields[ROW_FIELDS_MAX];
    struct cache_answer from = {.is_stream = head->is_stream, .fields = fields, .made_wall_ns = clock_wall_ns()};
    size_t bytes = 0;
    for (size_t i = 0; i < head->field_count && from.field_count < ROW_FIELDS_MAX; i++) {
        const struct http_field *field = &head->fields[i];
        bytes += field->name.length + field->value.length;
        if (cache_keeps_field(field->name) && bytes <= FIELDS_BYTES_MAX)
            fields[from.field_count++] = *field;
    }
    return answer_new(&from);
}

void cache_lead_head(struct cache *cache, struct cache_ask *ask, const struct cache_head *head)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight)
        return;
    struct cache_answer *copy = copy_head(head);
    flight->head_ns = clock_monotonic_ns();
    pthread_mutex_lock(&flight->lock);
    bool is_first = flight->leader == ask->seat && flight->state == FLIGHT_OPEN;
    if (is_first) {
        flight->head = copy;
        flight->public_head = (struct cache_head){head->status, head->is_stream, copy->fields, copy->field_count};
        flight->state = FLIGHT_FLOWING;
        flight_wake(flight);
    }
    pthread_mutex_unlock(&flight->lock);
    if (!is_first)
        cache_answer_release(copy);
}

static void note_frame(struct flight *flight, size_t length)
{
    int64_t offset_ms = (clock_monotonic_ns() - flight->head_ns) / NS_PER_MS;
    uint32_t offset = offset_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)offset_ms;
    struct cache_frame *last = flight->frame_count ? &flight->frames[flight->frame_count - 1] : NULL;
    if (last && (last->offset_ms == offset || flight->frame_count == CACHE_FRAMES_MAX)) {
        last->length += (uint32_t)length;
        return;
    }
    if (!flight->frames || flight->frame_count == flight->frame_capacity) {
        flight->frame_capacity = flight->frame_capacity ? flight->frame_capacity * 2 : 16;
        flight->frames = reallocarray(flight->frames, flight->frame_capacity, sizeof *flight->frames);
        check(flight->frames != NULL);
    }
    flight->frames[flight->frame_count++] = (struct cache_frame){offset, (uint32_t)length};
}

static struct piece *new_piece(struct flight *flight, size_t wanted)
{
    size_t capacity = flight->total < PIECE_BYTES_MIN ? PIECE_BYTES_MIN : (size_t)flight->total;
    capacity = capacity < wanted ? wanted : capacity;
    capacity = capacity > PIECE_BYTES_MAX ? PIECE_BYTES_MAX : capacity;
    struct piece *piece = malloc(sizeof *piece + capacity);
    check(piece != NULL);
    piece->next = NULL;
    piece->length = 0;
    piece->capacity = (uint32_t)capacity;
    if (flight->last)
        flight->last->next = piece;
    else
        flight->first = piece;
    flight->last = piece;
    return piece;
}

/* The lock is held. */
static void append(struct flight *flight, struct slice bytes)
{
    atomic_fetch_add(&flight->cache->flight_bytes, bytes.length);
    while (bytes.length) {
        struct piece *piece = flight->last;
        if (!piece || piece->length == piece->capacity)
            piece = new_piece(flight, bytes.length);
        size_t room = piece->capacity - piece->length, length = bytes.length < room ? bytes.length : room;
        memcpy(piece->bytes + piece->length, bytes.data, length);
        piece->length += (uint32_t)length;
        flight->total += length;
        bytes = slice_from(bytes, length);
    }
}

static uint64_t first_position(const struct flight *flight)
{
    const struct list *heads[] = {&flight->followers, &flight->waiting};
    uint64_t position = flight->total;
    if (flight->leader && flight->leader->is_behind)
        position = flight->leader->position;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        list_for_each(node, heads[i])
        {
            const struct cache_seat *seat = list_entry(node, struct cache_seat, node);
            position = seat->position < position ? seat->position : position;
        }
    return position;
}

static uint64_t window_of(const struct flight *flight)
{
    return flight->is_crowded ? CROWDED_WINDOW_BYTES : CACHE_ENTRY_BYTES_MAX;
}

static bool is_behind(const struct flight *flight, uint64_t position)
{
    return !flight->is_whole && flight->total - position > window_of(flight);
}

/* The lock is held; the answer is too long to be kept whole. Pieces that all have read go. */
static void drop_pieces(struct flight *flight)
{
    uint64_t read_by_all = first_position(flight);
    while (flight->first && flight->base + flight->first->length <= read_by_all) {
        struct piece *piece = flight->first;
        flight->first = piece->next;
        if (!flight->first)
            flight->last = NULL;
        flight->base += piece->length;
        atomic_fetch_sub(&flight->cache->flight_bytes, piece->length);
        free(piece);
    }
}

/* The lock is held. It learns of it when it reads, and nobody waits for it any more. */
static void drop(struct flight *flight, struct cache_seat *seat)
{
    seat->was_dropped = true;
    seat->is_waiting = false;
    list_remove(&seat->node);
    ask_wake(seat);
    if (--flight->follower_count == 0 && flight->leader)
        ask_wake(flight->leader);
}

/* The lock is held. Those that have been given nothing ask for themselves. */
static void drop_unserved(struct flight *flight)
{
    struct list *heads[] = {&flight->followers, &flight->waiting};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        list_for_each_safe(node, heads[i])
        {
            struct cache_seat *seat = list_entry(node, struct cache_seat, node);
            if (!seat->is_started)
                drop(flight, seat);
        }
}

void cache_lead_bytes(struct cache *cache, struct cache_ask *ask, struct slice bytes)
{
    struct flight *flight = led_by(ask);
    bool is_too_long = false;
    if (!flight || !bytes.length)
        return;
    bool has_no_room = atomic_load(&cache->flight_bytes) + bytes.length > cache->options.flight_bytes_max;
    pthread_mutex_lock(&flight->lock);
    if (flight->leader == ask->seat && flight->state == FLIGHT_FLOWING) {
        is_too_long = flight->is_whole && (has_no_room || flight->total + bytes.length > CACHE_ENTRY_BYTES_MAX);
        flight->is_crowded |= has_no_room;
        append(flight, bytes);
        if (is_too_long) {
            flight->is_whole = false;
            drop_unserved(flight);
        }
        if (!flight->is_whole)
            drop_pieces(flight);
        else if (flight->head->is_stream)
            note_frame(flight, bytes.length);
        flight_wake(flight);
    }
    pthread_mutex_unlock(&flight->lock);
    if (is_too_long)
        flight_unlist(flight);
}

bool cache_is_followed(struct cache *cache, const struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight)
        return false;
    pthread_mutex_lock(&flight->lock);
    bool is_followed = flight->leader == ask->seat && flight->follower_count > 0 && flight->is_whole;
    pthread_mutex_unlock(&flight->lock);
    return is_followed;
}

bool cache_lead_must_wait(struct cache *cache, struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight || flight->is_whole) /* which its leader alone changes */
        return false;
    pthread_mutex_lock(&flight->lock);
    bool must_wait = flight->leader == ask->seat && is_behind(flight, first_position(flight));
    flight->is_held = must_wait;
    pthread_mutex_unlock(&flight->lock);
    return must_wait;
}

bool cache_lead_is_awaited(struct cache *cache, const struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight)
        return false;
    pthread_mutex_lock(&flight->lock);
    bool is_awaited = flight->leader == ask->seat && !list_is_empty(&flight->waiting);
    pthread_mutex_unlock(&flight->lock);
    return is_awaited;
}

static void stop_joins(struct cache_ask *ask, bool with_parting)
{
    struct flight *flight = led_by(ask);
    if (!flight)
        return;
    pthread_mutex_lock(&flight->lock);
    bool is_leader = flight->leader == ask->seat;
    flight->is_closed |= is_leader;
    if (is_leader && with_parting)
        drop_unserved(flight);
    pthread_mutex_unlock(&flight->lock);
    if (is_leader)
        flight_unlist(flight);
}

void cache_lead_part(struct cache *cache, struct cache_ask *ask)
{
    (void)cache;
    stop_joins(ask, true);
}

void cache_lead_shut(struct cache *cache, struct cache_ask *ask)
{
    (void)cache;
    stop_joins(ask, false);
}

bool cache_lead_close(struct cache *cache, struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight)
        return true;
    pthread_mutex_lock(&flight->lock);
    bool is_followed = flight->leader == ask->seat && flight->follower_count > 0;
    flight->is_closed |= !is_followed;
    pthread_mutex_unlock(&flight->lock);
    if (!is_followed)
        flight_unlist(flight);
    return !is_followed;
}

/* ---- the leader's own program, when it is slow ---- */

bool cache_lead_fall_behind(struct cache *cache, struct cache_ask *ask)
{
    struct flight *flight = led_by(ask);
    if (!flight || !cache_is_followed(cache, ask))
        return false;
    pthread_mutex_lock(&flight->lock);
    ask->seat->position = flight->total;
    ask->seat->is_behind = true;
    pthread_mutex_unlock(&flight->lock);
    return true;
}

/* ---- following ---- */

static struct flight *followed_by(const struct cache_ask *ask)
{
    return ask->reply == CACHE_FOLLOW && ask->seat ? ask->seat->flight : NULL;
}

const struct cache_head *cache_follow_head(struct cache *cache, struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = followed_by(ask);
    if (!flight)
        return NULL;
    pthread_mutex_lock(&flight->lock);
    bool is_there = flight->head && !ask->seat->was_dropped;
    ask->seat->is_started |= is_there;
    pthread_mutex_unlock(&flight->lock);
    return is_there ? &flight->public_head : NULL; /* does not change any more */
}

static size_t copy_out(const struct flight *flight, struct cache_seat *seat, char *bytes, size_t bytes_max)
{
    uint64_t start = flight->base;
    size_t done = 0;
    for (const struct piece *piece = flight->first; piece && done < bytes_max; piece = piece->next) {
        if (seat->position < start + piece->length) {
            size_t offset = (size_t)(seat->position - start), left = piece->length - offset;
            size_t length = left < bytes_max - done ? left : bytes_max - done;
            memcpy(bytes + done, piece->bytes + offset, length);
            done += length;
            seat->position += length;
        }
        start += piece->length;
    }
    return done;
}

/* The lock is held. */
static void end_hold(struct flight *flight)
{
    if (!flight->is_held || !flight->leader || is_behind(flight, first_position(flight)))
        return;
    flight->is_held = false;
    ask_wake(flight->leader);
}

size_t cache_lead_read(struct cache *cache, struct cache_ask *ask, char *bytes, size_t bytes_max)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight || !ask->seat->is_behind)
        return 0;
    pthread_mutex_lock(&flight->lock);
    size_t length = copy_out(flight, ask->seat, bytes, bytes_max);
    ask->seat->is_behind = length > 0;
    end_hold(flight);
    pthread_mutex_unlock(&flight->lock);
    return length;
}

void cache_lead_forget(struct cache *cache, struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = led_by(ask);
    if (!flight)
        return;
    pthread_mutex_lock(&flight->lock);
    ask->seat->is_behind = false;
    end_hold(flight);
    pthread_mutex_unlock(&flight->lock);
}

/* The lock is held. */
static enum cache_progress read_on(struct flight *flight, struct cache_seat *seat, char *bytes, size_t bytes_max,
                                   size_t *ret_length)
{
    if (flight->leader == seat)
        return CACHE_TOOK;
    if (seat->was_dropped)
        return CACHE_LEFT;
    *ret_length = copy_out(flight, seat, bytes, bytes_max);
    end_hold(flight);
    if (*ret_length)
        return CACHE_BYTES;
    if (flight->state == FLIGHT_DONE)
        return CACHE_END;
    if (flight->state == FLIGHT_FAILED)
        return CACHE_FAILED;
    if (!seat->is_waiting) {
        seat->is_waiting = true;
        list_remove(&seat->node);
        list_append(&flight->waiting, &seat->node);
    }
    return CACHE_NOTHING;
}

enum cache_progress cache_follow_read(struct cache *cache, struct cache_ask *ask, char *bytes, size_t bytes_max,
                                      size_t *ret_length)
{
    struct flight *flight = followed_by(ask);
    *ret_length = 0;
    if (!flight)
        return CACHE_NOTHING;
    pthread_mutex_lock(&flight->lock);
    enum cache_progress progress = read_on(flight, ask->seat, bytes, bytes_max, ret_length);
    pthread_mutex_unlock(&flight->lock);
    if (progress == CACHE_TOOK) {
        ask->reply = CACHE_LEAD;
    } else if (progress == CACHE_LEFT) {
        flight_leave(ask->seat);
        ask->reply = CACHE_ALONE;
    }
    (void)cache;
    return progress;
}

bool cache_follow_is_awaited(struct cache *cache, const struct cache_ask *ask)
{
    (void)cache;
    struct flight *flight = followed_by(ask);
    if (!flight)
        return false;
    pthread_mutex_lock(&flight->lock);
    bool is_awaited = flight->is_held && is_behind(flight, ask->seat->position);
    pthread_mutex_unlock(&flight->lock);
    return is_awaited;
}

const struct cache_made *cache_follow_made(const struct cache_ask *ask)
{
    static const struct cache_made nothing = {.model = "", .target = "", .id = ""};
    struct flight *flight = followed_by(ask);
    return flight && flight->made ? &flight->made->made : &nothing;
}

enum error cache_follow_error(const struct cache_ask *ask, const char **ret_detail)
{
    const struct flight *flight = followed_by(ask);
    *ret_detail = flight ? flight->detail : NULL;
    return flight ? flight->error : ERROR_INTERNAL;
}

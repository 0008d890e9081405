/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay: an answer from the cache, or one that another exchange is getting, goes to the program: at once, or as it
 * came where the policy wants that, and never faster than the program reads. Called by relay for what recall answered.
 */
#include "flow/exchange.h"

#include "base/check.h"

enum { PIECE_BYTES = 64 << 10, KEPT_BYTES_MAX = 2 * PIECE_BYTES };

/* The worker's scratch has what is to be sent before `tail`: with it in one record where they fit, as a small answer
 * does. Each send wakes the program, and costs as much as all else of a hit. */
static void send_waiting(struct exchange *exchange, struct slice tail)
{
    struct buffer *scratch = &exchange->worker->scratch;
    bool full = false;
    if (exchange->session && (buffer_length(scratch) || tail.length) &&
        connection_write_two(session_connection(exchange->session), buffer_contents(scratch), tail, &full) && full)
        sharing_blocked(exchange);
    buffer_reset(scratch, KEPT_BYTES_MAX);
}

/* Left waiting: what the cache keeps of the head, and what every answer of ours carries. */
static void write_head(struct exchange *exchange, int status, const struct http_field *kept, size_t kept_count,
                       int64_t length)
{
    struct buffer *scratch = &exchange->worker->scratch;
    struct http_field *fields = arena_new_array(exchange->arena, struct http_field, kept_count + ANSWER_FIELDS_MAX + 1);
    size_t count = 0;
    for (size_t i = 0; i < kept_count; i++)
        fields[count++] = kept[i];
    exchange->relay.mode = relay_choose_mode(exchange->request, status, length);
    count = relay_add_framing(exchange, fields, count, length);
    count = answer_add_fields(exchange, fields, count, true);
    check(http_write_head(scratch, status, fields, count));
    exchange->relay.head_written = true;
    exchange->status_sent = status;
}

/* The last piece of a chunked answer may wait for its end. */
static void send_piece(struct exchange *exchange, struct slice piece, bool is_last)
{
    if (!exchange->session)
        return;
    exchange->answer_bytes += piece.length;
    if (exchange->relay.mode != RELAY_CHUNKED) {
        send_waiting(exchange, piece);
        return;
    }
    check(http_write_chunk(&exchange->worker->scratch, piece));
    if (!is_last)
        send_waiting(exchange, (struct slice){NULL, 0});
}

static void send_end(struct exchange *exchange)
{
    bool is_chunked = exchange->relay.mode == RELAY_CHUNKED;
    send_waiting(exchange, is_chunked ? SLICE_LITERAL("0\r\n\r\n") : (struct slice){NULL, 0});
    exchange->relay.is_complete = exchange->recall.is_whole = true;
}

/* ---- from the cache ---- */

static void pace_expired(struct timer *timer)
{
    flow_run(list_entry(timer, struct exchange, recall.timer));
}

/* Until when the next frame waits, where answers are paced; 0: it does not. */
static int64_t wait_ms(struct exchange *exchange, const struct cache_answer *answer)
{
    if (exchange->settings->cache.replay != REPLAY_PACED || exchange->recall.frame >= answer->frame_count)
        return 0;
    int64_t since_ms = (loop_now_ns(exchange->worker->loop) - exchange->recall.begun_ns) / 1000000;
    int64_t due_ms = answer->frames[exchange->recall.frame].offset_ms;
    return due_ms > since_ms ? due_ms - since_ms : 0;
}

/* Of a paced stream at most the rest of its frame. */
static struct slice next_piece(const struct exchange *exchange, const struct cache_answer *answer)
{
    struct slice rest = slice_from(answer->body, exchange->recall.offset);
    if (exchange->settings->cache.replay == REPLAY_PACED && exchange->recall.frame < answer->frame_count) {
        size_t left = answer->frames[exchange->recall.frame].length - exchange->recall.frame_offset;
        rest.length = rest.length < left ? rest.length : left;
    }
    rest.length = rest.length < PIECE_BYTES ? rest.length : PIECE_BYTES;
    return rest;
}

static void move_on(struct exchange *exchange, const struct cache_answer *answer, size_t length)
{
    exchange->recall.offset += length;
    exchange->recall.frame_offset += length;
    while (exchange->recall.frame < answer->frame_count &&
           exchange->recall.frame_offset >= answer->frames[exchange->recall.frame].length)
        exchange->recall.frame_offset -= answer->frames[exchange->recall.frame++].length;
}

static enum outcome replay_hit(struct exchange *exchange, const struct cache_answer *answer)
{
    if (!exchange->relay.head_written) {
        exchange->answer.is_event_stream = answer->is_stream;
        exchange->recall.begun_ns = loop_now_ns(exchange->worker->loop);
        exchange->recall.timer.expired = pace_expired;
        write_head(exchange, 200, answer->fields, answer->field_count,
                   answer->is_stream ? -1 : (int64_t)answer->body.length);
    }
    while (exchange->session && !exchange->relay.is_blocked && exchange->recall.offset < answer->body.length) {
        int64_t pause_ms = wait_ms(exchange, answer);
        if (pause_ms) {
            send_waiting(exchange, (struct slice){NULL, 0});
            timer_arm(exchange->worker->loop, &exchange->recall.timer, pause_ms);
            return OUTCOME_WAIT;
        }
        struct slice piece = next_piece(exchange, answer);
        move_on(exchange, answer, piece.length);
        send_piece(exchange, piece, exchange->recall.offset == answer->body.length);
    }
    if (exchange->session && exchange->recall.offset < answer->body.length)
        return OUTCOME_WAIT; /* relay_writable goes on */
    send_end(exchange);
    return OUTCOME_NEXT;
}

/* ---- from another exchange ---- */

static enum outcome break_off(struct exchange *exchange)
{
    const char *detail = NULL;
    exchange->error = cache_follow_error(&exchange->recall.ask, &detail);
    exchange->error_detail = arena_strdup(exchange->arena, detail ? detail : error_row(exchange->error)->text);
    if (exchange->answer.is_event_stream && exchange->session) {
        struct buffer frame;
        buffer_init(&frame, ERROR_BYTES_MAX);
        exchange->dialect->write_stream_error(exchange->error, exchange->error_detail, &frame);
        send_piece(exchange, buffer_contents(&frame), false);
        buffer_done(&frame);
    }
    return OUTCOME_NEXT;
}

static void begin_following(struct exchange *exchange)
{
    const struct cache_head *head = cache_follow_head(exchange->worker->services->cache, &exchange->recall.ask);
    check(head);
    exchange->answer.is_event_stream = head->is_stream;
    write_head(exchange, head->status, head->fields, head->field_count, -1);
}

static enum outcome replay_followed(struct exchange *exchange)
{
    static const enum outcome outcomes[] = {
        [CACHE_NOTHING] = OUTCOME_WAIT, [CACHE_END] = OUTCOME_NEXT, [CACHE_FAILED] = OUTCOME_NEXT};
    struct cache *cache = exchange->worker->services->cache;
    char *bytes = exchange->worker->piece;
    size_t length = 0;
    enum cache_progress progress = CACHE_NOTHING;
    if (!exchange->relay.head_written)
        begin_following(exchange);
    while (exchange->session && !exchange->relay.is_blocked &&
           (progress = cache_follow_read(cache, &exchange->recall.ask, bytes, FLOW_PIECE_BYTES, &length)) ==
               CACHE_BYTES)
        send_piece(exchange, (struct slice){bytes, length}, false);
    if (progress != CACHE_END)
        send_waiting(exchange, (struct slice){NULL, 0}); /* the head, before anything else is there */
    if (exchange->session && (exchange->relay.is_blocked || progress == CACHE_NOTHING))
        return OUTCOME_WAIT;
    if (progress == CACHE_END)
        send_end(exchange);
    else if (progress == CACHE_FAILED)
        return break_off(exchange);
    return exchange->session ? outcomes[progress] : OUTCOME_NEXT;
}

enum outcome replay(struct exchange *exchange)
{
    enum outcome outcome = OUTCOME_NEXT;
    buffer_reset(&exchange->worker->scratch, KEPT_BYTES_MAX);
    if (exchange->session)
        outcome = exchange->recall.ask.reply == CACHE_HIT ? replay_hit(exchange, exchange->recall.ask.answer)
                                                          : replay_followed(exchange);
    if (exchange->is_client_gone && !exchange->relay.is_complete) {
        exchange->error = ERROR_CLIENT_GONE;
        if (!exchange->error_detail)
            exchange->error_detail = "the client left";
        outcome = OUTCOME_NEXT;
    }
    if (outcome == OUTCOME_NEXT)
        exchange_note(exchange, "from the cache, %llu bytes", (unsigned long long)exchange->answer_bytes);
    return outcome;
}

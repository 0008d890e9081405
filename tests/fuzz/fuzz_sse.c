/* SPDX-License-Identifier: Apache-2.0 */
/* http/sse.c: events and the rest are the stream's bytes, the same however it is cut; each event can be parsed. */
#include "fuzz.h"

#include "http/http.h"

struct seen {
    struct buffer text; /* events, each behind a mark */
    struct buffer raw;
    struct arena *arena;
};

static void visit(void *context, struct slice raw_event)
{
    struct seen *seen = context;
    struct slice name, data;
    FUZZ_REQUIRE(raw_event.length > 0, "an empty event");
    (void)sse_parse_event(raw_event, seen->arena, &name, &data);
    FUZZ_REQUIRE(name.length <= raw_event.length && data.length <= raw_event.length, "longer than it was");
    bool ok = buffer_append(&seen->raw, raw_event) && buffer_append(&seen->text, SLICE_LITERAL("\x01")) &&
              buffer_append(&seen->text, name) && buffer_append(&seen->text, SLICE_LITERAL("\x02")) &&
              buffer_append(&seen->text, data);
    FUZZ_REQUIRE(ok, "the buffer is full");
}

static bool split(struct slice input, size_t step, size_t event_bytes_max, struct seen *ret_seen)
{
    struct sse_splitter splitter;
    bool is_whole = true;
    *ret_seen = (struct seen){.arena = arena_new(512)};
    buffer_init(&ret_seen->text, 1 << 22);
    buffer_init(&ret_seen->raw, 1 << 22);
    sse_splitter_init(&splitter, event_bytes_max);
    for (size_t at = 0; at < input.length;) {
        size_t length = input.length - at < step ? input.length - at : step;
        char *piece = fuzz_copy((struct slice){input.data + at, length});
        is_whole &= sse_splitter_feed(&splitter, (struct slice){piece, length}, visit, ret_seen);
        free(piece);
        at += length;
    }
    FUZZ_REQUIRE(buffer_append(&ret_seen->raw, sse_splitter_rest(&splitter)), "the buffer is full");
    sse_splitter_done(&splitter);
    return is_whole;
}

static void done(struct seen *seen)
{
    buffer_done(&seen->text);
    buffer_done(&seen->raw);
    arena_free(seen->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    struct seen whole, cut;
    size_t bound = fuzz_choose(&input, 2) ? 1 << 20 : 64;
    bool is_whole = split(input, SIZE_MAX, bound, &whole), is_cut_whole = split(input, 1 + size % 5, bound, &cut);
    /* At its bound an event may be too long only because half a line end of the one before counts with it. */
    if (bound > 64) {
        FUZZ_REQUIRE(is_whole && is_cut_whole, "%d, cut: %d", is_whole, is_cut_whole);
        FUZZ_REQUIRE(slice_is_equal(buffer_contents(&whole.raw), input), "bytes were lost");
        FUZZ_REQUIRE(slice_is_equal(buffer_contents(&cut.raw), input), "bytes were lost when cut");
        FUZZ_REQUIRE(slice_is_equal(buffer_contents(&whole.text), buffer_contents(&cut.text)), "other events when cut");
    }
    done(&whole);
    done(&cut);
    return 0;
}

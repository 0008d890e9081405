/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events: the splitter gives the same events however the stream is cut, and gives every byte once. */
#include "http/http.h"
#include "suite.h"

struct seen {
    char text[4096]; /* name=data| per event */
    struct buffer raw;
    struct arena *arena;
    unsigned count;
};

static void on_event(void *context, struct slice raw)
{
    struct seen *seen = context;
    struct slice name, data;
    sse_parse_event(raw, seen->arena, &name, &data);
    size_t at = strlen(seen->text);
    if (name.length || data.length)
        snprintf(seen->text + at, sizeof seen->text - at, "%.*s=%.*s|", SLICE_ARGUMENTS(name), SLICE_ARGUMENTS(data));
    CU_ASSERT(buffer_append(&seen->raw, raw));
    seen->count++;
}

static void run(struct slice stream, size_t cut, size_t step, size_t bound, struct seen *seen, bool *ret_bounded)
{
    struct sse_splitter splitter;
    *seen = (struct seen){.arena = arena_new(1024)};
    buffer_init(&seen->raw, 1 << 20);
    sse_splitter_init(&splitter, bound);
    *ret_bounded = true;
    for (size_t at = 0, length = cut; at < stream.length; at += length, length = step) {
        if (length > stream.length - at)
            length = stream.length - at;
        char *copy = malloc(length); /* ASan sees reads past a chunk */
        memcpy(copy, stream.data + at, length);
        *ret_bounded &= sse_splitter_feed(&splitter, (struct slice){copy, length}, on_event, seen);
        free(copy);
    }
    CU_ASSERT(buffer_append(&seen->raw, sse_splitter_rest(&splitter)));
    sse_splitter_done(&splitter);
}

static void done(struct seen *seen)
{
    buffer_done(&seen->raw);
    arena_free(seen->arena);
}

static void expect_events(const char *stream, const char *events, const char *rest)
{
    struct slice bytes = slice_of(stream);
    for (size_t cut = 1; cut <= bytes.length; cut++) {
        for (size_t step = 1; step <= bytes.length; step = step == 1 ? 2 : step == 2 ? bytes.length : step + 1) {
            struct seen seen;
            bool is_bounded;
            run(bytes, cut, step, 1 << 16, &seen, &is_bounded);
            EXPECT(is_bounded && strcmp(seen.text, events) == 0, "cut %zu step %zu of \"%s\": %s", cut, step, stream,
                   seen.text);
            EXPECT(slice_is(buffer_contents(&seen.raw), stream), "cut %zu step %zu: bytes lost", cut, step);
            done(&seen);
        }
    }
    struct sse_splitter splitter;
    struct seen seen = {.arena = arena_new(256)};
    buffer_init(&seen.raw, 1 << 16);
    sse_splitter_init(&splitter, 1 << 16);
    CU_ASSERT(sse_splitter_feed(&splitter, bytes, on_event, &seen));
    EXPECT(slice_is(sse_splitter_rest(&splitter), rest), "rest of \"%s\"", stream);
    sse_splitter_done(&splitter);
    done(&seen);
}

TEST(splitter_finds_events_at_every_cut)
{
    static const struct {
        const char *stream, *events, *rest;
    } rows[] = {
        {"data: a\n\n", "=a|", ""},
        {"data: a\n\ndata: b\n\n", "=a|=b|", ""},
        {"data: a\r\n\r\ndata: b\r\n\r\n", "=a|=b|", ""},
        {"data: a\r\rdata: b\r\r", "=a|=b|", ""},
        {"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", "=a|=b|=c|", ""},
        {"data: a\n\rdata: b\r\n\rdata: c\n\n", "=a|=b|=c|", ""},
        {"event: x\ndata: a\n\n", "x=a|", ""},
        {"event: x\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", "x=a\nb|=c|", ""},
        {"event: x\rdata: a\rdata: b\r\rdata: c\r\r", "x=a\nb|=c|", ""},
        {"data: a\nevent: x\nid: 7\nretry: 3\n\n", "x=a|", ""},
        {"data: a\ndata: b\ndata:\ndata\ndata: c\n\n", "=a\nb\n\n\nc|", ""},
        {"data:a\n\ndata:  b\n\n", "=a|= b|", ""},
        {": comment\n\ndata: a\n\n", "=a|", ""},
        {": ping\r\n\r\n: ping\r\n\r\ndata: a\r\n\r\n", "=a|", ""},
        {"datax: a\ndat: b\ndata: c\n\n", "=c|", ""},
        {"\n\n\ndata: a\n\n\n\ndata: b\n\n", "=a|=b|", ""},
        {"\xef\xbb\xbf"
         "data: a\n\n",
         "=a|", ""},
        {"data: a\n\ndata: b\n", "=a|", "data: b\n"},
        {"data: a", "", "data: a"},
        {"event: a\nevent: b\ndata: {\"x\":\"\\n\\n\"}\n\n", "b={\"x\":\"\\n\\n\"}|", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_events(rows[i].stream, rows[i].events, rows[i].rest);
}

TEST(splitter_skips_an_event_past_the_bound)
{
    char stream[512] = "data: a\n\ndata: ";
    memset(stream + strlen(stream), 'x', 200);
    strcat(stream, "\n\ndata: b\n\n");
    for (size_t cut = 1; cut < strlen(stream); cut++) {
        struct seen seen;
        bool is_bounded;
        run(slice_of(stream), cut, strlen(stream), 100, &seen, &is_bounded);
        EXPECT(!is_bounded && strcmp(seen.text, "=a|=b|") == 0, "cut %zu: %s", cut, seen.text);
        done(&seen);
        run(slice_of(stream), cut, 1, 208, &seen, &is_bounded);
        EXPECT(is_bounded && seen.count == 3, "cut %zu: %u events", cut, seen.count);
        done(&seen);
        run(slice_of(stream), cut, strlen(stream), 207, &seen, &is_bounded);
        EXPECT(!is_bounded && seen.count == 2, "cut %zu: %u events", cut, seen.count);
        done(&seen);
    }
}

TEST(splitter_keeps_no_memory_without_a_pending_event)
{
    struct sse_splitter splitter;
    struct seen seen = {.arena = arena_new(256)};
    buffer_init(&seen.raw, 1 << 16);
    sse_splitter_init(&splitter, 1 << 16);
    for (int i = 0; i < 50; i++)
        CU_ASSERT(sse_splitter_feed(&splitter, SLICE_LITERAL("data: whole\n\n"), on_event, &seen));
    EXPECT_INTEGER(seen.count, 50);
    CU_ASSERT(splitter.pending.data == NULL);
    sse_splitter_done(&splitter);
    done(&seen);
}

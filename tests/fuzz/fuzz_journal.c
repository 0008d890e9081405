/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal/: a row from a damaged store, the events in it, and the lines of an event. A row that we write of what was
 * read can be read again.
 */
#include "fuzz.h"

#include "base/packer.h"
#include "journal/internal.h"

static void play_document(struct slice json)
{
    struct arena *arena = arena_new(1024);
    struct journal_line lines[JOURNAL_LINES_MAX];
    unsigned count = journal_read_lines(json, arena, lines);
    FUZZ_REQUIRE(count <= JOURNAL_LINES_MAX, "%u lines", count);
    char *bytes = malloc(LINE_BYTES_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct line_head head;
        struct slice names, measures, line = {bytes, line_encode(&lines[i], (struct id){{7}}, bytes)};
        FUZZ_REQUIRE(line.length <= LINE_BYTES_MAX && lines_next(&line, &head, &names, &measures), "line %u", i);
        FUZZ_REQUIRE(line.length == 0 && head.time_ms == lines[i].time_ms, "line %u is another", i);
        FUZZ_REQUIRE(head.bytes == sizeof head + names.length + measures.length, "%u bytes", head.bytes);
    }
    free(bytes);
    arena_free(arena);
}

static void play_events(struct slice events)
{
    struct id id;
    struct slice json;
    while (events_next(&events, &id, &json))
        play_document(json);
}

static void require_round_trip(struct slice events)
{
    const struct pack pack = {.oldest = {{1}}, .newest = {{2}}, .count = 1};
    struct packer packer = {NULL, NULL};
    struct buffer row, again;
    struct id oldest;
    buffer_init(&row, 1 << 20);
    buffer_init(&again, 1 << 20);
    bool ok = pack_write(&pack, events, &packer, &row) && pack_read_oldest(buffer_contents(&row), &oldest) &&
              pack_read(buffer_contents(&row), &packer, &again);
    FUZZ_REQUIRE(ok && id_is_equal(oldest, pack.oldest), "a row that cannot be read again");
    FUZZ_REQUIRE(slice_is_equal(buffer_contents(&again), events), "other events");
    buffer_done(&row);
    buffer_done(&again);
    packer_done(&packer);
}

static void play_row(struct slice row)
{
    struct packer packer = {NULL, NULL};
    struct buffer events;
    buffer_init(&events, 1 << 20);
    if (pack_read(row, &packer, &events))
        play_events(buffer_contents(&events));
    FUZZ_REQUIRE(buffer_length(&events) <= CHUNK_BYTES, "%zu bytes", buffer_length(&events));
    buffer_done(&events);
    packer_done(&packer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    switch (fuzz_choose(&input, 3)) {
    case 0:
        play_document(input);
        break;
    case 1:
        play_events(input);
        require_round_trip(input);
        break;
    default:
        play_row(input);
    }
    return 0;
}

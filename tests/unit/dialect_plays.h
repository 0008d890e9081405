/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays for the suites of single dialects, above dialect_answers.h: a call by its method and path, its request read,
 * its answers in rows.
 */
#ifndef TESTS_UNIT_DIALECT_PLAYS_H
#define TESTS_UNIT_DIALECT_PLAYS_H

#include "dialect_answers.h"

struct play {
    enum dialect_kind dialect;
    const char *method, *path, *query; /* NULL method: POST */
};

static const struct endpoint *play_endpoint(const struct play *play)
{
    return dialect_of(play->dialect)
        ->find_endpoint(slice_of(play->method ? play->method : "POST"), slice_of(play->path));
}

static enum error play_read(const struct play *play, struct slice body, struct arena *arena,
                            struct request_facts *facts, const char **problem)
{
    const struct dialect_request request = {.method = slice_of(play->method ? play->method : "POST"),
                                            .path = slice_of(play->path),
                                            .query = slice_of(play->query),
                                            .content_type = slice_of("application/json"),
                                            .body = body,
                                            .depth_max = 128};
    *problem = "";
    return dialect_of(play->dialect)->read_request(play_endpoint(play), &request, arena, facts, problem);
}

static struct answer play_answer(const struct play *play, const struct request_facts *facts, bool is_stream)
{
    return (struct answer){
        .kind = play->dialect, .endpoint = play_endpoint(play), .is_stream = is_stream, .facts = facts};
}

struct play_row {
    const char *answer, *wanted;
};

__attribute__((unused)) static void play_expect_rows(const struct play *play, const struct request_facts *facts,
                                                     bool is_stream, const struct play_row *rows, size_t count)
{
    const struct answer answer = play_answer(play, facts, is_stream);
    for (size_t i = 0; i < count; i++) {
        char label[64];
        snprintf(label, sizeof label, "%s %zu", is_stream ? "stream" : "document", i);
        expect_metered(label, &answer, slice_of(rows[i].answer), rows[i].wanted, rows[i].answer);
    }
}

/* ---- random damage ---- */

#ifdef TOLLGATE_SANITIZED
enum { PLAY_ROUNDS = 3000 };
#else
enum { PLAY_ROUNDS = 30000 };
#endif
struct play_seed {
    const struct play *play;
    const char *text;
    bool is_stream;
};

static struct slice play_damage(const char *text, char *bytes)
{
    size_t length = strlen(text);
    memcpy(bytes, text, length);
    for (size_t changes = random_below(5); changes; changes--)
        length = damage(bytes, length);
    return (struct slice){bytes, length};
}

/* Whatever an upstream sends: cut otherwise, it is metered the same. */
__attribute__((unused)) static void play_damaged_answers(const struct play_seed *seeds, size_t count,
                                                         const struct request_facts *facts)
{
    for (int round = 0; round < PLAY_ROUNDS; round++) {
        char bytes[4096];
        const struct play_seed *seed = &seeds[random_below(count)];
        struct slice damaged = play_damage(seed->text, bytes);
        const struct answer answer = play_answer(seed->play, facts, seed->is_stream);
        struct result whole = meter_run(&answer, damaged, damaged.length, damaged.length);
        struct result pieces = meter_run(&answer, damaged, 1 + random_below(damaged.length), 1 + random_below(9));
        EXPECT(strcmp(whole.text, pieces.text) == 0, "round %d: %s / %s", round, whole.text, pieces.text);
        CU_ASSERT(slice_is_equal(buffer_contents(&whole.out), damaged));
        buffer_done(&whole.out);
        buffer_done(&pieces.out);
    }
}

/* Whatever a client sends: what is read can be edited, and then the limit holds and it is still JSON. */
__attribute__((unused)) static void play_damaged_requests(const struct play_seed *seeds, size_t count)
{
    size_t read = 0;
    for (int round = 0; round < PLAY_ROUNDS; round++) {
        char bytes[4096];
        const struct play_seed *seed = &seeds[random_below(count)];
        struct slice damaged = play_damage(seed->text, bytes);
        char *copy = malloc(damaged.length); /* ASan sees reads past its end */
        const struct slice body = {memcpy(copy, bytes, damaged.length), damaged.length};
        const struct request_edits edits = {.model = "another", .output_tokens_max = 3};
        struct arena *arena = arena_new(1024);
        struct request_facts facts;
        const char *problem;
        if (play_read(seed->play, body, arena, &facts, &problem) == ERROR_OK) {
            struct slice edited =
                dialect_of(seed->play->dialect)->edit_request(play_endpoint(seed->play), body, &facts, &edits, arena);
            EXPECT(json_scan(edited, 128, NULL, 0, NULL) == ERROR_OK, "round %d: " SLICE_FORMAT, round,
                   SLICE_ARGUMENTS(edited));
            enum error error = play_read(seed->play, edited, arena, &facts, &problem);
            EXPECT(facts.has_no_limit ||
                       (error == ERROR_OK && facts.output_tokens_max >= 0 && facts.output_tokens_max <= 3) ||
                       strstr(problem, "path"), /* the path was not edited */
                   "round %d: " SLICE_FORMAT ": %s", round, SLICE_ARGUMENTS(edited), problem);
            read++;
        }
        arena_free(arena);
        free(copy);
    }
    CU_ASSERT(read > PLAY_ROUNDS / 10);
}

#endif

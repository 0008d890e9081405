/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 100,000 mutated streams: written otherwise, they meter the same and the client sees the same; damaged, they fail
 * cleanly. Through the meter, and through every translation of their answers. MUTATED_STREAMS says how many,
 * MUTATED_SEED and MUTATED_ROUND play one again.
 */
#include "dialect_answers.h"
#include "stream_mutations.h"
#include "translate/translate.h"
#include "vectors_compatible.h"
#include "vectors_streams.h"
#include "vectors_units.h"

#include <jansson.h>

#ifdef TOLLGATE_SANITIZED
enum { STREAMS_DEFAULT = 6000 };
#else
enum { STREAMS_DEFAULT = 100000 };
#endif
enum { SEEDS_MAX = 128, EVENT_MAX = 1 << 16, STREAM_MAX = 1 << 20 };

/* ---- seeds ---- */

/* What a stream comes to. */
struct outcome {
    char text[512]; /* source, usage, terminal, error, names */
    bool has_failed;
    struct buffer out;
};
struct seed {
    const struct vector *vector;
    const struct dialect *dialect;
    const struct endpoint *endpoint;
    struct request_facts facts;
    char *answer;
    struct sse_events events; /* none: it is a JSON array */
    bool is_array, hides;
    struct outcome whole;
    struct buffer seen;
};
static struct seed seeds[SEEDS_MAX];
static size_t seed_count;

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

static struct outcome run_meter(const struct seed *seed, struct slice bytes, struct pieces *pieces)
{
    struct outcome outcome = {0};
    struct meter meter;
    struct usage usage;
    struct slice piece;
    buffer_init(&outcome.out, 2 * STREAM_MAX);
    meter_init(&meter, seed->dialect, seed->endpoint, !seed->is_array, seed->hides, STREAM_MAX, EVENT_MAX);
    while (!outcome.has_failed && pieces_next(pieces, bytes, &piece))
        outcome.has_failed = !meter_feed(&meter, piece, &outcome.out);
    if (!outcome.has_failed)
        outcome.has_failed = !meter_finish(&meter, &outcome.out);
    describe(&meter, meter_result(&meter, &seed->facts, &usage), &usage, outcome.text, sizeof outcome.text);
    meter_done(&meter);
    return outcome;
}

static const char *provider_dialect(const char *provider, enum dialect_kind *ret_kind)
{
    *ret_kind = strcmp(provider, "anthropic") == 0 ? DIALECT_ANTHROPIC
                : strcmp(provider, "google") == 0  ? DIALECT_GEMINI
                                                   : DIALECT_OPENAI;
    return provider;
}

static void read_facts(struct seed *seed)
{
    struct arena *arena = arena_new(1024);
    char *body = quoted(seed->vector->request);
    const char *problem = "";
    const struct dialect_request request = {.method = SLICE_LITERAL("POST"),
                                            .path = slice_of(seed->vector->path),
                                            .content_type = SLICE_LITERAL("application/json"),
                                            .body = slice_of(body),
                                            .depth_max = 128};
    enum error error = seed->dialect->read_request(seed->endpoint, &request, arena, &seed->facts, &problem);
    EXPECT(error == ERROR_OK, "%s: %s", body, problem);
    free(body);
    arena_free(arena);
}

static void add_seed(const struct vector *vector)
{
    struct seed *seed = &seeds[seed_count];
    enum dialect_kind kind;
    bool is_array = vector->answer[0] == '[';
    if (!vector->request || (!vector->is_stream && !is_array))
        return;
    CU_ASSERT_FATAL(seed_count < SEEDS_MAX);
    provider_dialect(vector->provider, &kind);
    *seed = (struct seed){.vector = vector, .dialect = dialect_of(kind), .is_array = is_array};
    seed->endpoint = seed->dialect->find_endpoint(SLICE_LITERAL("POST"), slice_of(vector->path));
    read_facts(seed);
    seed->answer = quoted(vector->answer);
    if (!is_array)
        sse_read(slice_of(seed->answer), &seed->events);
    /* usage is hidden from half of those who did not ask for it: of a compatible provider that sends it anyway, not */
    seed->hides = seed->endpoint->api == API_CHAT && seed_count % 4 != 3;
    struct pieces at_once = {.kind = PIECES_ONE};
    seed->whole = run_meter(seed, slice_of(seed->answer), &at_once);
    buffer_init(&seed->seen, STREAM_MAX);
    put_seen(&seed->seen, buffer_contents(&seed->whole.out));
    seed_count++;
}

static void make_seeds(void)
{
#define ADD(table)                                                                                                     \
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)                                                          \
    add_seed(&table[i])
    if (seed_count)
        return;
    ADD(stream_vectors);
    ADD(openai_chat_vectors);
    ADD(openai_other_vectors);
    ADD(responses_vectors);
    ADD(image_vectors);
    ADD(audio_vectors);
    ADD(compatible_vectors);
    ADD(pinned_vectors);
    ADD(anthropic_vectors);
    ADD(gemini_vectors);
    CU_ASSERT(seed_count >= 40);
#undef ADD
}

/* ---- rounds ---- */

static unsigned long long from_environment(const char *name, unsigned long long fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : fallback;
}

/* Calls `play` with a chance of its own for each round, until one fails. */
static void play_rounds(size_t share, bool (*play)(struct chance *chance))
{
    const unsigned long long seed = from_environment("MUTATED_SEED", 20260717),
                             rounds = from_environment("MUTATED_STREAMS", STREAMS_DEFAULT) / share,
                             only = from_environment("MUTATED_ROUND", rounds);
    make_seeds();
    for (unsigned long long round = only < rounds ? only : 0; round < rounds; round++) {
        struct chance chance = {seed ^ (round * 0xd1342543de82ef95u)};
        if (!play(&chance)) {
            fprintf(stderr, "\n    play it again: MUTATED_SEED=%llu MUTATED_ROUND=%llu\n", seed, round);
            return;
        }
        if (only < rounds)
            return;
    }
    printf("%llu streams ", rounds);
}

static void mutate(struct buffer *stream, struct chance *chance, const struct seed *seed)
{
    buffer_init(stream, STREAM_MAX);
    if (seed->is_array)
        mutate_array(stream, chance, slice_of(seed->answer));
    else
        mutate_gently(stream, chance, &seed->events);
}

/* ---- written otherwise ---- */

static bool expect_same(const struct seed *seed, struct slice bytes, struct pieces *pieces)
{
    struct outcome outcome = run_meter(seed, bytes, pieces);
    struct buffer seen;
    buffer_init(&seen, STREAM_MAX);
    put_seen(&seen, buffer_contents(&outcome.out));
    bool is_same = !outcome.has_failed && strcmp(outcome.text, seed->whole.text) == 0;
    bool looks_same = slice_is_equal(buffer_contents(&seen), buffer_contents(&seed->seen)) &&
                      (seed->hides || slice_is_equal(buffer_contents(&outcome.out), bytes));
    EXPECT(is_same, "%s meters\n%s, not\n%s, from\n" SLICE_FORMAT, seed->vector->path, outcome.text, seed->whole.text,
           SLICE_ARGUMENTS(bytes));
    EXPECT(looks_same, "%s: the client sees\n" SLICE_FORMAT "not\n" SLICE_FORMAT "from\n" SLICE_FORMAT,
           seed->vector->path, SLICE_ARGUMENTS(buffer_contents(&seen)), SLICE_ARGUMENTS(buffer_contents(&seed->seen)),
           SLICE_ARGUMENTS(bytes));
    buffer_done(&seen);
    buffer_done(&outcome.out);
    return is_same && looks_same;
}

static bool play_gently(struct chance *chance)
{
    const struct seed *seed = &seeds[chance_below(chance, seed_count)];
    struct buffer stream;
    mutate(&stream, chance, seed);
    struct pieces pieces = pieces_begin(chance, buffer_length(&stream));
    bool is_same = expect_same(seed, buffer_contents(&stream), &pieces);
    buffer_done(&stream);
    return is_same;
}

TEST(seeds_are_seen_without_the_usage_that_nobody_asked_for)
{
    size_t hidden = 0;
    make_seeds();
    for (size_t i = 0; i < seed_count; i++) {
        struct slice seen = buffer_contents(&seeds[i].seen);
        bool shows = seen.length && memmem(seen.data, seen.length, "\"usage\":", 8) != NULL;
        CU_ASSERT(!seeds[i].whole.has_failed);
        EXPECT(!seeds[i].hides || !shows, "%s: " SLICE_FORMAT, seeds[i].vector->path, SLICE_ARGUMENTS(seen));
        hidden += seeds[i].hides && strstr(seeds[i].answer, "\"usage\":");
    }
    CU_ASSERT(hidden >= 10);
}

TEST(streams_written_otherwise_are_the_same)
{
    play_rounds(2, play_gently);
}

/* In two pieces, at each byte; with each of the line ends. */
TEST(streams_cut_at_every_byte_are_the_same)
{
    make_seeds();
    for (size_t i = 0; i < seed_count; i++) {
        for (unsigned long long round = 0; round < (seeds[i].is_array ? 1 : 3); round++) {
            static const char *const ends[] = {"\n", "\r\n", "\r"};
            struct chance chance = {round};
            struct buffer stream;
            buffer_init(&stream, STREAM_MAX);
            for (size_t e = 0; e < seeds[i].events.count; e++)
                put_event(&stream, &chance, &seeds[i].events.rows[e], ends[round], true);
            if (seeds[i].is_array)
                put_text(&stream, seeds[i].answer);
            struct slice bytes = buffer_contents(&stream);
            bool is_same = true;
            for (size_t cut = 0; cut <= bytes.length && is_same; cut++) {
                struct outcome outcome;
                struct meter meter;
                struct usage usage;
                buffer_init(&outcome.out, STREAM_MAX);
                meter_init(&meter, seeds[i].dialect, seeds[i].endpoint, !seeds[i].is_array, seeds[i].hides, STREAM_MAX,
                           EVENT_MAX);
                CU_ASSERT(meter_feed(&meter, (struct slice){bytes.data, cut}, &outcome.out));
                CU_ASSERT(meter_feed(&meter, slice_from(bytes, cut), &outcome.out));
                CU_ASSERT(meter_finish(&meter, &outcome.out));
                describe(&meter, meter_result(&meter, &seeds[i].facts, &usage), &usage, outcome.text,
                         sizeof outcome.text);
                is_same = strcmp(outcome.text, seeds[i].whole.text) == 0;
                EXPECT(is_same, "%s cut at %zu: %s, not %s", seeds[i].vector->path, cut, outcome.text,
                       seeds[i].whole.text);
                meter_done(&meter);
                buffer_done(&outcome.out);
            }
            buffer_done(&stream);
        }
    }
}

/* ---- damaged ---- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

/* All the numbers in the bytes together: no honest count is above that. */
static uint64_t sum_of_numbers(struct slice bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.length;) {
        uint64_t number = 0;
        for (; i < bytes.length && bytes.data[i] >= '0' && bytes.data[i] <= '9'; i++)
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, (uint64_t)(bytes.data[i] - '0'), &number))
                number = UINT64_MAX / 16;
        sum = add(sum, number);
        i++;
    }
    return sum;
}

/* "provider in=6 read=4 … model=m": the sum of the counts. */
static uint64_t sum_of_counts(const char *text)
{
    uint64_t sum = 0;
    for (const char *at = strchr(text, '='); at && at[1] >= '0' && at[1] <= '9'; at = strchr(at + 1, '=')) {
        bool is_name =
            strncmp(at - 5, "model", 5) == 0 || strncmp(at - 4, "tier", 4) == 0 || strncmp(at - 2, "id", 2) == 0;
        if (is_name)
            break;
        sum = add(sum, strtoull(at + 1, NULL, 10));
    }
    return sum;
}

/* Nothing that is JSON shows the client a usage object where none was asked for. */
static bool shows_usage(const struct seed *seed, struct slice out)
{
    struct sse_events events;
    bool shows = false;
    if (!seed->hides)
        return false;
    sse_read(out, &events);
    for (size_t i = 0; i < events.count; i++) { /* a NUL is refused by our scanner, and overlooked by jansson */
        if (memchr(events.rows[i].data.data, '\0', events.rows[i].data.length))
            continue;
        json_t *data = json_loadb(events.rows[i].data.data, events.rows[i].data.length, JSON_REJECT_DUPLICATES, NULL);
        shows |= data && json_is_object(json_object_get(data, "usage"));
        json_decref(data);
    }
    sse_free(&events);
    return shows;
}

/* Bytes may differ by the LF of a CRLF that was cut in two around an event that is written anew. */
static bool looks_same(const struct buffer *a, const struct buffer *b)
{
    struct buffer seen[2];
    buffer_init(&seen[0], 2 * STREAM_MAX);
    buffer_init(&seen[1], 2 * STREAM_MAX);
    put_seen(&seen[0], buffer_contents(a));
    put_seen(&seen[1], buffer_contents(b));
    bool is_same = slice_is_equal(buffer_contents(&seen[0]), buffer_contents(&seen[1]));
    buffer_done(&seen[0]);
    buffer_done(&seen[1]);
    return is_same;
}

/* However it is cut, the bytes meter the same; no more than they say, or than their length and the request come to; and
 * what was seen is not free. */
static bool play_roughly(struct chance *chance)
{
    const struct seed *seed = &seeds[chance_below(chance, seed_count)];
    struct buffer stream;
    mutate(&stream, chance, seed);
    mutate_roughly(&stream, chance);
    struct slice bytes = buffer_contents(&stream);
    struct pieces pieces = pieces_begin(chance, bytes.length), at_once = {.kind = PIECES_ONE};
    struct outcome whole = run_meter(seed, bytes, &at_once), cut = run_meter(seed, bytes, &pieces);
    uint64_t bound = add(add(sum_of_numbers(bytes), bytes.length), seed->facts.text_bytes);
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        bound = add(bound, seed->facts.units.of[i]);
    bound = add(bound, seed->facts.output_tokens_max > 0 ? (uint64_t)seed->facts.output_tokens_max : 20000);
    bool is_same = whole.has_failed == cut.has_failed &&
                   (whole.has_failed || (strcmp(whole.text, cut.text) == 0 && looks_same(&whole.out, &cut.out)));
    bool is_bounded = sum_of_counts(cut.text) <= bound;
    bool is_passed = seed->hides || slice_is_equal(buffer_contents(&cut.out), bytes);
    bool shows = shows_usage(seed, buffer_contents(&cut.out));
    EXPECT(is_same, "%s: %d %s\n" SLICE_FORMAT "cut %d %s\n" SLICE_FORMAT "of\n" SLICE_FORMAT, seed->vector->path,
           whole.has_failed, whole.text, SLICE_ARGUMENTS(buffer_contents(&whole.out)), cut.has_failed, cut.text,
           SLICE_ARGUMENTS(buffer_contents(&cut.out)), SLICE_ARGUMENTS(bytes));
    EXPECT(is_bounded, "%s: %s, of\n" SLICE_FORMAT, seed->vector->path, cut.text, SLICE_ARGUMENTS(bytes));
    EXPECT(is_passed && !shows, "%s: the client sees\n" SLICE_FORMAT "\nof\n" SLICE_FORMAT, seed->vector->path,
           SLICE_ARGUMENTS(buffer_contents(&cut.out)), SLICE_ARGUMENTS(bytes));
    buffer_done(&whole.out);
    buffer_done(&cut.out);
    buffer_done(&stream);
    return is_same && is_bounded && is_passed && !shows;
}

TEST(damaged_streams_fail_cleanly)
{
    play_rounds(2, play_roughly);
}

/* Cut short, a stream that said text is never free, unless an error or a pending job says why; and never a provider's
 * number but the one that it said. */
TEST(streams_cut_short_are_not_free)
{
    make_seeds();
    for (size_t i = 0; i < seed_count; i++) {
        const struct seed *seed = &seeds[i];
        struct slice whole = slice_of(seed->answer);
        const char *text = strstr(seed->answer, "hello");
        bool may_be_free = strstr(seed->whole.text, "none") || strstr(seed->whole.text, "pending");
        for (size_t length = 1; length < whole.length; length++) {
            struct pieces at_once = {.kind = PIECES_ONE};
            struct outcome outcome = run_meter(seed, (struct slice){whole.data, length}, &at_once);
            bool has_text = text && (size_t)(text - seed->answer) + 5 < length;
            EXPECT(!has_text || may_be_free || sum_of_counts(outcome.text) > 0, "%s at %zu: %s", seed->vector->path,
                   length, outcome.text);
            EXPECT(strncmp(outcome.text, "provider", 8) != 0 || strncmp(seed->whole.text, "provider", 8) == 0,
                   "%s at %zu: %s", seed->vector->path, length, outcome.text);
            buffer_done(&outcome.out);
        }
    }
}

/* ---- translated ---- */

struct translated {
    bool is_finished;
    char problem[128];
    struct buffer out;
};

static struct translated run_translation(enum api from, const struct seed *seed, struct slice bytes,
                                         struct pieces *pieces)
{
    const struct translate_facts facts = {
        .from = from, .to = seed->endpoint->api, .is_streaming = true, .asks_usage = true, .dropped = ""};
    const struct translate_answer answer = {.facts = &facts,
                                            .model = "asked",
                                            .id = "ours",
                                            .created_s = 1700000000,
                                            .is_event_stream = true,
                                            .document_bytes_max = STREAM_MAX,
                                            .event_bytes_max = EVENT_MAX};
    struct translation *translation = translation_new(&answer);
    struct translated result = {0};
    struct slice piece;
    bool goes_on = true;
    buffer_init(&result.out, 4 * STREAM_MAX);
    while (goes_on && pieces_next(pieces, bytes, &piece))
        goes_on = translation_feed(translation, piece, &result.out);
    result.is_finished = translation_finish(translation, &result.out);
    snprintf(result.problem, sizeof result.problem, "%s", translation_problem(translation));
    translation_free(translation);
    return result;
}

/* A seed and a client's api that it is translated to. */
static const struct seed *choose_translation(struct chance *chance, enum api *ret_from)
{
    for (;;) {
        const struct seed *seed = &seeds[chance_below(chance, seed_count)];
        *ret_from = (enum api)chance_below(chance, API_COUNT);
        if (!seed->is_array && translate_is_known(*ret_from, seed->endpoint->api))
            return seed;
    }
}

static bool play_translated_gently(struct chance *chance)
{
    enum api from;
    const struct seed *seed = choose_translation(chance, &from);
    struct buffer stream;
    mutate(&stream, chance, seed);
    struct pieces pieces = pieces_begin(chance, buffer_length(&stream)), at_once = {.kind = PIECES_ONE};
    struct translated wanted = run_translation(from, seed, slice_of(seed->answer), &at_once);
    struct translated made = run_translation(from, seed, buffer_contents(&stream), &pieces);
    bool is_same = made.is_finished == wanted.is_finished && strcmp(made.problem, wanted.problem) == 0 &&
                   slice_is_equal(buffer_contents(&made.out), buffer_contents(&wanted.out));
    EXPECT(is_same, "%s for api %d: %s\n" SLICE_FORMAT "not %s\n" SLICE_FORMAT "from\n" SLICE_FORMAT,
           seed->vector->path, (int)from, made.problem, SLICE_ARGUMENTS(buffer_contents(&made.out)), wanted.problem,
           SLICE_ARGUMENTS(buffer_contents(&wanted.out)), SLICE_ARGUMENTS(buffer_contents(&stream)));
    buffer_done(&wanted.out);
    buffer_done(&made.out);
    buffer_done(&stream);
    return is_same;
}

TEST(translations_of_streams_written_otherwise_are_the_same)
{
    play_rounds(2, play_translated_gently);
}

/* How a stream of each api says that it is complete: a member of its last event, or the whole of it. */
static bool is_last_event(enum api api, const struct sse_event *event)
{
    static const char *const responses[] = {"response.completed", "response.incomplete", "response.failed"};
    if (api == API_CHAT)
        return slice_is(event->data, "[DONE]");
    json_t *data = json_loadb(event->data.data, event->data.length, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
    const char *type = json_string_value(json_object_get(data, "type"));
    bool is_last = type && api == API_MESSAGES && strcmp(type, "message_stop") == 0;
    for (size_t i = 0; type && api == API_RESPONSES && i < sizeof responses / sizeof *responses; i++)
        is_last |= strcmp(type, responses[i]) == 0;
    if (api == API_GENERATE)
        is_last = json_object_get(json_array_get(json_object_get(data, "candidates"), 0), "finishReason") != NULL ||
                  json_object_get(data, "promptFeedback");
    json_decref(data);
    return is_last;
}

static bool has_ended(enum api api, struct slice stream)
{
    struct sse_events events;
    bool has_last = false;
    sse_read(stream, &events);
    for (size_t i = 0; i < events.count; i++)
        has_last |= is_last_event(api, &events.rows[i]);
    sse_free(&events);
    return has_last;
}

/* Never an end that the target did not say, nor one behind a failure. */
static bool play_translated_roughly(struct chance *chance)
{
    enum api from;
    const struct seed *seed = choose_translation(chance, &from);
    struct buffer stream;
    mutate(&stream, chance, seed);
    mutate_roughly(&stream, chance);
    struct slice bytes = buffer_contents(&stream);
    struct pieces pieces = pieces_begin(chance, bytes.length), at_once = {.kind = PIECES_ONE};
    struct translated whole = run_translation(from, seed, bytes, &at_once);
    struct translated cut = run_translation(from, seed, bytes, &pieces);
    bool is_over = has_ended(from, buffer_contents(&cut.out));
    bool is_honest = cut.is_finished == is_over && (!is_over || has_ended(seed->endpoint->api, bytes));
    /* behind a target's end nothing is read, unless it came in the same piece: a frame that is too long fails there */
    bool is_same = strstr(whole.problem, "exceeds its bound") ||
                   (whole.is_finished == cut.is_finished &&
                    (!whole.is_finished || slice_is_equal(buffer_contents(&whole.out), buffer_contents(&cut.out))));
    EXPECT(is_honest, "%s for api %d: finished %d, over %d, %s\n" SLICE_FORMAT "of\n" SLICE_FORMAT, seed->vector->path,
           (int)from, cut.is_finished, is_over, cut.problem, SLICE_ARGUMENTS(buffer_contents(&cut.out)),
           SLICE_ARGUMENTS(bytes));
    EXPECT(is_same, "%s for api %d: %s\n" SLICE_FORMAT "and %s\n" SLICE_FORMAT "of\n" SLICE_FORMAT, seed->vector->path,
           (int)from, whole.problem, SLICE_ARGUMENTS(buffer_contents(&whole.out)), cut.problem,
           SLICE_ARGUMENTS(buffer_contents(&cut.out)), SLICE_ARGUMENTS(bytes));
    buffer_done(&whole.out);
    buffer_done(&cut.out);
    buffer_done(&stream);
    return is_honest && is_same;
}

TEST(translations_of_damaged_streams_never_end_on_their_own)
{
    play_rounds(2, play_translated_roughly);
}

TEST(seeds_are_freed)
{
    for (size_t i = 0; i < seed_count; i++) {
        free(seeds[i].answer);
        free(seeds[i].events.text);
        buffer_done(&seeds[i].whole.out);
        buffer_done(&seeds[i].seen);
    }
    seed_count = 0;
}

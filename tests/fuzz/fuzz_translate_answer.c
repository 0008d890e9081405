/* SPDX-License-Identifier: Apache-2.0 */
/* translate/: an answer on its way back is the same however it is cut, and a document becomes a document. */
#include "fuzz.h"

#include "base/json.h"
#include "translate/translate.h"

static const struct {
    enum api from, to;
} ways[] = {
    {API_CHAT, API_MESSAGES}, {API_RESPONSES, API_MESSAGES}, {API_MESSAGES, API_CHAT}, {API_RESPONSES, API_CHAT}};

struct result {
    struct buffer out;
    bool is_fed, is_finished;
    char problem[128];
};

static struct result translate(unsigned way, bool is_stream, bool wants_schema, struct slice bytes, size_t step)
{
    const struct translate_facts facts = {.from = ways[way].from,
                                          .to = ways[way].to,
                                          .is_streaming = is_stream,
                                          .asks_usage = true,
                                          .wants_json_schema = wants_schema,
                                          .dropped = "",
                                          .echo = SLICE_LITERAL("{}")};
    const struct translate_answer answer = {.facts = &facts,
                                            .model = "asked",
                                            .id = "ours",
                                            .created_s = 1700000000,
                                            .is_event_stream = is_stream,
                                            .document_bytes_max = 1 << 18,
                                            .event_bytes_max = 1 << 16};
    struct translation *translation = translation_new(&answer);
    struct result result = {.is_fed = true};
    buffer_init(&result.out, 1 << 22);
    for (size_t at = 0, length; at < bytes.length && result.is_fed; at += length) {
        length = bytes.length - at < step ? bytes.length - at : step;
        char *piece = fuzz_copy((struct slice){bytes.data + at, length});
        result.is_fed = translation_feed(translation, (struct slice){piece, length}, &result.out);
        free(piece);
    }
    result.is_finished = translation_finish(translation, &result.out);
    snprintf(result.problem, sizeof result.problem, "%s", translation_problem(translation));
    translation_free(translation);
    FUZZ_REQUIRE(!result.is_finished || (result.is_fed && !*result.problem), "%s", result.problem);
    return result;
}

static void play_error(unsigned way, struct slice document)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    int status = translate_error(ways[way].from, ways[way].to, 529, document, "req", &out);
    FUZZ_REQUIRE(status >= 400 && status <= 599, "%d", status);
    FUZZ_REQUIRE(json_scan(buffer_contents(&out), 64, NULL, 0, NULL) == ERROR_OK, "an error that is no JSON");
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = fuzz_slice(data, size);
    unsigned way = fuzz_choose(&bytes, 4), kind = fuzz_choose(&bytes, 5);
    if (kind == 4) {
        play_error(way, bytes);
        return 0;
    }
    bool is_stream = kind % 2 == 0, wants_schema = kind / 2 > 0;
    struct result whole = translate(way, is_stream, wants_schema, bytes, SIZE_MAX);
    struct result cut = translate(way, is_stream, wants_schema, bytes, 1 + size % 7);
    FUZZ_REQUIRE(whole.is_finished == cut.is_finished, "%s, cut: %s", whole.problem, cut.problem);
    FUZZ_REQUIRE(slice_is_equal(buffer_contents(&whole.out), buffer_contents(&cut.out)), "other bytes when cut");
    if (!is_stream && whole.is_finished)
        FUZZ_REQUIRE(json_scan(buffer_contents(&whole.out), 256, NULL, 0, NULL) == ERROR_OK, "no document");
    buffer_done(&whole.out);
    buffer_done(&cut.out);
    return 0;
}

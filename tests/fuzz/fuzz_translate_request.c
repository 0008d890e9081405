/* SPDX-License-Identifier: Apache-2.0 */
/* translate/: a request that was translated is JSON, and the dialect of its target takes it. */
#include "fuzz.h"

#include "base/json.h"
#include "dialect/dialect.h"
#include "translate/translate.h"

static const struct {
    enum api from, to;
} ways[] = {
    {API_CHAT, API_MESSAGES}, {API_RESPONSES, API_MESSAGES}, {API_MESSAGES, API_CHAT}, {API_RESPONSES, API_CHAT}};

static void require_taken(enum api to, struct slice body, struct arena *arena)
{
    const struct dialect *dialect = NULL;
    const struct endpoint *endpoint = dialect_endpoint_of(to, &dialect);
    const struct dialect_request request = {.method = SLICE_LITERAL("POST"),
                                            .path = slice_of(endpoint->path),
                                            .content_type = SLICE_LITERAL("application/json"),
                                            .body = body,
                                            .depth_max = 256};
    struct request_facts facts;
    const char *problem = "";
    enum error error = dialect->read_request(endpoint, &request, arena, &facts, &problem);
    FUZZ_REQUIRE(!error, "%s: " SLICE_FORMAT, problem, SLICE_ARGUMENTS(body));
    FUZZ_REQUIRE(strcmp(facts.model, "target-model") == 0, "the model is %s", facts.model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = fuzz_slice(data, size), out;
    unsigned way = fuzz_choose(&body, 4);
    struct json_problem problem;
    if (json_scan(body, 128, NULL, 0, &problem) != ERROR_OK) /* what comes here was scanned */
        return 0;
    struct arena *arena = arena_new(4096);
    const struct translate_request request = {.from = ways[way].from,
                                              .to = ways[way].to,
                                              .body = body,
                                              .model = "target-model",
                                              .output_tokens_max = 1000,
                                              .output_max_member = "max_completion_tokens"};
    struct translate_facts facts = {.dropped = NULL};
    const char *why = "";
    enum error error = translate_request(&request, arena, &out, &facts, &why);
    if (error)
        FUZZ_REQUIRE(why && *why, "refused without a word");
    else {
        FUZZ_REQUIRE(facts.dropped != NULL, "dropped");
        require_taken(request.to, out, arena);
    }
    arena_free(arena);
    return 0;
}

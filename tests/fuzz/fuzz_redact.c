/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/: detectors, keywords, patterns and redaction over a body: nothing that can be found is left, redacting again
 * changes nothing, JSON stays JSON, and what is no JSON goes as a whole.
 */
#include "fuzz.h"

#include "base/json.h"
#include "base/pattern.h"
#include "policy/internal.h"

enum { EVERYTHING = (1 << DETECT_COUNT) - 1 };

static const struct policy_verdict *verdict(void)
{
    static const char *keywords[] = {"bluebird", "\xd1\x82\xd0\xb0\xd0\xb9\xd0\xbd\xd0\xb0", "mail"};
    static struct pattern *patterns[1];
    static struct policy_rule rule = {.id = "r",
                                      .action = RULE_REDACT,
                                      .keywords = keywords,
                                      .keyword_count = 3,
                                      .patterns = patterns,
                                      .pattern_count = 1};
    static struct policy_verdict made;
    char problem[128];
    size_t offset;
    if (!patterns[0]) {
        patterns[0] = pattern_new("[A-Z]{3}-[0-9]+", problem, sizeof problem, &offset);
        made = (struct policy_verdict){.redact = EVERYTHING, .redact_pattern_count = 1};
        made.redact_patterns[0] = &rule;
    }
    return &made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = fuzz_slice(data, size);
    struct arena *arena = arena_new(4096);
    const char *found = NULL, *again = NULL;
    (void)policy_detect(body, EVERYTHING);
    struct slice sent = policy_redact(verdict(), body, arena, &found);
    FUZZ_REQUIRE((found == NULL) == (sent.data == body.data), "%s", found ? found : "nothing");
    char *copy = fuzz_copy(sent);
    struct slice twice = policy_redact(verdict(), (struct slice){copy, sent.length}, arena, &again);
    FUZZ_REQUIRE(twice.data == copy && !again, "found again: %s in " SLICE_FORMAT, again ? again : "",
                 SLICE_ARGUMENTS(sent));
    if (json_scan(body, 1024, NULL, 0, NULL) == ERROR_OK)
        FUZZ_REQUIRE(json_scan(sent, 1024, NULL, 0, NULL) == ERROR_OK, "no JSON any more: " SLICE_FORMAT,
                     SLICE_ARGUMENTS(sent));
    free(copy);
    arena_free(arena);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of STATE that are read at start: the marks of alerts, the day's counts of rate limits. A file that was read,
 * written and read again says the same.
 */
#include "fuzz.h"

#include <unistd.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "budget/budget.h"
#include "ratelimit/ratelimit.h"

static void count_mark(void *context, const char *subject, uint64_t window, const char *threshold)
{
    (void)window;
    FUZZ_REQUIRE(*subject && *threshold && strlen(subject) <= 127 && strlen(threshold) <= 31, "%s %s", subject,
                 threshold);
    ++*(size_t *)context;
}

static void play_marks(struct slice bytes)
{
    const char *path = fuzz_file("alerts", bytes);
    size_t counts[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        struct budget_marks *marks = NULL;
        FUZZ_REQUIRE(budget_marks_open(path, &marks) == ERROR_OK, "not opened");
        budget_marks_undelivered(marks, count_mark, &counts[i]);
        budget_marks_close(marks);
    }
    FUZZ_REQUIRE(counts[0] == counts[1], "%zu, then %zu", counts[0], counts[1]);
}

/* Lines with the digest that the writer would have put behind them. */
static void play_counts(struct slice lines)
{
    struct buffer file;
    unsigned char digest[DIGEST_BYTES];
    char text[DIGEST_TEXT_MAX];
    buffer_init(&file, 1 << 20);
    bool ok = buffer_append(&file, SLICE_LITERAL("tollgate rate limits 1\n")) && buffer_append(&file, lines);
    digest_sha256(buffer_contents(&file), digest);
    ok = ok && buffer_append_format(&file, "end %s\n", digest_format(digest, text));
    struct ratelimit *ratelimit = ratelimit_new();
    FUZZ_REQUIRE(ok, "the buffer is full");
    ratelimit_load(ratelimit, fuzz_file("limits", buffer_contents(&file)));
    const char *second = fuzz_path("limits2");
    FUZZ_REQUIRE(ratelimit_save(ratelimit, second) == ERROR_OK, "not saved");
    ratelimit_free(ratelimit);
    ratelimit = ratelimit_new();
    ratelimit_load(ratelimit, second);
    ratelimit_free(ratelimit);
    buffer_done(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    (fuzz_choose(&input, 2) ? play_counts : play_marks)(input);
    return 0;
}

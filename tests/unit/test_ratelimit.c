/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ratelimit/: limits and waits by scripted time, a brute-force model against random calls, settling, the day's file
 * (restarts, boots, clock steps, damage), header fields, threads.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "ratelimit/ratelimit.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t SECOND_NS = 1000000000;
enum { HOUR_S = 3600, DAY_S = 86400 };

static _Atomic int64_t monotonic_ns, wall_ns;

int64_t clock_monotonic_ns(void)
{
    return atomic_load(&monotonic_ns);
}

int64_t clock_wall_ns(void)
{
    return atomic_load(&wall_ns);
}

char *clock_format(int64_t ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)ns);
    return text;
}

static void set_clocks(int64_t monotonic_s, int64_t wall_s)
{
    atomic_store(&monotonic_ns, monotonic_s * SECOND_NS);
    atomic_store(&wall_ns, wall_s * SECOND_NS);
}

static void wait_ms(int64_t ms)
{
    atomic_fetch_add(&monotonic_ns, ms * 1000000);
    atomic_fetch_add(&wall_ns, ms * 1000000);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static struct consumer_group group_of(const char *name, uint64_t rpm, uint64_t tpm, uint64_t rpd, uint64_t tpd)
{
    return (struct consumer_group){
        .name = name,
        .rate_limits = {
            .requests_per_minute = rpm, .tokens_per_minute = tpm, .requests_per_day = rpd, .tokens_per_day = tpd}};
}

/* "ok" or "refused by NAME for N s"; then what is left of each. */
static const char *take(struct ratelimit *ratelimit, const struct consumer_group *group, uint64_t tokens)
{
    static char text[256];
    struct ratelimit_answer answer;
    enum error error = ratelimit_take(ratelimit, group, tokens, &answer);
    int length = error ? snprintf(text, sizeof text, "%s by %s for %u s:", error_row(error)->code,
                                  answer.rows[answer.refused_by].name, answer.retry_after_s)
                       : snprintf(text, sizeof text, "ok:");
    EXPECT((error == ERROR_OK) == (answer.refused_by == -1), "-");
    for (unsigned i = 0; i < answer.count; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, " %llu (%u s)",
                           (unsigned long long)answer.rows[i].left, answer.rows[i].reset_s);
    return text;
}

TEST(without_limits)
{
    const struct consumer_group group = group_of("g", 0, 0, 0, 0);
    struct ratelimit *ratelimit = ratelimit_new();
    set_clocks(1000, 1700000000);
    for (unsigned i = 0; i < 5; i++)
        EXPECT_STRING(take(ratelimit, &group, UINT64_MAX), "ok:");
    ratelimit_settle(ratelimit, "g", clock_monotonic_ns(), 1, UINT64_MAX);
    ratelimit_settle(ratelimit, "never heard of", 0, 1, 1);
    const struct consumer_group limited = group_of("g", 6, 0, 0, 0); /* a reload: what was before counts */
    EXPECT_STRING(take(ratelimit, &limited, 0), "ok: 0 (60 s)");
    EXPECT_STRING(take(ratelimit, &limited, 0), "rate_limited by requests_per_minute for 60 s: 0 (60 s)");
    ratelimit_free(ratelimit);
    ratelimit_free(NULL);
}

TEST(limits_of_a_minute)
{
    const struct consumer_group group = group_of("g", 3, 1000, 0, 0), other = group_of("h", 3, 1000, 0, 0);
    struct ratelimit *ratelimit = ratelimit_new();
    set_clocks(1000, 1700000000);
    EXPECT_STRING(take(ratelimit, &group, 600), "ok: 2 (60 s) 400 (60 s)");
    wait_ms(12000); /* in the slot that began at 10 s */
    EXPECT_STRING(take(ratelimit, &group, 401), "rate_limited by tokens_per_minute for 48 s: 2 (48 s) 400 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, 400), "ok: 1 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, 601), "rate_limited by tokens_per_minute for 58 s: 1 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, 1001), "rate_limited by tokens_per_minute for 0 s: 1 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, UINT64_MAX), "rate_limited by tokens_per_minute for 0 s: 1 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, 0), "ok: 0 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, 0), "rate_limited by requests_per_minute for 48 s: 0 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &group, 700), "rate_limited by tokens_per_minute for 58 s: 0 (48 s) 0 (48 s)");
    EXPECT_STRING(take(ratelimit, &other, 1), "ok: 2 (58 s) 999 (58 s)");
    wait_ms(47999);
    EXPECT_STRING(take(ratelimit, &group, 0), "rate_limited by requests_per_minute for 1 s: 0 (1 s) 0 (1 s)");
    wait_ms(1);
    EXPECT_STRING(take(ratelimit, &group, 600), "ok: 0 (10 s) 0 (10 s)");
    const struct consumer_group lowered = group_of("g", 1, 100, 0, 0); /* by a reload */
    EXPECT_STRING(take(ratelimit, &lowered, 1), "rate_limited by requests_per_minute for 60 s: 0 (60 s) 0 (60 s)");
    ratelimit_free(ratelimit);
}

TEST(limits_of_a_day)
{
    const struct consumer_group group = group_of("g", 0, 0, 2, 1000);
    struct ratelimit *ratelimit = ratelimit_new();
    set_clocks(HOUR_S * 100 + 600, 1700000000);
    EXPECT_STRING(take(ratelimit, &group, 900), "ok: 1 (85800 s) 100 (85800 s)");
    wait_ms(HOUR_S * 1000);
    EXPECT_STRING(take(ratelimit, &group, 100), "ok: 0 (82200 s) 0 (82200 s)");
    wait_ms(82199 * 1000);
    EXPECT_STRING(take(ratelimit, &group, 1), "rate_limited by requests_per_day for 1 s: 0 (1 s) 0 (1 s)");
    wait_ms(1000);
    EXPECT_STRING(take(ratelimit, &group, 900), "ok: 0 (3600 s) 0 (3600 s)");
    ratelimit_free(ratelimit);
}

TEST(settling_moves_the_estimate_to_the_truth)
{
    const struct consumer_group group = group_of("g", 0, 1000, 0, 5000);
    struct ratelimit *ratelimit = ratelimit_new();
    set_clocks(1000, 1700000000);
    int64_t first_ns = clock_monotonic_ns();
    EXPECT_STRING(take(ratelimit, &group, 800), "ok: 200 (60 s) 4200 (85400 s)");
    wait_ms(10000);
    int64_t second_ns = clock_monotonic_ns();
    EXPECT_STRING(take(ratelimit, &group, 100), "ok: 100 (50 s) 4100 (85390 s)");
    ratelimit_settle(ratelimit, "g", first_ns, 800, 300);
    EXPECT_STRING(take(ratelimit, &group, 0), "ok: 600 (50 s) 4600 (85390 s)");
    ratelimit_settle(ratelimit, "g", second_ns, 100, 2000); /* more than the limit: nothing is left until it is gone */
    EXPECT_STRING(take(ratelimit, &group, 1), "rate_limited by tokens_per_minute for 60 s: 0 (60 s) 2700 (85390 s)");
    wait_ms(49999);
    EXPECT_STRING(take(ratelimit, &group, 1), "rate_limited by tokens_per_minute for 11 s: 0 (11 s) 2700 (85341 s)");
    wait_ms(10001);
    EXPECT_STRING(take(ratelimit, &group, 1), "ok: 999 (60 s) 2699 (85330 s)");
    ratelimit_settle(ratelimit, "g", first_ns, 300, 0); /* its minute is over, its day is not */
    EXPECT_STRING(take(ratelimit, &group, 0), "ok: 999 (60 s) 2999 (85330 s)");
    ratelimit_settle(ratelimit, "g", second_ns, UINT64_MAX, UINT64_MAX); /* no sum wraps around */
    ratelimit_settle(ratelimit, "g", second_ns, 0, UINT64_MAX);
    EXPECT_STRING(take(ratelimit, &group, 1), "rate_limited by tokens_per_day for 85330 s: 999 (60 s) 0 (85330 s)");
    const struct consumer_group other = group_of("h", 0, 1000, 0, 0); /* more than was counted: no less than nothing */
    EXPECT_STRING(take(ratelimit, &other, 100), "ok: 900 (60 s)");
    ratelimit_settle(ratelimit, "h", clock_monotonic_ns(), 200, 30);
    EXPECT_STRING(take(ratelimit, &other, 0), "ok: 970 (60 s)");
    ratelimit_free(ratelimit);
}

/* ---- a brute-force model ---- */

struct call {
    int64_t at_ns;
    uint64_t tokens;
};
enum { CALLS_MAX = 60000 };
static struct call calls[CALLS_MAX];
static unsigned call_count;

/* What of the calls lies in the slots of the window that ends now. */
static uint64_t model_sum(int64_t now_ns, int64_t slot_ns, int64_t slots, bool is_tokens)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < call_count; i++)
        if (calls[i].at_ns / slot_ns > now_ns / slot_ns - slots)
            sum += is_tokens ? calls[i].tokens : 1;
    return sum;
}

static const struct {
    int64_t slot_s, slots;
    bool is_tokens;
} model_kinds[RATELIMIT_KINDS] = {{5, 12, false}, {5, 12, true}, {HOUR_S, 24, false}, {HOUR_S, 24, true}};

static uint64_t model_used(const struct ratelimit_row *row, int64_t now_ns)
{
    return model_sum(now_ns, model_kinds[row->kind].slot_s * SECOND_NS, model_kinds[row->kind].slots,
                     model_kinds[row->kind].is_tokens);
}

static uint64_t model_left(const struct ratelimit_row *row, int64_t now_ns)
{
    uint64_t used = model_used(row, now_ns);
    return used < row->limit ? row->limit - used : 0;
}

/* Would the request be granted at that time, if nothing else came? */
static bool model_grants(const struct ratelimit_answer *answer, uint64_t tokens, int64_t at_ns)
{
    for (unsigned i = 0; i < answer->count; i++) {
        const struct ratelimit_row *row = &answer->rows[i];
        if (model_used(row, at_ns) + (model_kinds[row->kind].is_tokens ? tokens : 1) > row->limit)
            return false;
    }
    return true;
}

static void forget_old_calls(int64_t now_ns)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < call_count; i++)
        if (calls[i].at_ns > now_ns - 25 * HOUR_S * SECOND_NS)
            calls[kept++] = calls[i];
    call_count = kept;
}

static void check_answer(const struct ratelimit_answer *answer, uint64_t tokens, bool is_granted, int64_t now_ns)
{
    for (unsigned i = 0; i < answer->count; i++) {
        const struct ratelimit_row *row = &answer->rows[i];
        uint64_t left = model_left(row, now_ns);
        EXPECT(row->left == left, "%s: %llu left, wanted %llu", row->name, (unsigned long long)row->left,
               (unsigned long long)left);
        int64_t reset_ns = row->reset_s * SECOND_NS;
        EXPECT(!row->reset_s || model_left(row, now_ns + reset_ns) > left, "%s has not grown by then", row->name);
        EXPECT(row->reset_s < 2 || model_left(row, now_ns + reset_ns - SECOND_NS) == left, "%s grows before",
               row->name);
        EXPECT(row->reset_s || left == row->limit, "%s never grows", row->name);
    }
    if (is_granted)
        return;
    bool fits = answer->retry_after_s != 0;
    int64_t retry_ns = answer->retry_after_s * SECOND_NS;
    EXPECT(fits == model_grants(answer, tokens, now_ns + 30 * HOUR_S * SECOND_NS), "never fits");
    EXPECT(!fits || model_grants(answer, tokens, now_ns + retry_ns), "refused again after %u s", answer->retry_after_s);
    EXPECT(answer->retry_after_s < 2 || !model_grants(answer, tokens, now_ns + retry_ns - SECOND_NS), "waits too long");
}

TEST(random_calls_against_the_model)
{
    struct ratelimit *ratelimit = ratelimit_new();
    unsigned granted = 0, refused = 0;
    set_clocks(7, 1700000000);
    call_count = 0;
    for (unsigned i = 0; i < 20000; i++) {
        const struct consumer_group group =
            i / 2000 % 2 ? group_of("g", 20, 3000, 900, 0) : group_of("g", 0, 4000, 0, 300000);
        struct ratelimit_answer answer;
        uint64_t tokens = next_random(40) ? next_random(500) : next_random(5000);
        bool is_long = next_random(100) == 0;
        wait_ms((int64_t)next_random(is_long ? 9000000 : 4000));
        int64_t now_ns = clock_monotonic_ns();
        forget_old_calls(now_ns);
        if (call_count && next_random(3) == 0) {
            struct call *call = &calls[next_random(call_count)];
            uint64_t used = next_random(600);
            ratelimit_settle(ratelimit, "g", call->at_ns, call->tokens, used);
            call->tokens = used;
        }
        enum error error = ratelimit_take(ratelimit, &group, tokens, &answer);
        unsigned before = call_count;
        EXPECT((error == ERROR_OK) == model_grants(&answer, tokens, now_ns), "call %u", i);
        if (!error)
            calls[call_count++] = (struct call){now_ns, tokens};
        check_answer(&answer, tokens, !error, now_ns);
        granted += call_count > before;
        refused += call_count == before;
    }
    EXPECT(granted > 5000 && refused > 5000, "%u granted, %u refused", granted, refused);
    ratelimit_free(ratelimit);
}

/* ---- the day's file ---- */

static char folder[64], file[96];

static void clean_up(void)
{
    char path[128];
    unlink(file);
    snprintf(path, sizeof path, "%s.new", file);
    unlink(path);
    rmdir(folder);
}

static void make_folder(void)
{
    if (*folder)
        return;
    snprintf(folder, sizeof folder, "/tmp/test_ratelimit.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/rates", folder);
    atexit(clean_up);
}

static size_t read_back(char *bytes, size_t bytes_max)
{
    FILE *stream = fopen(file, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    size_t length = fread(bytes, 1, bytes_max, stream);
    fclose(stream);
    return length;
}

static void write_file(const char *bytes, size_t length)
{
    FILE *stream = fopen(file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT(fwrite(bytes, 1, length, stream) == length);
    fclose(stream);
}

/* With the digest that makes it whole. */
static void write_lines(const char *lines)
{
    char text[4096], digest_text[DIGEST_TEXT_MAX];
    unsigned char digest[DIGEST_BYTES];
    int length = snprintf(text, sizeof text, "tollgate rate limits 1\n%s", lines);
    digest_sha256((struct slice){text, (size_t)length}, digest);
    length += snprintf(text + length, sizeof text - (size_t)length, "end %s\n", digest_format(digest, digest_text));
    write_file(text, (size_t)length);
}

static uint64_t left_of_day(struct ratelimit *ratelimit, const char *name, bool is_tokens)
{
    const struct consumer_group group = group_of(name, 0, 0, 1000, 100000);
    struct ratelimit_answer answer;
    EXPECT_INTEGER(ratelimit_take(ratelimit, &group, 0, &answer), ERROR_OK);
    return answer.rows[is_tokens].left;
}

TEST(a_day_survives_a_restart)
{
    static const struct {
        const char *what;
        int64_t monotonic_s, wall_step_s; /* after the restart: the clock as read, the step of the wall clock */
        uint64_t requests, tokens;        /* used, as it then seems */
    } rows[] = {
        {"at once", 500000, 0, 4, 700},
        {"a minute later", 500060, 60, 4, 700},
        {"after a boot", 30, 120, 4, 700},
        {"after a boot, 22 h later", 30, 22 * HOUR_S, 1, 400},
        {"a day later", 500000 + DAY_S, DAY_S + HOUR_S, 0, 0},
        {"a clock that stepped back a day", 500000, -DAY_S, 0, 0},
    };
    make_folder();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct consumer_group group = group_of("team a", 0, 0, 1000, 100000);
        struct ratelimit *ratelimit = ratelimit_new(), *again = ratelimit_new();
        struct stat status;
        set_clocks(500000 - 3 * HOUR_S, 1700000000 - 3 * HOUR_S);
        for (unsigned call = 0; call < 3; call++)
            (void)take(ratelimit, &group, 100);
        wait_ms(3 * HOUR_S * 1000);
        (void)take(ratelimit, &group, 400);
        EXPECT_INTEGER(ratelimit_save(ratelimit, file), ERROR_OK);
        EXPECT(stat(file, &status) == 0 && (status.st_mode & 07777) == 0600, "mode");
        set_clocks(rows[i].monotonic_s, 1700000000 + rows[i].wall_step_s);
        ratelimit_load(again, file);
        EXPECT(left_of_day(again, "team a", false) == 1000 - rows[i].requests - 1, "%s", rows[i].what);
        EXPECT(left_of_day(again, "team a", true) == 100000 - rows[i].tokens, "%s", rows[i].what);
        ratelimit_free(ratelimit);
        ratelimit_free(again);
    }
}

/* What was used before the boot lies before the monotonic clock's beginning, and ends when it would have ended. */
TEST(a_day_ends_after_a_boot)
{
    make_folder();
    set_clocks(HOUR_S * 200 + 10, 1700000000);
    struct ratelimit *ratelimit = ratelimit_new(), *again = ratelimit_new();
    EXPECT_INTEGER(left_of_day(ratelimit, "g", false), 999);
    EXPECT_INTEGER(ratelimit_save(ratelimit, file), ERROR_OK);
    set_clocks(30, 1700000000 + 3 * HOUR_S);
    ratelimit_load(again, file);
    set_clocks(21 * HOUR_S - 1, 1700000000 + DAY_S - 31);
    EXPECT_INTEGER(left_of_day(again, "g", false), 998);
    set_clocks(21 * HOUR_S, 1700000000 + DAY_S - 30);
    EXPECT_INTEGER(left_of_day(again, "g", false), 998);
    ratelimit_free(ratelimit);
    ratelimit_free(again);
}

/* A clock that is corrected by a millisecond at each restart carries no hour forward nor back. */
TEST(a_thousand_restarts_move_nothing)
{
    make_folder();
    set_clocks(HOUR_S * 200 + 10, 1700000000);
    struct ratelimit *ratelimit = ratelimit_new();
    const struct consumer_group group = group_of("g", 0, 0, 1000, 100000);
    (void)take(ratelimit, &group, 100);
    for (unsigned i = 0; i < 1000; i++) {
        EXPECT_INTEGER(ratelimit_save(ratelimit, file), ERROR_OK);
        ratelimit_free(ratelimit);
        ratelimit = ratelimit_new();
        wait_ms(60000);
        atomic_fetch_add(&wall_ns, i % 3 ? 1000000 : -2000000);
        ratelimit_load(ratelimit, file);
    }
    EXPECT_INTEGER(left_of_day(ratelimit, "g", true), 100000 - 100);
    set_clocks(HOUR_S * 223 + 3599, 1700000000 + 23 * HOUR_S + 3589);
    EXPECT_INTEGER(left_of_day(ratelimit, "g", true), 100000 - 100);
    wait_ms(1000);
    EXPECT_INTEGER(left_of_day(ratelimit, "g", true), 100000);
    ratelimit_free(ratelimit);
}

TEST(a_damaged_file_counts_as_none)
{
    static const char *const damaged[] = {
        "1700000000 1 2\n",
        "1700000000 1 2 \n",
        "1700000000  1 2 g\n",
        "x 1 2 g\n",
        "-1 1 2 g\n",
        "1700000000 99999999999999999999 2 g\n",
        "1700000000 1 2 g",
        "18446744073709551615 1 2 g\n",
        "1700000000 1 2 0123456789012345678901234567890123456789012345678901234567890123\n",
        "\n",
    };
    char whole[4096], changed[4096];
    const struct consumer_group group = group_of("g", 0, 0, 1000, 100000);
    make_folder();
    set_clocks(500000, 1700000000);
    struct ratelimit *ratelimit = ratelimit_new();
    (void)take(ratelimit, &group, 100);
    EXPECT_INTEGER(ratelimit_save(ratelimit, file), ERROR_OK);
    size_t length = read_back(whole, sizeof whole);
    for (size_t i = 0; i < 2 * length + 1; i++) { /* cut anywhere, and each byte changed; the last is whole */
        struct ratelimit *again = ratelimit_new();
        bool is_whole = i == 2 * length;
        memcpy(changed, whole, length);
        changed[i % length] ^= (char)(i >= length && !is_whole ? 1 : 0);
        write_file(changed, i < length ? i : length);
        ratelimit_load(again, file);
        EXPECT(left_of_day(again, "g", true) == (is_whole ? 99900 : 100000), "byte %zu", i);
        ratelimit_free(again);
    }
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        char lines[512];
        struct ratelimit *again = ratelimit_new();
        snprintf(lines, sizeof lines, "1699999999 1 50 g\n%s", damaged[i]);
        write_lines(lines);
        ratelimit_load(again, file);
        EXPECT(left_of_day(again, "g", true) == 100000, "row %zu", i);
        ratelimit_free(again);
    }
    write_lines("1699999999 1 50 g\n1700000009 1 7 g\n1699913600 1 9 g\n1699996000 18446744073709551615 3 h\n"
                "1699999000 5 3 h\n"); /* whole, but of the future, or too old */
    ratelimit_load(ratelimit, file);
    EXPECT_INTEGER(left_of_day(ratelimit, "g", true), 99850);
    ratelimit_free(ratelimit);
}

TEST(files_that_cannot_be)
{
    char path[160];
    make_folder();
    struct ratelimit *ratelimit = ratelimit_new();
    set_clocks(500000, 1700000000);
    snprintf(path, sizeof path, "%s/none/rates", folder);
    EXPECT_INTEGER(ratelimit_save(ratelimit, path), ERROR_FILE_UNWRITABLE);
    ratelimit_load(ratelimit, path);
    ratelimit_load(ratelimit, folder);
    snprintf(path, sizeof path, "%s/pipe", folder);
    CU_ASSERT(mkfifo(path, 0600) == 0);
    ratelimit_load(ratelimit, path); /* does not wait for a writer */
    unlink(path);
    write_file("", 0);
    ratelimit_load(ratelimit, file);
    snprintf(path, sizeof path, "%s.new", file);
    CU_ASSERT(symlink("/dev/null", path) == 0); /* left there by somebody: replaced, not followed */
    EXPECT_INTEGER(ratelimit_save(ratelimit, file), ERROR_OK);
    EXPECT(access(path, F_OK) != 0, "the temporary file is left");
    EXPECT_INTEGER(left_of_day(ratelimit, "g", true), 100000);
    ratelimit_free(ratelimit);
}

TEST(more_groups_than_rows)
{
    char name[100];
    make_folder();
    set_clocks(500000, 1700000000);
    struct ratelimit *ratelimit = ratelimit_new(), *again = ratelimit_new();
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "group-%u", i);
        wait_ms(1);
        EXPECT_INTEGER(left_of_day(ratelimit, name, false), 999);
        EXPECT_INTEGER(left_of_day(ratelimit, "kept", false), 1000 - i - 1 > 1000 ? 0 : 1000 - i - 1);
        if (i == 990)
            break;
    }
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "other-%u", i);
        wait_ms(1);
        EXPECT_INTEGER(left_of_day(ratelimit, name, false), 999);
    }
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    EXPECT_INTEGER(left_of_day(ratelimit, name, false), 999);
    EXPECT_INTEGER(left_of_day(ratelimit, name, false), 998);
    ratelimit_settle(ratelimit, name, clock_monotonic_ns(), 0, 60000);
    EXPECT_INTEGER(left_of_day(ratelimit, name, true), 40000);
    EXPECT_INTEGER(left_of_day(ratelimit, "two\nlines", false), 999); /* not a policy's, not saved */
    EXPECT_INTEGER(ratelimit_save(ratelimit, file), ERROR_OK);
    ratelimit_load(again, file);
    EXPECT_INTEGER(left_of_day(again, "other-2999", false), 998);
    ratelimit_free(ratelimit);
    ratelimit_free(again);
}

/* ---- fields, threads ---- */

TEST(fields)
{
    const struct consumer_group group = group_of("g", 60, 0, 0, UINT64_MAX);
    struct ratelimit *ratelimit = ratelimit_new();
    struct ratelimit_answer answer, none = {.refused_by = -1};
    char policy[256], state[256];
    set_clocks(7200, 1700000000);
    EXPECT_INTEGER(ratelimit_take(ratelimit, &group, 10, &answer), ERROR_OK);
    ratelimit_format(&answer, policy, sizeof policy, state, sizeof state);
    EXPECT_STRING(policy, "\"requests_per_minute\";q=60;w=60, \"tokens_per_day\";q=999999999999999;w=86400");
    EXPECT_STRING(state, "\"requests_per_minute\";r=59;t=60, \"tokens_per_day\";r=999999999999999;t=86400");
    ratelimit_format(&answer, policy, 33, state, 31); /* whole items or none */
    EXPECT_STRING(policy, "\"requests_per_minute\";q=60;w=60");
    EXPECT_STRING(state, "");
    ratelimit_format(&answer, policy, 0, state, 0);
    ratelimit_format(&none, policy, sizeof policy, state, sizeof state);
    EXPECT(!policy[0] && !state[0], "no limits, no fields");
    ratelimit_free(ratelimit);
}

static struct ratelimit *shared;
static atomic_uint granted_in_all;

static void *worker(void *argument)
{
    const struct consumer_group group = group_of("g", 5000, 0, 0, 40000);
    for (unsigned i = 0; i < 2000; i++) {
        struct ratelimit_answer answer;
        int64_t now_ns = clock_monotonic_ns();
        if (ratelimit_take(shared, &group, 10, &answer) == ERROR_OK) {
            atomic_fetch_add(&granted_in_all, 1);
            ratelimit_settle(shared, "g", now_ns, 10, 8);
        }
        if (!argument && i % 500 == 0) /* one saves, the others go on */
            check(ratelimit_save(shared, file) == ERROR_OK);
    }
    return NULL;
}

TEST(eight_threads)
{
    pthread_t threads[8];
    const struct consumer_group group = group_of("g", 5000, 40000, 0, 40000);
    struct ratelimit_answer answer;
    make_folder();
    set_clocks(7200, 1700000000);
    shared = ratelimit_new();
    for (unsigned i = 0; i < 8; i++)
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, worker, i ? &threads[i] : NULL) == 0);
    for (unsigned i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    unsigned granted = atomic_load(&granted_in_all);
    EXPECT(granted > 4900 && granted <= 5000, "%u", granted);
    enum error error = ratelimit_take(shared, &group, 0, &answer);
    EXPECT((error == ERROR_OK) == (granted < 5000), "-");
    EXPECT_INTEGER(answer.rows[1].left, 40000 - 8 * granted);
    ratelimit_free(shared);
}

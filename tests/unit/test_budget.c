/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget/: which budgets count a call, where windows begin and end (days of 23 and 25 hours, clocks set back over
 * midnight, rolling buckets), forecasts, and the marks of alerts across restarts, torn writes, kills and full disks.
 */
#include "base/zone.h"
#include "budget/budget.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAY_S = 86400 };

static struct arena *arena;
static char folder[64];

static void clean_up(void)
{
    static const char *const names[] = {"alerts", "alerts.new"};
    char path[128];
    for (size_t i = 0; *folder && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    if (*folder)
        rmdir(folder);
    arena_free(arena);
}

static struct arena *memory(void)
{
    if (!arena) {
        arena = arena_new(1 << 16);
        atexit(clean_up);
    }
    return arena;
}

static const char *path_of(const char *name)
{
    static char path[2][128];
    static unsigned turn;
    memory();
    if (!*folder) {
        /* in memory where there is such a place: kills are the same there, and thousands of syncs cost nothing */
        snprintf(folder, sizeof folder, "%s/test_budget.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    }
    char *text = path[turn++ % 2];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static uint64_t random_state = 7041776;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static struct budget budget_of(enum budget_period period, const char *zone, uint32_t rolling_minutes)
{
    return (struct budget){.id = "b",
                           .period = period,
                           .time_zone = zone,
                           .zone = zone_load(memory(), zone),
                           .rolling_minutes = rolling_minutes,
                           .amount = {100},
                           .has_amount = true};
}

static bool has_database(void)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0)
        return true;
    fprintf(stderr, "skipped: this machine has no time zone database ");
    return false;
}

/* ---- matching ---- */

TEST(scopes_match_what_they_name)
{
    static const struct {
        struct budget_scope scope;
        bool matches;
    } rows[] = {
        {{0}, true},
        {{.wallet = "w1"}, true},
        {{.wallet = "w"}, false},
        {{.wallet = "w*"}, true},
        {{.wallet = "w1*"}, true},
        {{.wallet = "w1x*"}, false},
        {{.wallet = "*"}, true},
        {{.wallet = "W1"}, false},
        {{.group = "g"}, true},
        {{.group = "g2"}, false},
        {{.provider = "openai"}, true},
        {{.provider = "anthropic"}, false},
        {{.model = "gpt-5.4-mini"}, true},
        {{.model = "gpt-5.4-*"}, true},
        {{.model = "gpt-5.4"}, false},
        {{.model = "gpt-5.5*"}, false},
        {{.wallet = "w1", .group = "g", .provider = "openai", .model = "gpt*"}, true},
        {{.wallet = "w1", .group = "g", .provider = "openai", .model = "o3*"}, false},
        {{.project = "p"}, false}, /* the call's project is unknown */
        {{.project = "*"}, true},
        {{.project = ""}, false},
    };
    const struct budget_call call = {"w1", "g", "openai", "gpt-5.4-mini", ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct budget budget = {.id = "b", .scope = rows[i].scope};
        const struct settings settings = {.budgets = &budget, .budget_count = 1};
        const struct budget *found = NULL;
        EXPECT(budget_match(&settings, &call, &found, 1) == (rows[i].matches ? 1u : 0u), "row %zu", i);
        EXPECT(!rows[i].matches || found == &budget, "row %zu", i);
    }
}

TEST(matches_come_in_the_order_of_the_settings_and_stop_at_the_most)
{
    struct budget budgets[12] = {0};
    const struct budget *found[13] = {0};
    const struct budget_call call = {NULL, "g", "p", "m", NULL};
    for (size_t i = 0; i < 12; i++) {
        budgets[i].is_hard = i < 4;
        budgets[i].scope.group = i % 3 == 0 ? "other" : NULL;
    }
    const struct settings settings = {.budgets = budgets, .budget_count = 12};
    EXPECT_INTEGER(budget_match(&settings, &call, found, BUDGET_MATCHES_MAX), 8);
    static const size_t wanted[] = {1, 2, 4, 5, 7, 8, 10, 11};
    for (size_t i = 0; i < 8; i++)
        EXPECT(found[i] == &budgets[wanted[i]], "place %zu", i);
    found[3] = NULL;
    EXPECT_INTEGER(budget_match(&settings, &call, found, 3), 3);
    EXPECT(found[3] == NULL, "nothing is written beyond the most");
    EXPECT_INTEGER(budget_match(&(struct settings){0}, &call, found, 8), 0);
}

/* ---- windows ---- */

TEST(windows_begin_and_end_in_local_time)
{
    static const struct {
        const char *zone;
        enum budget_period period;
        int64_t now_s, starts_s, ends_s;
        const char *text;
    } rows[] = {
        {"UTC", BUDGET_HOURLY, 1795446000, 1795446000, 1795449600, "hourly budget b (23 November 2026 15:00, UTC)"},
        {"UTC", BUDGET_HOURLY, 1795449599, 1795446000, 1795449600, "hourly budget b (23 November 2026 15:00, UTC)"},
        {"UTC", BUDGET_DAILY, 1795446000, 1795392000, 1795478400, "daily budget b (23 November 2026, UTC)"},
        {"UTC", BUDGET_WEEKLY, 1795392000, 1795392000, 1795996800, "weekly budget b (week of 23 November 2026, UTC)"},
        {"UTC", BUDGET_WEEKLY, 1795391999, 1794787200, 1795392000, "weekly budget b (week of 16 November 2026, UTC)"},
        {"UTC", BUDGET_WEEKLY, 0, -259200, 345600, "weekly budget b (week of 29 December 1969, UTC)"},
        {"UTC", BUDGET_MONTHLY, 1835395200, 1832976000, 1835481600, "monthly budget b (February 2028, UTC)"},
        {"UTC", BUDGET_MONTHLY, 1803859199, 1801440000, 1803859200, "monthly budget b (February 2027, UTC)"},
        {"UTC", BUDGET_MONTHLY, 1798761599, 1796083200, 1798761600, "monthly budget b (December 2026, UTC)"},
        {"UTC", BUDGET_MONTHLY, 4107542400, 4107542400, 4110220800, "monthly budget b (March 2100, UTC)"},
        /* Berlin: 29 March 2026 has 23 hours, 25 October 25; an hour that comes twice is one window */
        {"Europe/Berlin", BUDGET_DAILY, 1774746000, 1774738800, 1774821600,
         "daily budget b (29 March 2026, Europe/Berlin)"},
        {"Europe/Berlin", BUDGET_DAILY, 1792890000, 1792879200, 1792969200,
         "daily budget b (25 October 2026, Europe/Berlin)"},
        {"Europe/Berlin", BUDGET_HOURLY, 1774746000, 1774746000, 1774749600,
         "hourly budget b (29 March 2026 03:00, Europe/Berlin)"},
        {"Europe/Berlin", BUDGET_HOURLY, 1792891800, 1792886400, 1792893600,
         "hourly budget b (25 October 2026 02:00, Europe/Berlin)"},
        {"Europe/Berlin", BUDGET_MONTHLY, 1795446000, 1793487600, 1796079600,
         "monthly budget b (November 2026, Europe/Berlin)"},
        {"Europe/Berlin", BUDGET_WEEKLY, 1792890000, 1792360800, 1792969200,
         "weekly budget b (week of 19 October 2026, Europe/Berlin)"},
        /* half hours: Lord Howe's 01:00 lasts 90 minutes on 5 April 2026, 02:00 half of one on 4 October */
        {"Australia/Lord_Howe", BUDGET_HOURLY, 1775315700, 1775311200, 1775316600,
         "hourly budget b (5 April 2026 01:00, Australia/Lord_Howe)"},
        {"Australia/Lord_Howe", BUDGET_HOURLY, 1791041400, 1791041400, 1791043200,
         "hourly budget b (4 October 2026 02:30, Australia/Lord_Howe)"},
        {"Asia/Kathmandu", BUDGET_DAILY, 1795446000, 1795371300, 1795457700,
         "daily budget b (23 November 2026, Asia/Kathmandu)"},
        /* St John's, 7 November 2010: 00:01 goes back to 23:01 of the 6th; the 7th has begun, and stays begun */
        {"America/St_Johns", BUDGET_DAILY, 1289097030, 1289097000, 1289187000,
         "daily budget b (7 November 2010, America/St_Johns)"},
        {"America/St_Johns", BUDGET_DAILY, 1289098860, 1289097000, 1289187000,
         "daily budget b (7 November 2010, America/St_Johns)"},
        /* Apia had no 30 December 2011 */
        {"Pacific/Apia", BUDGET_DAILY, 1325239199, 1325152800, 1325239200,
         "daily budget b (29 December 2011, Pacific/Apia)"},
        {"Pacific/Apia", BUDGET_DAILY, 1325239200, 1325239200, 1325325600,
         "daily budget b (31 December 2011, Pacific/Apia)"},
    };
    bool has_zones = has_database();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!has_zones && strcmp(rows[i].zone, "UTC") != 0)
            continue;
        struct budget budget = budget_of(rows[i].period, rows[i].zone, 0);
        struct budget_window window;
        char text[128];
        CU_ASSERT_PTR_NOT_NULL_FATAL(budget.zone);
        budget_find_window(&budget, rows[i].now_s, &window);
        EXPECT(window.starts_s == rows[i].starts_s && window.ends_s == rows[i].ends_s,
               "row %zu, %s: %lld to %lld, wanted %lld to %lld", i, rows[i].text, (long long)window.starts_s,
               (long long)window.ends_s, (long long)rows[i].starts_s, (long long)rows[i].ends_s);
        EXPECT(window.first == window.last && window.first == (window.starts_s < 0 ? 0 : window.starts_s / 60),
               "row %zu: buckets %u to %u", i, window.first, window.last);
        EXPECT_STRING(budget_describe(&budget, &window, text, sizeof text), rows[i].text);
    }
}

/* Each instant is in one window; where one ends the next begins; later instants are never in earlier windows. */
static void expect_windows_tile(const struct budget *budget, int64_t now_s)
{
    struct budget_window window, same, next;
    budget_find_window(budget, now_s, &window);
    EXPECT(window.starts_s <= now_s && now_s < window.ends_s, "%s %s at %lld", budget->time_zone,
           budget_window_name(budget->period), (long long)now_s);
    budget_find_window(budget, window.starts_s, &same);
    EXPECT(same.first == window.first && same.ends_s == window.ends_s, "at its start: %s %lld", budget->time_zone,
           (long long)now_s);
    budget_find_window(budget, window.ends_s - 1, &same);
    EXPECT(same.first == window.first && same.ends_s == window.ends_s, "at its end: %s %lld", budget->time_zone,
           (long long)now_s);
    budget_find_window(budget, window.ends_s, &next);
    EXPECT(next.starts_s == window.ends_s && next.first > window.last, "the next: %s %lld", budget->time_zone,
           (long long)now_s);
}

TEST(windows_tile_all_time)
{
    static const char *const zones[] = {"UTC",
                                        "Europe/Berlin",
                                        "America/New_York",
                                        "Asia/Kathmandu",
                                        "Pacific/Apia",
                                        "Australia/Lord_Howe",
                                        "America/St_Johns",
                                        "Africa/Casablanca",
                                        "America/Nuuk",
                                        "Asia/Gaza"};
    bool has_zones = has_database();
    for (size_t i = 0; i < (has_zones ? sizeof zones / sizeof *zones : 1); i++)
        for (int period = BUDGET_HOURLY; period <= BUDGET_MONTHLY; period++) {
            struct budget budget = budget_of((enum budget_period)period, zones[i], 0);
            CU_ASSERT_PTR_NOT_NULL_FATAL(budget.zone);
            for (int j = 0; j < 1000; j++)
                expect_windows_tile(&budget, 40 * DAY_S + (int64_t)(next_random() % 4102444800));
            for (int64_t day = 14000; day < 22000; day += 7) /* changes are on Sundays, or near */
                expect_windows_tile(&budget, day * DAY_S + (int64_t)(next_random() % (7 * DAY_S)));
        }
}

TEST(a_rolling_window_covers_at_least_its_length_in_12_to_60_buckets)
{
    uint32_t lengths[200] = {60, 120, 1440, 7 * 1440, 30 * 1440, 366 * 1440};
    for (size_t i = 6; i < 200; i++)
        lengths[i] = 60 * (1 + (uint32_t)(next_random() % (366 * 24)));
    for (size_t i = 0; i < 200; i++) {
        struct budget budget = budget_of(BUDGET_ROLLING, "UTC", lengths[i]);
        int64_t widest = 0, now_s = 400 * DAY_S + (int64_t)(next_random() % 4000000000u);
        struct budget_window window, next;
        budget_find_window(&budget, now_s, &window);
        int64_t length_s = (int64_t)lengths[i] * 60, covered_s = now_s - (int64_t)window.first * 60;
        budget_find_window(&budget, window.ends_s, &next);
        int64_t width = (int64_t)next.last - window.last;
        int64_t buckets = (window.last - window.first) / width + 1;
        widest = width * 60;
        EXPECT(covered_s >= length_s && covered_s < length_s + 2 * widest, "%u min: %lld s", lengths[i],
               (long long)covered_s);
        EXPECT(buckets >= 12 && buckets <= 60, "%u min: %lld buckets", lengths[i], (long long)buckets);
        EXPECT(window.last % width == 0 && window.first % width == 0 && next.first == window.first + width,
               "%u min: buckets of %lld", lengths[i], (long long)width);
        EXPECT(window.starts_s == (int64_t)window.first * 60 && now_s < window.ends_s, "%u min", lengths[i]);
        budget_find_window(&budget, window.ends_s - 1, &next);
        EXPECT(next.first == window.first && next.last == window.last, "%u min: it moved early", lengths[i]);
    }
}

/* The clock is set back and forth: what a window is depends on nothing but the instant. */
TEST(windows_follow_the_clock_without_memory)
{
    struct budget budget = budget_of(BUDGET_DAILY, "UTC", 0);
    struct budget_window first, later, again;
    budget_find_window(&budget, 1795446000, &first);
    budget_find_window(&budget, 1795446000 + DAY_S, &later);
    budget_find_window(&budget, 1795446000, &again);
    EXPECT(again.first == first.first && again.last == first.last && again.starts_s == first.starts_s, "set back");
    EXPECT_INTEGER(later.first, first.first + 1440);
    budget_find_window(&budget, -5 * DAY_S, &first);
    EXPECT_INTEGER(first.first, 0);
}

TEST(the_limit_is_that_of_the_month)
{
    struct budget budget = budget_of(BUDGET_MONTHLY, "UTC", 0);
    struct budget_window window;
    budget.by_month[11] = (struct money){500};
    budget.has_month[11] = true;
    budget.has_month[1] = true; /* February: 0 is 0 */
    budget_find_window(&budget, 1796083199, &window);
    EXPECT_INTEGER(window.limit.nano, 100);
    budget_find_window(&budget, 1796083200, &window);
    EXPECT_INTEGER(window.limit.nano, 500);
    budget_find_window(&budget, 1801440000, &window);
    EXPECT_INTEGER(window.limit.nano, 0);
    budget.period = BUDGET_DAILY;
    budget_find_window(&budget, 1796083200, &window);
    EXPECT_INTEGER(window.limit.nano, 100);
}

TEST(forecasts)
{
    struct budget_window window = {.first = 10, .last = 10, .starts_s = 1000, .ends_s = 2000};
    EXPECT_INTEGER(budget_forecast(&window, (struct money){50}, 1500).nano, 100);
    EXPECT_INTEGER(budget_forecast(&window, (struct money){50}, 1001).nano, 50000);
    EXPECT_INTEGER(budget_forecast(&window, (struct money){50}, 1000).nano, 50);
    EXPECT_INTEGER(budget_forecast(&window, (struct money){50}, 900).nano, 50);
    EXPECT_INTEGER(budget_forecast(&window, (struct money){50}, 2000).nano, 50);
    EXPECT_INTEGER(budget_forecast(&window, (struct money){0}, 1500).nano, 0);
    EXPECT_INTEGER(budget_forecast(&window, MONEY_MAX, 1001).nano, INT64_MAX);
    window.first = 9; /* rolling */
    EXPECT_INTEGER(budget_forecast(&window, (struct money){50}, 1500).nano, 50);
}

TEST(descriptions_fit_where_they_are_put)
{
    struct budget budget = budget_of(BUDGET_ROLLING, "UTC", 7 * 1440);
    struct budget_window window;
    char text[64];
    budget_find_window(&budget, 1795446000, &window);
    EXPECT_STRING(budget_describe(&budget, &window, text, sizeof text), "rolling budget b (the last 7 days)");
    budget.rolling_minutes = 1440;
    EXPECT_STRING(budget_describe(&budget, &window, text, sizeof text), "rolling budget b (the last 24 hours)");
    budget.rolling_minutes = 36 * 60;
    EXPECT_STRING(budget_describe(&budget, &window, text, sizeof text), "rolling budget b (the last 36 hours)");
    EXPECT_STRING(budget_describe(&budget, &window, text, 8), "rolling");
}

/* ---- marks ---- */

static struct budget_marks *open_marks(void)
{
    struct budget_marks *marks = NULL;
    CU_ASSERT_EQUAL_FATAL(budget_marks_open(path_of("alerts"), &marks), ERROR_OK);
    return marks;
}

static struct budget_marks *reopen(struct budget_marks *marks)
{
    budget_marks_close(marks);
    return open_marks();
}

static void remove_marks(void)
{
    unlink(path_of("alerts"));
}

struct seen {
    unsigned count;
    char last[256];
};

static void see(void *context, const char *subject, uint64_t window, const char *threshold)
{
    struct seen *seen = context;
    seen->count++;
    snprintf(seen->last, sizeof seen->last, "%s %llu %s", subject, (unsigned long long)window, threshold);
}

static unsigned count_undelivered(struct budget_marks *marks, char last[256])
{
    struct seen seen = {0};
    budget_marks_undelivered(marks, see, &seen);
    if (last)
        memcpy(last, seen.last, sizeof seen.last);
    return seen.count;
}

TEST(a_mark_is_taken_once_across_restarts)
{
    char last[256];
    remove_marks();
    struct budget_marks *marks = open_marks();
    EXPECT(budget_marks_take(marks, "team", 100, "50"), "new");
    EXPECT(!budget_marks_take(marks, "team", 100, "50"), "taken");
    EXPECT(budget_marks_take(marks, "team", 100, "80"), "another threshold");
    EXPECT(budget_marks_take(marks, "other", 100, "50"), "another subject");
    marks = reopen(marks);
    EXPECT(!budget_marks_take(marks, "team", 100, "50"), "taken, after a restart");
    EXPECT(!budget_marks_take(marks, "team", 100, "80"), "taken, after a restart");
    EXPECT(budget_marks_take(marks, "team", 100, "100"), "new");
    EXPECT_INTEGER(count_undelivered(marks, NULL), 4);
    budget_marks_deliver(marks, "team", 100, "50");
    budget_marks_deliver(marks, "team", 100, "80");
    budget_marks_deliver(marks, "other", 100, "50");
    budget_marks_deliver(marks, "nobody", 1, "1");
    marks = reopen(marks);
    EXPECT_INTEGER(count_undelivered(marks, last), 1);
    EXPECT_STRING(last, "team 100 100");
    EXPECT(!budget_marks_take(marks, "team", 100, "50"), "delivered is taken");
    budget_marks_close(marks);
    struct stat status;
    EXPECT(stat(path_of("alerts"), &status) == 0 && (status.st_mode & 0777) == 0600, "private");
}

TEST(windows_of_a_subject_move_only_forward)
{
    char last[256];
    remove_marks();
    struct budget_marks *marks = open_marks();
    EXPECT(budget_marks_take(marks, "team", 200, "50"), "new");
    EXPECT(!budget_marks_take(marks, "team", 199, "50"), "the clock stepped back");
    EXPECT(!budget_marks_take(marks, "team", 199, "80"), "for every threshold");
    EXPECT(budget_marks_take(marks, "other", 199, "80"), "of that subject");
    EXPECT(budget_marks_take(marks, "team", 300, "50"), "the next window");
    EXPECT_INTEGER(count_undelivered(marks, NULL), 3);
    marks = reopen(marks);
    EXPECT(!budget_marks_take(marks, "team", 200, "80"), "after a restart, too");
    EXPECT_INTEGER(count_undelivered(marks, NULL), 3);
    budget_marks_deliver(marks, "team", 200, "50");
    budget_marks_deliver(marks, "team", 300, "50");
    EXPECT(!budget_marks_take(marks, "team", 300, "50"), "delivered is still taken");
    EXPECT_INTEGER(count_undelivered(marks, last), 1);
    EXPECT_STRING(last, "other 199 80");
    EXPECT(budget_marks_take(marks, "team", UINT64_MAX, "50"), "the last window there is");
    marks = reopen(marks);
    EXPECT(!budget_marks_take(marks, "team", UINT64_MAX, "50"), "kept exactly");
    budget_marks_close(marks);
}

static size_t read_file(const char *path, char *bytes, size_t max)
{
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, bytes, max);
    close(fd);
    return length < 0 ? 0 : (size_t)length;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

static size_t count_lines(const char *bytes, size_t length)
{
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

TEST(a_write_torn_at_any_byte_costs_only_itself)
{
    enum { TAKES = 6 };
    char bytes[4096], threshold[8];
    remove_marks();
    struct budget_marks *marks = open_marks();
    for (unsigned i = 0; i < TAKES; i++) {
        snprintf(threshold, sizeof threshold, "%u", 10 + i);
        EXPECT(budget_marks_take(marks, "team", 29000000, threshold), "new");
    }
    budget_marks_close(marks);
    size_t length = read_file(path_of("alerts"), bytes, sizeof bytes);
    EXPECT_INTEGER(count_lines(bytes, length), TAKES);
    for (size_t cut = 0; cut <= length; cut++) {
        write_file(path_of("alerts"), bytes, cut);
        size_t whole = count_lines(bytes, cut);
        for (int round = 0; round < 2; round++) { /* the second finds what the first wrote after the tear */
            marks = open_marks();
            for (unsigned i = 0; i < TAKES; i++) {
                snprintf(threshold, sizeof threshold, "%u", 10 + i);
                EXPECT(budget_marks_take(marks, "team", 29000000, threshold) == (round == 0 && i >= whole),
                       "cut at %zu, round %d, mark %u", cut, round, i);
            }
            budget_marks_close(marks);
        }
    }
}

TEST(lines_that_make_no_sense_are_passed_over)
{
    static const char text[] = "take a 5 50\n"
                               "\n"
                               "take\n"
                               "take a 5\n"
                               "take a 5 60 x\n"
                               "take a -5 60\n"
                               "take a 99999999999999999999 60\n"
                               "take a 6x 60\n"
                               "take  5 60\n"
                               "give a 6 60\n"
                               "take a 5 \0 60\n"
                               "\0\0\0\0\0\0\0\n"
                               "take b 5 80\n"
                               "deliver b 5 80\n"
                               "deliver c 5 80\n";
    static char huge[400];
    remove_marks();
    memset(huge, 'x', sizeof huge - 1);
    write_file(path_of("alerts"), text, sizeof text - 1);
    int fd = open(path_of("alerts"), O_WRONLY | O_APPEND);
    dprintf(fd, "take %s 5 50\ntake a 5 %.40s\n", huge, huge);
    close(fd);
    struct budget_marks *marks = open_marks();
    EXPECT_INTEGER(count_undelivered(marks, NULL), 1);
    EXPECT(!budget_marks_take(marks, "a", 5, "50"), "known");
    EXPECT(!budget_marks_take(marks, "b", 5, "80"), "known");
    EXPECT(budget_marks_take(marks, "a", 5, "60"), "none of the others counted");
    budget_marks_close(marks);
}

TEST(what_cannot_be_a_file_of_marks_is_an_error)
{
    struct budget_marks *marks = NULL;
    remove_marks();
    CU_ASSERT_FATAL(mkdir(path_of("alerts"), 0700) == 0);
    EXPECT(budget_marks_open(path_of("alerts"), &marks) != ERROR_OK, "a directory");
    rmdir(path_of("alerts"));
    CU_ASSERT_FATAL(mkfifo(path_of("alerts"), 0600) == 0);
    EXPECT_INTEGER(budget_marks_open(path_of("alerts"), &marks), ERROR_FILE_UNREADABLE);
    remove_marks();
    CU_ASSERT_FATAL(symlink("/dev/null", path_of("alerts")) == 0);
    EXPECT_INTEGER(budget_marks_open(path_of("alerts"), &marks), ERROR_FILE_UNREADABLE);
    remove_marks();
    EXPECT(budget_marks_open("/nonexistent/alerts", &marks) != ERROR_OK, "no folder");
    EXPECT(marks == NULL, "untouched");
}

TEST(the_file_stays_small_for_ever)
{
    enum { WINDOWS = 20000 };
    struct stat status = {0};
    off_t largest = 0;
    remove_marks();
    struct budget_marks *marks = open_marks();
    for (uint64_t window = 1; window <= WINDOWS; window++) {
        if (!budget_marks_take(marks, "team", window, "50"))
            EXPECT(false, "window %llu", (unsigned long long)window);
        budget_marks_deliver(marks, "team", window, "50");
        stat(path_of("alerts"), &status);
        largest = status.st_size > largest ? status.st_size : largest;
    }
    EXPECT(largest < 70000, "%lld bytes", (long long)largest);
    marks = reopen(marks);
    EXPECT(!budget_marks_take(marks, "team", WINDOWS, "50"), "the last is known");
    EXPECT(!budget_marks_take(marks, "team", WINDOWS - 1, "90"), "older ones are past");
    EXPECT_INTEGER(count_undelivered(marks, NULL), 0);
    budget_marks_close(marks);
}

TEST(subjects_and_waiting_alerts_are_bounded)
{
    char name[32];
    remove_marks();
    struct budget_marks *marks = open_marks();
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "subject-%u", i);
        EXPECT(budget_marks_take(marks, name, 1, "50"), "%s", name);
    }
    EXPECT_INTEGER(count_undelivered(marks, NULL), 4096);
    EXPECT(!budget_marks_take(marks, "subject-4999", 1, "50"), "the newest are known");
    for (uint64_t window = 1; window <= 1000; window++)
        EXPECT(budget_marks_take(marks, "undeliverable", window, "50"), "window %llu", (unsigned long long)window);
    EXPECT(count_undelivered(marks, NULL) < 4096 + 300, "waiting ones give way");
    unsigned taken = 0;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "t%u", i);
        taken += budget_marks_take(marks, "undeliverable", 1001, name);
    }
    EXPECT_INTEGER(taken, 256);
    budget_marks_close(marks);
}

/* Files may not grow beyond what they have: what the disk refuses is kept in memory, and written when it can be. */
TEST(a_full_disk_neither_repeats_nor_loses_an_alert)
{
    char bytes[4096];
    remove_marks();
    struct budget_marks *marks = open_marks();
    EXPECT(budget_marks_take(marks, "team", 1, "50"), "new");
    struct rlimit old, tight = {.rlim_cur = 15};
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tight);
    bool is_news = budget_marks_take(marks, "team", 1, "80"), is_again = budget_marks_take(marks, "team", 1, "80");
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT(is_news && !is_again, "given once all the same");
    size_t length = read_file(path_of("alerts"), bytes, sizeof bytes);
    EXPECT_INTEGER(count_lines(bytes, length), 1);
    EXPECT(budget_marks_take(marks, "team", 1, "100"), "new");
    marks = reopen(marks);
    EXPECT(!budget_marks_take(marks, "team", 1, "50") && !budget_marks_take(marks, "team", 1, "80") &&
               !budget_marks_take(marks, "team", 1, "100"),
           "all of them are on disk");
    budget_marks_close(marks);
    signal(SIGXFSZ, SIG_DFL);
}

/* The child takes marks until it is killed and says after each that it is done; long names make it rewrite the file
 * every few hundred. */
static void take_until_killed(int out, uint64_t window)
{
    char name[100];
    struct budget_marks *marks = NULL;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    if (budget_marks_open(path_of("alerts"), &marks))
        _exit(1);
    for (;; window++) {
        if (!budget_marks_take(marks, name, window, "50") || write(out, &window, sizeof window) != sizeof window)
            _exit(2);
        budget_marks_deliver(marks, name, window, "50");
    }
}

TEST(killed_at_any_moment_nothing_given_is_given_again)
{
    char name[100];
    uint64_t acknowledged = 0;
    remove_marks();
    path_of("alerts");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int round = 0; round < 25; round++) {
        int pipe_fds[2];
        CU_ASSERT_FATAL(pipe(pipe_fds) == 0);
        pid_t child = fork();
        if (child == 0)
            take_until_killed(pipe_fds[1], acknowledged + 1);
        close(pipe_fds[1]);
        uint64_t wanted = 1 + next_random() % 600, window, count = 0;
        while (count < wanted && read(pipe_fds[0], &window, sizeof window) == sizeof window)
            count++;
        kill(child, SIGKILL);
        while (read(pipe_fds[0], &window, sizeof window) == sizeof window)
            count++;
        int status = 0;
        waitpid(child, &status, 0);
        close(pipe_fds[0]);
        EXPECT(WIFSIGNALED(status), "the child ended by itself: %d", status);
        acknowledged += count;
        struct budget_marks *marks = open_marks();
        EXPECT(!budget_marks_take(marks, name, acknowledged, "50"), "round %d: %llu", round,
               (unsigned long long)acknowledged);
        EXPECT(count_undelivered(marks, NULL) <= 2, "round %d", round);
        (void)budget_marks_take(marks, name, ++acknowledged, "50"); /* the child may have been about to */
        budget_marks_deliver(marks, name, acknowledged - 1, "50");
        budget_marks_deliver(marks, name, acknowledged, "50");
        EXPECT_INTEGER(count_undelivered(marks, NULL), 0);
        budget_marks_close(marks);
    }
}

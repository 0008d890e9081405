/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports by themselves: which windows there are (days of 23 and 25 hours, weeks over the end of a year, months), and
 * that each is written once, whatever the agent slept through and however the clock was set.
 */
#include "tests/unit/export_world.h"

#include "base/file.h"

#include <dirent.h>
#include <sys/stat.h>

enum { DAY_S = 86400, HOUR_S = 3600, SHOWN_MAX = 512 };

static struct arena *arena;

static const struct zone *zone_of(const char *name)
{
    arena = arena ? arena : arena_new(4096);
    const struct zone *zone = zone_load(arena, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zone);
    return zone;
}

static int64_t at(const struct zone *zone, int year, unsigned month, unsigned day, int64_t second)
{
    return zone_instant_of(zone, zone_days_from_civil(year, month, day) * DAY_S + second);
}

/* "2026-03-29+23h 2026-03-30+24h": first local day and length of each. */
static const char *show(const struct zone *zone, const struct export_window *windows, size_t count)
{
    static char text[SHOWN_MAX];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char since[PERIOD_TEXT_MAX];
        period_format(zone, windows[i].since_s, since);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.10s+%lldh", i ? " " : "", since,
                                 (long long)(windows[i].until_s - windows[i].since_s) / HOUR_S);
    }
    return text;
}

TEST(windows_follow_the_calendar)
{
    static const struct {
        const char *zone;
        enum period_step step;
        int first[4], now[4]; /* year, month, day, hour */
        size_t max;
        const char *shown;
    } rows[] = {
        {"UTC", STEP_WEEK, {2026, 11, 18, 5}, {2026, 11, 29, 5}, 9, "2026-11-16+168h"},
        {"UTC", STEP_WEEK, {2026, 11, 18, 5}, {2026, 11, 30, 0}, 9, "2026-11-16+168h 2026-11-23+168h"},
        {"UTC", STEP_WEEK, {2026, 11, 18, 5}, {2026, 11, 18, 6}, 9, ""},
        {"UTC", STEP_WEEK, {2026, 12, 28, 0}, {2027, 1, 5, 0}, 9, "2026-12-28+168h"},
        {"UTC", STEP_MONTH, {2026, 1, 31, 23}, {2026, 3, 1, 0}, 9, "2026-01-01+744h 2026-02-01+672h"},
        {"UTC", STEP_MONTH, {2028, 2, 29, 0}, {2028, 3, 31, 0}, 9, "2028-02-01+696h"},
        {"UTC", STEP_MONTH, {2020, 1, 1, 0}, {2026, 3, 15, 0}, 2, "2026-01-01+744h 2026-02-01+672h"},
        {"Europe/Berlin",
         STEP_DAY,
         {2026, 3, 28, 12},
         {2026, 3, 31, 1},
         9,
         "2026-03-28+24h 2026-03-29+23h 2026-03-30+24h"},
        {"Europe/Berlin", STEP_DAY, {2026, 10, 25, 12}, {2026, 10, 27, 1}, 9, "2026-10-25+25h 2026-10-26+24h"},
        {"Europe/Berlin", STEP_WEEK, {2026, 3, 24, 12}, {2026, 4, 1, 1}, 9, "2026-03-23+167h"},
        {"Europe/Berlin", STEP_MONTH, {2026, 10, 1, 0}, {2026, 11, 1, 0}, 9, "2026-10-01+745h"},
        /* a day that begins at one o'clock, as midnight is skipped */
        {"America/Santiago",
         STEP_DAY,
         {2026, 9, 5, 12},
         {2026, 9, 8, 2},
         9,
         "2026-09-05+24h 2026-09-06+23h 2026-09-07+24h"},
        {"Asia/Kolkata", STEP_DAY, {2026, 9, 5, 12}, {2026, 9, 6, 0}, 9, "2026-09-05+24h"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct export_window windows[9];
        const struct zone *zone = zone_of(rows[i].zone);
        const int *first = rows[i].first, *now = rows[i].now;
        size_t count = export_find_windows(
            zone, rows[i].step, at(zone, first[0], (unsigned)first[1], (unsigned)first[2], first[3] * HOUR_S),
            at(zone, now[0], (unsigned)now[1], (unsigned)now[2], now[3] * HOUR_S), windows, rows[i].max);
        EXPECT_STRING(show(zone, windows, count), rows[i].shown);
        for (size_t j = 1; j < count; j++)
            EXPECT_INTEGER(windows[j].since_s, windows[j - 1].until_s);
    }
}

/* ---- the thread ---- */

static struct export_schedule *schedule;
static atomic_bool has_events = true;

static struct settings *retain(void *context)
{
    (void)context;
    return config_retain(settings);
}

static void start(void)
{
    const struct export_schedule_options options = {root, journal, ledger, &has_events, retain, NULL};
    schedule = export_schedule_open(&options);
}

static void stop(void)
{
    export_schedule_close(schedule);
}

static void use_policy(const char *exports)
{
    char path[64];
    snprintf(path, sizeof path, "%s/policy-config.dev.yaml", root);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fprintf(file,
            "consumer_groups:\n  - {name: a, api_key: kt_cg_a, wallet_team_id: team}\nevidence:\n  exports: {%s}\n",
            exports);
    fclose(file);
    config_release(settings);
    settings = load_settings(path);
}

static int is_data(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && !strcmp(entry->d_name + length - 4, ".csv");
}

/* "2026-09-21 2026-09-28": the days that names of weekly files begin with, in order. */
static const char *list_files(void)
{
    static char text[SHOWN_MAX];
    char folder[64];
    struct dirent **entries;
    size_t used = 0;
    text[0] = '\0';
    snprintf(folder, sizeof folder, "%s/exports", root);
    int count = scandir(folder, &entries, is_data, alphasort);
    for (int i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.10s", i ? " " : "",
                                 entries[i]->d_name + strlen("tollgate-dev-"));
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return text;
}

/* The list is written after the files: wait for what it says. */
static size_t count_listed(void)
{
    struct buffer out;
    size_t count = 0;
    buffer_init(&out, 1 << 22);
    export_schedule_write(schedule, &out);
    CU_ASSERT_FATAL(buffer_append(&out, (struct slice){"", 1}));
    for (const char *text = buffer_contents(&out).data; (text = strstr(text, "\"file\"")); text++)
        count++;
    buffer_done(&out);
    return count;
}

static void wait_for_listed(size_t wanted)
{
    for (unsigned i = 0; i < 2000 && count_listed() != wanted; i++)
        usleep(10000);
    EXPECT_INTEGER(count_listed(), wanted);
}

static ino_t inode_of(const char *day, const char *suffix)
{
    char path[160];
    struct stat status;
    snprintf(path, sizeof path, "%s/exports/tollgate-dev-%s-weekly.%s", root, day, suffix);
    return stat(path, &status) ? 0 : status.st_ino;
}

static const struct call paid = {
    .model = "m", .attempt_count = 1, .attempts = {{"openai", "m", 1, 1, 1000}}, .basis = BASIS_EXACT};
static int64_t monday; /* 2026-09-21 00:00 UTC */

static void begin(const char *exports)
{
    monday = at(zone_of("UTC"), 2026, 9, 21, 0);
    set_clock(monday + 2 * DAY_S);
    open_world();
    use_policy(exports);
}

static void end(void)
{
    stop();
    close_world();
}

TEST(nothing_before_the_first_event)
{
    begin("formats: [csv]");
    set_clock(monday + 30 * DAY_S);
    start();
    set_clock(monday + 31 * DAY_S);
    make_call(&paid);
    set_clock(monday + 36 * DAY_S);
    wait_for_listed(1);
    EXPECT_STRING(list_files(), "2026-10-19");
    end();
}

TEST(three_weeks_missed_are_three_files_once)
{
    begin("formats: [csv, focus]");
    make_call(&paid);
    close_stores(); /* the agent is down */
    set_clock(monday + 23 * DAY_S);
    open_stores();
    start();
    wait_for_listed(6);
    EXPECT_STRING(list_files(), "2026-09-21 2026-09-21 2026-09-28 2026-09-28 2026-10-05 2026-10-05");
    const ino_t first = inode_of("2026-09-21", "csv"), manifest = inode_of("2026-09-21", "csv.manifest.json");
    CU_ASSERT_TRUE(first && manifest && inode_of("2026-10-05", "focus.csv.manifest.json"));
    /* A restart, and one window more: the thread looks at the older ones first. */
    stop();
    set_clock(monday + 29 * DAY_S);
    start();
    wait_for_listed(8);
    CU_ASSERT_TRUE(first == inode_of("2026-09-21", "csv") && manifest == inode_of("2026-09-21", "csv.manifest.json"));
    end();
}

TEST(a_file_that_was_taken_away_is_not_written_again)
{
    char path[160];
    begin("formats: [csv]");
    make_call(&paid);
    set_clock(monday + 8 * DAY_S);
    start();
    wait_for_listed(1);
    snprintf(path, sizeof path, "%s/exports/tollgate-dev-2026-09-21-weekly.csv", root);
    CU_ASSERT_EQUAL(unlink(path), 0);
    set_clock(monday + 15 * DAY_S);
    wait_for_listed(2);
    EXPECT_STRING(list_files(), "2026-09-28");
    end();
}

static size_t count_in_list(const char *text)
{
    struct buffer out;
    size_t count = 0;
    buffer_init(&out, 1 << 22);
    export_schedule_write(schedule, &out);
    CU_ASSERT_FATAL(buffer_append(&out, (struct slice){"", 1}));
    for (const char *at = buffer_contents(&out).data; (at = strstr(at, text)); at++)
        count++;
    buffer_done(&out);
    return count;
}

static void wait_for_early(size_t wanted)
{
    for (unsigned i = 0; i < 2000 && count_in_list("\"early\":true") != wanted; i++)
        usleep(10000);
    EXPECT_INTEGER(count_in_list("\"early\":true"), wanted);
}

TEST(a_clock_that_was_ahead_costs_no_window_and_no_file)
{
    begin("formats: [csv]");
    make_call(&paid);
    set_clock(monday + 15 * DAY_S); /* wrong: it is still Wednesday */
    start();
    wait_for_listed(2);
    const ino_t first = inode_of("2026-09-21", "csv"), manifest = inode_of("2026-09-21", "csv.manifest.json");
    set_clock(monday + 3 * DAY_S);
    wait_for_early(2);
    struct call late = paid;
    late.attempts[0].cost = 77;
    make_call(&late);
    stop(); /* the list says so after a restart, too */
    set_clock(monday + 8 * DAY_S);
    start();
    wait_for_listed(3);
    EXPECT_INTEGER(count_in_list("\"cost\":\"0.000001077\""), 1);
    EXPECT_INTEGER(count_in_list("2026-09-21-weekly-2.csv\""), 1);
    EXPECT_STRING(list_files(), "2026-09-21 2026-09-21 2026-09-28");
    CU_ASSERT_TRUE(first == inode_of("2026-09-21", "csv") && manifest == inode_of("2026-09-21", "csv.manifest.json"));
    set_clock(monday + 16 * DAY_S); /* later than the clock was when it was ahead */
    wait_for_listed(4);
    stop();
    start();
    set_clock(monday + 22 * DAY_S);
    wait_for_listed(5);
    end();
}

/* A machine without a battery begins in 1970. */
TEST(a_clock_that_was_far_behind_writes_nothing_twice)
{
    begin("formats: [csv]");
    make_call(&paid);
    set_clock(monday + 15 * DAY_S);
    start();
    wait_for_listed(2);
    stop();
    set_clock(1000);
    start();
    usleep(300000); /* time to look */
    set_clock(monday + 22 * DAY_S);
    wait_for_listed(3);
    EXPECT_STRING(list_files(), "2026-09-21 2026-09-28 2026-10-05");
    wait_for_early(0);
    end();
}

TEST(another_time_zone_replaces_no_file)
{
    begin("formats: [csv], schedule: daily, keep: 2");
    make_call(&paid);
    set_clock(monday + 3 * DAY_S + HOUR_S);
    start();
    wait_for_listed(1);
    stop();
    use_policy("formats: [csv], schedule: daily, keep: 2, timezone: Europe/Berlin");
    start();
    wait_for_listed(2);
    EXPECT_STRING(list_files(), "2026-09-23 2026-09-23");
    EXPECT_INTEGER(count_in_list("2026-09-23-daily.csv\""), 1);
    EXPECT_INTEGER(count_in_list("2026-09-23-daily-2.csv\""), 1);
    stop();
    use_policy("formats: [csv], schedule: daily, keep: 1, timezone: Europe/Berlin");
    start();
    wait_for_listed(1);
    EXPECT_STRING(list_files(), "2026-09-23");
    EXPECT_INTEGER(count_in_list("2026-09-23-daily.csv\""), 1);
    end();
}

/* As the lists of older agents have it. */
TEST(a_file_that_two_rows_share_stays_while_one_is_kept)
{
    char path[128];
    begin("formats: [csv], schedule: daily, keep: 1");
    make_call(&paid);
    set_clock(monday + 3 * DAY_S + HOUR_S);
    start();
    wait_for_listed(1);
    stop();
    snprintf(path, sizeof path, "%s/exports.jsonl", root);
    FILE *list = fopen(path, "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    fprintf(
        list,
        "{\"schedule\":\"daily\",\"format\":\"csv\",\"since_s\":%lld,\"until_s\":%lld,\"written_s\":%lld,\"rows\":1,"
        "\"cost\":\"0\",\"reconciled\":true,\"removed\":false,"
        "\"file\":\"%s/exports/tollgate-dev-2026-09-23-daily.csv\"}\n",
        (long long)(monday + 2 * DAY_S - HOUR_S), (long long)(monday + 3 * DAY_S - HOUR_S), (long long)now_s(), root);
    fclose(list);
    start();
    struct buffer rows;
    bool is_removed = false;
    for (unsigned i = 0; i < 1000 && !is_removed; i++) {
        usleep(10000);
        buffer_init(&rows, 1 << 20);
        CU_ASSERT_FATAL(file_read_into(path, &rows) == ERROR_OK && buffer_append(&rows, (struct slice){"", 1}));
        is_removed = strstr(buffer_contents(&rows).data, "\"removed\":true") != NULL;
        buffer_done(&rows);
    }
    CU_ASSERT_TRUE(is_removed);
    EXPECT_INTEGER(count_listed(), 1);
    EXPECT_STRING(list_files(), "2026-09-23");
    end();
}

TEST(a_clock_that_was_behind_writes_nothing_twice)
{
    begin("formats: [csv]");
    make_call(&paid);
    set_clock(monday + 15 * DAY_S);
    start();
    wait_for_listed(2);
    const ino_t first = inode_of("2026-09-21", "csv"), second = inode_of("2026-09-28", "csv");
    set_clock(monday + 14 * DAY_S + 1); /* some hours back: both windows have ended all the same */
    stop();
    start();
    set_clock(monday + 22 * DAY_S);
    wait_for_listed(3);
    CU_ASSERT_TRUE(first == inode_of("2026-09-21", "csv") && second == inode_of("2026-09-28", "csv"));
    end();
}

TEST(only_the_newest_are_kept)
{
    begin("formats: [csv], keep: 2");
    make_call(&paid);
    set_clock(monday + 100 * DAY_S); /* 14 weeks: 12 of them would be removed at once, and are not written */
    start();
    wait_for_listed(2);
    EXPECT_STRING(list_files(), "2026-12-14 2026-12-21");
    set_clock(monday + 106 * DAY_S);
    for (unsigned i = 0; i < 1000 && strcmp(list_files(), "2026-12-21 2026-12-28") != 0; i++)
        usleep(10000);
    EXPECT_STRING(list_files(), "2026-12-21 2026-12-28");
    CU_ASSERT_EQUAL(inode_of("2026-12-14", "csv.manifest.json"), 0);
    end();
}

/* Rows lack what is paid: a call of several tries is under way. Its window waits for it, but not for ever. */
TEST(a_window_waits_for_its_last_events)
{
    begin("formats: [csv]");
    make_call(&paid);
    struct call untold = paid;
    untold.is_unrecorded = true;
    make_call(&untold);
    set_clock(monday + 7 * DAY_S + 3600);
    start();
    for (unsigned i = 0; i < 200 && count_listed() == 0; i++)
        usleep(10000);
    EXPECT_INTEGER(count_listed(), 0);
    stop();
    set_clock(monday + 7 * DAY_S + 7 * HOUR_S);
    start();
    wait_for_listed(1);
    struct buffer out;
    buffer_init(&out, 1 << 16);
    export_schedule_write(schedule, &out);
    CU_ASSERT_FATAL(buffer_append(&out, (struct slice){"", 1}));
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer_contents(&out).data, "\"reconciled\":false"));
    buffer_done(&out);
    end();
}

/* Nothing is left of the files that cannot be written; the next start writes them. */
TEST(a_directory_that_cannot_be_written)
{
    char path[64];
    begin("formats: [csv]");
    make_call(&paid);
    set_clock(monday + 8 * DAY_S);
    snprintf(path, sizeof path, "%s/exports", root);
    FILE *in_the_way = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(in_the_way);
    fclose(in_the_way);
    start();
    char text[EXPORT_FAILURE_MAX];
    for (unsigned i = 0; i < 1000 && !export_schedule_is_failing(schedule, text); i++)
        usleep(10000);
    EXPECT_INTEGER(count_listed(), 0);
    CU_ASSERT_TRUE(export_schedule_is_failing(schedule, text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "/exports/tollgate-dev-2026-09-21-weekly.csv: "));
    stop();
    CU_ASSERT_EQUAL(unlink(path), 0);
    start();
    wait_for_listed(1);
    EXPECT_STRING(list_files(), "2026-09-21");
    for (unsigned i = 0; i < 500 && export_schedule_is_failing(schedule, text); i++)
        usleep(10000);
    CU_ASSERT_FALSE(export_schedule_is_failing(schedule, text));
    end();
}

/* aux/ was lost, and is being written again from the ledger. */
TEST(nothing_while_events_are_missing)
{
    begin("formats: [csv]");
    make_call(&paid);
    set_clock(monday + 8 * DAY_S);
    atomic_store(&has_events, false);
    start();
    for (unsigned i = 0; i < 50 && count_listed() == 0; i++)
        usleep(10000);
    EXPECT_INTEGER(count_listed(), 0);
    atomic_store(&has_events, true);
    wait_for_listed(1);
    end();
}

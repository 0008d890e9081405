/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones: offsets against known instants and against the C library's own reading of the same database, local days
 * that are short, long or absent, and files that mean harm. Without a database most of it is skipped, and says so.
 */
#include "base/zone.h"
#include "tests/unit/suite.h"

#include <time.h>
#include <unistd.h>

static struct arena *arena;

static void free_arena(void)
{
    arena_free(arena);
}

static const struct zone *load(const char *name)
{
    if (!arena) {
        arena = arena_new(1 << 20);
        atexit(free_arena);
    }
    return zone_load(arena, name);
}

static bool has_database(void)
{
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0)
        return true;
    fprintf(stderr, "skipped: this machine has no time zone database ");
    return false;
}

TEST(civil_dates_are_those_of_the_calendar)
{
    static const struct {
        int64_t year;
        unsigned month, day;
        int64_t days;
    } rows[] = {{1970, 1, 1, 0},       {1969, 12, 31, -1},    {2000, 2, 29, 11016},  {2000, 3, 1, 11017},
                {2100, 2, 28, 47540},  {2100, 3, 1, 47541},   {2026, 11, 23, 20780}, {1, 1, 1, -719162},
                {-1, 12, 31, -719529}, {1600, 2, 29, -135081}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t year;
        unsigned month, day;
        EXPECT_INTEGER(zone_days_from_civil(rows[i].year, rows[i].month, rows[i].day), rows[i].days);
        zone_civil_from_days(rows[i].days, &year, &month, &day);
        EXPECT(year == rows[i].year && month == rows[i].month && day == rows[i].day, "day %lld is %lld-%u-%u",
               (long long)rows[i].days, (long long)year, month, day);
    }
    for (int64_t days = -800000; days < 800000; days++) {
        int64_t year;
        unsigned month, day;
        zone_civil_from_days(days, &year, &month, &day);
        if (zone_days_from_civil(year, month, day) != days || month < 1 || month > 12 || day < 1 || day > 31)
            EXPECT(false, "day %lld", (long long)days);
    }
}

TEST(names_stay_within_the_database)
{
    static const char *const bad[] = {"",          "/etc/localtime", "../../../etc/passwd", "Europe/../UTC", "Europe",
                                      "Utopia",    "Europe/Berlin/", "Europe/Berlin\n",     "Europe Berlin", ".",
                                      "tzdata.zi", "zone1970.tab",   "right/Europe/Berlin"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(load(bad[i]) == NULL, "%s", bad[i]);
    const struct zone *utc = load("UTC");
    CU_ASSERT_PTR_NOT_NULL_FATAL(utc);
    EXPECT_INTEGER(zone_offset_at(utc, 1800000000), 0);
    EXPECT_INTEGER(zone_instant_of(utc, 1800000000), 1800000000);
    EXPECT_INTEGER(zone_instant_of(utc, -1), -1);
}

/* From Python's zoneinfo. */
static const struct {
    const char *name;
    int64_t utc_s;
    int32_t offset;
} instants[] = {
    {"Europe/Berlin", 0, 3600},                 /* 1970-01-01 00:00 */
    {"Europe/Berlin", 323830740, 3600},         /* 1980-04-06 00:59 */
    {"Europe/Berlin", 323830800, 7200},         /* 1980-04-06 01:00 */
    {"Europe/Berlin", 1774745940, 3600},        /* 2026-03-29 00:59 */
    {"Europe/Berlin", 1774746000, 7200},        /* 2026-03-29 01:00 */
    {"Europe/Berlin", 1792889940, 7200},        /* 2026-10-25 00:59 */
    {"Europe/Berlin", 1792890000, 3600},        /* 2026-10-25 01:00 */
    {"Europe/Berlin", 2374102800, 7200},        /* 2045-03-26 01:00, by the footer from here on */
    {"Europe/Berlin", 4096573140, 7200},        /* 2099-10-25 00:59 */
    {"Europe/Berlin", 4128627600, 3600},        /* 2100-10-31 01:00 */
    {"America/New_York", 126687540, -18000},    /* 1974-01-06 06:59 */
    {"America/New_York", 126687600, -14400},    /* 1974-01-06 07:00 */
    {"America/New_York", 1143961200, -14400},   /* 2006-04-02 07:00 */
    {"America/New_York", 1772953140, -18000},   /* 2026-03-08 06:59 */
    {"America/New_York", 1772953200, -14400},   /* 2026-03-08 07:00 */
    {"America/New_York", 1793512740, -14400},   /* 2026-11-01 05:59 */
    {"America/New_York", 1793512800, -18000},   /* 2026-11-01 06:00 */
    {"America/New_York", 4118083200, -14400},   /* 2100-07-01 00:00 */
    {"America/New_York", 4129250400, -18000},   /* 2100-11-07 06:00 */
    {"Asia/Kathmandu", 0, 19800},               /* 1970-01-01 00:00 */
    {"Asia/Kathmandu", 504901740, 19800},       /* 1985-12-31 18:29 */
    {"Asia/Kathmandu", 504901800, 20700},       /* 1985-12-31 18:30 */
    {"Asia/Kathmandu", 4115491200, 20700},      /* 2100-06-01 00:00 */
    {"Australia/Lord_Howe", 352216800, 37800},  /* 1981-02-28 14:00 */
    {"Australia/Lord_Howe", 1775314740, 39600}, /* 2026-04-04 14:59 */
    {"Australia/Lord_Howe", 1775314800, 37800}, /* 2026-04-04 15:00 */
    {"Australia/Lord_Howe", 1791041340, 37800}, /* 2026-10-03 15:29 */
    {"Australia/Lord_Howe", 1791041400, 39600}, /* 2026-10-03 15:30 */
    {"Australia/Lord_Howe", 4102358400, 39600}, /* 2099-12-31 00:00 */
    {"Africa/Casablanca", 1540692000, 3600},    /* 2018-10-28 02:00 */
    {"Africa/Casablanca", 1771120740, 3600},    /* 2026-02-15 01:59 */
    {"Africa/Casablanca", 1771120800, 0},       /* 2026-02-15 02:00 */
    {"Africa/Casablanca", 1774144740, 0},       /* 2026-03-22 01:59 */
    {"Africa/Casablanca", 1774144800, 3600},    /* 2026-03-22 02:00 */
    {"Africa/Casablanca", 4102444800, 3600},    /* 2100-01-01 00:00 */
    {"Pacific/Apia", 1325239140, -36000},       /* 2011-12-30 09:59 */
    {"Pacific/Apia", 1325239200, 50400},        /* 2011-12-30 10:00, a day left out */
    {"America/St_Johns", 1289097000, -9000},    /* 2010-11-07 02:30 */
    {"America/St_Johns", 1289097060, -12600},   /* 2010-11-07 02:31 */
};

TEST(offsets_at_known_instants)
{
    for (size_t i = 0; has_database() && i < sizeof instants / sizeof *instants; i++) {
        const struct zone *zone = load(instants[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(zone);
        int32_t offset = zone_offset_at(zone, instants[i].utc_s);
        EXPECT(offset == instants[i].offset, "%s at %lld: %d, wanted %d", instants[i].name,
               (long long)instants[i].utc_s, offset, instants[i].offset);
    }
}

static uint64_t random_state = 20261123;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static long libc_offset(int64_t utc_s)
{
    struct tm local;
    time_t time = (time_t)utc_s;
    localtime_r(&time, &local);
    return local.tm_gmtoff;
}

static bool agrees_with_libc(const char *name, const struct zone *zone, int64_t utc_s)
{
    long wanted = libc_offset(utc_s);
    int32_t offset = zone_offset_at(zone, utc_s);
    if (offset != wanted)
        EXPECT(false, "%s at %lld: %d, libc says %ld", name, (long long)utc_s, offset, wanted);
    return offset == wanted;
}

/* Where the C library's offset changes between two instants, to the second; `after` when it does not. */
static int64_t find_change(int64_t before, int64_t after)
{
    long offset = libc_offset(before);
    bool differs = libc_offset(after) != offset;
    while (differs && after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        *(libc_offset(middle) == offset ? &before : &after) = middle;
    }
    return after;
}

static void compare_zone(const char *name)
{
    enum { STEP_S = 86400 * 28 };
    const int64_t last = 4133980799; /* 2100-12-31 */
    const struct zone *zone = load(name);
    EXPECT(zone != NULL, "%s", name);
    if (!zone)
        return;
    setenv("TZ", name, 1);
    tzset();
    bool ok = true;
    for (int64_t at = 0; ok && at < last; at += STEP_S) {
        ok = agrees_with_libc(name, zone, at + (int64_t)(next_random() % STEP_S));
        int64_t change = find_change(at, at + STEP_S);
        ok = ok && agrees_with_libc(name, zone, change) && agrees_with_libc(name, zone, change - 1);
    }
}

TEST(every_zone_agrees_with_the_c_library_from_1970_to_2100)
{
    char line[256], name[64];
    unsigned count = 0;
    FILE *list = has_database() ? fopen("/usr/share/zoneinfo/zone1970.tab", "r") : NULL;
    while (list && fgets(line, sizeof line, list)) {
        if (*line == '#' || sscanf(line, "%*s %*s %63s", name) != 1)
            continue;
        compare_zone(name);
        count++;
    }
    if (list)
        fclose(list);
    unsetenv("TZ");
    tzset();
    EXPECT(!list || count > 100, "only %u zones", count);
}

/* By definition: nothing earlier has reached it. */
static void expect_first_instant(const char *name, const struct zone *zone, int64_t local_s)
{
    int64_t found = zone_instant_of(zone, local_s);
    bool ok = found + zone_offset_at(zone, found) >= local_s;
    for (int64_t at = found - 1; ok && at > found - 100000; at -= 60)
        ok = at + zone_offset_at(zone, at) < local_s;
    EXPECT(ok, "%s: local %lld gives %lld", name, (long long)local_s, (long long)found);
}

TEST(local_times_that_are_skipped_or_repeated)
{
    static const struct {
        const char *name;
        int64_t local_s, utc_s;
    } rows[] = {
        {"Europe/Berlin", 1774749600, 1774746000},       /* 29 March 2026 02:00 is skipped: 01:00 UTC */
        {"Europe/Berlin", 1774751400, 1774746000},       /* 02:30, too */
        {"Europe/Berlin", 1774753200, 1774746000},       /* 03:00 is the same instant */
        {"Europe/Berlin", 1792895400, 1792888200},       /* 25 October 2026 02:30 comes twice: the first */
        {"Europe/Berlin", 1792897200, 1792893600},       /* 03:00 comes once */
        {"Australia/Lord_Howe", 1775354400, 1775316600}, /* 5 April 2026 02:00, when the clock went back to 01:30 */
        {"Pacific/Apia", 1325203200, 1325239200},        /* 30 December 2011 never was: the 31st begins */
        {"Pacific/Apia", 1325289600, 1325239200},
        {"America/St_Johns", 1289088000, 1289097000}, /* 7 November 2010 00:00, before 00:01 goes to 23:01 */
    };
    for (size_t i = 0; has_database() && i < sizeof rows / sizeof *rows; i++) {
        const struct zone *zone = load(rows[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(zone);
        EXPECT_INTEGER(zone_instant_of(zone, rows[i].local_s), rows[i].utc_s);
        expect_first_instant(rows[i].name, zone, rows[i].local_s);
        for (unsigned j = 0; j < 60; j++)
            expect_first_instant(rows[i].name, zone, rows[i].local_s + (int64_t)(next_random() % 360) * 60 - 10800);
    }
}

/* ---- files ---- */

static size_t put(unsigned char *bytes, size_t at, uint64_t number, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        bytes[at + i] = (unsigned char)(number >> (8 * (width - 1 - i)));
    return at + width;
}

/* A version-2 file of one type (offset 0), `count` transitions to a second type (+1h) a day apart, and a footer. */
static size_t make_file(unsigned char bytes[512], unsigned count, const char *footer)
{
    size_t at = 0;
    memset(bytes, 0, 512);
    for (unsigned block = 0; block < 2; block++) {
        memcpy(bytes + at, "TZif2", 5);
        const uint32_t counts[] = {0, 0, 0, block ? count : 0, block ? 2 : 1, 4};
        at += 20;
        for (size_t i = 0; i < 6; i++)
            at = put(bytes, at, counts[i], 4);
        for (unsigned i = 0; block && i < count; i++)
            at = put(bytes, at, 86400ull * (i + 1), 8);
        for (unsigned i = 0; block && i < count; i++)
            bytes[at++] = (unsigned char)(i % 2 ? 0 : 1);
        at += 6;
        if (block) {
            at = put(bytes, at, 3600, 4);
            at += 2;
        }
        memcpy(bytes + at, "UTC", 4);
        at += 4;
    }
    return at + (size_t)sprintf((char *)bytes + at, "\n%s\n", footer);
}

static const struct zone *parse(const void *bytes, size_t length)
{
    load("UTC");
    return zone_parse(arena, (struct slice){bytes, length});
}

/* In memory of its exact size, so that the sanitizers see one byte too many. */
static const struct zone *parse_exactly(const unsigned char *bytes, size_t length)
{
    unsigned char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    const struct zone *zone = parse(copy, length);
    for (int64_t at = -2; zone && at <= 2; at++) {
        (void)zone_offset_at(zone, at * 2000000000);
        (void)zone_instant_of(zone, at * 2000000000);
    }
    free(copy);
    return zone;
}

TEST(a_file_made_by_hand)
{
    unsigned char bytes[512];
    const struct zone *zone = parse(bytes, make_file(bytes, 2, ""));
    CU_ASSERT_PTR_NOT_NULL_FATAL(zone);
    EXPECT_INTEGER(zone_offset_at(zone, 86399), 0);
    EXPECT_INTEGER(zone_offset_at(zone, 86400), 3600);
    EXPECT_INTEGER(zone_offset_at(zone, 172800), 0);
    EXPECT_INTEGER(zone_offset_at(zone, INT64_MAX), 0);
    EXPECT_INTEGER(zone_offset_at(zone, INT64_MIN), 0);
}

TEST(footers_follow_the_grammar)
{
    static const struct {
        const char *footer;
        int64_t utc_s;
        int32_t offset; /* 1: refused */
    } rows[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600},
        {"<+0545>-5:45", 1774746000, 20700},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774746000, -3600}, /* Nuuk: hours before the day */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774745999, -7200},
        {"EST5EDT,0/0,J365/25", 1767243600, -14400}, /* summer all year: 1 January 2026 00:00 EST */
        {"EST5EDT,0/0,J365/25", 1767243599, -14400},
        {"IST-2IDT,M3.4.4/26,M10.5.0", 1774569600, 10800}, /* 27 March 2026 02:00: Thursday's 26 o'clock */
        {"IST-2IDT,M3.4.4/26,M10.5.0", 1774569599, 7200},
        {"XXX0YYY,J60/0,J300/0", 1709251200, 3600}, /* 1 March of a leap year is J60 */
        {"XXX0YYY,J60/0,J300/0", 1709251199, 0},
        {"XXX0YYY,59/0,300/0", 1709164800, 3600}, /* day 59 of a leap year is 29 February */
        {"XXX0YYY,59/0,300/0", 1709164799, 0},
        {"AAA-24", 0, 86400},
        {"AAA-25", 0, 1},
        {"A1", 0, 1},
        {"CET", 0, 1},
        {"CET-1CEST", 0, 1},
        {"CET-1CEST,M3.5.0", 0, 1},
        {"CET-1CEST,M13.5.0,M10.5.0", 0, 1},
        {"CET-1CEST,M3.6.0,M10.5.0", 0, 1},
        {"CET-1CEST,M3.5.7,M10.5.0", 0, 1},
        {"CET-1CEST,J0,J366", 0, 1},
        {"CET-1CEST,M3.5.0/168,M10.5.0", 0, 1},
        {"CET-1CEST,M3.5.0,M10.5.0,", 0, 1},
        {"<+01-1", 0, 1},
        {"CET-1:60", 0, 1},
        {"CET-99999999999999999999", 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char bytes[512];
        const struct zone *zone = parse_exactly(bytes, make_file(bytes, 0, rows[i].footer));
        if (rows[i].offset == 1)
            EXPECT(zone == NULL, "%s was taken", rows[i].footer);
        else
            EXPECT(zone && zone_offset_at(zone, rows[i].utc_s) == rows[i].offset, "%s at %lld: %d", rows[i].footer,
                   (long long)rows[i].utc_s, zone ? zone_offset_at(zone, rows[i].utc_s) : 1);
    }
}

TEST(files_that_break_the_rules_are_refused)
{
    static const struct {
        size_t at;
        uint64_t number;
        unsigned width;
        const char *why;
    } rows[] = {
        {0, 'X', 1, "another magic"},
        {4, 0, 1, "version 1"},
        {32, 0xffffffff, 4, "more times than bytes, first block"},
        {54 + 28, 1, 4, "leap seconds"},
        {54 + 32, 0xffffffff, 4, "more times than bytes"},
        {54 + 32, 0x80000000, 4, "times that overflow 32 bits"},
        {54 + 36, 0, 4, "no types"},
        {54 + 36, 0xffffffff, 4, "more types than bytes"},
        {54 + 44 + 8, 86400, 8, "times that do not ascend"},
        {54 + 44 + 16, 2, 1, "a type that is not there"},
        {54 + 44 + 18, 0x7fffffff, 4, "an offset of years"},
    };
    unsigned char good[512], bytes[512];
    size_t length = make_file(good, 2, "UTC0");
    EXPECT(parse_exactly(good, length) != NULL, "the file itself is good");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memcpy(bytes, good, sizeof bytes);
        put(bytes, rows[i].at, rows[i].number, rows[i].width);
        EXPECT(parse_exactly(bytes, length) == NULL, "taken with %s", rows[i].why);
    }
    for (size_t i = 0; i < length; i++)
        EXPECT(parse_exactly(good, i) == NULL, "taken when cut at %zu", i);
}

TEST(random_damage_never_crashes)
{
    unsigned char bytes[512];
    unsigned taken = 0;
    for (unsigned i = 0; i < 20000; i++) {
        size_t length = make_file(bytes, i % 9, i % 2 ? "CET-1CEST,M3.5.0,M10.5.0/3" : "<-02>2<-01>,M3.5.0/-1,J300");
        for (uint64_t changes = next_random() % 4 + 1; changes > 0; changes--)
            bytes[next_random() % length] = (unsigned char)next_random();
        taken += parse_exactly(bytes, length) != NULL;
    }
    EXPECT(taken > 100 && taken < 19000, "%u files were taken", taken);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON scanner against jansson as oracle: the same verdict on a table of hard cases, on the parsing corpus (when it
 * is beside the repository, or where TOLLGATE_SHARED points), and on random damage to real-shaped documents.
 */
#include "base/json.h"
#include "suite.h"

#include <dirent.h>
#include <jansson.h>
#include <time.h>

enum { ORACLE_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL };

/* jansson overlooks a NUL byte that follows a number or a word; ours is the verdict that json.h states. */
static bool oracle_accepts(struct slice document)
{
    if (memchr(document.data, '\0', document.length))
        return false;
    json_t *json = json_loadb(document.data, document.length, ORACLE_FLAGS, NULL);
    json_decref(json);
    return json != NULL;
}

static bool scan_accepts(struct slice document, struct json_problem *problem)
{
    *problem = (struct json_problem){0};
    return json_scan(document, 1024, NULL, 0, problem) == ERROR_OK;
}

/* In memory of exactly its size, so that ASan sees a read past the end. */
static bool verdicts_are_equal(struct slice bytes, struct json_problem *problem, bool *ret_accepts)
{
    char *copy = malloc(bytes.length + !bytes.length);
    if (bytes.length)
        memcpy(copy, bytes.data, bytes.length);
    struct slice document = {copy, bytes.length};
    *ret_accepts = scan_accepts(document, problem);
    bool is_equal = *ret_accepts == oracle_accepts(document) && (*ret_accepts || problem->message) &&
                    problem->offset <= bytes.length;
    free(copy);
    return is_equal;
}

static void expect_verdict(struct slice document, const char *label)
{
    struct json_problem problem;
    bool accepts;
    EXPECT(verdicts_are_equal(document, &problem, &accepts), "%s: scanner %s (%s at %zu)", label,
           accepts ? "accepts" : "refuses", problem.message ? problem.message : "", problem.offset);
}

#define CASE(text, is_valid)                                                                                           \
    {                                                                                                                  \
        SLICE_LITERAL(text), is_valid                                                                                  \
    }

TEST(scan_table)
{
    static const struct {
        struct slice document;
        bool is_valid;
    } rows[] = {
        CASE("", false),
        CASE(" ", false),
        CASE("{}", true),
        CASE("[]", true),
        CASE(" \t\r\n{ } \n", true),
        CASE("null", true),
        CASE("true", true),
        CASE("false", true),
        CASE("nul", false),
        CASE("nulll", false),
        CASE("True", false),
        CASE("\"a\"", true),
        CASE("\"", false),
        CASE("\"a", false),
        CASE("a", false),
        CASE("{", false),
        CASE("[", false),
        CASE("}", false),
        CASE("]", false),
        CASE("[1", false),
        CASE("[1,", false),
        CASE("[1,]", false),
        CASE("[,1]", false),
        CASE("[,]", false),
        CASE("[1 2]", false),
        CASE("[1,,2]", false),
        CASE("[}", false),
        CASE("{]", false),
        CASE("{\"a\":1}", true),
        CASE("{\"a\":1,}", false),
        CASE("{,\"a\":1}", false),
        CASE("{\"a\"}", false),
        CASE("{\"a\":}", false),
        CASE("{\"a\" 1}", false),
        CASE("{a:1}", false),
        CASE("{1:1}", false),
        CASE("{\"a\":1 \"b\":2}", false),
        CASE("{\"a\":1,\"b\":2}", true),
        CASE("{} {}", false),
        CASE("{}x", false),
        CASE("[1]\0", false),
        CASE("\0", false),
        CASE("[\0]", false),
        CASE("\xef\xbb\xbf{}", false),
        CASE("{}\xef\xbb\xbf", false),
        CASE("[\"\xc3\xa9\"]", true),
        CASE("[\x0b]", false),
        CASE("[\x0c]", false),
        CASE("[\xc2\xa0]", false),
        CASE("/**/[]", false),
        CASE("['a']", false),
        CASE("[NaN]", false),
        CASE("[Infinity]", false),
        CASE("[-Infinity]", false),
        /* numbers */
        CASE("0", true),
        CASE("-0", true),
        CASE("-", false),
        CASE("+1", false),
        CASE("01", false),
        CASE("-01", false),
        CASE("00", false),
        CASE("1.", false),
        CASE(".1", false),
        CASE("1.0", true),
        CASE("1.e1", false),
        CASE("1e", false),
        CASE("1e+", false),
        CASE("1e-", false),
        CASE("1E+2", true),
        CASE("1e2.5", false),
        CASE("0e1", true),
        CASE("0.0e-1", true),
        CASE("1e1e1", false),
        CASE("0x1", false),
        CASE("1a", false),
        CASE("--1", false),
        CASE("9223372036854775807", true),
        CASE("9223372036854775808", true),
        CASE("18446744073709551615", true),
        CASE("-9223372036854775809", true),
        CASE("123456789012345678901234567890", true),
        CASE("1e308", true),
        CASE("1e309", false),
        CASE("-1e309", false),
        CASE("1e400", false),
        CASE("1e-400", true),
        CASE("0e999999999999999999999", true),
        CASE("1e999999999999999999999", false),
        CASE("1e-999999999999999999999", true),
        CASE("1.7976931348623157e308", true),
        CASE("1.7976931348623158e308", true),
        CASE("1.7976931348623159e308", false),
        CASE("17976931348623157e292", true),
        CASE("17976931348623159e292", false),
        CASE("0.00000017976931348623157e315", true),
        CASE("0.00000017976931348623159e315", false),
        CASE("1.79769313486231580793728971405303415079934132710037e308", true),
        CASE("1.79769313486231580793728971405303415079934132710038e308", false),
        CASE("10e307", true),
        CASE("10e308", false),
        CASE("0.1e309", true),
        CASE("0.1e310", false),
        CASE("1.0E0000000000000000000308", true),
        /* strings */
        CASE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", true),
        CASE("\"\\a\"", false),
        CASE("\"\\'\"", false),
        CASE("\"\\\"", false),
        CASE("\"\\", false),
        CASE("\"\\\0\"", false),
        CASE("\"\\u\"", false),
        CASE("\"\\u00\"", false),
        CASE("\"\\u00g0\"", false),
        CASE("\"\\u0000\"", true),
        CASE("\"a\\u0000b\"", true),
        CASE("\"\\U0041\"", false),
        CASE("\"\\uABCD\\uabcd\"", true),
        CASE("\"\\ud83d\\ude00\"", true),
        CASE("\"\\ud83d\"", false),
        CASE("\"\\ude00\"", false),
        CASE("\"\\ud83dx\"", false),
        CASE("\"\\ud83d\\n\"", false),
        CASE("\"\\ud83d\\u0041\"", false),
        CASE("\"\\ud83d\\ud83d\"", false),
        CASE("\"\\ude00\\ud83d\"", false),
        CASE("\"\\uDBFF\\uDFFF\"", true),
        CASE("\"\\uD7FF\\uE000\"", true),
        CASE("\"\\ud83d\\ude0\"", false),
        CASE("\"\\ud83d\\", false),
        CASE("\"\\ud83d", false),
        CASE("\"\x1f\"", false),
        CASE("\"\n\"", false),
        CASE("\"\t\"", false),
        CASE("\"\x7f\"", true),
        CASE("\"\0\"", false),
        CASE("\"\x80\"", false),
        CASE("\"\xc0\x80\"", false),
        CASE("\"\xc1\xbf\"", false),
        CASE("\"\xc2\x80\"", true),
        CASE("\"\xc2\"", false),
        CASE("\"\xc2", false),
        CASE("\"\xdf\xbf\"", true),
        CASE("\"\xe0\x9f\xbf\"", false),
        CASE("\"\xe0\xa0\x80\"", true),
        CASE("\"\xed\x9f\xbf\"", true),
        CASE("\"\xed\xa0\x80\"", false),
        CASE("\"\xee\x80\x80\"", true),
        CASE("\"\xef\xbf\xbf\"", true),
        CASE("\"\xe2\x82\"", false),
        CASE("\"\xf0\x8f\xbf\xbf\"", false),
        CASE("\"\xf0\x90\x80\x80\"", true),
        CASE("\"\xf4\x8f\xbf\xbf\"", true),
        CASE("\"\xf4\x90\x80\x80\"", false),
        CASE("\"\xf5\x80\x80\x80\"", false),
        CASE("\"\xf0\x9f\x98\"", false),
        CASE("\"\xff\"", false),
        /* duplicates: decoded names are compared */
        CASE("{\"a\":1,\"a\":2}", false),
        CASE("{\"a\":1,\"\\u0061\":2}", false),
        CASE("{\"a\":1,\"A\":2}", true),
        CASE("{\"\":1,\"\":2}", false),
        CASE("{\"\":1,\" \":2}", true),
        CASE("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", true),
        CASE("{\"a\":{\"b\":1,\"b\":2}}", false),
        CASE("[{\"a\":1},{\"a\":1}]", true),
        CASE("[{\"a\":1,\"a\":1}]", false),
        CASE("{\"a\":{\"x\":1},\"a\":1}", false),
        CASE("{\"\xc3\xa9\":1,\"\\u00e9\":2}", false),
        CASE("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", false),
        CASE("{\"a\\/b\":1,\"a/b\":2}", false),
        CASE("{\"abcdefgh12345678\":1,\"abcdefgh12345678\":2}", false),
        CASE("{\"abcdefgh-12345678\":1,\"abcdefgh+12345678\":2}", true),
        CASE("{\"abcdefgh\\u002d12345678\":1,\"abcdefgh-12345678\":2}", false),
        CASE("{\"a\\u0000\":1}", false),
        CASE("{\"\\\\u0000\":1}", true),
        CASE("{\"\\\\\\u0000\":1}", false),
        CASE("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"a\":1}", false),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_problem problem;
        char label[160];
        snprintf(label, sizeof label, "row %zu: %.*s", i, SLICE_ARGUMENTS(rows[i].document));
        EXPECT(scan_accepts(rows[i].document, &problem) == rows[i].is_valid, "%s", label);
        expect_verdict(rows[i].document, label);
    }
}

TEST(scan_refuses_the_nul_that_jansson_overlooks)
{
    static const struct slice rows[] = {SLICE_LITERAL("1\0"), SLICE_LITERAL("[1\0,2]"), SLICE_LITERAL("[true\0]")};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *json = json_loadb(rows[i].data, rows[i].length, ORACLE_FLAGS, NULL);
        struct json_problem problem;
        EXPECT(json && !scan_accepts(rows[i], &problem), "row %zu: is the difference still there?", i);
        json_decref(json);
    }
}

TEST(scan_long_numbers_like_the_oracle)
{
    /* What decides a tie between the largest double and infinity lies up to 309 digits away. */
    static const char tie[] =
        "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490179775872070"
        "9633028641669288791094655554785194040263065748867150582068190890200070838367627385484581771153176447"
        "5730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";
    char text[2048];
    const char *tails[] = {"",    ".0",  ".00000000000000000000000000000000000000000000000000001", "e0", "e1", "0",
                           "e-1", "0e-1"};
    EXPECT_INTEGER(strlen(tie), 309);
    for (int last = -3; last <= 3; last++) {
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            snprintf(text, sizeof text, "%s%s", tie, tails[i]);
            text[308] = (char)(text[308] + (last > 0 ? last : 0));
            if (last < 0) { /* just below: …79x */
                text[307] = '7';
                text[308] = (char)('9' + 1 + last);
            }
            expect_verdict(slice_of(text), text);
        }
    }
    for (size_t digits = 300; digits < 330; digits++) {
        memset(text, '1', digits);
        text[digits] = '\0';
        expect_verdict(slice_of(text), "ones");
        memset(text, '9', digits);
        strcpy(text + digits, "e-5");
        expect_verdict(slice_of(text), "nines");
        snprintf(text, sizeof text, "0.%0*d1e%zu", (int)digits, 0, digits + 300);
        expect_verdict(slice_of(text), "zeros");
        snprintf(text, sizeof text, "0.%0*d1e%zu", (int)digits, 0, digits + 310);
        expect_verdict(slice_of(text), "more zeros");
    }
}

/* Objects of n members, one of them repeated or none: around every bound of the duplicate finder. */
TEST(scan_finds_one_repeated_member_among_many)
{
    static const size_t counts[] = {2, 3, 31, 32, 33, 34, 64, 65, 200, 255, 256, 257, 300, 5000};
    char *text = malloc(5000 * 64);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int variant = 0; variant < 6; variant++) {
            size_t count = counts[i], length = 0;
            length += (size_t)sprintf(text, "{\"outer\":1,\"list\":[{");
            for (size_t j = 0; j < count; j++) {
                /* variant 0: none; 1: last = first; 2: last = last but one, escaped; 3: first = second; 4, 5: alike at
                 * both ends */
                size_t name = (variant == 1 && j == count - 1) || (variant == 3 && j == 1) ? 0 : j;
                const char *front = variant < 4 ? "member_" : "prefixed", *back = variant < 4 ? "" : "_suffixed";
                if (variant == 2 && j == count - 1)
                    length += (size_t)sprintf(text + length, ",\"\\u006dember_%zu\":0", j - 1);
                else
                    length += (size_t)sprintf(text + length, "%s\"%s%zu%s\":%zu", j ? "," : "", front,
                                              variant == 5 && j == count - 1 ? 0 : name, back, j);
            }
            length += (size_t)sprintf(text + length, "}],\"member_0\":{}}");
            char label[64];
            struct json_problem problem;
            snprintf(label, sizeof label, "%zu members, variant %d", count, variant);
            struct slice document = {text, length};
            EXPECT(scan_accepts(document, &problem) == (variant == 0 || variant == 4), "%s", label);
            expect_verdict(document, label);
        }
    }
    free(text);
}

static double scan_seconds(struct slice document)
{
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    struct json_problem problem;
    CU_ASSERT(scan_accepts(document, &problem));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

/* Names that share their fingerprint (same length, same ends): eight times as many must not cost 64 times as much. */
TEST(scan_is_not_quadratic_in_colliding_members)
{
    double seconds[2];
    for (int large = 0; large < 2; large++) {
        size_t count = large ? 64000 : 8000, length = 1;
        char *text = malloc(count * 40 + 16);
        text[0] = '{';
        for (size_t i = 0; i < count; i++)
            length += (size_t)sprintf(text + length, "%s\"aaaaaaaa%06zubbbbbbbb\":0", i ? "," : "", i);
        text[length++] = '}';
        seconds[large] = scan_seconds((struct slice){text, length});
        for (int again = 0; again < 4; again++) {
            double next = scan_seconds((struct slice){text, length});
            seconds[large] = next < seconds[large] ? next : seconds[large];
        }
        free(text);
    }
    EXPECT(seconds[1] < 30 * seconds[0], "8,000 members %.6f s, 64,000 %.6f s", seconds[0], seconds[1]);
}

TEST(scan_depth_is_exact)
{
    char text[4200];
    for (unsigned depth = 1; depth < 1030; depth += depth < 4 ? 1 : 51) {
        size_t length = 0;
        for (unsigned i = 0; i < depth; i++)
            text[length++] = '[';
        memset(text + length, ']', depth);
        struct slice document = {text, length + depth};
        struct json_problem problem;
        CU_ASSERT(json_scan(document, depth - 1, NULL, 0, &problem) == ERROR_BODY_MALFORMED);
        EXPECT_STRING(problem.message, "nested too deeply");
        EXPECT((json_scan(document, depth, NULL, 0, &problem) == ERROR_OK) == (depth <= 1024), "depth %u", depth);
    }
    memset(text, '[', 1025);
    memset(text + 1025, ']', 1025);
    CU_ASSERT(json_scan((struct slice){text, 2050}, 5000, NULL, 0, NULL) == ERROR_BODY_MALFORMED);
    CU_ASSERT(json_scan(SLICE_LITERAL("1"), 0, NULL, 0, NULL) == ERROR_OK);
}

/* ---- queries ---- */

TEST(scan_reports_members_by_path)
{
    struct json_value model, options, usage, deep, missing, array, inner, six;
    struct json_query queries[] = {
        {"model", &model},
        {"stream_options", &options},
        {"stream_options.include_usage", &usage},
        {"a.b.c", &deep},
        {"stream_options.absent", &missing},
        {"list", &array},
        {"list.x", &inner},
        {"1.2.3.4.5.6", &six},
    };
    const char *text = " {\"x\":{\"model\":\"no\"}, \"mod\\u0065l\" : \"gpt\\n\" ,\"list\":[{\"x\":1},{\"model\":2}],"
                       "\"stream_options\":{ \"include_usage\": true },\"a\":{\"b\":{\"c\":-1.5e3}},"
                       "\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":null}}}}}}}";
    CU_ASSERT(json_scan(slice_of(text), 16, queries, 8, NULL) == ERROR_OK);
    EXPECT(model.kind == JSON_KIND_STRING && slice_is(model.raw, "\"gpt\\n\""), "%d", model.kind);
    CU_ASSERT(text + model.offset == model.raw.data && text[model.member_offset] == '"' &&
              strncmp(text + model.member_offset, "\"mod\\u0065l\"", 12) == 0);
    CU_ASSERT(options.kind == JSON_KIND_OBJECT && slice_is(options.raw, "{ \"include_usage\": true }"));
    CU_ASSERT(strncmp(text + options.member_offset, "\"stream_options\"", 16) == 0);
    CU_ASSERT(usage.kind == JSON_KIND_TRUE && deep.kind == JSON_KIND_NUMBER && slice_is(deep.raw, "-1.5e3"));
    CU_ASSERT(missing.kind == JSON_KIND_ABSENT && inner.kind == JSON_KIND_ABSENT);
    CU_ASSERT(array.kind == JSON_KIND_ARRAY && slice_is(array.raw, "[{\"x\":1},{\"model\":2}]"));
    CU_ASSERT(six.kind == JSON_KIND_OBJECT && slice_is(six.raw, "{\"7\":null}"));
    CU_ASSERT(json_scan(SLICE_LITERAL("[{\"model\":1}]"), 16, queries, 8, NULL) == ERROR_OK);
    CU_ASSERT(model.kind == JSON_KIND_ABSENT);
}

TEST(scan_takes_32_paths)
{
    char names[32][8], text[1024] = "{";
    struct json_value values[32];
    struct json_query queries[32];
    for (int i = 0; i < 32; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        queries[i] = (struct json_query){names[i], &values[i]};
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"m%d\":%d", i ? "," : "", 31 - i, 31 - i);
    }
    strcat(text, "}");
    CU_ASSERT(json_scan(slice_of(text), 4, queries, 32, NULL) == ERROR_OK);
    for (int i = 0; i < 32; i++) {
        int64_t integer = -1;
        CU_ASSERT(json_get_integer(&values[i], &integer) && integer == i);
    }
}

static struct json_value value_of(const char *text)
{
    static char document[256];
    struct json_value value;
    struct json_query query = {"v", &value};
    snprintf(document, sizeof document, "{\"v\":%s}", text);
    CU_ASSERT(json_scan(slice_of(document), 8, &query, 1, NULL) == ERROR_OK);
    return value;
}

TEST(values_are_read)
{
    static const struct {
        const char *text;
        int64_t integer; /* -1: none */
    } integers[] = {
        {"0", 0},
        {"7", 7},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"-1", -1},
        {"-0", -1},
        {"1.0", -1},
        {"1e3", -1},
        {"\"1\"", -1},
        {"null", -1},
        {"99999999999999999999999", -1},
    };
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        int64_t integer = -1;
        struct json_value value = value_of(integers[i].text);
        CU_ASSERT(json_get_integer(&value, &integer) == (integers[i].integer >= 0));
        EXPECT_INTEGER(integer, integers[i].integer);
    }
    char text[16] = "untouched";
    struct json_value value = value_of("\"a\\u0000\"");
    CU_ASSERT(!json_get_string(&value, text, sizeof text));
    value = value_of("\"0123456789abcdef\"");
    CU_ASSERT(!json_get_string(&value, text, sizeof text) && strcmp(text, "untouched") == 0);
    value = value_of("\"0123456789abcde\"");
    CU_ASSERT(json_get_string(&value, text, sizeof text) && strcmp(text, "0123456789abcde") == 0);
    value = value_of("\"\\u00e9\\ud83d\\ude00\\t\\/\\\\\\\"\"");
    CU_ASSERT(json_get_string(&value, text, sizeof text));
    EXPECT_STRING(text, "\xc3\xa9\xf0\x9f\x98\x80\t/\\\"");
    CU_ASSERT(json_string_is(&value, text) && !json_string_is(&value, "\xc3\xa9") && !json_string_is(&value, ""));
    value = value_of("1");
    CU_ASSERT(!json_get_string(&value, text, sizeof text) && !json_string_is(&value, "1"));
    value = value_of("\"ab\"");
    CU_ASSERT(!json_string_is(&value, "abc") && json_string_is(&value, "ab") && !json_string_is(&value, "a"));
    value = value_of("\"a\\u0000\"");
    CU_ASSERT(!json_string_is(&value, "a"));
}

/* ---- the corpus and random damage ---- */

static char *read_whole(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *bytes = malloc(1 << 20);
    *ret_length = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

TEST(scan_corpus)
{
    const char *shared = getenv("TOLLGATE_SHARED");
    const char *folders[] = {"test_parsing", "test_transform"};
    unsigned files = 0;
    for (size_t i = 0; i < 2; i++) {
        char folder[512], path[1024];
        snprintf(folder, sizeof folder, "%s/corpus/json/%s", shared ? shared : "../shared", folders[i]);
        DIR *directory = opendir(folder);
        for (struct dirent *entry; directory && (entry = readdir(directory));) {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            size_t length = 0;
            char *bytes = entry->d_name[0] == '.' ? NULL : read_whole(path, &length);
            struct json_problem problem;
            bool accepts = false;
            /* Two files are 100,000 arrays deep: refused by both, for depth. */
            if (bytes)
                EXPECT(verdicts_are_equal((struct slice){bytes, length}, &problem, &accepts), "%s: scanner %s",
                       entry->d_name, accepts ? "accepts" : problem.message);
            if (bytes && strncmp(entry->d_name, "y_", 2) == 0) /* every parser must accept; two are ours to refuse */
                EXPECT(accepts || strstr(entry->d_name, "duplicated") || strstr(entry->d_name, "null_in_key"), "%s: %s",
                       entry->d_name, problem.message);
            if (bytes && strncmp(entry->d_name, "n_", 2) == 0)
                EXPECT(!accepts, "%s", entry->d_name);
            files += bytes != NULL;
            free(bytes);
        }
        if (directory)
            closedir(directory);
    }
    if (!files)
        printf("(no corpus here) ");
    CU_ASSERT(!shared || files > 100);
}

static unsigned long long random_state = 20260717;
static size_t random_below(size_t bound)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (size_t)(random_state >> 33) % bound;
}

static const char *const seeds[] = {
    "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Say \\\"hi\\\" \\u00e9\\ud83d\\ude00 "
    "\xc3\xa9\xe4\xb8\xad"
    "\xf0\x9f\x98\x80\"}],\"stream\":true,\"stream_options\":{\"include_usage\":false},\"n\":1,\"temperature\":0.7}",
    "{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":3,\"cache_creation\":{\"ephemeral_5m_input_tokens\":1,"
    "\"ephemeral_1h_input_tokens\":0},\"output_tokens\":550},\"stop_reason\":null,\"content\":[]}",
    "[1,-2.5e+10,0.1E-5,true,false,null,[],{},\"\",[[[{\"a\":[{}]}]]],1e308,17976931348623157e292]",
    "{\"a\":1,\"b\":{\"a\":1,\"b\":2,\"c\":3},\"c\":[{\"a\":1},{\"a\":2}],\"\\u0064\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":"
    "8}",
    " { \"k\" : [ 1 , 2 ] ,\r\n\t\"l\" : { } } ",
};
static const char *const splices[] = {
    "\"",    "\\",   "\\u0000",      "\\ud83d",          "\\ude00", "{",  "}",  "[",    "]",
    ",",     ":",    "\"a\":1,",     "\"a\":",           "0",       "-",  "e9", "e400", ".",
    "1e308", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xff",    "\n", " ",  "\x01", "true",
    "null",  "\\/",  "\"\"",
};

/* One change: a byte set, a byte removed, a stretch removed or repeated, a splice put in. */
static size_t damage(char *bytes, size_t length, size_t bytes_max)
{
    size_t at = random_below(length), span = 1 + random_below(8);
    span = span < length - at ? span : length - at;
    switch (random_below(5)) {
    case 0:
        bytes[at] = (char)random_below(256);
        return length;
    case 1:
        memmove(bytes + at, bytes + at + span, length - at - span);
        return length - span > 0 ? length - span : length;
    case 2:
        if (length + span > bytes_max)
            return length;
        memmove(bytes + at + span, bytes + at, length - at);
        return length + span;
    case 3: /* swap two bytes */
        span = random_below(length);
        char saved = bytes[at];
        bytes[at] = bytes[span];
        bytes[span] = saved;
        return length;
    default: {
        const char *splice = splices[random_below(sizeof splices / sizeof *splices)];
        size_t added = strlen(splice);
        if (length + added > bytes_max)
            return length;
        memmove(bytes + at + added, bytes + at, length - at);
        memcpy(bytes + at, splice, added);
        return length + added;
    }
    }
}

TEST(scan_random_damage_like_the_oracle)
{
#ifdef TOLLGATE_SANITIZED
    const int rounds = 30000;
#else
    const int rounds = 200000;
#endif
    int accepted = 0, wrong = 0;
    for (int round = 0; round < rounds && wrong < 5; round++) {
        char bytes[1024];
        const char *seed = seeds[random_below(sizeof seeds / sizeof *seeds)];
        size_t length = strlen(seed);
        memcpy(bytes, seed, length);
        for (size_t changes = random_below(4) + (random_below(8) > 0); changes && length; changes--)
            length = damage(bytes, length, sizeof bytes);
        struct json_problem problem;
        bool accepts, is_equal = verdicts_are_equal((struct slice){bytes, length}, &problem, &accepts);
        wrong += !is_equal;
        accepted += accepts;
        EXPECT(is_equal, "round %d: scanner %s: %.*s", round, accepts ? "accepts" : problem.message, (int)length,
               bytes);
    }
    EXPECT(accepted > rounds / 50 && accepted < rounds / 2, "the damage is too weak or too strong: %d of %d pass",
           accepted, rounds);
}

/* ---- the writer ---- */

static bool count_string(void *context, const struct json_value *value, struct slice name)
{
    size_t *lengths = context; /* how many, then the length of each */
    lengths[++lengths[0]] = value->raw.length;
    return name.length == 0;
}

/* All strings of up to four of these pieces, three in an array: each ends at its own quote. */
TEST(strings_end_at_their_own_quote)
{
    static const char *const pieces[] = {"", "a", "\\\\", "\\\"", "\\u0022", "]", ",", "\xc3\xa9"};
    enum { PIECES = sizeof pieces / sizeof *pieces, STRINGS = PIECES * PIECES * PIECES * PIECES };
    for (unsigned number = 0; number < STRINGS; number++) {
        char string[64] = "\"", array[256];
        for (unsigned i = 0, rest = number; i < 4; i++, rest /= PIECES)
            strcat(string, pieces[rest % PIECES]);
        strcat(string, "\"");
        snprintf(array, sizeof array, "[%s , %s,[%s]]", string, string, string);
        struct json_value element;
        size_t at = 0, count = 0, lengths[8] = {0};
        for (; json_next_element(slice_of(array), &at, &element) && count < 2; count++)
            EXPECT(slice_is(element.raw, string), "%s: " SLICE_FORMAT, array, SLICE_ARGUMENTS(element.raw));
        CU_ASSERT(count == 2 && element.kind == JSON_KIND_ARRAY && element.raw.length == strlen(string) + 2);
        CU_ASSERT(json_walk_strings(slice_of(array), count_string, lengths));
        EXPECT(lengths[0] == 3 && lengths[1] == strlen(string) && lengths[3] == strlen(string), "%s: %zu strings",
               array, lengths[0]);
    }
}

TEST(writer_output_is_valid_whatever_the_text)
{
    for (int round = 0; round < 2000; round++) {
        char text[64];
        size_t length = random_below(sizeof text);
        for (size_t i = 0; i < length; i++)
            text[i] = (char)random_below(256);
        struct buffer buffer;
        buffer_init(&buffer, 1024);
        json_write_string(&buffer, (struct slice){text, length});
        json_t *json = json_loadb(buffer_contents(&buffer).data, buffer_length(&buffer), ORACLE_FLAGS, NULL);
        CU_ASSERT(json_is_string(json));
        json_decref(json);
        buffer_done(&buffer);
    }
}

/* One odd byte at every place of texts of every length. */
TEST(writer_finds_what_needs_an_escape)
{
    unsigned wrong = 0;
    for (size_t length = 0; length <= 26; length++)
        for (size_t at = 0; at < length + (length == 0); at++)
            for (unsigned byte = 1; byte < 0x80; byte++) {
                char text[32] = "abcdefghijklmnopqrstuvwxyz", name[64];
                struct buffer buffer;
                buffer_init(&buffer, 1024);
                text[length] = '\0';
                if (length)
                    text[at] = (char)byte;
                json_write_raw(&buffer, "[{");
                json_write_member(&buffer, text);
                json_write_string(&buffer, (struct slice){text, length});
                json_write_raw(&buffer, "}]");
                json_t *json = json_loadb(buffer_contents(&buffer).data, buffer_length(&buffer), ORACLE_FLAGS, NULL);
                const char *value = json_string_value(json_object_get(json_array_get(json, 0), text));
                wrong += !value || strcmp(value, text) != 0;
                snprintf(name, sizeof name, "[{\"%s\":\"%s\"}]", text, text);
                bool is_plain = byte >= 0x20 && byte != '"' && byte != '\\';
                wrong += is_plain && !slice_is(buffer_contents(&buffer), name);
                json_decref(json);
                buffer_done(&buffer);
            }
    EXPECT_INTEGER(wrong, 0);
}

TEST(writer_writes_members)
{
    struct buffer buffer;
    buffer_init(&buffer, 1024);
    json_write_raw(&buffer, "{");
    json_write_member_string(&buffer, "a\"b", "x\n\x01\xc3\xa9\xff\x7f/\\");
    json_write_member_string(&buffer, "none", NULL);
    json_write_member_integer(&buffer, "i", INT64_MIN);
    json_write_member_boolean(&buffer, "t", true);
    json_write_member_boolean(&buffer, "f", false);
    json_write_member(&buffer, "o");
    json_write_raw(&buffer, "{");
    json_write_member_integer(&buffer, "z", 0);
    json_write_raw(&buffer, "}}");
    EXPECT(slice_is(buffer_contents(&buffer), "{\"a\\\"b\":\"x\\n\\u0001\xc3\xa9\xef\xbf\xbd\x7f/\\\\\",\"none\":null,"
                                              "\"i\":-9223372036854775808,\"t\":true,\"f\":false,\"o\":{\"z\":0}}"),
           SLICE_FORMAT, SLICE_ARGUMENTS(buffer_contents(&buffer)));
    CU_ASSERT(json_scan(buffer_contents(&buffer), 8, NULL, 0, NULL) == ERROR_OK);
    buffer_done(&buffer);
}

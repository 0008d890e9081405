/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/: JSON in a string of JSON, as tool calls and their results have it, and characters that read like others.
 * Whatever is written before a secret, and however its characters are, it is found; and what was JSON in the string is
 * JSON again when it is replaced.
 */
#include "base/json.h"
#include "policy/internal.h"
#include "suite.h"

enum { EVERYTHING = (1 << DETECT_COUNT) - 1, TEXT_BYTES_MAX = 1 << 16 };

static const char *const secrets[] = {
    "jane@example.com",
    "sk-proj-aB3dE5gH1jaB3dE5gH1jaB3dE5gH1j",
    "sk-aB3dE5gH1jaB3dE5gH1jaB3dE5gH1j",
    "ghp_aB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5",
    "npm_aB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5",
    "r8_aB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5g",
    "tgp_v1_aB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5gH1j",
    "AKIAIOSFODNN7EXAMPLE",
    "4111111111111111",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "+49 30 1234567",
    "030 1234567",
    "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqhkiG9w0BAQEF-----END PRIVATE KEY-----",
};
static const char *const placeholders[] = {"[email]",   "[api_key]", "[api_key]", "[api_key]",    "[api_key]",
                                           "[api_key]", "[api_key]", "[api_key]", "[card]",       "[card]",
                                           "[iban]",    "[phone]",   "[phone]",   "[private_key]"};
enum { SECRETS = sizeof secrets / sizeof *secrets };

/* What the detectors see in any of the texts of a body. */
static unsigned detect_in(struct slice body, struct arena *arena)
{
    struct policy_texts texts;
    unsigned found = 0;
    policy_read_texts(body, true, arena, &texts);
    for (size_t i = 0; i < texts.count; i++)
        found |= policy_detect(texts.rows[i].decoded, EVERYTHING);
    return found;
}

/* Redacts, and checks what must hold of every result. */
static struct slice redact(const struct policy_verdict *verdict, struct slice body, struct arena *arena)
{
    const char *found, *again;
    struct slice sent = policy_redact(verdict, body, arena, &found);
    struct slice twice = policy_redact(verdict, sent, arena, &again);
    EXPECT(twice.data == sent.data && !again, "%.*s\n  became %.*s\n  became %.*s", SLICE_ARGUMENTS(body),
           SLICE_ARGUMENTS(sent), SLICE_ARGUMENTS(twice));
    EXPECT(json_scan(sent, 1024, NULL, 0, NULL) == ERROR_OK, "%.*s", SLICE_ARGUMENTS(sent));
    EXPECT((detect_in(sent, arena) & verdict->redact) == 0, "%.*s", SLICE_ARGUMENTS(sent));
    return sent;
}

/* As bodies have it: a backslash is two. */
static const char *const frames[][2] = {
    {"\\\\n", ""},          {"a\\\\n", "\\\\n"},      {"C:\\\\\\\\x\\\\t", "\\\\t"}, {"x\\\\r", "\\\\r\\\\n"},
    {"x\\\\u0022", "\\\\"}, {"x\\\\\\/", "\\\\\\/"},  {"x\\\\\\\"", "\\\\\\\""},     {"x\\\\b", "\\\\f"},
    {"x\\\\u000a", ""},     {"\\u005cn", "\\u005cn"}, {"x\\\\\\\\n", "\\\\\\\\n"},   {"x\\\\u005cn", ""},
    {"x\\\\u3000", ""},     {"x\\u005cu000A", ""},
};

TEST(an_escape_in_a_string_ends_a_word)
{
    const struct policy_verdict verdict = {.redact = EVERYTHING};
    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++)
        for (size_t i = 0; i < SECRETS; i++) {
            struct arena *arena = arena_new(4096);
            char body[1024], wanted[1024];
            snprintf(body, sizeof body, "{\"arguments\":\"{\\\"x\\\":\\\"%s%s%s\\\"}\"}", frames[f][0], secrets[i],
                     frames[f][1]);
            snprintf(wanted, sizeof wanted, "{\"arguments\":\"{\\\"x\\\":\\\"%s%s%s\\\"}\"}", frames[f][0],
                     placeholders[i], frames[f][1]);
            EXPECT(detect_in(slice_of(body), arena) != 0, "%s", body);
            struct slice sent = redact(&verdict, slice_of(body), arena);
            EXPECT(slice_is(sent, wanted), "%s\n  became %.*s", body, SLICE_ARGUMENTS(sent));
            arena_free(arena);
        }
}

/* Every character, or every second, as an escape of the inner JSON, of one deeper, or in full width. */
TEST(characters_may_be_written_in_any_way)
{
    const struct policy_verdict verdict = {.redact = EVERYTHING};
    for (unsigned way = 0; way < 8; way++)
        for (size_t i = 0; i < SECRETS; i++) {
            struct arena *arena = arena_new(4096);
            char body[4096], wanted[256];
            size_t length = (size_t)sprintf(body, "[\"{\\\"k\\\":\\\"");
            for (size_t at = 0; secrets[i][at]; at++) {
                unsigned c = (unsigned char)secrets[i][at], wide = c == ' ' ? 0x3000 : c + 0xfee0;
                const char *joiner = at ? "\\u200b" : "";
                static const char *const ways[] = {"\\\\u", "\\\\\\\\u", "\\u", "\\\\u"};
                if (at % 2 && way % 2)
                    length += (size_t)sprintf(body + length, "%c", (char)c);
                else
                    length += (size_t)sprintf(body + length, "%s%04x", ways[way / 2], way / 2 < 2 ? c : wide);
                if (way == 6)
                    length += (size_t)sprintf(body + length, "%s", joiner);
            }
            sprintf(body + length, "\\\"}\"]");
            snprintf(wanted, sizeof wanted, "[\"{\\\"k\\\":\\\"%s", placeholders[i]);
            EXPECT(detect_in(slice_of(body), arena) != 0, "%s", body);
            struct slice sent = redact(&verdict, slice_of(body), arena);
            EXPECT(slice_has_prefix(sent, wanted), "%s\n  became %.*s", body, SLICE_ARGUMENTS(sent));
            arena_free(arena);
        }
}

static const struct {
    const char *body, *sent; /* NULL: left as it is */
} cases[] = {
    {"{\"arguments\":\"{\\\"text\\\":\\\"hi\\\\njane@example.com\\\"}\"}",
     "{\"arguments\":\"{\\\"text\\\":\\\"hi\\\\n[email]\\\"}\"}"},
    /* numbers and words become strings, what goes over more than one string is replaced in each */
    {"[\"{\\\"card\\\": 4111111111111111, \\\"n\\\": [-1.5e3,true]}\"]",
     "[\"{\\\"card\\\": \\\"[card]\\\", \\\"n\\\": [-1.5e3,true]}\"]"},
    {"[\"[4111111111111111]\"]", "[\"[\\\"[card]\\\"]\"]"},
    {"[\"{\\\"a\\\":{\\\"b\\\":\\\"-----BEGIN PRIVATE KEY-----\\\"},\\\"c\\\":[\\\"\\\",\\\"-----END PRIVATE "
     "KEY-----.\\\"]}\"]",
     "[\"{\\\"a\\\":{\\\"b\\\":\\\"[private_key]\\\"},\\\"[private_key]\\\":[\\\"\\\",\\\"[private_key].\\\"]}\"]"},
    /* names are text here; two that would be the same leave nothing */
    {"[\"{\\\"jane@example.com\\\":1}\"]", "[\"{\\\"[email]\\\":1}\"]"},
    {"[\" {\\\"jane@example.com\\\":1,\\\"joe@example.com\\\":2}\"]", "[\"{}\"]"},
    {"[\"[{\\\"jane@example.com\\\":1,\\\"joe@example.com\\\":2}]\"]", "[\"[]\"]"},
    /* no JSON: replaced as any text */
    {"[\"{\\\"card\\\": 4111111111111111\"]", "[\"{\\\"card\\\": [card]\"]"},
    {"[\"C:\\\\new\\\\table\\\\u00zz\\\\\"]", NULL},
    {"[\"{\\\"a\\\":\\\"\\\\ud83d\\\\ude00\\\\u0000\\\\ud83d\\\"}\"]", NULL},
    /* characters that read like others, and those around them */
    {"[\"\xe7\x94\xb5\xe8\xaf\x9d\xef\xbc\x9a\xef\xbc\x94"
     "111111111111111\xef\xbc\x8cok\"]",
     "[\"\xe7\x94\xb5\xe8\xaf\x9d\xef\xbc\x9a[card]\xef\xbc\x8cok\"]"},
    {"[\"jane\xef\xbc\xa0"
     "example\xef\xbc\x8e"
     "com\"]",
     "[\"[email]\"]"},
    {"[\"4111\xe2\x80\x8b"
     "1111\xe2\x80\x8b"
     "1111\xe2\x80\x8b"
     "1111\xe2\x80\x8b!\"]",
     "[\"[card]\xe2\x80\x8b!\"]"},
    {"[\"x\\\\u200b\\\\u0034111111111111111\"]", "[\"x\\\\u200b[card]\"]"},
    {"[\"x\xe2\x80\x8b"
     "4111111111111111\"]",
     "[\"x\xe2\x80\x8b[card]\"]"},
    {"[\"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9 \xef\xbc\x81\xef\xbc\xbc \xe2\x80\x94 \xef\xbb\xbf\"]", NULL},
};

TEST(json_in_a_string_stays_json)
{
    const struct policy_verdict verdict = {.redact = EVERYTHING};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new(4096);
        struct slice body = slice_of(cases[i].body);
        struct slice sent = redact(&verdict, body, arena);
        EXPECT(slice_is(sent, cases[i].sent ? cases[i].sent : cases[i].body), "%s\n  became %.*s", cases[i].body,
               SLICE_ARGUMENTS(sent));
        arena_free(arena);
    }
}

static struct pattern *pattern_of(const char *text)
{
    char problem[160];
    size_t offset;
    struct pattern *pattern = pattern_new(text, problem, sizeof problem, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    return pattern;
}

TEST(keywords_and_patterns_see_the_same)
{
    static const struct {
        const char *pattern, *body, *sent;
    } rows[] = {
        {"\\bkey\\b", "[\"a\\\\nkey\"]", "[\"a\\\\n[redacted]\"]"},
        {"a", "[\"{\\\"a\\\":[true,false]}\"]", "[\"{\\\"[redacted]\\\":[true,\\\"[redacted]\\\"]}\"]"},
        {"\".*\"", "[\"{\\\"a\\\":\\\"b\\\"}\"]", "[\"{\\\"[redacted]\\\":\\\"[redacted]\\\"}\"]"},
        {"[{}:]", "[\"{\\\"a\\\":1}\"]", "[\"{\\\"a\\\":1}\"]"},
        {".", "[\"{\\\"a\\\":\\\"\\\\\\\\\\\"}\"]", "[\"{\\\"[redacted]\\\":\\\"[redacted]\\\"}\"]"},
        {"n", "[\"{\\\"a\\\":\\\"\\\\n\\\"}\"]", "[\"{\\\"a\\\":\\\"[redacted]\\\"}\"]"}, /* the plain view's */
        {"\\x{1f600}|\\x{fffd}", "[\"{\\\"a\\\":\\\"\\\\ud83d\\\\ude00\\\"}\"]",
         "[\"{\\\"a\\\":\\\"[redacted]\\\"}\"]"},
        {"zzz",
         "[\"blue\\\\u0062ird, BLUEB\xef\xbc\xa9RD, Blue\xc2\xad"
         "bird\"]",
         "[\"[redacted], [redacted], [redacted]\"]"},
        {"(a+)+$", "[\"[\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\\\"]\"]", "[\"[]\"]"},
    };
    const char *keywords[] = {"bluebird"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new(4096);
        struct pattern *pattern = pattern_of(rows[i].pattern);
        const struct policy_rule rule = {
            .keywords = keywords, .keyword_count = 1, .patterns = &pattern, .pattern_count = 1};
        const struct policy_verdict verdict = {.redact_patterns = {&rule}, .redact_pattern_count = 1};
        struct slice sent = redact(&verdict, slice_of(rows[i].body), arena);
        EXPECT(slice_is(sent, rows[i].sent), "%s: %.*s", rows[i].pattern, SLICE_ARGUMENTS(sent));
        pattern_free(pattern);
        arena_free(arena);
    }
}

/* ---- random ones ---- */

static uint64_t state = 88172645463325252u;

static uint64_t next_random(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* A string of the inner JSON: secrets, escapes and words in any order, with nothing between them. */
static size_t put_inner_string(char *to)
{
    static const char *const pieces[] = {"\\n",
                                         "\\t",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\u0040",
                                         "\\ud83d\\ude00",
                                         "word",
                                         "\\u006e",
                                         "\\u005cn",
                                         " ",
                                         ".",
                                         "\xef\xbc\xa0",
                                         "\xe2\x80\x8d",
                                         "41",
                                         "@",
                                         "x.example",
                                         "\\\\n",
                                         "\\b",
                                         "-",
                                         "[email]"};
    size_t length = (size_t)sprintf(to, "\"");
    for (uint64_t i = next_random(8); i; i--) {
        bool is_secret = next_random(4) == 0;
        const char *piece =
            is_secret ? secrets[next_random(SECRETS)] : pieces[next_random(sizeof pieces / sizeof *pieces)];
        for (; *piece; piece++)
            if (is_secret && next_random(8) == 0)
                length += (size_t)sprintf(to + length, "\\u%04x", (unsigned)(unsigned char)*piece);
            else
                to[length++] = *piece;
    }
    return length + (size_t)sprintf(to + length, "\"");
}

static size_t put_inner(char *to, unsigned depth)
{
    static const char *const words[] = {"true", "4111111111111111", "-1.5", "[]", "null"};
    uint64_t kind = next_random(depth ? 4 : 2);
    if (kind == 0)
        return (size_t)sprintf(to, "%s", words[next_random(sizeof words / sizeof *words)]);
    if (kind == 1)
        return put_inner_string(to);
    size_t length = (size_t)sprintf(to, "%s", kind == 2 ? "[" : "{");
    for (uint64_t i = 0, count = next_random(4); i < count; i++) {
        length += (size_t)sprintf(to + length, "%s", i ? ", " : "");
        if (kind == 3)
            length +=
                (size_t)sprintf(to + length, "\"m%u%s\":", (unsigned)i, next_random(8) ? "" : " jane@example.com");
        length += put_inner(to + length, depth - 1);
    }
    return length + (size_t)sprintf(to + length, "%s", kind == 2 ? "]" : "}");
}

/* The text as a string of JSON, each character in one of its ways. */
static size_t put_outer(char *to, const char *text)
{
    size_t length = (size_t)sprintf(to, "{\"arguments\":\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && next_random(16) == 0)
            length += (size_t)sprintf(to + length, "\\u%04x", c);
        else
            length += (size_t)sprintf(to + length, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    return length + (size_t)sprintf(to + length, "\"}");
}

TEST(random_json_in_a_string_stays_json)
{
    char *inner = malloc(TEXT_BYTES_MAX), *body = malloc(8 * (size_t)TEXT_BYTES_MAX);
    struct pattern *patterns[] = {pattern_of("wor."), pattern_of("\\\\|n"), pattern_of("(?s)[\"].{4}")};
    unsigned changed = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct arena *arena = arena_new(16384);
        struct policy_rule rule = {.patterns = patterns + round % 3, .pattern_count = 1};
        const struct policy_verdict verdict = {
            .redact = EVERYTHING, .redact_patterns = {&rule}, .redact_pattern_count = round % 4 == 0};
        do
            inner[put_inner(inner, 4)] = '\0';
        while (inner[0] != '{' && inner[0] != '[');
        CU_ASSERT_EQUAL_FATAL(json_scan(slice_of(inner), 64, NULL, 0, NULL), ERROR_OK);
        struct slice text = {body, put_outer(body, inner)};
        struct slice sent = redact(&verdict, text, arena);
        struct json_value value;
        const struct json_query query = {"arguments", &value};
        CU_ASSERT_EQUAL_FATAL(json_scan(sent, 64, &query, 1, NULL), ERROR_OK);
        struct slice again = policy_decode((struct slice){value.raw.data + 1, value.raw.length - 2}, arena);
        EXPECT(again.length && again.data[0] == inner[0] && json_scan(again, 64, NULL, 0, NULL) == ERROR_OK,
               "%s\n  became %.*s", inner, SLICE_ARGUMENTS(again));
        changed += sent.data != text.data;
        arena_free(arena);
    }
    EXPECT(changed > 5000 && changed < 19000, "%u", changed);
    for (size_t i = 0; i < 3; i++)
        pattern_free(patterns[i]);
    free(inner);
    free(body);
}

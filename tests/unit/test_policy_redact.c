/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/: redaction. What is replaced, what is left alone, and on random documents: nothing that can be found is left,
 * every other byte is as it was, the result is JSON, and redacting it again changes nothing.
 */
#include "base/json.h"
#include "policy/internal.h"
#include "suite.h"

enum { EVERYTHING = (1 << DETECT_COUNT) - 1 };

/* Redacts, and checks what must hold of every result. The returned text lives in `arena`. */
static struct slice redact(const struct policy_verdict *verdict, struct slice body, struct arena *arena,
                           const char **ret_found)
{
    const char *again;
    struct slice sent = policy_redact(verdict, body, arena, ret_found);
    EXPECT((*ret_found == NULL) == (sent.data == body.data), "%.*s", SLICE_ARGUMENTS(body));
    struct slice twice = policy_redact(verdict, sent, arena, &again);
    EXPECT(twice.data == sent.data && twice.length == sent.length && !again, "%.*s\n  became %.*s\n  became %.*s",
           SLICE_ARGUMENTS(body), SLICE_ARGUMENTS(sent), SLICE_ARGUMENTS(twice));
    if (json_scan(body, 1024, NULL, 0, NULL) == ERROR_OK)
        EXPECT(json_scan(sent, 1024, NULL, 0, NULL) == ERROR_OK, "%.*s", SLICE_ARGUMENTS(sent));
    return sent;
}

#define PICTURE "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q" /* 64, then 28 of a row */

static const struct {
    const char *body, *sent; /* NULL: left as it is */
    const char *found;
} cases[] = {
    {"{\"content\":\"write to jane@example.com, card 4111 1111 1111 1111.\"}",
     "{\"content\":\"write to [email], card [card].\"}", "1 email, 1 card"},
    {"[\"a@example.com b@example.com\"]", "[\"[email] [email]\"]", "2 email"},
    /* escapes: of the match, before and behind it */
    {"[\"\\u00e9\\n\\u006aane\\u0040example\\u002ecom\\ud83d\\ude00 \\\"x\\\"\"]",
     "[\"\\u00e9\\n[email]\\ud83d\\ude00 \\\"x\\\"\"]", "1 email"},
    {"[\"tel:+49\\u00a0171\\u00a01234567\\t\"]", "[\"tel:[phone]\\t\"]", "1 phone"},
    {"[\"\\u0034111111111111111\"]", "[\"[card]\"]", "1 card"},
    {"[\"-----BEGIN PRIVATE KEY-----\\nMIIE\\/v\\n-----END PRIVATE KEY-----\\n\"]", "[\"[private_key]\\n\"]",
     "1 private_key"},
    /* JSON in JSON, as tool calls have it */
    {"{\"arguments\":\"{\\\"to\\\": \\\"jane@example.com\\\", \\\"n\\\": 1}\"}",
     "{\"arguments\":\"{\\\"to\\\": \\\"[email]\\\", \\\"n\\\": 1}\"}", "1 email"},
    /* white space, numbers and names of members are left as they are */
    {"{ \"jane@example.com\" : 4111111111111111 , \"x\":\t\"jane@example.com\" }",
     "{ \"jane@example.com\" : 4111111111111111 , \"x\":\t\"[email]\" }", "1 email"},
    {"{\"content\":\"nothing here\"}", NULL, NULL},
    {"[]", NULL, NULL},
    {"\"jane@example.com\"", "\"[email]\"", "1 email"},
    /* keywords and patterns */
    {"[\"the Project BLUEBIRD is on\"]", "[\"the Project [redacted] is on\"]", "1 keyword"},
    {"[\"\\u0422\\u0410\\u0419\\u041d\\u0410!\"]", "[\"[redacted]!\"]", "1 keyword"}, /* ТАЙНА */
    {"[\"ticket ABC-123, ABC-4\"]", "[\"ticket [redacted], [redacted]\"]", "2 pattern"},
    /* a placeholder is no finding: the keyword "mail" */
    {"[\"jane@example.com by mail\"]", "[\"[email] by [redacted]\"]", "1 email, 1 keyword"},
    /* identifiers, roles and models are no text; as text they are */
    {"{\"model\":\"bluebird-1\",\"role\":\"bluebird\",\"id\":\"bluebird\",\"type\":\"bluebird\"}", NULL, NULL},
    {"{\"tool_call_id\":\"call_bluebird\",\"call_id\":\"bluebird\",\"tool_use_id\":\"toolu_bluebird\"}", NULL, NULL},
    {"{\"file_id\":\"file-4111111111111111\"}", NULL, NULL},
    {"{\"tool_call_id\":\"the bluebird\"}", "{\"tool_call_id\":\"the [redacted]\"}", "1 keyword"},
    {"{\"id\":\"jane@example.com\"}", "{\"id\":\"[email]\"}", "1 email"},
    {"{\"id\":\"4111111111111111\"}", "{\"id\":\"[card]\"}", "1 card"},
    {"{\"\\u0069d\":\"bluebird\"}", "{\"\\u0069d\":\"[redacted]\"}", "1 keyword"},
    /* data is left alone where it is data */
    {"{\"url\":\"data:image/png;base64," PICTURE "4111111111111111/bluebirdA==\"}", NULL, NULL},
    {"{\"x\":\"data:image\\/svg+xml;charset=x;base64," PICTURE "4111111111111111\\/bluebirdA==\"}", NULL, NULL},
    {"{\"x\":\"DATA:Application/PDF;BASE64," PICTURE "4111111111111111/bluebirdA==\"}", NULL, NULL},
    {"{\"x\":\"data:audio/wav;base64," PICTURE "4111111111111111/bluebirdAB=\"}", NULL, NULL},
    {"{\"x\":\"data:video/mp4;base64," PICTURE "4111111111111111/bluebirdAB=\"}", NULL, NULL},
    /* … and looked at where it is not */
    {"{\"url\":\"data:text/plain;base64," PICTURE "4111111111111111/bluebirdA==\"}",
     "{\"url\":\"data:text/plain;base64," PICTURE "4111111111111111/[redacted]A==\"}", "1 keyword"},
    {"{\"x\":\"data:text/plain;base64,sk-proj-aB3dE5gH1jaB3dE5gH1jaB3dE5gH1j\"}",
     "{\"x\":\"data:text/plain;base64,[api_key]\"}", "1 api_key"},
    {"{\"x\":\"data:image/png;base64,AKIAIOSFODNN7EXAMPLE\"}", "{\"x\":\"data:image/png;base64,[api_key]\"}",
     "1 api_key"},
    {"{\"x\":\"data:image/png;base64,AKIAIOSFODNN7EXAMPLE/" PICTURE "AAA\"}",
     "{\"x\":\"data:image/png;base64,[api_key]/" PICTURE "AAA\"}", "1 api_key"},
    {"{\"x\":\"data:image/png;base64,4111111111111111\"}", "{\"x\":\"data:image/png;base64,[card]\"}", "1 card"},
    {"{\"x\":\"data:image/png;base64," PICTURE "/bluebird=\"}",
     "{\"x\":\"data:image/png;base64," PICTURE "/[redacted]=\"}", "1 keyword"},
    {"{\"x\":\"data:image/png;base64,=" PICTURE "/blue+bluebirdA\"}",
     "{\"x\":\"data:image/png;base64,=" PICTURE "/blue+[redacted]A\"}", "1 keyword"},
    {"{\"x\":\"data:image/png," PICTURE "A/bluebird==\"}", "{\"x\":\"data:image/png," PICTURE "A/[redacted]==\"}",
     "1 keyword"},
    {"{\"x\":\"data:imagebase64," PICTURE "AAAAA/bluebird==\"}",
     "{\"x\":\"data:imagebase64," PICTURE "AAAAA/[redacted]==\"}", "1 keyword"},
    {"{\"url\":\"data:text/plain,bluebird\"}", "{\"url\":\"data:text/plain,[redacted]\"}", "1 keyword"},
    {"{\"x\":\"data: base64, jane@example.com\"}", "{\"x\":\"data: base64, [email]\"}", "1 email"},
    {"{\"data\":\"bluebird/8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", NULL, NULL},
    {"{\"data\":\"bluebird\"}", "{\"data\":\"[redacted]\"}", "1 keyword"},
    {"{\"other\":\"bluebird/8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
     "{\"other\":\"[redacted]/8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "1 keyword"},
    {"{\"data\":\"the bluebird AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
     "{\"data\":\"the [redacted] AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "1 keyword"},
    {"{\"data\":\"sk-proj-aB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5\"}",
     "{\"data\":\"[api_key]\"}", "1 api_key"},
    {"{\"signature\":\"bluebird4111111111111111AAAA+/==\"}", NULL, NULL},
    /* what a replaced place lets begin or end is found, too */
    {"[\"030 1234567 030 7654321 030 1112223 030 1112224 030 1112225 030 1112226 030 1112227 030 1112228 030 "
     "1112229 030 1112220\"]",
     "[\"[phone] [phone] [phone] [phone] [phone] [phone] [phone] [phone] [phone] [phone]\"]", "10 phone"},
    {"[\"bluebird4111111111111111\"]", "[\"[redacted][card]\"]", "1 card, 1 keyword"},
    /* overlapping: one placeholder */
    {"[\"bluebird@example.com\"]", "[\"[email]\"]", "1 email"},
    {"[\"https://user:pw@host.example.com/x\"]", "[\"https://user:[email]/x\"]", "1 email"},
};

static struct pattern *pattern_of(const char *text)
{
    char problem[160];
    size_t offset;
    struct pattern *pattern = pattern_new(text, problem, sizeof problem, &offset);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
    return pattern;
}

TEST(what_is_found_is_replaced_and_nothing_else)
{
    const char *keywords[] = {"blueBird", "\xd1\x82\xd0\xb0\xd0\xb9\xd0\xbd\xd0\xb0", "mail"};
    struct pattern *patterns[] = {pattern_of("[A-Z]{3}-\\d+")};
    const struct policy_rule rule = {
        .action = RULE_REDACT, .keywords = keywords, .keyword_count = 3, .patterns = patterns, .pattern_count = 1};
    const struct policy_verdict verdict = {.redact = EVERYTHING, .redact_patterns = {&rule}, .redact_pattern_count = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *arena = arena_new(4096);
        struct slice body = slice_of(cases[i].body);
        const char *found;
        struct slice sent = redact(&verdict, body, arena, &found);
        if (cases[i].sent) {
            EXPECT(slice_is(sent, cases[i].sent), "%s\n  became %.*s", cases[i].body, SLICE_ARGUMENTS(sent));
            EXPECT_STRING(found, cases[i].found);
        } else {
            EXPECT(sent.data == body.data, "%s\n  became %.*s", cases[i].body, SLICE_ARGUMENTS(sent));
        }
        arena_free(arena);
    }
    pattern_free(patterns[0]);
}

TEST(strings_are_decoded_as_json_writes_them)
{
    static const struct {
        const char *raw, *decoded;
    } rows[] = {
        {"plain \xc3\xa9", "plain \xc3\xa9"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac"},
        {"\\ud83d\\ude00x\\uD800\\uDC00\\udbff\\udfff", "\xf0\x9f\x98\x80x\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(slice_is(policy_decode(slice_of(rows[i].raw), arena), rows[i].decoded), "%s", rows[i].raw);
    arena_free(arena);
}

TEST(letters_are_folded_and_lengths_kept)
{
    static const struct {
        const char *text, *folded;
    } rows[] = {
        {"AbZ[@`", "abz[@`"},
        {"\xc3\x80\xc3\x96\xc3\x97\xc3\x98\xc3\x9e\xc3\x9f\xc3\xbf",
         "\xc3\xa0\xc3\xb6\xc3\x97\xc3\xb8\xc3\xbe\xc3\x9f\xc3\xbf"},
        {"\xc4\x8c\xc4\x8d\xc5\xa0\xc5\xbd\xc5\xbe\xc5\x81",
         "\xc4\x8d\xc4\x8d\xc5\xa1\xc5\xbe\xc5\xbe\xc5\x82"},                     /* Č č Š Ž ž Ł */
        {"\xce\x91\xce\xa9\xce\x86\xce\x8c", "\xce\xb1\xcf\x89\xce\xac\xcf\x8c"}, /* Α Ω Ά Ό */
        {"\xd0\x90\xd0\xaf\xd0\x81", "\xd0\xb0\xd1\x8f\xd1\x91"},                 /* А Я Ё */
        {"\xe4\xb8\xad\xc3", "\xe4\xb8\xad\xc3"},
    };
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(slice_is(policy_fold(slice_of(rows[i].text), arena), rows[i].folded), "row %zu", i);
    arena_free(arena);
}

/* Keywords that begin or end within a character (no policy should have them) take all of it: the result stays UTF-8. */
TEST(no_character_is_cut)
{
    static const char *words[] = {"\xa9t", "x\xc3"};
    const struct policy_rule rule = {.keywords = words, .keyword_count = 2};
    const struct policy_verdict verdict = {.redact_patterns = {&rule}, .redact_pattern_count = 1};
    struct arena *arena = arena_new(4096);
    const char *found;
    CU_ASSERT(
        slice_is(redact(&verdict, SLICE_LITERAL("[\"un \xc3\xa9t\xc3\xa9, \\u00e9t, ax\xc3\xa9\"]"), arena, &found),
                 "[\"un [redacted]\xc3\xa9, [redacted], a[redacted]\"]"));
    arena_free(arena);
}

TEST(only_what_the_verdict_says_is_replaced)
{
    struct arena *arena = arena_new(4096);
    const char *found;
    struct slice body = SLICE_LITERAL("[\"jane@example.com 4111111111111111\"]");
    const struct policy_verdict nothing = {0}, cards = {.redact = DETECT_CARD};
    CU_ASSERT(policy_redact(&nothing, body, arena, &found).data == body.data);
    CU_ASSERT(slice_is(redact(&cards, body, arena, &found), "[\"jane@example.com [card]\"]"));
    EXPECT_STRING(found, "1 card");
    arena_free(arena);
}

/* Patterns that match what they are replaced by, nothing, everything, or too expensively. */
TEST(any_pattern_comes_to_rest)
{
    static const struct {
        const char *pattern, *body, *sent;
    } rows[] = {
        {"[a-z]+", "[\"abc DEF\"]", "[\"[redacted] DEF\"]"},
        {".*", "[\"abc\\ndef\"]", "[\"[redacted]\\n[redacted]\"]"},
        {".", "[\"a\\u00e9\"]", "[\"[redacted][redacted]\"]"},
        {"x*", "[\"abc\"]", NULL},
        {"^", "[\"abc\"]", NULL},
        {"e", "[\"[email] e\"]", "[\"[email] [redacted]\"]"},
        {"\\] e", "[\"[email] e\"]", "[\"[redacted]\"]"},
        {"c$", "[\"cccc\"]", "[\"ccc[redacted]\"]"},
        {"(a+)+$", NULL, "[\"[redacted]\"]"}, /* fails: all of the string goes */
        {"\xc3\xa9", "[\"\xc3\xa9t\\u00e9\"]", "[\"[redacted]t[redacted]\"]"},
        {"(?<=b)c", "[\"bc ac\"]", "[\"b[redacted] ac\"]"},
    };
    enum { LONG = 5000 };
    char *long_one = malloc(LONG + 1);
    memset(long_one, 'a', LONG);
    memcpy(long_one, "[\"", 2);
    memcpy(long_one + LONG - 3, "!\"]", 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_new(4096);
        struct pattern *pattern = pattern_of(rows[i].pattern);
        const struct policy_rule rule = {.patterns = &pattern, .pattern_count = 1};
        const struct policy_verdict verdict = {.redact_patterns = {&rule}, .redact_pattern_count = 1};
        struct slice body = slice_of(rows[i].body ? rows[i].body : long_one);
        const char *found;
        struct slice sent = redact(&verdict, body, arena, &found);
        if (rows[i].sent)
            EXPECT(slice_is(sent, rows[i].sent), "%s: %.*s", rows[i].pattern, SLICE_ARGUMENTS(sent));
        else
            EXPECT(sent.data == body.data, "%s: %.*s", rows[i].pattern, SLICE_ARGUMENTS(sent));
        pattern_free(pattern);
        arena_free(arena);
    }
    free(long_one);
}

/* Windows: matches beyond the first, one that is longer than it, and many in one string. */
TEST(patterns_find_in_long_strings_what_they_find_in_short_ones)
{
    enum { BYTES = 300000 };
    struct arena *arena = arena_new(4096);
    char *body = malloc(BYTES + 1);
    memset(body, '.', BYTES);
    memcpy(body, "[\"", 2);
    memcpy(body + BYTES - 2, "\"]", 3);
    memcpy(body + 1020, "ABC-123456", 10); /* over the first window's end */
    memset(body + 5000, '7', 90000);
    memcpy(body + 4996, "XYZ-", 4);
    memcpy(body + BYTES - 12, "END-4", 5);
    for (size_t at = 100000; at < 250000; at += 50)
        memcpy(body + at, "MNO-1", 5);
    struct pattern *pattern = pattern_of("[A-Z]{3}-\\d+");
    const struct policy_rule rule = {.patterns = &pattern, .pattern_count = 1};
    const struct policy_verdict verdict = {.redact_patterns = {&rule}, .redact_pattern_count = 1};
    const char *found;
    struct slice sent = redact(&verdict, slice_of(body), arena, &found);
    EXPECT_STRING(found, "3003 pattern");
    CU_ASSERT(!memmem(sent.data, sent.length, "77", 2) && !memmem(sent.data, sent.length, "456", 3));
    pattern_free(pattern);
    free(body);
    arena_free(arena);
}

/* A body that is no JSON, should one come here: nothing of it is sent. */
TEST(a_body_that_is_no_json_goes_as_a_whole)
{
    static const char *const bodies[] = {"jane@example.com \\", "{\"x\":\"jane@example.com\\u00",
                                         "[\"jane@example.com\""};
    struct arena *arena = arena_new(4096);
    const struct policy_verdict verdict = {.redact = EVERYTHING};
    const char *found;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        CU_ASSERT(slice_is(redact(&verdict, slice_of(bodies[i]), arena, &found), "[redacted]"));
    CU_ASSERT(slice_is(redact(&verdict, SLICE_LITERAL("no json"), arena, &found), "no json"));
    arena_free(arena);
}

TEST(depth_and_size_do_not_matter)
{
    struct arena *arena = arena_new(4096);
    const struct policy_verdict verdict = {.redact = EVERYTHING};
    enum { DEPTH = 1024 };
    char body[2 * DEPTH + 32];
    const char *found;
    for (int deeper = 0; deeper < 2; deeper++) { /* one more is not read as JSON */
        size_t depth = DEPTH + (size_t)deeper, length = 0;
        memset(body, '[', depth);
        length = depth + (size_t)sprintf(body + depth, "\"jane@example.com\"");
        memset(body + length, ']', depth);
        struct slice sent = redact(&verdict, (struct slice){body, length + depth}, arena, &found);
        CU_ASSERT(deeper ? slice_is(sent, "[redacted]") : memmem(sent.data, sent.length, "[\"[email]\"]", 11) != NULL);
    }
    arena_free(arena);
}

/* ---- random documents ---- */

static uint64_t state = 88172645463325252u;

static uint64_t next_random(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* A document, and what must become of it. */
struct play {
    char body[65536], wanted[65536];
    size_t body_length, wanted_length;
};

static void put(struct play *play, const char *text)
{
    size_t length = strlen(text);
    memcpy(play->body + play->body_length, text, length);
    memcpy(play->wanted + play->wanted_length, text, length);
    play->body_length += length;
    play->wanted_length += length;
}

/* One ASCII character as a JSON string may write it. */
static size_t write_escaped(char c, char *to)
{
    static const char plain[] = "\"\\/\n\t\r";
    static const char letters[] = "\"\\/ntr";
    const char *special = strchr(plain, c);
    bool must = c == '"' || c == '\\' || (unsigned char)c < 0x20;
    uint64_t how = next_random(4);
    if (special && (must ? how < 2 : how == 0))
        return (size_t)sprintf(to, "\\%c", letters[special - plain]);
    if (must || how == 1)
        return (size_t)sprintf(to, next_random(2) ? "\\u%04x" : "\\u%04X", (unsigned)c);
    *to = c;
    return 1;
}

static void put_filler(struct play *play)
{
    static const char *const words[] = {"the",
                                        "quick",
                                        "(brown)",
                                        "fox,",
                                        "\xc3\xa9t\xc3\xa9",
                                        "\\u00e9",
                                        "\\n",
                                        "\\\\",
                                        "\\ud83d\\ude00",
                                        "\\u0000",
                                        "\\\"so\\\"",
                                        "12.50",
                                        "2024",
                                        "a/b\\/c",
                                        "[email]",
                                        "[card",
                                        "\xf0\x9f\x98\x80",
                                        "x=1",
                                        "10:30",
                                        "sk-",
                                        "user@",
                                        "@example",
                                        "DE89",
                                        "{}"};
    put(play, words[next_random(sizeof words / sizeof *words)]);
}

static void put_secret(struct play *play)
{
    static const struct {
        const char *text, *placeholder;
    } secrets[] = {
        {"jane.doe@example.com", "[email]"},
        {"x+y@mail.example.co.uk", "[email]"},
        {"4111 1111 1111 1111", "[card]"},
        {"5555555555554444", "[card]"},
        {"3782-822463-10005", "[card]"},
        {"+49 30 1234567", "[phone]"},
        {"(415) 555-2671", "[phone]"},
        {"DE89370400440532013000", "[iban]"},
        {"GB29 NWBK 6016 1331 9268 19", "[iban]"},
        {"sk-ant-api03-aB3dE5gH1jaB3dE5gH1jaB3dE5gH1j", "[api_key]"},
        {"AKIAIOSFODNN7EXAMPLE", "[api_key]"},
        {"ghp_aB3dE5gH1jaB3dE5gH1jaB3dE5gH1jaB3dE5", "[api_key]"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ/BADAN+Bgkq\n-----END RSA PRIVATE KEY-----", "[private_key]"},
        {"Operation Nightfall", "[redacted]"},
        {"opeRATION nightFALL", "[redacted]"},
        {"PRJ-20441", "[redacted]"},
    };
    size_t i = next_random(sizeof secrets / sizeof *secrets), length = strlen(secrets[i].placeholder);
    for (const char *at = secrets[i].text; *at; at++)
        play->body_length += write_escaped(*at, play->body + play->body_length);
    memcpy(play->wanted + play->wanted_length, secrets[i].placeholder, length);
    play->wanted_length += length;
}

static void put_string(struct play *play)
{
    put(play, "\"");
    for (uint64_t words = next_random(8); words; words--) {
        if (next_random(3))
            put_filler(play);
        else
            put_secret(play);
        put(play, next_random(4) ? " ; " : "\\n; ");
    }
    put(play, "\"");
}

static void put_value(struct play *play, unsigned depth)
{
    static const char *const words[] = {"null", "true", "-12.5e3", "4111111111111111", " [ ]", "{\n}"};
    uint64_t kind = next_random(depth ? 4 : 2);
    if (kind == 0) {
        put(play, words[next_random(sizeof words / sizeof *words)]);
    } else if (kind == 1) {
        put_string(play);
    } else {
        put(play, kind == 2 ? "[" : "{ ");
        for (uint64_t i = 0, count = next_random(5); i < count; i++) {
            char name[64];
            put(play, i ? " ,\n" : "");
            snprintf(name, sizeof name, "\"member%u jane@example.com\" :", (unsigned)i);
            if (kind == 3)
                put(play, name);
            put_value(play, depth - 1);
        }
        put(play, kind == 2 ? "]" : "}");
    }
}

struct look {
    struct arena *arena;
    unsigned found;
};

static bool look_at(void *context, const struct json_value *value, struct slice name)
{
    struct look *look = context;
    (void)name;
    look->found |= policy_detect(policy_decode((struct slice){value->raw.data + 1, value->raw.length - 2}, look->arena),
                                 EVERYTHING);
    return true;
}

TEST(random_documents_lose_their_secrets_and_not_a_byte_more)
{
    struct play *play = malloc(sizeof *play);
    const char *keywords[] = {"operation nightfall"};
    struct pattern *pattern = pattern_of("PRJ-\\d{5}");
    const struct policy_rule rule = {
        .keywords = keywords, .keyword_count = 1, .patterns = &pattern, .pattern_count = 1};
    const struct policy_verdict verdict = {.redact = EVERYTHING, .redact_patterns = {&rule}, .redact_pattern_count = 1};
    unsigned changed = 0;
    for (unsigned round = 0; round < 10000; round++) {
        struct arena *arena = arena_new(16384);
        const char *found;
        play->body_length = play->wanted_length = 0;
        put_value(play, 1 + (unsigned)next_random(4));
        struct slice body = {play->body, play->body_length}, wanted = {play->wanted, play->wanted_length};
        CU_ASSERT_EQUAL_FATAL(json_scan(body, 64, NULL, 0, NULL), ERROR_OK);
        struct slice sent = redact(&verdict, body, arena, &found);
        EXPECT(slice_is_equal(sent, wanted), "%.*s\n  became %.*s\n  wanted %.*s", SLICE_ARGUMENTS(body),
               SLICE_ARGUMENTS(sent), SLICE_ARGUMENTS(wanted));
        struct look look = {.arena = arena};
        json_walk_strings(sent, look_at, &look);
        EXPECT(look.found == 0, "%x in %.*s", look.found, SLICE_ARGUMENTS(sent));
        changed += found != NULL;
        arena_free(arena);
    }
    EXPECT(changed > 3000 && changed < 9500, "%u", changed);
    pattern_free(pattern);
    free(play);
}

/* Pieces of secrets, glued together with nothing between them: whatever comes out, nothing is left in it. */
TEST(random_garbage_holds_nothing_after_redaction)
{
    static const char *const pieces[] = {"jane",
                                         "@",
                                         "example",
                                         ".com",
                                         "4111",
                                         " 1111",
                                         "1111",
                                         "-",
                                         "5555555555554444",
                                         "+49 30 ",
                                         "030 ",
                                         "1234567",
                                         "DE89",
                                         "3704004405320130 00",
                                         " ",
                                         "sk-",
                                         "ant-",
                                         "AKIAIOSFODNN7EXAMPLE",
                                         "aB3dE5gH1jaB3dE5gH1j",
                                         "ghp_",
                                         "eyJhbGciOi.eyJzdWIi.abcdefgh12",
                                         "-----BEGIN PRIVATE KEY-----",
                                         "-----END PRIVATE KEY-----",
                                         "(415) 555-2671",
                                         "[email]",
                                         "[card",
                                         "]",
                                         "\\u0040",
                                         "\\n",
                                         "\xc3\xa9",
                                         "_",
                                         ".",
                                         "night",
                                         "fall"};
    const char *keywords[] = {"nightfall", "card", "]"};
    struct pattern *patterns[] = {pattern_of("1+5"), pattern_of("^4|e$"), pattern_of("[a-z]{9}")};
    const struct policy_rule rule = {
        .keywords = keywords, .keyword_count = 3, .patterns = patterns, .pattern_count = 3};
    char body[4096];
    unsigned changed = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct arena *arena = arena_new(16384);
        const struct policy_verdict verdict = {.redact = round % 4 ? EVERYTHING : (unsigned)next_random(EVERYTHING + 1),
                                               .redact_patterns = {&rule},
                                               .redact_pattern_count = round % 3 == 0};
        size_t length = (size_t)sprintf(body, "[\"");
        for (uint64_t i = next_random(14); i; i--)
            length += (size_t)sprintf(body + length, "%s", pieces[next_random(sizeof pieces / sizeof *pieces)]);
        length += (size_t)sprintf(body + length, "\", \"kept \\u0041\"]");
        const char *found;
        struct slice sent = redact(&verdict, (struct slice){body, length}, arena, &found);
        struct policy_texts texts;
        policy_read_texts(sent, true, arena, &texts);
        for (size_t i = 0; i < texts.count; i++)
            EXPECT(policy_detect(texts.rows[i].decoded, verdict.redact) == 0, "%.*s", SLICE_ARGUMENTS(sent));
        EXPECT(round % 3 == 0 || slice_has_suffix(sent, ", \"kept \\u0041\"]"), "%.*s", SLICE_ARGUMENTS(sent));
        changed += found != NULL;
        arena_free(arena);
    }
    EXPECT(changed > 5000, "%u", changed);
    for (size_t i = 0; i < 3; i++)
        pattern_free(patterns[i]);
}

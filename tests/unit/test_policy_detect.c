/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/: the detectors. One table of texts, each with exactly what must be found in it, and that hostile text costs
 * no more per byte when it is longer. The secrets are made up: numbers that issuers publish for tests, or invented.
 */
#include "policy/internal.h"
#include "suite.h"

#include <stdint.h>
#include <time.h>

enum {
    E = DETECT_EMAIL,
    P = DETECT_PHONE,
    C = DETECT_CARD,
    I = DETECT_IBAN,
    K = DETECT_API_KEY,
    R = DETECT_PRIVATE_KEY
};
enum { EVERYTHING = E | P | C | I | K | R };

#define TEN      "aB3dE5gH1j"
#define TWENTY   TEN TEN
#define FORTY    TWENTY TWENTY
#define PEM_LINE "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

static const struct {
    unsigned wanted;
    const char *text;
    const char *match; /* the first match, NULL: the whole text */
} cases[] = {
    /* e-mail */
    {E, "jane@example.com", NULL},
    {E, "write to <jane.doe+spam@mail.example.co.uk>.", "jane.doe+spam@mail.example.co.uk"},
    {E, "jane@example.com.", "jane@example.com"},
    {E, "JANE_99%x@EXAMPLE.COM,", "JANE_99%x@EXAMPLE.COM"},
    {E, "'o'neil@example.org'", "o'neil@example.org"},
    {E, "j\xc3\xb6rg@m\xc3\xbcller.de", NULL},
    {E, "jane@xn--mller-kva.example", NULL},
    {E, "jane@host.xn--p1ai", NULL},
    {E, "\xe8\x81\x94\xe7\xb3\xbbjane@example.com\xe8\xb0\xa2", "jane@example.com"},
    {E, "a@b@example.com", "b@example.com"},
    {E, "jane@example.com-signed", "jane@example.com"},
    {E, "mailto:jane@example.com?subject=x", "jane@example.com"},
    {E, "jane@192.168.0.example", NULL},
    {0, "jane@localhost", NULL},
    {0, "@decorator.method", NULL},
    {0, "react@18.2.0 and lodash@4.17.21", NULL},
    {0, "logo@2x.png, icon@3x.webp", NULL},
    {0, "git@github.com:tollgate/tollgate.git", NULL},
    {0, "x @ y.com", NULL},
    {0, "c = a@b.T", NULL},
    {0, "@@@@ .com @.", NULL},
    /* phones, international */
    {P, "+49 30 1234567", NULL},
    {P, "+4915112345678", NULL},
    {P, "tel:+33 6 12 34 56 78!", "+33 6 12 34 56 78"},
    {P, "+1 (415) 555-2671", NULL},
    {P, "+1.415.555.2671", NULL},
    {P,
     "+44\xc2\xa0"
     "20\xc2\xa0"
     "7946\xc2\xa0"
     "0958",
     NULL},
    {P, "+49 (0)30 / 123 45-67", NULL},
    {P, "(+49 171 1234567)", "+49 171 1234567"},
    {P, "0049 30 1234567", NULL},
    /* … and national */
    {P, "(415) 555-2671", NULL},
    {P, "call 415-555-2671 now", "415-555-2671"},
    {P, "415.555.2671", NULL},
    {P, "1-800-555-0199", NULL},
    {P, "030 1234567", NULL},
    {P, "(030) 123456", NULL},
    {P, "0171/1234567", NULL},
    {P, "0171 / 123 45 67", NULL},
    {P, "01 23 45 67 89", NULL},
    {P, "01.23.45.67.89", NULL},
    {P, "020 7946 0958", NULL},
    {P, "06-12345678", NULL},
    {P, "Tel. 02 9876 5432", "02 9876 5432"},
    {P, "010-1234-5678", NULL},
    {0, "2024-01-31 12:30:45", NULL},
    {0, "01.02.2024 12:30", NULL},
    {0, "01/02/2024, 03-04-2025", NULL},
    {0, "2024-01-31T10:00:00+02:00", NULL},
    {0, "+2024-01-31 12 added", NULL},
    {0, "1234567890", NULL},
    {0, "0301234567", NULL},
    {0, "+100 or +1234567", NULL},
    {0, "1 234 567 890", NULL},
    {0, "12 345.67 EUR, $1,234,567.89, 0.123456789", NULL},
    {0, "+1.234.567.890", NULL},
    {0, "192.168.100.200, 10.0.0.255:8080, 010.020.030.040", NULL},
    {0, "version 1.23.456.7890, v0.12.3456.789", NULL},
    {0, "ISBN 978-3-16-148410-0", NULL},
    {0, "ISBN 0-306-40615-2", NULL},
    {0, "012-34-5678", NULL},
    {0, "01234-5678", NULL},
    {0, "123e4567-e89b-12d3-a456-426614174000", NULL},
    {0, "00000 00000 00000", NULL},
    {0, "115 555 2671, 415 055 2671", NULL},
    {0, "+0123456789", NULL},
    {0, "+12345678901234567890", NULL},
    /* cards: numbers that the networks publish for tests */
    {C, "4111111111111111", NULL},
    {C, "4111 1111 1111 1111", NULL},
    {C, "4111-1111-1111-1111", NULL},
    {C, "pay with 5555555555554444, thanks", "5555555555554444"},
    {C, "378282246310005", NULL},
    {C, "3782 822463 10005", NULL},
    {C, "6011 1111 1111 1117", NULL},
    {C, "3530111333300000", NULL},
    {C, "30569309025904", NULL},
    {C, "2223003122003222", NULL},
    {C, "6200000000000005", NULL},
    {C, "4222222222222", NULL},
    {C, "4111 1111 1111 1111 12/26 123", "4111 1111 1111 1111"},
    {C, "2024 4111 1111 1111 1111", "4111 1111 1111 1111"},
    {C,
     "4111\xc2\xa0"
     "1111\xc2\xa0"
     "1111\xc2\xa0"
     "1111",
     NULL},
    {0, "4111111111111112", NULL},           /* Luhn */
    {0, "1111111111111117", NULL},           /* no issuer begins so */
    {0, "41111111111111111111111111", NULL}, /* too long */
    {0, "0.4111111111111111", NULL},
    {0, "x4111111111111111", NULL},
    {0, "4111111111111111x", NULL},
    {0, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", NULL},
    {0, "1700000000000000 1700000000000", NULL},
    {0, "411111111111", NULL},
    /* IBANs of the registry's examples */
    {I, "DE89370400440532013000", NULL},
    {I, "DE89 3704 0044 0532 0130 00 is mine", "DE89 3704 0044 0532 0130 00"},
    {I, "gb29nwbk60161331926819", NULL},
    {I, "FR14 2004 1010 0505 0001 3M02 606", NULL},
    {I, "NO9386011117947", NULL},
    {I, "MT84MALT011000012345MTLCAST001S", NULL},
    {I, "IBAN:CH93-0076-2011-6238-5295-7.", "CH93-0076-2011-6238-5295-7"},
    {0, "DE89370400440532013001", NULL},  /* remainder */
    {0, "DE8937040044053201300", NULL},   /* short */
    {0, "DE893704004405320130000", NULL}, /* long */
    {0, "XX89370400440532013000", NULL},
    {0, "ADE89370400440532013000", NULL},
    /* keys */
    {K, "sk-" FORTY "aB3dE5gH", NULL},
    {K, "Bearer sk-proj-" FORTY "_-" FORTY, "sk-proj-" FORTY "_-" FORTY},
    {K, "x-api-key: sk-ant-api03-" FORTY "-AA", "sk-ant-api03-" FORTY "-AA"},
    {K, "sk-svcacct-" FORTY, NULL},
    {K, "sk-or-v1-" FORTY, NULL},
    {K, "?key=AIzaSyA" TWENTY TEN "-_x&", "AIzaSyA" TWENTY TEN "-_x"},
    {K, "AKIAIOSFODNN7EXAMPLE", NULL},
    {K, "ASIAIOSFODNN7EXAMPLE.", "ASIAIOSFODNN7EXAMPLE"},
    {K, "ghp_" TWENTY TEN "aB3dE5", NULL},
    {K, "gho_" TWENTY TEN "aB3dE5", NULL},
    {K, "github_pat_11" TWENTY "_" FORTY, NULL},
    {K, "xoxb-2345678901-2345678901-" TWENTY, NULL},
    {K, "xoxp-2345678901-" TWENTY, NULL},
    {K, "sk_live_" TWENTY, NULL},
    {K, "rk_live_" TWENTY, NULL},
    {K, "glpat-" TWENTY, NULL},
    {K, "hf_" TWENTY TEN "aBcd", NULL},
    {K, "npm_" TWENTY TEN "aB3dE5", NULL},
    {K, "pypi-AgEIcHlwaS5vcmc" FORTY FORTY, NULL},
    {K, "gsk_" FORTY "aB3dE5gH1j12", NULL},
    {K, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", NULL},
    {0, "kt_cg_product_dev", NULL},
    {0, "kt_cg_" FORTY, NULL},
    {0, "sk-short", NULL},
    {0, "sk-learnclassifierswithoutanynumber", NULL},
    {0, "task-" FORTY, NULL},
    {0, "risk-sk-" FORTY, NULL},
    {0, "AKIAIOSFODNN7EXAMPL", NULL},
    {0, "AKIAIOSFODNN7EXAMPLEXY", NULL},
    {0, "AIzaTooShort", NULL},
    {0, "ghp_tooshort1", NULL},
    {0, "eyJhbGciOiJIUzI1NiJ9.x.y", NULL},
    {0, "eyJhbGciOiJIUzI1NiJ9", NULL},
    {0, "xoxo-hugs-and-kisses-to-everybody", NULL},
    {0, "npm_config_registry, hf_hub_download, pypi-server", NULL},
    /* private keys */
    {R, "-----BEGIN PRIVATE KEY-----\n" PEM_LINE "\n-----END PRIVATE KEY-----", NULL},
    {R, "a -----BEGIN RSA PRIVATE KEY-----\r\n" PEM_LINE "\r\n-----END RSA PRIVATE KEY----- b",
     "-----BEGIN RSA PRIVATE KEY-----\r\n" PEM_LINE "\r\n-----END RSA PRIVATE KEY-----"},
    {R, "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXk=\\n-----END OPENSSH PRIVATE KEY-----", NULL},
    {R, "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----", NULL},
    {R, "-----BEGIN EC PRIVATE KEY-----\\n" PEM_LINE "\\n" PEM_LINE " and so on",
     "-----BEGIN EC PRIVATE KEY-----\\n" PEM_LINE "\\n" PEM_LINE},
    {R, "-----BEGIN PRIVATE KEY-----\n" PEM_LINE "\n-----BEGIN CERTIFICATE-----",
     "-----BEGIN PRIVATE KEY-----\n" PEM_LINE},
    {0, "-----BEGIN CERTIFICATE-----\n" PEM_LINE "\n-----END CERTIFICATE-----", NULL},
    {0, "-----BEGIN PUBLIC KEY-----\n" PEM_LINE "\n-----END PUBLIC KEY-----", NULL},
    {0, "grep for -----BEGIN PRIVATE KEY----- in the files of this repository", NULL},
    {0, "---------------------- PRIVATE KEY ----------------------", NULL},
    {0, "", NULL},
};

static const struct detector *detector_of(unsigned bit)
{
    for (size_t i = 0; i < DETECT_COUNT; i++)
        if (policy_detectors[i].bit == bit)
            return &policy_detectors[i];
    CU_FAIL_FATAL("no such detector");
    return NULL;
}

TEST(texts_hold_what_they_hold)
{
    CU_ASSERT(sizeof cases / sizeof *cases >= 80);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice text = slice_of(cases[i].text);
        unsigned found = policy_detect(text, EVERYTHING);
        EXPECT(found == cases[i].wanted, "%s: found %x, wanted %x", cases[i].text, found, cases[i].wanted);
        if (found != cases[i].wanted || !found)
            continue;
        struct span span = {0, 0};
        struct slice match = slice_of(cases[i].match ? cases[i].match : cases[i].text);
        CU_ASSERT(detector_of(found)->find(text, &span));
        EXPECT(slice_is_equal((struct slice){text.data + span.from, span.to - span.from}, match),
               "%s: matched \"%.*s\"", cases[i].text, (int)(span.to - span.from), text.data + span.from);
    }
}

/* The same in the middle of words and of other characters: what ends a match is no accident of the text's end. */
TEST(what_stands_around_changes_nothing)
{
    static const struct {
        const char *before, *after;
    } frames[] = {{"", ""},
                  {" ", " "},
                  {"(", ")"},
                  {"\"", "\""},
                  {"\n", "\n"},
                  {"key: ", "; x"},
                  {"\xe2\x80\x9c", "\xe2\x80\x9d"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t f = 0; f < sizeof frames / sizeof *frames; f++) {
            char text[1024];
            snprintf(text, sizeof text, "%s%s%s", frames[f].before, cases[i].text, frames[f].after);
            unsigned found = policy_detect(slice_of(text), EVERYTHING);
            EXPECT(found == cases[i].wanted, "\"%s\": found %x, wanted %x", text, found, cases[i].wanted);
        }
}

TEST(only_what_is_asked_for_is_found)
{
    struct slice text = slice_of("jane@example.com 4111111111111111");
    EXPECT_INTEGER(policy_detect(text, EVERYTHING), E | C);
    EXPECT_INTEGER(policy_detect(text, E | I), E);
    EXPECT_INTEGER(policy_detect(text, P | I | K | R), 0);
    EXPECT_STRING(policy_detect_name(DETECT_API_KEY), "api_key");
    EXPECT_STRING(policy_detect_name(DETECT_PRIVATE_KEY), "private_key");
}

/* No read beyond a text that ends anywhere: exact allocations, for ASan. */
TEST(texts_may_end_anywhere)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t length = 0; length <= strlen(cases[i].text); length++) {
            char *text = malloc(length ? length : 1);
            memcpy(text, cases[i].text, length);
            struct span span;
            for (size_t d = 0; d < DETECT_COUNT; d++)
                if (policy_detectors[d].find((struct slice){text, length}, &span))
                    CU_ASSERT(span.from < span.to && span.to <= length);
            free(text);
        }
}

/* ---- cost ---- */

/* Every match and every refusal of a detector over a text. */
static void find_all(const struct detector *detector, struct slice text)
{
    struct span span = {0, 0};
    while (detect_next(detector, text, span.to, &span))
        ;
}

static double seconds_of(const struct detector *detector, struct slice text)
{
    double best = 1e9;
    for (unsigned i = 0; i < 5; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        find_all(detector, text);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
        best = seconds < best ? seconds : best;
    }
    return best;
}

#ifdef TOLLGATE_SANITIZED /* its memmem and memchr look at all that they might read, each time */
enum { RATIO_MAX = 10000 };
#else
enum { RATIO_MAX = 80 };
#endif

/* Sixteen times the text: sixteen times the work when linear, 256 times when quadratic. */
TEST(hostile_texts_cost_no_more_per_byte_when_they_are_longer)
{
    static const char *const patterns[] = {
        "a",
        "a@",
        "@",
        "a.",
        "a@a.",
        "aa.bb-",
        "a@b.co",
        "1",
        "1 ",
        "12 ",
        "123-",
        "4111 ",
        "4111 1111 1111 1112 ",
        "+1",
        "+",
        "(",
        "030 ",
        "0 ",
        "0049 ",
        "sk-",
        "sk-ant-",
        "-sk-a",
        ".sk-a",
        "eyJ",
        "eyJaaaaaaa.",
        "-eyJa",
        ".eyJ-",
        "xoxb-",
        "glpat-",
        "AKIA",
        "AIza",
        "SG.",
        "DE89 ",
        "DE89370400440532013001",
        "DE89",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n" PEM_LINE "\n",
        "-----",
        "-",
        "-----END ",
        "-----BEGIN PRIVATE KEY-----a",
        "\\n",
        "\xc2\xa0",
        "\xc3\xa9",
        "1\xc2\xa0",
        " ",
    };
    enum { SHORT = 1 << 14, LONG = 1 << 18 };
    char *text = malloc(LONG);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        size_t length = strlen(patterns[i]);
        for (size_t at = 0; at < LONG; at++)
            text[at] = patterns[i][at % length];
        for (size_t d = 0; d < DETECT_COUNT; d++) {
            double little = seconds_of(&policy_detectors[d], (struct slice){text, SHORT});
            double much = seconds_of(&policy_detectors[d], (struct slice){text, LONG});
            /* 2 ms: what the clock and the caches add to what is too short to measure */
            EXPECT(much < RATIO_MAX * little + 0.002, "%s on \"%s\": %f s, %f s", policy_detectors[d].name, patterns[i],
                   little, much);
        }
    }
    free(text);
}

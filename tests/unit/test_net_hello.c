/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of first flights, against what OpenSSL sends and against hellos made by hand: cut at every byte, spread
 * over records, changed at every byte, and wrong in one place each. Inputs lie in memory of exactly their size, so that
 * a sanitizer sees the first byte read too much.
 */
#include "tests/unit/suite.h"

#include "net/hello.h"

#include <openssl/ssl.h>
#include <stdbool.h>

static enum hello_verdict parse(const uint8_t *bytes, size_t length, char *name)
{
    uint8_t *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    enum hello_verdict verdict = hello_parse(copy, length, name);
    free(copy);
    return verdict;
}

/* What a client of ours sends first. */
static size_t real_hello(const char *server_name, uint8_t *bytes, size_t bytes_max)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    if (server_name)
        SSL_set_tlsext_host_name(ssl, server_name);
    EXPECT(SSL_connect(ssl) < 0, "the handshake wants an answer");
    int length = BIO_read(out, bytes, (int)bytes_max);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return length > 0 ? (size_t)length : 0;
}

TEST(names_of_real_hellos)
{
    uint8_t bytes[4096];
    char name[HELLO_NAME_MAX] = "";
    size_t length = real_hello("API.OpenAI.com", bytes, sizeof bytes);
    EXPECT_INTEGER(parse(bytes, length, name), HELLO_NAMED);
    EXPECT_STRING(name, "api.openai.com");
    for (size_t cut = 0; cut < length; cut++)
        EXPECT(parse(bytes, cut, name) == HELLO_INCOMPLETE, "cut at %zu of %zu", cut, length);
    length = real_hello(NULL, bytes, sizeof bytes);
    EXPECT_INTEGER(parse(bytes, length, name), HELLO_NAMELESS);
}

/* The same message in records of `size` bytes each. */
static size_t fragment(const uint8_t *bytes, size_t length, size_t size, uint8_t *out)
{
    size_t used = 0;
    for (size_t at = 5; at < length; at += size) {
        size_t piece = length - at < size ? length - at : size;
        const uint8_t head[5] = {22, 3, 1, (uint8_t)(piece >> 8), (uint8_t)piece};
        memcpy(out + used, head, 5);
        memcpy(out + used + 5, bytes + at, piece);
        used += 5 + piece;
    }
    return used;
}

TEST(spread_over_records)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 64, 200, 511};
    static uint8_t out[16384];
    uint8_t bytes[4096];
    char name[HELLO_NAME_MAX];
    size_t length = real_hello("api.anthropic.com", bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t used = fragment(bytes, length, sizes[i], out);
        name[0] = '\0';
        EXPECT(parse(out, used, name) == HELLO_NAMED && !strcmp(name, "api.anthropic.com"), "records of %zu", sizes[i]);
        for (size_t cut = 0; cut < used; cut++)
            EXPECT(parse(out, cut, name) == HELLO_INCOMPLETE, "records of %zu cut at %zu", sizes[i], cut);
    }
}

TEST(any_change_is_survived)
{
    uint8_t bytes[4096];
    char name[HELLO_NAME_MAX];
    size_t length = real_hello("api.openai.com", bytes, sizeof bytes);
    unsigned verdicts[4] = {0};
    for (size_t at = 0; at < length; at++)
        for (unsigned value = 0; value < 256; value += at < 120 ? 1 : 15) {
            uint8_t before = bytes[at];
            bytes[at] = (uint8_t)value;
            memset(name, 'x', sizeof name);
            enum hello_verdict verdict = parse(bytes, length, name);
            verdicts[verdict]++;
            EXPECT(verdict != HELLO_NAMED || memchr(name, 0, sizeof name), "a name without end, byte %zu", at);
            bytes[at] = before;
        }
    EXPECT(verdicts[HELLO_FOREIGN] > 100 && verdicts[HELLO_NAMED] > 100 && verdicts[HELLO_INCOMPLETE] > 100,
           "%u foreign, %u named, %u incomplete", verdicts[HELLO_FOREIGN], verdicts[HELLO_NAMED],
           verdicts[HELLO_INCOMPLETE]);
    srand(4711);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t copy[4096];
        memcpy(copy, bytes, length);
        for (unsigned i = 0; i < 1 + round % 8; i++)
            copy[(size_t)rand() % length] = (uint8_t)rand();
        parse(copy, (size_t)rand() % (length + 1), name);
    }
}

/* ---- made by hand ---- */

struct text {
    uint8_t bytes[70000];
    size_t length;
};

static void put(struct text *text, const void *bytes, size_t length)
{
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void put_number(struct text *text, size_t number, unsigned bytes)
{
    while (bytes-- > 0)
        text->bytes[text->length++] = (uint8_t)(number >> 8 * bytes);
}

/* A whole flight around these extensions (with their type and length); NULL: none at all. */
static void make_hello(struct text *text, const void *extensions, size_t length)
{
    static struct text body;
    body.length = 0;
    put_number(&body, 0x0303, 2);
    for (unsigned i = 0; i < 32; i++)
        put_number(&body, i, 1);
    put_number(&body, 0, 1);
    put(&body, "\0\2\x13\1\1\0", 6);
    if (extensions) {
        put_number(&body, length, 2);
        put(&body, extensions, length);
    }
    text->length = 0;
    put(text, "\x16\3\1", 3);
    put_number(text, body.length + 4, 2);
    put_number(text, 1, 1);
    put_number(text, body.length, 3);
    put(text, body.bytes, body.length);
}

#define BYTES(text) (text), sizeof(text) - 1

TEST(extensions_one_by_one)
{
    static const struct {
        const char *what;
        const void *bytes;
        size_t length;
        enum hello_verdict verdict;
    } rows[] = {
        {"no extensions", NULL, 0, HELLO_NAMELESS},
        {"an empty list of them", BYTES(""), HELLO_NAMELESS},
        {"a name", BYTES("\0\0\0\x08\0\6\0\0\3a.b"), HELLO_NAMED},
        {"a final dot", BYTES("\0\0\0\x09\0\7\0\0\4a.b."), HELLO_NAMED},
        {"two final dots", BYTES("\0\0\0\x0a\0\x08\0\0\5a.b.."), HELLO_FOREIGN},
        {"a dot", BYTES("\0\0\0\6\0\4\0\0\1."), HELLO_FOREIGN},
        {"GREASE around it", BYTES("\x0a\x0a\0\0\0\0\0\x08\0\6\0\0\3a.b\xfa\xfa\0\1\0"), HELLO_NAMED},
        {"an encrypted inner hello beside the outer name", BYTES("\xfe\x0d\0\3\0\1\2\0\0\0\x08\0\6\0\0\3a.b"),
         HELLO_NAMED},
        {"another type of name only", BYTES("\0\0\0\x08\0\6\1\0\3a.b"), HELLO_NAMELESS},
        {"an empty extension", BYTES("\0\0\0\0"), HELLO_FOREIGN},
        {"an empty list of names", BYTES("\0\0\0\2\0\0"), HELLO_FOREIGN},
        {"an empty name", BYTES("\0\0\0\5\0\3\0\0\0"), HELLO_FOREIGN},
        {"two names", BYTES("\0\0\0\x0e\0\x0c\0\0\3a.b\0\0\3c.d"), HELLO_FOREIGN},
        {"the extension twice", BYTES("\0\0\0\x08\0\6\0\0\3a.b\0\0\0\x08\0\6\0\0\3a.b"), HELLO_FOREIGN},
        {"a NUL in the name", BYTES("\0\0\0\x08\0\6\0\0\3a\0b"), HELLO_FOREIGN},
        {"a blank in the name", BYTES("\0\0\0\x08\0\6\0\0\3a b"), HELLO_FOREIGN},
        {"a name beyond its list", BYTES("\0\0\0\x08\0\6\0\0\4a.b"), HELLO_FOREIGN},
        {"a list beyond its extension", BYTES("\0\0\0\x08\0\7\0\0\3a.b"), HELLO_FOREIGN},
        {"bytes after the list", BYTES("\0\0\0\x09\0\6\0\0\3a.bx"), HELLO_FOREIGN},
        {"an extension beyond the hello", BYTES("\0\0\0\x09\0\6\0\0\3a.b"), HELLO_FOREIGN},
        {"half a type", BYTES("\x0a"), HELLO_FOREIGN},
    };
    static struct text text;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[HELLO_NAME_MAX] = "";
        make_hello(&text, rows[i].bytes, rows[i].length);
        EXPECT(parse(text.bytes, text.length, name) == rows[i].verdict, "%s", rows[i].what);
        EXPECT(rows[i].verdict != HELLO_NAMED || !strcmp(name, "a.b"), "%s: %s", rows[i].what, name);
    }
}

TEST(the_longest_name)
{
    static struct text text;
    char extension[9 + 300] = {0}, name[HELLO_NAME_MAX];
    for (size_t length = 254; length < 258; length++) {
        memset(extension + 9, 'a', length);
        extension[2] = (char)((length + 5) >> 8), extension[3] = (char)(length + 5);
        extension[4] = (char)((length + 3) >> 8), extension[5] = (char)(length + 3);
        extension[7] = (char)(length >> 8), extension[8] = (char)length;
        make_hello(&text, extension, 9 + length);
        enum hello_verdict verdict = parse(text.bytes, text.length, name);
        EXPECT(verdict == (length < HELLO_NAME_MAX ? HELLO_NAMED : HELLO_FOREIGN), "%zu", length);
        EXPECT(verdict != HELLO_NAMED || strlen(name) == length, "%zu", length);
    }
}

TEST(what_is_no_hello)
{
    static const struct {
        const char *bytes;
        size_t length;
    } rows[] = {
        {BYTES("GET / HTTP/1.1\r\n")},
        {BYTES("S")},
        {BYTES("\x80\x2e\1\3\1")},                   /* SSL 2 */
        {BYTES("\x16\2")},                           /* SSL 2 in a record */
        {BYTES("\x17\3\3\0\1x")},                    /* data */
        {BYTES("\x16\3\1\0\0")},                     /* an empty record */
        {BYTES("\x16\3\1\x40\1")},                   /* a record beyond 2^14 */
        {BYTES("\x16\3\1\0\4\2\0\0\0")},             /* a server's hello */
        {BYTES("\x16\3\1\0\4\1\xff\xff\xff")},       /* 16 MiB of it */
        {BYTES("\x16\3\1\0\4\1\0\0\0")},             /* nothing in it */
        {BYTES("\x16\3\1\0\2\1\0\x15\3\1\0\2\1\0")}, /* an alert in between */
    };
    char name[HELLO_NAME_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT(parse((const uint8_t *)rows[i].bytes, rows[i].length, name) == HELLO_FOREIGN, "row %zu", i);
    EXPECT_INTEGER(parse((const uint8_t *)"", 0, name), HELLO_INCOMPLETE);
}

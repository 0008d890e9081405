/* SPDX-License-Identifier: Apache-2.0 */
/* base/digest: known answers of FIPS 180-4 and of RFC 4231 (HMAC-SHA-256). */
#include "suite.h"

#include "base/digest.h"

TEST(sha256_of_known_texts)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char digest[DIGEST_BYTES];
        char hex[DIGEST_TEXT_MAX];
        digest_sha256(slice_of(rows[i].text), digest);
        EXPECT_STRING(digest_format(digest, hex), rows[i].hex);
    }
}

TEST(sha256_in_pieces)
{
    const char *text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"; /* FIPS 180-4, 56 bytes */
    for (size_t step = 1; step < 60; step++) {
        unsigned char bytes[DIGEST_BYTES];
        char hex[DIGEST_TEXT_MAX];
        struct digest *digest = digest_begin();
        for (struct slice rest = slice_of(text); rest.length; rest = slice_from(rest, step))
            digest_add(digest, (struct slice){rest.data, rest.length < step ? rest.length : step});
        digest_add(digest, (struct slice){NULL, 0});
        digest_end(digest, bytes);
        EXPECT_STRING(digest_format(bytes, hex), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
}

TEST(hmac_of_known_texts)
{
    static const struct {
        const char *key, *text, *hex;
    } rows[] = {
        {"Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}, /* RFC 4231, test case 2 */
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"}, /* test case 1 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char digest[DIGEST_BYTES];
        char hex[DIGEST_TEXT_MAX];
        digest_hmac_sha256(slice_of(rows[i].key), slice_of(rows[i].text), digest);
        EXPECT_STRING(digest_format(digest, hex), rows[i].hex);
    }
}

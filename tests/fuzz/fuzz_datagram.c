/* SPDX-License-Identifier: Apache-2.0 */
/* identity/: hellos and announcements as they come off a socket; what is accepted is text that may be logged. */
#include "fuzz.h"

#include "identity/internal.h"

static void require_text(const char *text, size_t bytes_max, const char *what)
{
    size_t length = strnlen(text, bytes_max);
    FUZZ_REQUIRE(length < bytes_max, "%s has no end", what);
    for (size_t i = 0; i < length; i++)
        FUZZ_REQUIRE((unsigned char)text[i] >= ' ' && text[i] != 0x7f, "%s has a control character", what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    struct tollgate_hello hello;
    struct tollgate_redirect redirect;
    bool is_mended = fuzz_choose(&input, 2) == 1;
    char *bytes = fuzz_copy(input);
    if (is_mended && input.length >= 8) { /* the head of one of them, by length */
        bool is_hello = input.length == sizeof hello;
        uint32_t magic = is_hello ? TOLLGATE_HELLO_MAGIC : TOLLGATE_REDIRECT_MAGIC;
        uint16_t version = is_hello ? TOLLGATE_HELLO_VERSION : TOLLGATE_REDIRECT_VERSION,
                 length = (uint16_t)input.length;
        memcpy(bytes, &magic, sizeof magic);
        memcpy(bytes + 4, &version, sizeof version);
        memcpy(bytes + 6, &length, sizeof length);
    }
    if (claims_parse_hello(bytes, input.length, &hello)) {
        FUZZ_REQUIRE(input.length == sizeof hello && hello.cookie != 0, "%zu bytes", input.length);
        FUZZ_REQUIRE(claims_has_valid_name(hello.group) && claims_has_valid_name(hello.project), "names");
        require_text(hello.executable, sizeof hello.executable, "executable");
        require_text(hello.directory, sizeof hello.directory, "directory");
    }
    if (claims_parse_redirect(bytes, input.length, &redirect)) {
        FUZZ_REQUIRE(input.length == sizeof redirect && redirect.cookie != 0, "%zu bytes", input.length);
        FUZZ_REQUIRE(claims_has_valid_name(redirect.group) && claims_has_valid_name(redirect.project), "names");
        require_text(redirect.executable, sizeof redirect.executable, "executable");
        require_text(redirect.directory, sizeof redirect.directory, "directory");
    }
    free(bytes);
    return 0;
}

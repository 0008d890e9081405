/* SPDX-License-Identifier: Apache-2.0 */
/* net/hello.c: a verdict does not depend on what comes behind it, and a name is one that a map could have. */
#include "fuzz.h"

#include "net/hello.h"

/* A copy of the first bytes, which the parser changes. */
static enum hello_verdict parse(struct slice input, size_t length, char name[HELLO_NAME_MAX])
{
    char *bytes = fuzz_copy((struct slice){input.data, length});
    enum hello_verdict verdict = hello_parse((uint8_t *)bytes, length, name);
    free(bytes);
    return verdict;
}

static void require_name(const char *name)
{
    size_t length = strnlen(name, HELLO_NAME_MAX);
    FUZZ_REQUIRE(length > 0 && length < HELLO_NAME_MAX && name[length - 1] != '.', "%zu bytes", length);
    for (size_t i = 0; i < length; i++)
        FUZZ_REQUIRE(name[i] > ' ' && name[i] < 0x7f && !(name[i] >= 'A' && name[i] <= 'Z'), "byte %zu of %s", i, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size < HELLO_BYTES_MAX ? size : HELLO_BYTES_MAX);
    char name[HELLO_NAME_MAX] = "", before[HELLO_NAME_MAX] = "";
    enum hello_verdict whole = parse(input, input.length, name);
    if (whole == HELLO_NAMED)
        require_name(name);
    size_t step = input.length > 512 ? input.length / 64 : 1;
    for (size_t length = 0; length < input.length; length += step) {
        enum hello_verdict verdict = parse(input, length, before);
        FUZZ_REQUIRE(verdict == HELLO_INCOMPLETE || verdict == whole, "%d of %zu bytes, %d of all", verdict, length,
                     whole);
        FUZZ_REQUIRE(verdict != HELLO_NAMED || strcmp(before, name) == 0, "%s, then %s", before, name);
    }
    return 0;
}

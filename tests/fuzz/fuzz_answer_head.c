/* SPDX-License-Identifier: Apache-2.0 */
/* upstream/head.c: the head of a provider's answer; what is accepted can be written to the program as it is. */
#include "fuzz.h"

#include "upstream/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_field fields[HEAD_FIELDS_MAX];
    struct slice input = fuzz_slice(data, size);
    struct buffer out;
    size_t count = 0, lengths = 0;
    int status = upstream_parse_head(input, fields, &count);
    if (!status)
        return 0;
    FUZZ_REQUIRE(status >= 100 && status <= 599 && count <= HEAD_FIELDS_MAX, "%d, %zu fields", status, count);
    for (size_t i = 0; i < count; i++) {
        FUZZ_REQUIRE(fuzz_is_within(fields[i].name, input) && fuzz_is_within(fields[i].value, input), "field %zu", i);
        lengths += slice_is_like(fields[i].name, "content-length");
        FUZZ_REQUIRE(!slice_is_like(fields[i].name, "transfer-encoding"), "chunks are decoded");
    }
    FUZZ_REQUIRE(lengths <= 1, "%zu lengths", lengths);
    buffer_init(&out, 1 << 20);
    FUZZ_REQUIRE(http_write_head(&out, status, fields, count), "a field that cannot be written");
    buffer_done(&out);
    return 0;
}

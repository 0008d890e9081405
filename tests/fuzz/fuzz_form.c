/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect/form.c: parts lie in the body, one behind the other; no part's value holds the delimiter; and a plain reader
 * that takes whatever stands between delimiters finds as many. dialect/recording.c: no file is longer than the
 * thriftiest coding could make it.
 */
#include "fuzz.h"

#include "dialect/form.h"
#include "dialect/internal.h"

#define BOUNDARY "xYz"

static size_t count_delimiters(struct slice body)
{
    static const char delimiter[] = "--" BOUNDARY;
    size_t count = 0;
    for (size_t i = 0; i + sizeof delimiter - 1 <= body.length; i++)
        count += memcmp(body.data + i, delimiter, sizeof delimiter - 1) == 0 && (i == 0 || body.data[i - 1] == '\n');
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct form form;
    const char *problem = NULL;
    struct slice body = fuzz_slice(data, size), type = SLICE_LITERAL("multipart/form-data; boundary=" BOUNDARY);
    if (fuzz_choose(&body, 8) == 7) { /* the first line is the content type */
        const char *end = body.length ? memchr(body.data, '\n', body.length) : NULL;
        type = (struct slice){body.data, end ? (size_t)(end - body.data) : body.length};
        body = slice_from(body, type.length + 1);
    }
    char *kind = fuzz_copy(type);
    enum error error = form_parse((struct slice){kind, type.length}, body, &form, &problem);
    free(kind);
    if (error) {
        FUZZ_REQUIRE(problem && *problem, "no reason");
        return 0;
    }
    size_t text_bytes = 0, files = 0;
    struct slice rest = body;
    FUZZ_REQUIRE(form.field_count <= FORM_FIELDS_MAX, "%zu fields", form.field_count);
    for (size_t i = 0; i < form.field_count; i++) {
        const struct form_field *field = &form.fields[i];
        FUZZ_REQUIRE(fuzz_is_within(field->name, rest) && fuzz_is_within(field->value, rest), "field %zu", i);
        rest = (struct slice){field->value.data + field->value.length,
                              (size_t)(body.data + body.length - (field->value.data + field->value.length))};
        files += field->is_file;
        text_bytes += field->is_file ? 0 : field->value.length;
        uint64_t seconds = recording_bound_seconds(field->value);
        bool may_be_slow = slice_has_prefix(field->value, "RIFF"); /* a wave of a byte a second */
        FUZZ_REQUIRE(seconds >= 1 && seconds <= field->value.length / (may_be_slow ? 1 : 750) + 1,
                     "%llu s of %zu bytes", (unsigned long long)seconds, field->value.length);
    }
    FUZZ_REQUIRE(files == form.file_count && text_bytes <= form.text_bytes, "%zu files, %zu bytes", files, text_bytes);
    if (slice_is(type, "multipart/form-data; boundary=" BOUNDARY))
        FUZZ_REQUIRE(count_delimiters(body) == form.field_count + 1, "%zu delimiters, %zu fields",
                     count_delimiters(body), form.field_count);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as bytes, on their way from who appends to the writer; and the names of what they count. */
#include "journal/internal.h"

static const char *const dimension_names[] = {
#define DIMENSION(name) #name,
#include "journal/dimensions.def"
#undef DIMENSION
};

static const struct {
    const char *name;
    enum measure_unit unit;
} measures[] = {
#define MEASURE(name, unit) {#name, UNIT_##unit},
#include "journal/measures.def"
#undef MEASURE
};

const char *journal_dimension_name(enum dimension dimension)
{
    return dimension_names[dimension];
}

const char *journal_measure_name(enum measure measure)
{
    return measure < MEASURE_buckets ? measures[measure].name : bucket_rows[measure - MEASURE_buckets].name;
}

enum measure_unit journal_measure_unit(enum measure measure)
{
    return measure < MEASURE_buckets ? measures[measure].unit : UNIT_COUNT;
}

/* At most so many bytes, and no half character: UTF-8's continuation bytes are 10xxxxxx. */
static size_t cut_length(const char *name)
{
    size_t length = strnlen(name, JOURNAL_NAME_BYTES_MAX + 1);
    if (length <= JOURNAL_NAME_BYTES_MAX)
        return length;
    for (length = JOURNAL_NAME_BYTES_MAX; length && ((unsigned char)name[length] & 0xc0) == 0x80;)
        length--;
    return length;
}

size_t names_join(const char *const names[DIMENSION_COUNT], char joined[NAMES_BYTES_MAX])
{
    char *out = joined;
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        size_t length = names[i] ? cut_length(names[i]) : 0;
        if (length)
            memcpy(out, names[i], length);
        out += length;
        *out++ = '\0';
    }
    return (size_t)(out - joined);
}

void names_split(struct slice names, const char *ret_names[DIMENSION_COUNT])
{
    const char *at = names.data, *end = names.data + names.length;
    for (size_t i = 0; i < DIMENSION_COUNT; i++) {
        ret_names[i] = at < end ? at : "";
        at += at < end ? strlen(at) + 1 : 0;
    }
}

bool line_is_free(const struct journal_line *line)
{
    return !line->of[MEASURE_attempts] && !line->of[MEASURE_cost] && !line->of[MEASURE_hits];
}

size_t line_encode(const struct journal_line *line, struct id id, char bytes[LINE_BYTES_MAX])
{
    struct line_head head = {.time_ms = line->time_ms, .id = id};
    char *out = bytes + sizeof head;
    head.names_bytes = (uint16_t)names_join(line->names, out);
    out += head.names_bytes;
    for (size_t i = 0; i < MEASURE_COUNT; i++) {
        if (!line->of[i])
            continue;
        struct line_measure measure = {.measure = (uint8_t)i};
        memcpy(measure.value, &line->of[i], sizeof measure.value);
        memcpy(out, &measure, sizeof measure);
        out += sizeof measure;
        head.measure_count++;
    }
    head.bytes = (uint32_t)(out - bytes);
    head.is_free = line_is_free(line);
    memcpy(bytes, &head, sizeof head);
    return head.bytes;
}

bool lines_next(struct slice *lines, struct line_head *ret_head, struct slice *ret_names, struct slice *ret_measures)
{
    if (lines->length < sizeof *ret_head)
        return false;
    memcpy(ret_head, lines->data, sizeof *ret_head);
    *ret_names = (struct slice){lines->data + sizeof *ret_head, ret_head->names_bytes};
    *ret_measures =
        (struct slice){ret_names->data + ret_names->length, ret_head->measure_count * sizeof(struct line_measure)};
    *lines = slice_from(*lines, ret_head->bytes);
    return true;
}

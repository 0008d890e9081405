/* SPDX-License-Identifier: Apache-2.0 */
/* See exposition.h. https://prometheus.io/docs/instrumenting/exposition_formats/: in values of labels the backslash,
 * the quote and the end of a line are escaped; all else is UTF-8 as it is. */
#include "evidence/exposition.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { LABEL_BYTES_MAX = 128 };

static void append(struct exposition *exposition, struct slice text)
{
    exposition->is_full |= !buffer_append(exposition->out, text);
}

void exposition_begin(struct exposition *exposition, const char *name, const char *type, const char *help)
{
    exposition->name = name;
    exposition->is_full |=
        !buffer_append_format(exposition->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_value(struct exposition *exposition, const char *value)
{
    const size_t whole = strlen(value);
    const char *end = value + (whole < LABEL_BYTES_MAX ? whole : LABEL_BYTES_MAX);
    while (value < end) {
        const unsigned char byte = (unsigned char)*value;
        size_t length = byte < 0x80 ? 1 : json_utf8_length(value, end);
        if (byte == '\n')
            append(exposition, SLICE_LITERAL("\\n"));
        else if (byte == '\\' || byte == '"')
            append(exposition, byte == '"' ? SLICE_LITERAL("\\\"") : SLICE_LITERAL("\\\\"));
        else if (length == 0 || byte < 0x20 || byte == 0x7f)
            append(exposition, SLICE_LITERAL("?"));
        else
            append(exposition, (struct slice){value, length});
        value += length ? length : 1;
    }
}

static void write_sample(struct exposition *exposition, const char *suffix, const struct label *labels, size_t count,
                         const char *value)
{
    exposition->is_full |= !buffer_append_format(exposition->out, "%s%s", exposition->name, suffix);
    for (size_t i = 0; i < count; i++) {
        exposition->is_full |= !buffer_append_format(exposition->out, "%s%s=\"", i ? "," : "{", labels[i].name);
        write_value(exposition, labels[i].value ? labels[i].value : "");
        append(exposition, SLICE_LITERAL("\""));
    }
    exposition->is_full |= !buffer_append_format(exposition->out, "%s %s\n", count ? "}" : "", value);
}

void exposition_integer(struct exposition *exposition, const struct label *labels, size_t count, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    write_sample(exposition, "", labels, count, text);
}

void exposition_money(struct exposition *exposition, const struct label *labels, size_t count, struct money value)
{
    char text[MONEY_TEXT_MAX];
    write_sample(exposition, "", labels, count, money_format(value, text));
}

static const char *format_seconds(uint64_t ns, char text[48])
{
    snprintf(text, 48, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
    return text;
}

void exposition_seconds(struct exposition *exposition, const struct label *labels, size_t count, int64_t ns)
{
    char text[48];
    write_sample(exposition, "", labels, count, format_seconds(ns > 0 ? (uint64_t)ns : 0, text));
}

void exposition_histogram(struct exposition *exposition, const struct label *label, const struct histogram_sum *sum)
{
    const size_t count = label ? 1 : 0;
    struct label labels[2] = {label ? *label : (struct label){NULL, NULL}};
    uint64_t below = 0;
    char text[48];
    for (unsigned step = 0; step < HISTOGRAM_STEPS; step++) {
        below += sum->counts[step];
        labels[count] = (struct label){"le", step < HISTOGRAM_BOUNDS ? histogram_bound_text(step) : "+Inf"};
        snprintf(text, sizeof text, "%" PRIu64, below);
        write_sample(exposition, "_bucket", labels, count + 1, text);
    }
    write_sample(exposition, "_sum", labels, count, format_seconds(sum->sum_ns, text));
    snprintf(text, sizeof text, "%" PRIu64, below);
    write_sample(exposition, "_count", labels, count, text);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells of comma-separated files: RFC 4180, UTF-8. Texts come from programs (models, paths), and end up in
 * spreadsheets: none may become a formula there.
 */
#include "evidence/export.h"

#include "base/check.h"
#include "base/format.h"

void csv_put_raw(struct buffer *out, struct slice text)
{
    check(buffer_append(out, text));
}

/* Bytes of the UTF-8 sequence at the start of the text (RFC 3629, section 4); 0: it is none. */
static size_t measure_sequence(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    unsigned char lead = bytes[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length > text.length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    bool is_long_or_half = (lead == 0xE0 && bytes[1] < 0xA0) || (lead == 0xED && bytes[1] > 0x9F) ||
                           (lead == 0xF0 && bytes[1] < 0x90) || (lead == 0xF4 && bytes[1] > 0x8F);
    return length > 1 && is_long_or_half ? 0 : length;
}

/* Programs that read the file may trim it first: spaces, and quotes, before the sign do not hide it. Some take the
 * signs of East Asian keyboards for the others. */
static bool has_sign(struct slice text)
{
    static const char *const signs[] = {"=", "+", "-", "@", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"};
    while (text.length && (text.data[0] == ' ' || text.data[0] == '"'))
        text = slice_from(text, 1);
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (slice_has_prefix(text, signs[i]))
            return true;
    return false;
}

static bool is_formula(struct slice text)
{
    while (text.length && text.data[0] == ' ')
        text = slice_from(text, 1);
    bool is_control = text.length && (text.data[0] == '\t' || text.data[0] == '\r' || text.data[0] == '\n');
    return is_control || has_sign(text);
}

/* Where commas are decimal, spreadsheets divide rows at semicolons, inside of our quotes, too: what follows one is a
 * cell of its own there. */
static bool is_separator(char byte)
{
    return byte == ';' || byte == ',' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '"' || is_separator(text.data[i]))
            return true;
    return text.length && (text.data[0] == ' ' || text.data[text.length - 1] == ' ');
}

static void put_bytes(struct buffer *out, struct slice text)
{
    while (text.length) {
        size_t length = measure_sequence(text);
        if (length == 1 && text.data[0] == '"')
            csv_put_raw(out, SLICE_LITERAL("\"\""));
        else if (length == 0 || text.data[0] == '\0')
            csv_put_raw(out, SLICE_LITERAL("\xEF\xBF\xBD"));
        else
            csv_put_raw(out, (struct slice){text.data, length});
        bool is_end = length == 1 && is_separator(text.data[0]);
        text = slice_from(text, length ? length : 1);
        if (is_end && has_sign(text))
            csv_put_raw(out, SLICE_LITERAL("'"));
    }
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < ' ' || (unsigned char)text.data[i] >= 0x7F || text.data[i] == '"' ||
            is_separator(text.data[i]))
            return false;
    return true;
}

void csv_put_text(struct buffer *out, struct slice text)
{
    bool is_quoted = needs_quotes(text);
    csv_put_raw(out, is_quoted ? SLICE_LITERAL("\"") : SLICE_LITERAL(""));
    csv_put_raw(out, is_formula(text) ? SLICE_LITERAL("'") : SLICE_LITERAL(""));
    if (is_plain(text))
        csv_put_raw(out, text);
    else
        put_bytes(out, text);
    csv_put_raw(out, is_quoted ? SLICE_LITERAL("\"") : SLICE_LITERAL(""));
}

void csv_put_unsigned(struct buffer *out, uint64_t value)
{
    char digits[FORMAT_INTEGER_MAX];
    csv_put_raw(out, format_unsigned(value, digits));
}

void csv_put_money(struct buffer *out, uint64_t nano)
{
    char text[MONEY_TEXT_MAX];
    check(nano <= INT64_MAX);
    csv_put_raw(out, slice_of(money_format((struct money){(int64_t)nano}, text)));
}

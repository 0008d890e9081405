/* SPDX-License-Identifier: Apache-2.0 */
/* See format.h. */
#include "base/format.h"

struct slice format_unsigned(uint64_t value, char digits[FORMAT_INTEGER_MAX])
{
    size_t first = FORMAT_INTEGER_MAX;
    do
        digits[--first] = (char)('0' + value % 10);
    while (value /= 10);
    return (struct slice){digits + first, FORMAT_INTEGER_MAX - first};
}

struct slice format_integer(int64_t value, char digits[FORMAT_INTEGER_MAX])
{
    if (value >= 0)
        return format_unsigned((uint64_t)value, digits);
    size_t length = format_unsigned(0 - (uint64_t)value, digits).length + 1; /* at most 19 digits: there is room */
    digits[FORMAT_INTEGER_MAX - length] = '-';
    return (struct slice){digits + FORMAT_INTEGER_MAX - length, length};
}

/* The conversion at *format, behind its '%'. False: it is none of ours. */
static bool convert(const char **format, va_list *arguments, char digits[FORMAT_INTEGER_MAX], struct slice *ret_text)
{
    const char *at = *format;
    *format = at + 1;
    switch (*at) {
    case '%':
        *ret_text = SLICE_LITERAL("%");
        return true;
    case 's':
        *ret_text = slice_of(va_arg(*arguments, const char *));
        return ret_text->data != NULL;
    case 'd':
        *ret_text = format_integer(va_arg(*arguments, int), digits);
        return true;
    case 'u':
        *ret_text = format_unsigned(va_arg(*arguments, unsigned), digits);
        return true;
    case 'z':
        *format = at + 2;
        *ret_text = at[1] == 'u' ? format_unsigned(va_arg(*arguments, size_t), digits) : (struct slice){NULL, 0};
        return at[1] == 'u';
    case 'l':
        *format = at + 3;
        if (at[1] != 'l' || (at[2] != 'd' && at[2] != 'u'))
            return false;
        *ret_text = at[2] == 'd' ? format_integer(va_arg(*arguments, long long), digits)
                                 : format_unsigned(va_arg(*arguments, unsigned long long), digits);
        return true;
    default:
        return false;
    }
}

int format_simple(char *text, size_t room, const char *format, va_list arguments)
{
    size_t length = 0;
    va_list rest;
    bool is_simple = true;
    va_copy(rest, arguments);
    while (*format && is_simple) {
        char digits[FORMAT_INTEGER_MAX];
        const char *percent = strchrnul(format, '%');
        struct slice piece = {format, (size_t)(percent - format)};
        format = percent;
        if (piece.length == 0) {
            format++;
            is_simple = convert(&format, &rest, digits, &piece);
        }
        is_simple = is_simple && piece.length < room - length;
        if (is_simple && piece.length)
            memcpy(text + length, piece.data, piece.length);
        length += piece.length;
    }
    va_end(rest);
    if (!is_simple || length >= room)
        return -1;
    text[length] = '\0';
    return (int)length;
}

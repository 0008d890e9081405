/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a terminal needs: its width, colours when wanted (NO_COLOR, no-color.org), text without control characters,
 * local time. Used by every command that prints for people.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TERMINAL_COMPACT_BELOW 100
#define TERMINAL_WIDTH_PIPE    120

int terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    long width = columns ? strtol(columns, NULL, 10) : 0;
    struct winsize size;
    if (width < 20 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    return width >= 20 && width <= 10000 ? (int)width : TERMINAL_WIDTH_PIPE;
}

static bool terminal_wants_compact;

void terminal_set_compact(void)
{
    terminal_wants_compact = true;
}

bool terminal_is_compact(void)
{
    return terminal_wants_compact || terminal_width() < TERMINAL_COMPACT_BELOW;
}

/* What is written into memory goes to standard output later (top). */
bool terminal_has_color(FILE *to)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    const int fd = fileno(to);
    return !(refused && refused[0]) && isatty(fd < 0 ? STDOUT_FILENO : fd) && terminal && strcmp(terminal, "dumb") != 0;
}

const char *terminal_paint(FILE *to, enum color color, const char *text)
{
    static const char *const codes[] = {"0", "1", "2", "31", "32", "33"};
    return color != COLOR_NONE && terminal_has_color(to) ? text_format("\x1b[%sm%s\x1b[0m", codes[color], text) : text;
}

/* C0, DEL, and C1 in its UTF-8 form (C2 80 … C2 9F). */
const char *terminal_clean(const char *text)
{
    char *clean = text_format("%s", text);
    for (unsigned char *at = (unsigned char *)clean; *at; at++) {
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
        if (*at == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
            at[0] = at[1] = '?';
    }
    return clean;
}

int terminal_columns(const char *text)
{
    int columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

const char *terminal_fit(const char *text, int columns)
{
    if (terminal_columns(text) <= columns)
        return text;
    const char *end = text;
    for (int taken = 0; *end; end++)
        if (((unsigned char)*end & 0xc0) != 0x80 && taken++ >= columns - 1)
            break;
    return text_format("%.*s…", (int)(end - text), text);
}

const char *terminal_pad(const char *text, int columns)
{
    int width = columns < 0 ? -columns : columns;
    const char *fitted = terminal_fit(text, width);
    int blanks = width - terminal_columns(fitted);
    return columns < 0 ? text_format("%*s%s", blanks, "", fitted) : text_format("%s%*s", fitted, blanks, "");
}

void terminal_print_json(const struct answer *answer)
{
    size_t length = strlen(answer->body);
    fputs(answer->body, stdout);
    if (length == 0 || answer->body[length - 1] != '\n')
        putchar('\n');
}

const char *terminal_time(const char *iso, bool with_date)
{
    struct tm utc = {0}, local;
    char text[64];
    if (!strptime(iso, "%Y-%m-%dT%H:%M:%S", &utc))
        return terminal_clean(iso);
    time_t seconds = timegm(&utc);
    if (!localtime_r(&seconds, &local))
        return terminal_clean(iso);
    size_t length = with_date ? strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)
                              : strftime(text, sizeof text, "%H:%M:%S", &local);
    return text_format("%.*s", (int)length, text);
}

bool terminal_parse_time(const char *iso, long long *ret_seconds)
{
    struct tm time = {0};
    const char *rest = strptime(iso, "%Y-%m-%dT%H:%M:%S", &time);
    if (!rest)
        return false;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    const long long seconds = timegm(&time);
    struct tm zone = {0};
    if (!strptime(rest, "%z", &zone))
        return false;
    *ret_seconds = seconds - zone.tm_gmtoff;
    return true;
}

const char *terminal_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* Trailing zeros behind the cents say nothing. */
const char *terminal_money(const char *decimal)
{
    const char *point = strchr(decimal, '.');
    size_t length = strlen(decimal);
    if (strspn(decimal, "+-0123456789.") != length || !strpbrk(decimal, "0123456789"))
        return terminal_clean(decimal);
    if (!point)
        return text_format("%s.00", decimal);
    while (length > (size_t)(point - decimal) + 3 && decimal[length - 1] == '0')
        length--;
    return text_format("%.*s%s", (int)length, decimal, length == (size_t)(point - decimal) + 2 ? "0" : "");
}

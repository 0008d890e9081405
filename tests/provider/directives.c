/* SPDX-License-Identifier: Apache-2.0 */
/* The table of directives and their scanner; see directives.h. Called for every request, so the common case (no "[[")
 * is one memmem.
 */
#include "tests/provider/directives.h"

#include "tests/provider/buffer.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES_MAX 48

static const struct directive directives[] = {
#define NUMBER(name)                                                                                                   \
    {                                                                                                                  \
#name, DIRECTIVE_NUMBER, offsetof(struct behaviour, name)                                                      \
    }
    {"fault", DIRECTIVE_FAULT, offsetof(struct behaviour, fault)},
    {"framing", DIRECTIVE_FRAMING, offsetof(struct behaviour, framing)},
    {"tier", DIRECTIVE_TEXT, offsetof(struct behaviour, tier)},
    NUMBER(delay_ms),
    NUMBER(body_delay_ms),
    NUMBER(pace_ms),
    NUMBER(tokens),
    NUMBER(bytes),
    NUMBER(fresh),
    NUMBER(cached),
    NUMBER(cache_write),
    NUMBER(cache_write_1h),
    NUMBER(reasoning),
    NUMBER(tool_prompt),
    NUMBER(retry_after),
    NUMBER(cut),
    NUMBER(write_bytes),
    NUMBER(header_bytes),
    NUMBER(barrier),
    NUMBER(hold),
    NUMBER(until_release),
    NUMBER(drop_next),
    NUMBER(reject_stream_options),
    NUMBER(polls),
    NUMBER(job_fails),
    NUMBER(web_search),
    NUMBER(tool_calls),
    NUMBER(show_reasoning),
    NUMBER(refusal),
    NUMBER(stamp),
    NUMBER(number),
    NUMBER(seconds),
    NUMBER(late_input),
#undef NUMBER
};

#define NO BEHAVIOUR_UNSET
const struct behaviour behaviour_unset = {
    .delay_ms = NO,
    .body_delay_ms = NO,
    .pace_ms = NO,
    .tokens = NO,
    .bytes = NO,
    .fresh = NO,
    .cached = NO,
    .cache_write = NO,
    .cache_write_1h = NO,
    .reasoning = NO,
    .tool_prompt = NO,
    .retry_after = NO,
    .cut = NO,
    .write_bytes = NO,
    .header_bytes = NO,
    .barrier = NO,
    .hold = NO,
    .until_release = NO,
    .drop_next = NO,
    .reject_stream_options = NO,
    .polls = NO,
    .job_fails = NO,
    .web_search = NO,
    .tool_calls = NO,
    .show_reasoning = NO,
    .refusal = NO,
    .stamp = NO,
    .number = NO,
    .seconds = NO,
    .late_input = NO,
};
#undef NO

static const struct {
    const char *name;
    enum framing framing;
} framings[] = {
    {"chunked", FRAMING_CHUNKED},
    {"length", FRAMING_LENGTH},
    {"close", FRAMING_CLOSE},
};

const struct directive *directive_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (strlen(directives[i].name) == length && memcmp(directives[i].name, name, length) == 0)
            return &directives[i];
    return NULL;
}

static bool number_set(const char *value, uint32_t *ret_number)
{
    char *end = NULL;
    unsigned long number = strtoul(value, &end, 10);
    if (end == value || *end || number >= BEHAVIOUR_UNSET || *value == '-')
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool framing_set(const char *value, enum framing *ret_framing)
{
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        if (strcmp(framings[i].name, value) == 0) {
            *ret_framing = framings[i].framing;
            return true;
        }
    }
    return false;
}

bool directive_set(const struct directive *directive, const char *value, struct behaviour *behaviour)
{
    void *field = (char *)behaviour + directive->offset;
    switch (directive->type) {
    case DIRECTIVE_NUMBER:
        return number_set(value, field);
    case DIRECTIVE_FAULT:
        return fault_merge(value, field);
    case DIRECTIVE_FRAMING:
        return framing_set(value, field);
    case DIRECTIVE_TEXT:
        text_copy_plain(field, sizeof behaviour->tier, value, strlen(value));
        return true;
    }
    return false;
}

void behaviour_overlay(const struct behaviour *over, struct behaviour *under)
{
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++) {
        const struct directive *directive = &directives[i];
        const char *from = (const char *)over + directive->offset;
        char *to = (char *)under + directive->offset;
        if (directive->type == DIRECTIVE_FAULT)
            fault_overlay(&over->fault, &under->fault);
        else if (directive->type == DIRECTIVE_FRAMING)
            under->framing = over->framing ? over->framing : under->framing;
        else if (directive->type == DIRECTIVE_TEXT)
            memmove(to, from[0] ? from : to, sizeof over->tier);
        else if (memcmp(from, &(uint32_t){BEHAVIOUR_UNSET}, sizeof(uint32_t)) != 0)
            memcpy(to, from, sizeof(uint32_t));
    }
}

void directives_scan(const char *text, size_t length, struct behaviour *behaviour)
{
    const char *end = text + length;
    while (text < end) {
        const char *open = memmem(text, (size_t)(end - text), "[[", 2);
        if (!open)
            return;
        const char *name = open + 2;
        const char *close = memmem(name, (size_t)(end - name), "]]", 2);
        if (!close)
            return;
        const char *equals = memchr(name, '=', (size_t)(close - name));
        const struct directive *directive = equals ? directive_find(name, (size_t)(equals - name)) : NULL;
        size_t value_length = directive ? (size_t)(close - equals - 1) : VALUE_BYTES_MAX;
        if (value_length < VALUE_BYTES_MAX) {
            char value[VALUE_BYTES_MAX];
            memcpy(value, equals + 1, value_length);
            value[value_length] = '\0';
            directive_set(directive, value, behaviour);
        }
        text = directive ? close + 2 : name;
    }
}

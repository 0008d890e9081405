/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and text functions of the shim's own. gcc emits calls to memcpy and memset even in freestanding code; these
 * hidden ones keep such calls away from libc's, which a sanitizer may have replaced by versions that are not ready
 * when our constructor runs. Nothing here touches errno or allocates.
 */
#include "shim/preload/shim.h"

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    unsigned char *target = to;
    const unsigned char *source = from;
    while (size-- > 0)
        target[size] = source[size];
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

size_t text_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

int text_compare(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

bool text_equal(const char *a, const char *b)
{
    return text_compare(a, b) == 0;
}

bool text_starts(const char *text, const char *prefix)
{
    while (*prefix != '\0')
        if (*text++ != *prefix++)
            return false;
    return true;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t text_size = text_length(text);
    size_t suffix_size = text_length(suffix);
    return text_size >= suffix_size && text_equal(text + text_size - suffix_size, suffix);
}

const char *text_find(const char *text, const char *part)
{
    for (; *text != '\0'; text++)
        if (*text == *part && text_starts(text, part))
            return text;
    return NULL;
}

const char *text_base(const char *path)
{
    const char *base = path;
    for (; *path != '\0'; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

char *text_append(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    *at = '\0';
    return at;
}

char *text_append_number(char *at, uint32_t number)
{
    char digits[11];
    size_t first = sizeof digits - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return text_append(at, digits + first);
}

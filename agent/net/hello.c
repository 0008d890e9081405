/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See hello.h. TLS records (RFC 8446 5.1) → one handshake message → ClientHello (4.1.2) → server_name (RFC 6066 3).
 * Every length is checked against what is there before it is used; whatever does not add up is FOREIGN.
 */
#include "net/hello.h"

#include <stdbool.h>
#include <string.h>

enum {
    RECORD_HEAD_BYTES = 5,
    RECORD_HANDSHAKE = 22,
    MESSAGE_HEAD_BYTES = 4,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    NAME_TYPE_HOST = 0,
};

/* What is left of a vector. A read beyond its end marks it broken, and yields nothing from then on. */
struct cursor {
    const uint8_t *at;
    size_t left;
    bool is_broken;
};

static uint32_t cursor_number(struct cursor *cursor, size_t bytes)
{
    uint32_t number = 0;
    if (cursor->left < bytes) {
        *cursor = (struct cursor){.is_broken = true};
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | cursor->at[i];
    cursor->at += bytes;
    cursor->left -= bytes;
    return number;
}

static struct cursor cursor_take(struct cursor *cursor, size_t bytes)
{
    struct cursor part = {cursor->at, bytes, cursor->is_broken};
    if (cursor->left < bytes || cursor->is_broken) {
        *cursor = (struct cursor){.is_broken = true};
        return *cursor;
    }
    cursor->at += bytes;
    cursor->left -= bytes;
    return part;
}

/* A vector with its length before it. */
static struct cursor cursor_vector(struct cursor *cursor, size_t length_bytes)
{
    return cursor_take(cursor, cursor_number(cursor, length_bytes));
}

/* Moves the records' contents together at the front. True: the message is whole, *ret_bytes long; false: *ret_verdict
 * is INCOMPLETE or FOREIGN. */
static bool join_records(uint8_t *bytes, size_t length, size_t *ret_bytes, enum hello_verdict *ret_verdict)
{
    *ret_verdict = HELLO_FOREIGN;
    size_t at = 0, joined = 0, needed = MESSAGE_HEAD_BYTES;
    while (joined < needed) {
        size_t left = length - at;
        const uint8_t *head = bytes + at;
        if ((left > 0 && head[0] != RECORD_HANDSHAKE) || (left > 1 && head[1] != 3))
            return false;
        if (left < RECORD_HEAD_BYTES)
            goto incomplete;
        size_t size = (size_t)head[3] << 8 | head[4], present = left - RECORD_HEAD_BYTES;
        if (size == 0 || size > 16384) /* 5.1: no empty fragments of handshake messages */
            return false;
        size_t taken = size < present ? size : present;
        memmove(bytes + joined, head + RECORD_HEAD_BYTES, taken);
        joined += taken;
        at += RECORD_HEAD_BYTES + taken;
        if (joined > 0 && bytes[0] != MESSAGE_CLIENT_HELLO)
            return false;
        if (joined >= MESSAGE_HEAD_BYTES)
            needed = MESSAGE_HEAD_BYTES + ((size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3]);
        if (needed > HELLO_BYTES_MAX)
            return false;
        if (taken < size && joined < needed)
            goto incomplete;
    }
    *ret_bytes = needed;
    return true;
incomplete:
    *ret_verdict = HELLO_INCOMPLETE;
    return false;
}

/* Letters are folded, for a look-up; anything that no host name has is refused, a NUL first of all. */
static bool copy_name(struct cursor name, char ret_name[HELLO_NAME_MAX])
{
    if (name.left > 1 && name.at[name.left - 1] == '.')
        name.left--;
    if (name.is_broken || name.left == 0 || name.left >= HELLO_NAME_MAX || name.at[name.left - 1] == '.')
        return false;
    for (size_t i = 0; i < name.left; i++) {
        uint8_t byte = name.at[i];
        if (byte <= ' ' || byte >= 0x7f)
            return false;
        ret_name[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    ret_name[name.left] = '\0';
    return true;
}

/* ServerNameList: the host name, of which there is at most one. */
static enum hello_verdict parse_server_names(struct cursor extension, char ret_name[HELLO_NAME_MAX])
{
    struct cursor list = cursor_vector(&extension, 2);
    enum hello_verdict verdict = HELLO_NAMELESS;
    if (extension.is_broken || extension.left > 0 || list.left == 0)
        return HELLO_FOREIGN;
    while (list.left > 0) {
        uint32_t type = cursor_number(&list, 1);
        struct cursor name = cursor_vector(&list, 2);
        if (list.is_broken || (type == NAME_TYPE_HOST && verdict == HELLO_NAMED))
            return HELLO_FOREIGN;
        if (type != NAME_TYPE_HOST)
            continue;
        if (!copy_name(name, ret_name))
            return HELLO_FOREIGN;
        verdict = HELLO_NAMED;
    }
    return verdict;
}

static enum hello_verdict parse_extensions(struct cursor extensions, char ret_name[HELLO_NAME_MAX])
{
    enum hello_verdict verdict = HELLO_NAMELESS;
    bool has_names = false;
    while (extensions.left > 0) {
        uint32_t type = cursor_number(&extensions, 2);
        struct cursor extension = cursor_vector(&extensions, 2);
        if (extensions.is_broken || (type == EXTENSION_SERVER_NAME && has_names))
            return HELLO_FOREIGN;
        if (type != EXTENSION_SERVER_NAME) /* others, GREASE (RFC 8701) among them, are not ours to judge */
            continue;
        has_names = true;
        verdict = parse_server_names(extension, ret_name);
        if (verdict == HELLO_FOREIGN)
            return verdict;
    }
    return verdict;
}

static enum hello_verdict parse_client_hello(struct cursor hello, char ret_name[HELLO_NAME_MAX])
{
    uint32_t version = cursor_number(&hello, 2);
    cursor_take(&hello, 32); /* random */
    struct cursor session = cursor_vector(&hello, 1), suites = cursor_vector(&hello, 2);
    struct cursor compression = cursor_vector(&hello, 1);
    if (hello.is_broken || version >> 8 != 3 || session.left > 32 || suites.left < 2 || suites.left % 2 ||
        compression.left < 1)
        return HELLO_FOREIGN;
    if (hello.left == 0)
        return HELLO_NAMELESS; /* TLS 1.2 and before may come without extensions */
    struct cursor extensions = cursor_vector(&hello, 2);
    if (hello.is_broken || hello.left > 0)
        return HELLO_FOREIGN;
    return parse_extensions(extensions, ret_name);
}

enum hello_verdict hello_parse(uint8_t *bytes, size_t length, char ret_name[HELLO_NAME_MAX])
{
    size_t whole;
    enum hello_verdict verdict;
    if (!join_records(bytes, length, &whole, &verdict))
        return verdict;
    return parse_client_hello((struct cursor){bytes + MESSAGE_HEAD_BYTES, whole - MESSAGE_HEAD_BYTES, false}, ret_name);
}

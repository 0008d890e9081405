/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first flight of a TLS client, looked at and not consumed: which server does it name? A strict parser of its own,
 * because the bytes belong to whoever the connection is passed on to, and OpenSSL would take them. Called by peek.c.
 */
#ifndef NET_HELLO_H
#define NET_HELLO_H

#include <stddef.h>
#include <stdint.h>

/* More than any client sends: keys of post-quantum exchanges take a few KiB. NAME_MAX: RFC 1035 2.3.4, and NUL. */
enum { HELLO_BYTES_MAX = 16384, HELLO_NAME_MAX = 256 };

enum hello_verdict {
    HELLO_INCOMPLETE, /* a ClientHello so far; more is needed */
    HELLO_NAMED,      /* a whole one, with a server name */
    HELLO_NAMELESS,   /* a whole one, without */
    HELLO_FOREIGN,    /* not TLS, or malformed: nothing that comes can change that */
};

/* Joins what several records carry, within `bytes`, which are changed by that. *ret_name: lower case, without a
 * trailing dot; set when NAMED. */
enum hello_verdict hello_parse(uint8_t *bytes, size_t length, char ret_name[HELLO_NAME_MAX]);

#endif

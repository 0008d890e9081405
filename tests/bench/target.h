/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the load goes: an address given as A.B.C.D:PORT, or what an agent's map file says of a governed name, as the
 * shim would read it. Included by load.c.
 */
#ifndef TESTS_BENCH_TARGET_H
#define TESTS_BENCH_TARGET_H

#include "shim/contract.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool target_parse(const char *text, struct sockaddr_in *ret_address)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return false;
    *ret_address = address;
    return true;
}

static inline bool map_is_sound(const struct tollgate_map_header *header, const char *bytes, size_t length)
{
    size_t wanted = sizeof *header + header->port_count * sizeof(struct tollgate_map_port) +
                    header->name_count * sizeof(struct tollgate_map_name) +
                    header->redirect_count * sizeof(struct tollgate_map_redirect) + header->text_size;
    return header->magic == TOLLGATE_MAP_MAGIC && header->version == TOLLGATE_MAP_VERSION &&
           header->file_size == length && wanted == length && length > sizeof *header && bytes[length - 1] == '\0' &&
           header->checksum == tollgate_map_checksum(bytes, length);
}

/* The address that stands for name, and the agent's port for 443. */
static inline bool map_find(const char *bytes, size_t length, const char *name, struct sockaddr_in *ret_address)
{
    struct tollgate_map_header header;
    struct tollgate_map_port port;
    struct tollgate_map_name row;
    if (length < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    if (!map_is_sound(&header, bytes, length))
        return false;
    const char *ports = bytes + sizeof header, *names = ports + header.port_count * sizeof port;
    const char *text =
        names + header.name_count * sizeof row + header.redirect_count * sizeof(struct tollgate_map_redirect);
    struct sockaddr_in address = {.sin_family = AF_INET};
    for (uint32_t i = 0; i < header.port_count; i++) {
        memcpy(&port, ports + i * sizeof port, sizeof port);
        if (port.original == 443)
            address.sin_port = htons(port.agent);
    }
    for (uint32_t i = 0; i < header.name_count; i++) {
        memcpy(&row, names + i * sizeof row, sizeof row);
        if (row.text_offset < header.text_size && strcmp(text + row.text_offset, name) == 0)
            address.sin_addr.s_addr = htonl(row.address);
    }
    if (!address.sin_port || !address.sin_addr.s_addr)
        return false;
    *ret_address = address;
    return true;
}

static inline bool target_find(const char *map_path, const char *name, struct sockaddr_in *ret_address)
{
    FILE *file = fopen(map_path, "re");
    char *bytes = file ? malloc(TOLLGATE_MAP_BYTES_MAX) : NULL;
    size_t length = bytes ? fread(bytes, 1, TOLLGATE_MAP_BYTES_MAX, file) : 0;
    bool is_found = bytes && map_find(bytes, length, name, ret_address);
    free(bytes);
    if (file)
        fclose(file);
    return is_found;
}

#endif

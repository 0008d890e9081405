/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a map file as an agent would, for the shim's scenario: shim_map FILE [-p ORIGINAL:AGENT]... [-b BASE-URL-PORT]
 * NAME=ADDRESS...
 * [-r ORIGINAL STAND-IN]... [-s] (names and originals sorted by the caller, originals as IPv6; -s: strict). The
 * networks are 127.77.0.0/16 and 127.78.0.0/16. -x offset|text|address|count|redirect writes a map that is wrong there
 * and right in every checksum and size. It shares the contract header and nothing else with the shim, so that a wrong
 * reading of the layout on either side shows.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/contract.h"

#define PORTS_MAX 16
#define NAMES_MAX 10240

static struct tollgate_map_port ports[PORTS_MAX];
static struct tollgate_map_name names[NAMES_MAX];
static struct tollgate_map_redirect redirects[NAMES_MAX];
static char text[NAMES_MAX * 64];
static struct tollgate_map_header header = {.magic = TOLLGATE_MAP_MAGIC,
                                            .version = TOLLGATE_MAP_VERSION,
                                            .network = 0x7f4d0000,
                                            .network_mask = 0xffff0000,
                                            .redirect_network = 0x7f4e0000,
                                            .generation = 1};

static int add_port(const char *argument)
{
    unsigned original = 0;
    unsigned agent = 0;
    if (header.port_count == PORTS_MAX || sscanf(argument, "%u:%u", &original, &agent) != 2)
        return -1;
    ports[header.port_count].original = (uint16_t)original;
    ports[header.port_count++].agent = (uint16_t)agent;
    return 0;
}

static int add_name(char *argument)
{
    char *address = strchr(argument, '=');
    struct in_addr number;
    if (address == NULL || header.name_count == NAMES_MAX)
        return -1;
    *address++ = '\0';
    size_t size = strlen(argument) + 1;
    if (inet_pton(AF_INET, address, &number) != 1 || header.text_size + size > sizeof text)
        return -1;
    memcpy(text + header.text_size, argument, size);
    names[header.name_count].address = ntohl(number.s_addr);
    names[header.name_count++].text_offset = header.text_size;
    header.text_size += (uint32_t)size;
    return 0;
}

static int add_redirect(const char *original, const char *stand_in)
{
    struct tollgate_map_redirect *row = &redirects[header.redirect_count];
    struct in_addr number;
    if (header.redirect_count == NAMES_MAX || inet_pton(AF_INET6, original, row->original) != 1 ||
        inet_pton(AF_INET, stand_in, &number) != 1)
        return -1;
    row->address = ntohl(number.s_addr);
    header.redirect_count++;
    return 0;
}

/* What only a check of every field finds. */
static int spoil(const char *what)
{
    if (strcmp(what, "offset") == 0)
        names[0].text_offset = header.text_size + 100000;
    else if (strcmp(what, "text") == 0)
        text[header.text_size - 1] = 'x';
    else if (strcmp(what, "address") == 0)
        names[0].address = 0x08080808;
    else if (strcmp(what, "count") == 0)
        header.name_count = 0x20000000;
    else if (strcmp(what, "redirect") == 0)
        redirects[0].address = 0x08080808;
    else
        return -1;
    return 0;
}

static int write_map(const char *path, const char *wrong)
{
    static char bytes[sizeof header + sizeof ports + sizeof names + sizeof redirects + sizeof text];
    char *body = bytes + sizeof header;
    size_t names_size = header.name_count * sizeof names[0];
    if (wrong != NULL && spoil(wrong) != 0)
        return -1;
    size_t ports_size = header.port_count * sizeof ports[0];
    memcpy(body, ports, ports_size);
    memcpy(body + ports_size, names, names_size);
    size_t redirects_size = header.redirect_count * sizeof redirects[0];
    memcpy(body + ports_size + names_size, redirects, redirects_size);
    memcpy(body + ports_size + names_size + redirects_size, text, header.text_size);
    size_t size = ports_size + names_size + redirects_size + header.text_size;
    header.file_size = (uint32_t)(sizeof header + size);
    memcpy(bytes, &header, sizeof header);
    header.checksum = tollgate_map_checksum(bytes, header.file_size);
    memcpy(bytes, &header, sizeof header);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    size_t written = fwrite(bytes, 1, header.file_size, file);
    return fclose(file) == 0 && written == header.file_size ? 0 : -1;
}

int main(int argc, char **argv)
{
    const char *wrong = NULL;
    for (int i = 2; i < argc; i++) {
        int result = 0;
        if (strcmp(argv[i], "-p") == 0 && i + 1 < argc)
            result = add_port(argv[++i]);
        else if (strcmp(argv[i], "-b") == 0 && i + 1 < argc)
            header.base_url_port = (uint32_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "-r") == 0 && i + 2 < argc) {
            result = add_redirect(argv[i + 1], argv[i + 2]);
            i += 2;
        } else if (strcmp(argv[i], "-s") == 0)
            header.flags = TOLLGATE_MAP_STRICT;
        else if (strcmp(argv[i], "-x") == 0 && i + 1 < argc)
            wrong = argv[++i];
        else
            result = add_name(argv[i]);
        if (result != 0) {
            fprintf(stderr, "shim_map: bad argument %s\n", argv[i]);
            return 2;
        }
    }
    return argc < 2 || write_map(argv[1], wrong) != 0;
}

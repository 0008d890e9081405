/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's map, read once into anonymous memory. A mapped file would turn a truncation into SIGBUS inside somebody
 * else's program. map_open is called by the constructor and believes nothing: magic, version, sizes, checksum
 * and every offset are checked before the first look-up. Layout: shim/contract.h.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "shim/preload/shim.h"

#define MAP_NAME_BYTES_MAX 256 /* RFC 1035, 2.3.4: 255 octets */

struct map {
    const struct tollgate_map_header *header; /* NULL: no map */
    const struct tollgate_map_port *ports;
    const struct tollgate_map_name *names;
    const struct tollgate_map_redirect *redirects;
    const char *text;
    const char *joined;
};
static struct map map;

static bool map_read_bytes(int fd, char *to, size_t size)
{
    while (size > 0) {
        long got = RAW3(SYS_read, fd, to, size);
        if (got == -EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

static bool map_has_valid_names(const struct tollgate_map_header *header, const struct tollgate_map_name *names,
                                const char *text)
{
    if (header->name_count > 0 && (header->text_size == 0 || text[header->text_size - 1] != '\0'))
        return false;
    for (uint32_t i = 0; i < header->name_count; i++) {
        if (names[i].text_offset >= header->text_size)
            return false;
        if ((names[i].address & header->network_mask) != header->network)
            return false;
    }
    return true;
}

static bool map_has_valid_redirects(const struct tollgate_map_header *header,
                                    const struct tollgate_map_redirect *redirects)
{
    for (uint32_t i = 0; i < header->redirect_count; i++)
        if ((redirects[i].address & header->network_mask) != header->redirect_network)
            return false;
    return true;
}

/* Ensures: on true every later look-up stays inside the `size` bytes. */
static bool map_accept(const char *bytes, size_t size, struct map *ret_map)
{
    const struct tollgate_map_header *header = (const void *)bytes;
    if (size < sizeof *header || header->magic != TOLLGATE_MAP_MAGIC || header->version != TOLLGATE_MAP_VERSION)
        return false;
    uint64_t ports_bytes = header->port_count * (uint64_t)sizeof(struct tollgate_map_port);
    uint64_t names_bytes = header->name_count * (uint64_t)sizeof(struct tollgate_map_name);
    uint64_t redirects_bytes = header->redirect_count * (uint64_t)sizeof(struct tollgate_map_redirect);
    uint64_t rows_bytes = ports_bytes + names_bytes + redirects_bytes;
    if (header->file_size != size || sizeof *header + rows_bytes + header->text_size != size)
        return false;
    if (header->checksum != tollgate_map_checksum(bytes, size))
        return false;
    struct map found = {.header = header};
    found.ports = (const void *)(bytes + sizeof *header);
    found.names = (const void *)(bytes + sizeof *header + ports_bytes);
    found.redirects = (const void *)(bytes + sizeof *header + ports_bytes + names_bytes);
    found.text = bytes + sizeof *header + rows_bytes;
    if (!map_has_valid_names(header, found.names, found.text) || !map_has_valid_redirects(header, found.redirects))
        return false;
    *ret_map = found;
    return true;
}

/* "a,b,c" for NO_PROXY. Names may share text, so room is counted before it is used. */
static void map_join_names(struct map *ready, char *room, size_t room_bytes)
{
    char *at = room;
    for (uint32_t i = 0; i < ready->header->name_count; i++) {
        const char *name = ready->text + ready->names[i].text_offset;
        if ((size_t)(at - room) + text_length(name) + 2 > room_bytes)
            break;
        if (at != room)
            at = text_append(at, ",");
        at = text_append(at, name);
    }
    ready->joined = room;
}

static bool map_load(int fd, size_t size)
{
    /* The joined names need no more than the text itself, plus one byte for an empty map. */
    size_t mapped = 2 * size + 1;
    long memory = RAW6(SYS_mmap, 0, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw_is_error(memory))
        return false;
    char *bytes = (char *)memory;
    struct map ready;
    if (!map_read_bytes(fd, bytes, size) || !map_accept(bytes, size, &ready)) {
        RAW3(SYS_munmap, bytes, mapped, 0);
        return false;
    }
    map_join_names(&ready, bytes + size, size < TOLLGATE_NO_PROXY_BYTES_MAX ? size + 1 : TOLLGATE_NO_PROXY_BYTES_MAX);
    RAW3(SYS_mprotect, bytes, mapped, PROT_READ);
    map = ready;
    return true;
}

bool map_open(const char *path)
{
    long fd = RAW6(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, 0, 0);
    if (fd < 0)
        return false;
    bool loaded = false;
    struct stat facts = {.st_mode = 0};
    if (RAW3(SYS_fstat, fd, &facts, 0) == 0 && S_ISREG(facts.st_mode) &&
        facts.st_size >= (off_t)sizeof(struct tollgate_map_header) && facts.st_size <= (off_t)TOLLGATE_MAP_BYTES_MAX)
        loaded = map_load((int)fd, (size_t)facts.st_size);
    RAW3(SYS_close, fd, 0, 0);
    return loaded;
}

/* By its first bytes, on the stack: exec hooks ask. No descriptor left to look with: it is not the map that fails. */
bool map_is_there(const char *path)
{
    struct tollgate_map_header header;
    struct stat facts = {.st_mode = 0};
    long fd = RAW6(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, 0, 0);
    if (fd < 0)
        return fd == -EMFILE || fd == -ENFILE;
    bool is_there = RAW3(SYS_fstat, fd, &facts, 0) == 0 && S_ISREG(facts.st_mode) &&
                    map_read_bytes((int)fd, (char *)&header, sizeof header) && header.magic == TOLLGATE_MAP_MAGIC &&
                    header.version == TOLLGATE_MAP_VERSION && header.file_size == (uint64_t)facts.st_size;
    RAW3(SYS_close, fd, 0, 0);
    return is_there;
}

bool map_is_open(void)
{
    return map.header != NULL;
}

bool map_is_strict(void)
{
    return map.header != NULL && (map.header->flags & TOLLGATE_MAP_STRICT);
}

bool map_is_governed(uint32_t address)
{
    return map.header != NULL && (address & map.header->network_mask) == map.header->network;
}

uint32_t map_find_redirect(const uint8_t original[16])
{
    uint32_t low = 0;
    uint32_t high = map.header != NULL ? map.header->redirect_count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = __builtin_memcmp(original, map.redirects[middle].original, 16);
        if (order == 0)
            return map.redirects[middle].address;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

/* Asked for by getpeername alone, of addresses in that network alone: no order of its own. */
const uint8_t *map_find_redirected(uint32_t address)
{
    if (map.header == NULL || (address & map.header->network_mask) != map.header->redirect_network)
        return NULL;
    for (uint32_t i = 0; i < map.header->redirect_count; i++)
        if (map.redirects[i].address == address)
            return map.redirects[i].original;
    return NULL;
}

bool map_is_base_url(uint32_t address, uint16_t port)
{
    return map.header != NULL && address == INADDR_LOOPBACK && port != 0 && port == map.header->base_url_port;
}

uint16_t map_find_agent(uint16_t original)
{
    for (uint32_t i = 0; map.header != NULL && i < map.header->port_count; i++)
        if (map.ports[i].original == original)
            return map.ports[i].agent;
    return 0;
}

uint16_t map_find_original(uint16_t agent)
{
    for (uint32_t i = 0; map.header != NULL && i < map.header->port_count; i++)
        if (map.ports[i].agent == agent)
            return map.ports[i].original;
    return 0;
}

/* Lower case, without the one trailing dot of an absolute name. False: too long to be governed. */
static bool map_normalize(const char *name, char buffer[MAP_NAME_BYTES_MAX])
{
    size_t length = 0;
    for (; name[length] != '\0'; length++) {
        if (length + 1 >= MAP_NAME_BYTES_MAX)
            return false;
        char c = name[length];
        buffer[length] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    if (length > 0 && buffer[length - 1] == '.')
        length--;
    buffer[length] = '\0';
    return length > 0;
}

const char *map_find_name(const char *name, uint32_t *ret_address)
{
    char wanted[MAP_NAME_BYTES_MAX];
    if (map.header == NULL || !map_normalize(name, wanted))
        return NULL;
    uint32_t low = 0;
    uint32_t high = map.header->name_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *candidate = map.text + map.names[middle].text_offset;
        int order = text_compare(wanted, candidate);
        if (order == 0) {
            *ret_address = map.names[middle].address;
            return candidate;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *map_get_name(uint32_t index, uint32_t *ret_address)
{
    if (map.header == NULL || index >= map.header->name_count)
        return NULL;
    *ret_address = map.names[index].address;
    return map.text + map.names[index].text_offset;
}

const char *map_names(void)
{
    return map.joined != NULL ? map.joined : "";
}

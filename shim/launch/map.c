/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the agent's map file with the same disbelief as the shim (shim/preload/map.c): magic, version, sizes, checksum,
 * every offset. For the supervisor, for run before it starts a program, for the doctor, and for taking our names out of
 * NO_PROXY again. Never written here.
 */
#include "shim/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *map_load(const char *path, char **ret_bytes, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? "is missing" : errno == EACCES ? "is closed to this user" : "cannot be opened";
    const char *problem = NULL;
    struct stat facts;
    char *bytes = NULL;
    size_t size = 0;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        problem = "is no regular file";
    } else if (facts.st_size < (off_t)sizeof(struct tollgate_map_header) || facts.st_size > TOLLGATE_MAP_BYTES_MAX) {
        problem = "has an impossible size";
    } else {
        size = (size_t)facts.st_size;
        bytes = text_allocate(size);
        if (read(fd, bytes, size) != (ssize_t)size)
            problem = "cannot be read";
    }
    close(fd);
    if (!problem) {
        *ret_bytes = bytes;
        *ret_size = size;
    }
    return problem;
}

static const char *map_take_names(const char *bytes, struct launch_map *map)
{
    const struct tollgate_map_name *names =
        (const void *)(bytes + sizeof map->header + map->header.port_count * sizeof *map->ports);
    map->redirects = (const void *)(names + map->header.name_count);
    const char *text = (const char *)(map->redirects + map->header.redirect_count);
    if (map->header.name_count > 0 && (map->header.text_size == 0 || text[map->header.text_size - 1] != '\0'))
        return "has unterminated names";
    uint32_t *addresses = text_allocate((map->header.name_count + 1) * sizeof *addresses);
    for (uint32_t i = 0; i < map->header.name_count; i++) {
        if (names[i].text_offset >= map->header.text_size)
            return "has a name outside the file";
        if ((names[i].address & map->header.network_mask) != map->header.network)
            return "has an address outside its network";
        text_append(&map->names, text + names[i].text_offset);
        addresses[i] = names[i].address;
    }
    map->addresses = addresses;
    for (uint32_t i = 0; i < map->header.redirect_count; i++)
        if ((map->redirects[i].address & map->header.network_mask) != map->header.redirect_network)
            return "has a redirect outside its network";
    return NULL;
}

const char *map_read(const char *path, struct launch_map *ret_map)
{
    char *bytes;
    size_t size;
    const char *problem = map_load(path, &bytes, &size);
    if (problem)
        return problem;
    struct launch_map map = {0};
    memcpy(&map.header, bytes, sizeof map.header);
    if (map.header.magic != TOLLGATE_MAP_MAGIC)
        return "is no map";
    if (map.header.version != TOLLGATE_MAP_VERSION)
        return "is of another version";
    uint64_t rows = map.header.port_count * (uint64_t)sizeof(struct tollgate_map_port) +
                    map.header.name_count * (uint64_t)sizeof(struct tollgate_map_name) +
                    map.header.redirect_count * (uint64_t)sizeof(struct tollgate_map_redirect);
    if (map.header.file_size != size || sizeof map.header + rows + map.header.text_size != size)
        return "is cut off";
    if (map.header.checksum != tollgate_map_checksum(bytes, size))
        return "has a wrong checksum";
    map.ports = (const void *)(bytes + sizeof map.header);
    problem = map_take_names(bytes, &map);
    if (!problem)
        *ret_map = map;
    return problem;
}

const char *map_join_names(const struct text_list *names)
{
    struct text_list taken = {0};
    size_t used = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t with_comma = strlen(names->items[i]) + 1;
        if (used + with_comma > TOLLGATE_NO_PROXY_BYTES_MAX)
            break;
        used += with_comma;
        text_append(&taken, names->items[i]);
    }
    return text_join(&taken, ",");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TZif files (RFC 9636 section 3): header, a block of 32-bit times that is skipped, header, a block of 64-bit times,
 * footer. Every length is checked against what is left before it is used; what does not fit the RFC is refused whole.
 */
#include "base/zone_internal.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 44, FILE_BYTES_MAX = 1 << 18 /* the largest of tzdata 2024 has 3,800 */ };

struct header {
    char version;
    uint32_t is_ut_count, is_standard_count, leap_count, time_count, type_count, name_bytes;
};

static uint32_t read_u32(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t read_i64(const char *bytes)
{
    return (int64_t)((uint64_t)read_u32(bytes) << 32 | read_u32(bytes + 4));
}

static bool take_header(struct slice *rest, struct header *ret_header)
{
    if (rest->length < HEADER_BYTES || !slice_has_prefix(*rest, "TZif"))
        return false;
    const char *bytes = rest->data;
    *ret_header = (struct header){bytes[4],
                                  read_u32(bytes + 20),
                                  read_u32(bytes + 24),
                                  read_u32(bytes + 28),
                                  read_u32(bytes + 32),
                                  read_u32(bytes + 36),
                                  read_u32(bytes + 40)};
    *rest = slice_from(*rest, HEADER_BYTES);
    return true;
}

/* 64 bits hold any sum of six 32-bit counts times twelve. */
static uint64_t block_bytes(const struct header *header, uint64_t time_bytes)
{
    return header->time_count * (time_bytes + 1) + header->type_count * UINT64_C(6) + header->name_bytes +
           header->leap_count * (time_bytes + 4) + header->is_standard_count + header->is_ut_count;
}

static bool is_offset(int32_t offset)
{
    return offset >= ZONE_OFFSET_MIN && offset <= ZONE_OFFSET_MAX;
}

/* `block` has block_bytes(header, 8). */
static bool read_block(struct arena *arena, const struct header *header, const char *block, struct zone *zone)
{
    const char *indexes = block + (size_t)header->time_count * 8, *types = indexes + header->time_count;
    if (header->type_count == 0 || header->type_count > 256 || header->leap_count > 0)
        return false;
    for (uint32_t i = 0; i < header->type_count; i++)
        if (!is_offset((int32_t)read_u32(types + (size_t)i * 6)))
            return false;
    zone->count = header->time_count;
    zone->first_offset = (int32_t)read_u32(types);
    zone->starts = arena_new_array(arena, int64_t, zone->count + 1);
    zone->offsets = arena_new_array(arena, int32_t, zone->count + 1);
    for (uint32_t i = 0; i < header->time_count; i++) {
        unsigned type = (unsigned char)indexes[i];
        zone->starts[i] = read_i64(block + (size_t)i * 8);
        if (type >= header->type_count || (i > 0 && zone->starts[i] <= zone->starts[i - 1]))
            return false;
        zone->offsets[i] = (int32_t)read_u32(types + (size_t)type * 6);
    }
    return true;
}

/* A line of its own; empty: no rule. */
static bool read_footer(struct slice rest, struct zone *zone)
{
    const char *end = rest.length > 1 && rest.data[0] == '\n' ? memchr(rest.data + 1, '\n', rest.length - 1) : NULL;
    if (!end)
        return false;
    struct slice text = {rest.data + 1, (size_t)(end - rest.data) - 1};
    zone->has_rule = text.length > 0;
    return !zone->has_rule || (zone_rule_parse(text, &zone->rule) && is_offset(zone->rule.standard_offset) &&
                               is_offset(zone->rule.summer_offset));
}

static struct zone *parse(struct arena *arena, struct slice bytes)
{
    struct header header;
    struct slice rest = bytes;
    struct zone *zone = arena_new_struct(arena, struct zone);
    if (!take_header(&rest, &header) || header.version < '2' || block_bytes(&header, 4) > rest.length)
        return NULL;
    rest = slice_from(rest, (size_t)block_bytes(&header, 4));
    if (!take_header(&rest, &header) || block_bytes(&header, 8) > rest.length ||
        !read_block(arena, &header, rest.data, zone))
        return NULL;
    return read_footer(slice_from(rest, (size_t)block_bytes(&header, 8)), zone) ? zone : NULL;
}

const struct zone *zone_parse(struct arena *arena, struct slice bytes)
{
    return parse(arena, bytes);
}

/* No way out of the database's directory. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);
    bool ok = length >= 1 && length <= 64 && name[0] != '/' && name[length - 1] != '/';
    for (size_t i = 0; i < length; i++)
        ok &= isalnum((unsigned char)name[i]) || strchr("_+/-", name[i]) != NULL;
    return ok;
}

static bool read_file(const char *file, struct arena *arena, struct slice *ret_bytes)
{
    struct stat status;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= FILE_BYTES_MAX;
    size_t size = ok ? (size_t)status.st_size : 0;
    char *bytes = arena_alloc(arena, size + 1);
    ok = ok && read(fd, bytes, size) == (ssize_t)size;
    close(fd);
    if (ok)
        *ret_bytes = (struct slice){bytes, size};
    return ok;
}

const struct zone *zone_load(struct arena *arena, const char *name)
{
    char file[128];
    struct slice bytes;
    struct zone *zone = NULL;
    if (!is_name(name))
        return NULL;
    snprintf(file, sizeof file, "/usr/share/zoneinfo/%s", name);
    if (strcmp(name, "UTC") == 0)
        zone = arena_new_struct(arena, struct zone);
    else if (read_file(file, arena, &bytes))
        zone = parse(arena, bytes);
    if (zone)
        zone->name = arena_strdup(arena, name);
    return zone;
}

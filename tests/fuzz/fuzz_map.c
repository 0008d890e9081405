/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map file as the shim and as the launcher read it: they agree on every file. Of an input with an odd first byte
 * the sizes and the checksum are mended, so that what lies behind them is reached; and a hello and a redirect are
 * looked for.
 */
#include "fuzz.h"

#include "shim/launch/launch.h"
#include "shim_side.h"

static void mend(char *bytes, size_t size)
{
    struct tollgate_map_header header;
    if (size < sizeof header)
        return;
    memcpy(&header, bytes, sizeof header);
    header.magic = TOLLGATE_MAP_MAGIC;
    header.version = TOLLGATE_MAP_VERSION;
    header.file_size = (uint32_t)size;
    uint64_t rows = header.port_count * (uint64_t)sizeof(struct tollgate_map_port) +
                    header.name_count * (uint64_t)sizeof(struct tollgate_map_name) +
                    header.redirect_count * (uint64_t)sizeof(struct tollgate_map_redirect);
    if (rows <= size - sizeof header)
        header.text_size = (uint32_t)(size - sizeof header - rows);
    memcpy(bytes, &header, sizeof header);
    header.checksum = tollgate_map_checksum(bytes, size);
    memcpy(bytes, &header, sizeof header);
}

static void require_same_names(const struct launch_map *map)
{
    size_t text_bytes = 0;
    uint32_t address = 0, found = 0, i = 0;
    for (const char *name; (name = shim_side_get_name(i, &address, &found)) != NULL; i++) {
        FUZZ_REQUIRE(i < map->names.count && strcmp(map->names.items[i], name) == 0, "name %u", i);
        FUZZ_REQUIRE(map->addresses[i] == address, "address %u", i);
        text_bytes += *name ? strlen(name) + 1 : 4096;
    }
    FUZZ_REQUIRE(i == map->names.count, "%u of %zu names", i, map->names.count);
    if (text_bytes <= map->header.text_size &&
        text_bytes < 4096) /* names of an agent's map share no text, none is empty */
        FUZZ_REQUIRE(strcmp(map_join_names(&map->names), shim_side_names()) == 0, "NO_PROXY: %s", shim_side_names());
    for (uint32_t row = 0; row < map->header.redirect_count; row++)
        (void)shim_side_find_redirect(map->redirects[row].original);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    bool is_mended = fuzz_choose(&input, 2) == 1;
    char *bytes = fuzz_copy(input);
    if (is_mended)
        mend(bytes, input.length);
    const char *path = fuzz_file("map", (struct slice){bytes, input.length});
    struct text_block *mark = text_mark();
    struct launch_map map = {.names = {0}};
    const char *problem = map_read(path, &map);
    bool is_open = shim_side_open_map(path);
    FUZZ_REQUIRE(is_open == (problem == NULL), "the shim %s it, the launcher says %s", is_open ? "takes" : "refuses",
                 problem ? problem : "nothing");
    if (is_open) {
        require_same_names(&map);
        shim_side_close_map(input.length);
    }
    text_release(mark);
    free(bytes);
    return 0;
}

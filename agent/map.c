/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment's port (STATE/port: the same after a restart) and the map file, which tells programs names, addresses
 * and port. Part of startup.h; the map is written again by refresh.c's thread.
 */
#include "startup.h"

#include "base/check.h"
#include "base/file.h"
#include "inherited.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { PORT_FIRST = 20000, PORT_COUNT = 10000, PORT_TRIES = 64, NETWORK_MASK = 0xffff0000u };

uint16_t startup_read_port(const char *path)
{
    unsigned port = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%u", &port) != 1 || port > 65535)
        port = 0;
    fclose(file);
    return (uint16_t)port;
}

/* Below the range the kernel hands out to clients, so that nobody takes it by chance while we are down. */
static uint16_t random_port(void)
{
    uint16_t number;
    check(getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number);
    return (uint16_t)(PORT_FIRST + number % PORT_COUNT);
}

enum error startup_write_port(const char *path, uint16_t port)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%u\n", (unsigned)port);
    return file_swap(path, (struct slice){text, (size_t)length}, 0600);
}

enum error startup_open_port(struct listener_options *listener, const struct listener_handler *handler,
                             struct certificates *certificates, const struct listener_names *names,
                             struct listener **ret_listener)
{
    enum error error = ERROR_SYSTEM;
    for (unsigned i = 0; error && i < PORT_TRIES; i++) {
        if (!listener->port || i > 0)
            listener->port = random_port();
        error = listener_open(listener, handler, certificates, names, ret_listener);
    }
    return error;
}

/* ---- the map ---- */

/* Where each part of the file begins. */
struct layout {
    struct tollgate_map_header *header;
    struct tollgate_map_port *ports;
    struct tollgate_map_name *names;
    struct tollgate_map_redirect *redirects;
    char *text;
};

static struct layout lay_out(char *file, const struct tollgate_map_header *header)
{
    struct layout layout = {.header = (struct tollgate_map_header *)(void *)file};
    layout.ports = (struct tollgate_map_port *)(void *)(layout.header + 1);
    layout.names = (struct tollgate_map_name *)(void *)(layout.ports + header->port_count);
    layout.redirects = (struct tollgate_map_redirect *)(void *)(layout.names + header->name_count);
    layout.text = (char *)(layout.redirects + header->redirect_count);
    return layout;
}

/* All but the checksum, which is over the whole file. */
static struct tollgate_map_header describe(const struct startup_map *map, size_t redirect_count)
{
    struct tollgate_map_header header = {.magic = TOLLGATE_MAP_MAGIC,
                                         .version = TOLLGATE_MAP_VERSION,
                                         .network = map->network,
                                         .network_mask = NETWORK_MASK,
                                         .redirect_network = map->redirect_network,
                                         .port_count = 1,
                                         .name_count = (uint32_t)map->names->count,
                                         .redirect_count = (uint32_t)redirect_count,
                                         .generation = map->generation,
                                         .flags = map->flags,
                                         .base_url_port = map->base_url_port};
    for (size_t i = 0; i < map->names->count; i++)
        header.text_size += (uint32_t)strlen(map->names->names[i]) + 1;
    size_t rows = header.port_count * sizeof(struct tollgate_map_port) +
                  header.name_count * sizeof(struct tollgate_map_name) +
                  header.redirect_count * sizeof(struct tollgate_map_redirect);
    header.file_size = (uint32_t)(sizeof header + rows) + header.text_size;
    return header;
}

static void fill_names(const struct startup_names *names, const struct layout *layout)
{
    uint32_t offset = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen(names->names[i]) + 1;
        layout->names[i] = (struct tollgate_map_name){names->addresses[i], offset};
        memcpy(layout->text + offset, names->names[i], length);
        offset += (uint32_t)length;
    }
}

/* Under the lock. */
static enum error swap_map(struct startup_map *map, struct slice file)
{
    struct stat facts;
    enum error error = file_swap(map->path, file, map->mode);
    if (!error)
        map->facts = lstat(map->path, &facts) == 0 ? facts : (struct stat){0};
    return error;
}

/* Takes the file, whatever comes of it. */
static enum error put_map(struct startup_map *map, char *file, size_t file_bytes)
{
    pthread_mutex_lock(&map->lock);
    enum error error = swap_map(map, (struct slice){file, file_bytes});
    if (!error) {
        char *before = map->file;
        map->file = file;
        map->file_bytes = file_bytes;
        map->is_lost = false;
        file = before;
    }
    pthread_mutex_unlock(&map->lock);
    free(file);
    return error;
}

/* Mode and contents cannot change without the time of the last change (inode(7)). */
static bool is_as_written(const struct startup_map *map)
{
    struct stat now;
    const struct stat *then = &map->facts;
    return lstat(map->path, &now) == 0 && now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
           now.st_size == then->st_size && now.st_ctim.tv_sec == then->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

void startup_keep_map(struct startup_map *map)
{
    const char *said = NULL;
    pthread_mutex_lock(&map->lock);
    if (map->file && !is_as_written(map)) {
        bool was_said = map->is_lost;
        map->is_lost = swap_map(map, (struct slice){map->file, map->file_bytes}) != ERROR_OK;
        if (!map->is_lost)
            said = "written again";
        else if (!was_said)
            said = "cannot be written again; programs that start are not governed";
    }
    pthread_mutex_unlock(&map->lock);
    if (said)
        log_event(EVENT_MAP_CHANGED, NULL, "%s: %s", map->path, said);
}

void startup_free_map(struct startup_map *map)
{
    free(map->file);
    map->file = NULL;
}

enum error startup_write_map(struct startup_map *map)
{
    struct tollgate_map_redirect *redirects;
    size_t count = redirects_list(map->redirects, &redirects);
    uint32_t now_s = (uint32_t)time(NULL);
    map->generation = map->generation < now_s ? now_s : map->generation + 1;
    struct tollgate_map_header header = describe(map, count);
    check(header.file_size > sizeof header);
    char *file = calloc(1, header.file_size);
    check(file != NULL);
    struct layout layout = lay_out(file, &header);
    layout.ports[0] = (struct tollgate_map_port){STARTUP_GOVERNED_PORT, map->port};
    fill_names(map->names, &layout);
    if (count)
        memcpy(layout.redirects, redirects, count * sizeof *redirects);
    *layout.header = header;
    layout.header->checksum = tollgate_map_checksum(file, header.file_size);
    free(redirects);
    if (header.file_size <= TOLLGATE_MAP_BYTES_MAX)
        return put_map(map, file, header.file_size);
    free(file);
    return ERROR_SETTINGS_INVALID;
}

/* ---- opening ---- */

struct redirects *startup_open_redirects(const struct agent_options *options, const struct settings *settings)
{
    char path[600];
    snprintf(path, sizeof path, "%s/redirects", options->state);
    struct redirects *redirects = redirects_open(path, settings->capture.redirect_network);
    if (redirects_update(redirects, settings, NULL, 0, time(NULL)) && redirects_save(redirects))
        log_event(EVENT_ADDRESSES_STALE, NULL, "%s", path);
    return redirects;
}

enum error startup_open_listener(const struct agent_options *options, const struct settings *settings,
                                 struct startup_map *map, struct certificates *certificates,
                                 const struct listener_handler *handler, struct listener **ret_listener)
{
    char path[600];
    snprintf(path, sizeof path, "%s/port", options->state);
    bool is_handed = false;
    const int inherited_fd = inherited_take(INHERITED_TLS, &is_handed);
    struct listener_options listener = {.port = startup_read_port(path),
                                        .inherited_fd = inherited_fd,
                                        .is_handed = is_handed,
                                        .network = settings->capture.network,
                                        .network_mask = NETWORK_MASK,
                                        .redirect_network = settings->capture.redirect_network,
                                        .hello_timeout_ms = settings->capture.hello_timeout_ms,
                                        .connections_max = settings->limits.connections_max,
                                        .buffer_bytes_max = settings->limits.stream_buffer_bytes_max,
                                        .handshake_timeout_ms = settings->limits.head_timeout_ms};
    enum error error = startup_open_port(&listener, handler, certificates, &map->names->by_address, ret_listener);
    if (!error)
        map->port = listener_port(*ret_listener);
    return error;
}

uint32_t startup_map_flags(const struct settings *settings)
{
    return settings->capture.strict ? TOLLGATE_MAP_STRICT : 0;
}

enum error startup_publish(const struct agent_options *options, const struct settings *settings,
                           struct startup_map *map)
{
    char path[600];
    snprintf(path, sizeof path, "%s/port", options->state);
    enum error error = startup_write_port(path, map->port);
    if (error)
        return error;
    snprintf(map->path, sizeof map->path, "%s/%s", options->runtime, TOLLGATE_FILE_MAP);
    map->mode = settings->environment == ENVIRONMENT_PROD ? 0644 : 0600;
    map->network = settings->capture.network;
    map->redirect_network = settings->capture.redirect_network;
    map->flags = startup_map_flags(settings);
    return startup_write_map(map);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The governed names and what programs see of them: each name's loopback address (kept in STATE/addresses, so that a
 * program's cached answer stays right across restarts), the environment's port (STATE/port), and the map file. Part of
 * startup.h.
 */
#include "startup.h"

#include "base/check.h"
#include "flow/flow.h"
#include "shim/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 20000, NETWORK_MASK_BITS = 16, PORT_FIRST = 20000, PORT_COUNT = 10000 };

/* Writes a file whole: temporary name, fsync, rename. */
static enum error write_file(const char *path, struct slice bytes, mode_t mode)
{
    char temporary[600];
    snprintf(temporary, sizeof temporary, "%s.%d.new", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERROR_FILE_UNWRITABLE;
    bool is_written =
        write(fd, bytes.data, bytes.length) == (ssize_t)bytes.length && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    close(fd);
    if (is_written && rename(temporary, path) == 0)
        return ERROR_OK;
    unlink(temporary);
    return ERROR_FILE_UNWRITABLE;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All governed names, sorted, each once; strings belong to the settings. */
static const char **collect_names(const struct settings *settings, size_t *ret_count)
{
    size_t count = 0, room = settings->capture.host_count;
    for (size_t i = 0; i < settings->provider_count; i++)
        room += settings->providers[i].host_count;
    const char **names = calloc(room + 1, sizeof *names);
    check(names != NULL);
    for (size_t i = 0; i < settings->capture.host_count; i++)
        names[count++] = settings->capture.hosts[i];
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            names[count++] = settings->providers[i].hosts[j];
    qsort(names, count, sizeof *names, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]))
            names[kept++] = names[i];
    *ret_count = kept;
    return names;
}

bool startup_has_same_names(const struct startup_names *names, const struct settings *settings)
{
    size_t count;
    const char **fresh = collect_names(settings, &count);
    bool is_same = count == names->count;
    for (size_t i = 0; is_same && i < count; i++)
        is_same = !strcmp(fresh[i], names->names[i]);
    free(fresh);
    return is_same;
}

/* Reads STATE/addresses ("NAME HOST-PART" lines) into the rows; returns the highest host part seen. */
static uint32_t read_addresses(const char *path, struct startup_names *names, uint32_t *host_parts)
{
    uint32_t highest = 0;
    char line[400], name[300];
    unsigned part;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%299s %u", name, &part) != 2 || part == 0 || part >= 1u << NETWORK_MASK_BITS)
            continue;
        highest = part > highest ? part : highest;
        const char *key = name;
        const char **place = bsearch(&key, names->names, names->count, sizeof *names->names, compare_names);
        if (place)
            host_parts[place - names->names] = part;
    }
    if (file)
        fclose(file);
    return highest;
}

/* New names get the next host parts; the file only grows, so that a name that comes back finds its address. */
static enum error append_addresses(const char *path, struct startup_names *names, uint32_t *host_parts,
                                   uint32_t highest)
{
    FILE *file = NULL;
    for (size_t i = 0; i < names->count; i++) {
        if (host_parts[i])
            continue;
        do
            highest++;
        while ((highest & 0xff) == 0 || (highest & 0xff) == 0xff);
        if (highest >= 1u << NETWORK_MASK_BITS)
            break;
        host_parts[i] = highest;
        if (!file && !(file = fopen(path, "ae")))
            return ERROR_FILE_UNWRITABLE;
        fprintf(file, "%s %u\n", names->names[i], (unsigned)highest);
    }
    bool is_written = !file || (fflush(file) == 0 && fsync(fileno(file)) == 0);
    if (file)
        is_written = fclose(file) == 0 && is_written;
    return is_written && highest < 1u << NETWORK_MASK_BITS ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

static int compare_addresses(const void *a, const void *b)
{
    const struct listener_name *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

/* Copies the names: they must outlive the settings snapshot they came from. */
static void own_names(struct startup_names *names)
{
    size_t bytes = 1;
    for (size_t i = 0; i < names->count; i++)
        bytes += strlen(names->names[i]) + 1;
    char *place = names->text = calloc(1, bytes);
    check(place != NULL);
    for (size_t i = 0; i < names->count; i++) {
        size_t size = strlen(names->names[i]) + 1;
        names->names[i] = memcpy(place, names->names[i], size);
        place += size;
    }
}

static enum error assign_addresses(const struct agent_options *options, const struct settings *settings,
                                   struct startup_names *names)
{
    char path[600];
    snprintf(path, sizeof path, "%s/addresses", options->state);
    uint32_t *host_parts = calloc(names->count + 1, sizeof *host_parts);
    names->rows = calloc(names->count + 1, sizeof *names->rows);
    check(host_parts != NULL && names->rows != NULL);
    uint32_t highest = read_addresses(path, names, host_parts);
    enum error error = append_addresses(path, names, host_parts, highest);
    for (size_t i = 0; i < names->count; i++) {
        host_parts[i] |= settings->capture.network;
        names->rows[i] = (struct listener_name){host_parts[i], names->names[i]};
    }
    qsort(names->rows, names->count, sizeof *names->rows, compare_addresses);
    names->by_address = (struct listener_names){names->rows, names->count};
    names->addresses = host_parts;
    return error;
}

enum error startup_open_certificates(const struct agent_options *options, const struct settings *settings,
                                     struct startup_names *names, struct certificates **ret_certificates)
{
    char directory[600];
    names->names = collect_names(settings, &names->count);
    own_names(names);
    enum error error = names->count > NAMES_MAX ? ERROR_SETTINGS_INVALID : assign_addresses(options, settings, names);
    if (error)
        return error;
    snprintf(directory, sizeof directory, "%s/ca", options->state);
    error = certificates_open(directory, names->names, names->count, ret_certificates);
    if (error)
        return error;
    return certificates_publish(*ret_certificates, options->runtime,
                                settings->environment == ENVIRONMENT_PROD ? 0644 : 0600);
}

void startup_free_names(struct startup_names *names)
{
    free(names->names);
    free(names->rows);
    free(names->addresses);
    free(names->text);
}

/* ---- the port and the map ---- */

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
uint16_t startup_random_port(void)
{
    uint16_t number;
    check(getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number);
    return (uint16_t)(PORT_FIRST + number % PORT_COUNT);
}

static int inherited_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"); /* sd_listen_fds(3) */
    return pid && count && atoi(pid) == (int)getpid() && atoi(count) >= 1 ? 3 : -1;
}

static size_t align8(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static enum error write_map(const char *path, const struct settings *settings, const struct startup_names *names,
                            uint16_t port, mode_t mode)
{
    size_t text_size = 0, ports_size = sizeof(struct tollgate_map_port);
    for (size_t i = 0; i < names->count; i++)
        text_size += strlen(names->names[i]) + 1;
    size_t size =
        sizeof(struct tollgate_map_header) + ports_size + names->count * sizeof(struct tollgate_map_name) + text_size;
    char *file = calloc(1, align8(size));
    check(file != NULL);
    struct tollgate_map_header *header = (struct tollgate_map_header *)(void *)file;
    struct tollgate_map_port *ports = (struct tollgate_map_port *)(void *)(header + 1);
    struct tollgate_map_name *rows = (struct tollgate_map_name *)(void *)(ports + 1);
    char *text = (char *)(rows + names->count);
    *header = (struct tollgate_map_header){.magic = TOLLGATE_MAP_MAGIC,
                                           .version = TOLLGATE_MAP_VERSION,
                                           .file_size = (uint32_t)size,
                                           .network = settings->capture.network,
                                           .network_mask = 0xffff0000,
                                           .flags = settings->capture.strict ? TOLLGATE_MAP_STRICT : 0,
                                           .redirect_network = settings->capture.network + 0x10000,
                                           .port_count = 1,
                                           .name_count = (uint32_t)names->count,
                                           .text_size = (uint32_t)text_size,
                                           .generation = (uint32_t)time(NULL)};
    ports[0] = (struct tollgate_map_port){443, port};
    uint32_t offset = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t length = strlen(names->names[i]) + 1;
        rows[i] = (struct tollgate_map_name){names->addresses[i], offset};
        memcpy(text + offset, names->names[i], length);
        offset += (uint32_t)length;
    }
    header->checksum = tollgate_map_checksum(header + 1, size - sizeof *header);
    enum error error =
        size <= TOLLGATE_MAP_BYTES_MAX ? write_file(path, (struct slice){file, size}, mode) : ERROR_SETTINGS_INVALID;
    free(file);
    return error;
}

static enum error publish(const struct agent_options *options, const struct settings *settings,
                          const struct startup_names *names, uint16_t port)
{
    char path[600], text[16];
    snprintf(path, sizeof path, "%s/port", options->state);
    int length = snprintf(text, sizeof text, "%u\n", (unsigned)port);
    enum error error = write_file(path, (struct slice){text, (size_t)length}, 0600);
    if (error)
        return error;
    snprintf(path, sizeof path, "%s/%s", options->runtime, TOLLGATE_FILE_MAP);
    return write_map(path, settings, names, port, settings->environment == ENVIRONMENT_PROD ? 0644 : 0600);
}

enum error startup_open_listener(const struct agent_options *options, const struct settings *settings,
                                 const struct startup_names *names, struct certificates *certificates,
                                 const struct listener_handler *handler, struct listener **ret_listener)
{
    char path[600];
    snprintf(path, sizeof path, "%s/port", options->state);
    struct listener_options listener = {.port = startup_read_port(path),
                                        .inherited_fd = inherited_socket(),
                                        .network = settings->capture.network,
                                        .network_mask = 0xffff0000,
                                        .connections_max = settings->limits.connections_max,
                                        .buffer_bytes_max = settings->limits.stream_buffer_bytes_max,
                                        .handshake_timeout_ms = settings->limits.head_timeout_ms};
    enum error error = ERROR_SYSTEM;
    for (unsigned i = 0; error && i < STARTUP_PORT_TRIES; i++) {
        if (!listener.port || i > 0)
            listener.port = startup_random_port();
        error = listener_open(&listener, handler, certificates, &names->by_address, ret_listener);
    }
    return error ? error : publish(options, settings, names, listener_port(*ret_listener));
}

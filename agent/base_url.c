/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port of base URLs (capture.base_urls): a plain HTTP listener on 127.0.0.1 and nothing else, whose connections
 * count with those of the TLS port. The port is the policy's, or a free one that is kept in STATE/base-url-port, since
 * programs have it in their configuration. Part of startup.h.
 */
#include "startup.h"

#include "inherited.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What connections are told to be for; the path says which provider's host it is. */
static const struct listener_name base_url_row = {INADDR_LOOPBACK, "127.0.0.1"};
static const struct listener_names base_url_names = {.rows = &base_url_row, .count = 1};

/* Of the agent before us, unless the policy wants another port since. */
static bool take_inherited(struct listener_options *listener)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int fd = inherited_take(INHERITED_BASE_URL, &listener->is_handed);
    if (fd < 0)
        return false;
    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
        (!listener->port || listener->port == ntohs(address.sin_port))) {
        listener->inherited_fd = fd;
        return true;
    }
    close(fd);
    return false;
}

enum error startup_open_base_url(const struct agent_options *options, const struct settings *settings,
                                 const struct listener_handler *handler, struct listener *beside,
                                 struct listener **ret_listener)
{
    char path[600];
    struct listener_options listener = {.port = (uint16_t)settings->capture.base_url_port,
                                        .inherited_fd = -1,
                                        .address = INADDR_LOOPBACK,
                                        .network = INADDR_LOOPBACK,
                                        .network_mask = INADDR_BROADCAST,
                                        .is_plain = true,
                                        .beside = beside,
                                        .connections_max = settings->limits.connections_max,
                                        .buffer_bytes_max = settings->limits.stream_buffer_bytes_max};
    if (!settings->capture.base_urls)
        return ERROR_OK;
    bool is_kept = take_inherited(&listener);
    if (listener.port && !is_kept) {
        enum error error = listener_open(&listener, handler, NULL, &base_url_names, ret_listener);
        if (error)
            log_event(EVENT_AGENT_FAILED, NULL, "capture.base_url_port %u: %s", (unsigned)listener.port,
                      strerror(errno));
        return error;
    }
    snprintf(path, sizeof path, "%s/base-url-port", options->state);
    if (!is_kept)
        listener.port = startup_read_port(path);
    enum error error = startup_open_port(&listener, handler, NULL, &base_url_names, ret_listener);
    return error ? error : startup_write_port(path, listener_port(*ret_listener));
}

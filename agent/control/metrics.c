/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics on the sockets, and on the port of evidence.metrics: plain HTTP on 127.0.0.1, where the kernel vouches
 * for nobody. There every scrape brings the token, a browser is refused whatever it brings, and so is a Host that is
 * not this address (DNS rebinding). The token may be another after a reload; the port wants a restart.
 */
#include "control/internal.h"

#include "base/log.h"
#include "base/secret.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int control_get_metrics(struct call *call)
{
    enum error error = metrics_write(call->services->metrics, &call->body);
    if (error)
        return control_fail(call, error, NULL);
    call->content_type = METRICS_CONTENT_TYPE;
    return 200;
}

static int bind_loopback(uint32_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd);
    return -1;
}

enum error control_listen_metrics(const struct control_services *services, int *ret_fd)
{
    struct settings *settings = services->retain_settings(services->context);
    const bool is_wanted = settings->metrics.enabled;
    const uint32_t port = settings->metrics.port;
    config_release(settings);
    int fd = is_wanted ? bind_loopback(port) : -1;
    if (is_wanted && fd < 0) {
        log_event(EVENT_AGENT_FAILED, NULL, "evidence.metrics: port %u of 127.0.0.1 cannot be had", (unsigned)port);
        return ERROR_FILE_UNWRITABLE;
    }
    *ret_fd = fd;
    return ERROR_OK;
}

static unsigned own_port(int fd)
{
    struct sockaddr_in address = {.sin_port = 0};
    socklen_t length = sizeof address;
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 ? ntohs(address.sin_port) : 0;
}

/* RFC 6750, 2.1; the scheme's name in any case (RFC 9110, 11.1). */
static bool has_token(struct call *call)
{
    static const char scheme[] = "Bearer ";
    struct slice field = http_find_field(call->request->fields, call->request->field_count, "authorization");
    if (field.length < sizeof scheme - 1 || strncasecmp(field.data, scheme, sizeof scheme - 1) != 0)
        return false;
    struct settings *settings = call->services->retain_settings(call->services->context);
    bool is_right = settings->metrics.secret &&
                    secret_is_equal(settings->metrics.secret, slice_trim(slice_from(field, sizeof scheme - 1)));
    config_release(settings);
    return is_right;
}

int control_scrape(struct call *call)
{
    const char *browser = http_find_browser(call->request);
    const unsigned port = own_port(call->fd);
    if (browser || !http_is_loopback_host(call->request, port))
        return control_fail(call, ERROR_BROWSER_REFUSED,
                            browser ? arena_printf(call->arena, "requests from a browser are refused (%s)", browser)
                                    : "Host is neither 127.0.0.1 nor localhost with this port");
    if (!has_token(call)) {
        control_log_refused("/metrics", arena_printf(call->arena, "port %u, without its token", port));
        return control_fail(call, ERROR_TOKEN_REQUIRED, NULL);
    }
    if (!slice_is(call->request->method, "GET") || !slice_is(call->request->path, "/metrics"))
        return control_fail(call, ERROR_NOT_FOUND, "this port has GET /metrics, and nothing else");
    return control_get_metrics(call);
}

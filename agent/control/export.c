/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/export: a period as a file, sent while it is made, in chunks (RFC 9112, section 7.1); its manifest, which is
 * known when all was sent, is a trailer field. A failure before the first chunk is answered like any other, one after
 * it cuts the connection: there is no last chunk then. GET /v1/exports: what was written on a schedule.
 */
#include "control/internal.h"

#include "base/check.h"
#include "base/json.h"
#include "evidence/evidence.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { LOOK_MS = 200, PATIENCE_MS = 600000 /* somebody reads it in a pager */, MANIFEST_BYTES_MAX = 12 << 10 };

struct download {
    struct call *call;
    const struct export_order *order;
    bool has_begun;
};

/* The peer may be slow for PATIENCE_MS; an agent that stops waits for nobody. */
static bool wait_for_room(const struct call *call, int *waited_ms)
{
    struct pollfd polled = {call->fd, POLLOUT, 0};
    *waited_ms += LOOK_MS;
    return poll(&polled, 1, LOOK_MS) >= 0 && !(polled.revents & (POLLERR | POLLHUP)) &&
           !atomic_load(call->is_closing) && *waited_ms < PATIENCE_MS;
}

static bool send_all(const struct call *call, struct slice bytes)
{
    int waited_ms = 0;
    while (bytes.length) {
        ssize_t sent = send(call->fd, bytes.data, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes = slice_from(bytes, (size_t)sent);
            waited_ms = 0;
        } else if ((errno != EAGAIN && errno != EINTR) || !wait_for_room(call, &waited_ms)) {
            return false;
        }
    }
    return true;
}

static bool send_head(struct download *download)
{
    struct call *call = download->call;
    if (download->has_begun)
        return true;
    download->has_begun = call->is_streaming = true;
    return send_all(call, slice_of(arena_printf(call->arena,
                                                "HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n"
                                                "trailer: tollgate-manifest\r\nconnection: close\r\n\r\n",
                                                export_media_type(download->order->format))));
}

static bool send_chunk(void *context, struct slice bytes)
{
    struct download *download = context;
    const struct call *call = download->call;
    char head[32];
    snprintf(head, sizeof head, "%zx\r\n", bytes.length);
    return send_head(download) && send_all(call, slice_of(head)) && send_all(call, bytes) &&
           send_all(call, SLICE_LITERAL("\r\n"));
}

static void send_end(struct download *download, const struct export_result *result, const char *file)
{
    struct buffer end;
    buffer_init(&end, MANIFEST_BYTES_MAX);
    check(buffer_append(&end, SLICE_LITERAL("0\r\ntollgate-manifest: ")));
    export_write_manifest(download->order, result, file, &end);
    check(buffer_append(&end, SLICE_LITERAL("\r\n\r\n")));
    (void)send_all(download->call, buffer_contents(&end)); /* else: the reader has left, and misses the last chunk */
    buffer_done(&end);
}

/* 0, or the status of the answer that says what is wrong. */
static int read_order(struct call *call, struct export_order *order)
{
    const char *format = control_find_parameter(call, "format");
    if (!format || !export_parse_format(format, &order->format))
        return control_fail_with(call, ERROR_REQUEST_INVALID, "there is no such format", "csv, jsonl or focus");
    return control_read_period(call, &order->period);
}

/* "tollgate-dev-2026-11-23.csv" */
static const char *name_file(struct call *call, const struct export_order *order)
{
    char since[PERIOD_TEXT_MAX];
    period_format(order->period.zone, order->period.since_s, since);
    return arena_printf(call->arena, "tollgate-%s-%.10s.%s", config_environment_name(order->settings->environment),
                        since, export_suffix(order->format));
}

int control_export(struct call *call)
{
    struct export_order order = {
        .journal = call->services->journal, .ledger = call->services->ledger, .is_cancelled = call->is_closing};
    struct download download = {.call = call, .order = &order};
    struct export_result result;
    int status = read_order(call, &order);
    if (status)
        return status;
    struct settings *settings = call->services->retain_settings(call->services->context);
    order.settings = settings;
    enum error error = export_run(&order, send_chunk, &download, &result);
    if (!error && send_head(&download)) /* a file without a byte is one, too */
        send_end(&download, &result, name_file(call, &order));
    config_release(settings);
    return error && !download.has_begun ? control_fail(call, error, NULL) : 200;
}

int control_list_exports(struct call *call)
{
    json_write_raw(&call->body, "{\"exports\":");
    call->services->write_exports(call->services->context, &call->body);
    json_write_raw(&call->body, "}");
    return 200;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, one request:
 *
 *   READING ──▶ WRITING ──────────────────────────▶ DRAINING ──▶ closed
 *      └──▶ ASKING (the agent's head) ──▶ RELAYING ──▶┘
 *
 * An agent's head is read and made anew; its body is passed on as it comes, framing included (RFC 9112, 6.3), and is
 * read no faster than the browser takes it. DRAINING: what the browser still sends is read for a moment, for otherwise
 * the kernel would reset the connection before the answer has been read. Called by dashboard.c.
 */
#include "cli/dashboard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum link_state { LINK_FREE, LINK_READING, LINK_ASKING, LINK_RELAYING, LINK_WRITING, LINK_DRAINING };
struct dashboard_link {
    enum link_state state;
    int fd, agent_fd; /* -1: none */
    bool is_head_only, is_stream;
    const struct dashboard_agent *agent;
    long long deadline_ms;     /* monotonic; 0: none */
    const unsigned char *body; /* of an asset, after `out` */
    size_t body_left;
    size_t in_used, out_start, out_end, drained;
    char in[DASHBOARD_HEAD_BYTES_MAX + 1]; /* the browser's head, then the agent's */
    char out[DASHBOARD_OUT_BYTES_MAX];
};

struct dashboard_link *links_new(void)
{
    return text_allocate(DASHBOARD_LINKS_MAX * sizeof(struct dashboard_link));
}

static void link_close(struct dashboard_link *link)
{
    close(link->fd);
    if (link->agent_fd >= 0)
        close(link->agent_fd);
    link->state = LINK_FREE;
}

static size_t link_left(const struct dashboard_link *link)
{
    return link->out_end - link->out_start + link->body_left;
}

static void link_finish(struct dashboard_link *link)
{
    if (link->agent_fd >= 0)
        close(link->agent_fd);
    link->agent_fd = -1;
    link->is_stream = false;
    shutdown(link->fd, SHUT_WR);
    link->state = LINK_DRAINING;
    link->deadline_ms = launch_now_ms() + DASHBOARD_DRAIN_MS;
}

/* ---- answers ---- */

static void link_put(struct dashboard_link *link, const char *bytes, size_t count)
{
    memcpy(link->out + link->out_end, bytes, count);
    link->out_end += count;
}

static void link_put_text(struct dashboard_link *link, const char *text)
{
    link_put(link, text, strlen(text));
}

static void link_answer(struct dashboard_link *link, const struct dashboard_answer *answer)
{
    const struct dashboard_asset *asset = answer->asset;
    size_t length = asset ? (size_t)(asset->end - asset->bytes) : strlen(answer->text);
    link->out_start = link->out_end = 0;
    link_put_text(link, dashboard_head(answer->status, answer->type, answer->headers));
    link_put_text(link, text_format("Content-Length: %zu\r\n\r\n", length));
    if (!link->is_head_only && asset) {
        link->body = asset->bytes;
        link->body_left = length;
    } else if (!link->is_head_only) {
        link_put_text(link, answer->text);
    }
    link->state = LINK_WRITING;
    link->deadline_ms = launch_now_ms() + DASHBOARD_WRITE_MS;
}

/* The agent could not be asked, or broke off before its answer began. */
static void link_explain(struct dashboard_link *link, int error)
{
    struct dashboard_answer answer = dashboard_explain(link->agent, error);
    if (link->agent_fd >= 0)
        close(link->agent_fd);
    link->agent_fd = -1;
    link_answer(link, &answer);
}

static void link_ask(struct dashboard_link *link, const struct dashboard_answer *answer)
{
    link->agent = answer->agent;
    link->is_stream = answer->is_stream;
    link->agent_fd = place_verify(&link->agent->place) == 0
                         ? agent_connect_at_once(&link->agent->place, TOLLGATE_FILE_REPORT)
                         : -EACCES;
    if (link->agent_fd < 0) {
        int error = link->agent_fd;
        link->agent_fd = -1;
        link_explain(link, error);
        return;
    }
    const char *head =
        text_format("GET %s HTTP/1.1\r\nHost: tollgate\r\nConnection: close\r\n\r\n", answer->agent_path);
    /* A new socket takes far more than a head at once. */
    if (send(link->agent_fd, head, strlen(head), MSG_NOSIGNAL) != (ssize_t)strlen(head)) {
        link_explain(link, -EPROTO);
        return;
    }
    link->in_used = 0;
    link->state = LINK_ASKING;
    link->deadline_ms = launch_now_ms() + DASHBOARD_AGENT_MS;
}

static bool links_have_room_for_stream(const struct dashboard *dashboard)
{
    int count = 0;
    for (size_t i = 0; i < DASHBOARD_LINKS_MAX; i++)
        count += dashboard->links[i].state != LINK_FREE && dashboard->links[i].is_stream;
    return count < DASHBOARD_STREAMS_MAX;
}

static void link_route(struct dashboard *dashboard, struct dashboard_link *link)
{
    struct dashboard_request request;
    int status = dashboard_parse(link->in, link->in_used, &request);
    struct dashboard_answer answer = status ? dashboard_refuse(status) : dashboard_route(dashboard, &request);
    link->is_head_only = status == 0 && strcmp(request.method, "HEAD") == 0;
    if (answer.agent && answer.is_stream && !links_have_room_for_stream(dashboard))
        answer = dashboard_explain(answer.agent, -EAGAIN);
    if (answer.agent)
        link_ask(link, &answer);
    else
        link_answer(link, &answer);
}

/* ---- reading ---- */

/* A head into `in`: true when it is whole. *ret_error: 0 (go on), or -errno; -EMSGSIZE: it does not fit. */
static bool link_read_head(struct dashboard_link *link, int fd, int *ret_error)
{
    ssize_t got = recv(fd, link->in + link->in_used, DASHBOARD_HEAD_BYTES_MAX - link->in_used, 0);
    *ret_error = 0;
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            *ret_error = -EPIPE;
        return false;
    }
    link->in_used += (size_t)got;
    link->in[link->in_used] = '\0';
    if (memmem(link->in, link->in_used, "\r\n\r\n", 4))
        return true;
    if (link->in_used == DASHBOARD_HEAD_BYTES_MAX)
        *ret_error = -EMSGSIZE;
    return false;
}

static void link_read_request(struct dashboard *dashboard, struct dashboard_link *link)
{
    int error;
    if (link_read_head(link, link->fd, &error)) {
        link_route(dashboard, link);
    } else if (error == -EMSGSIZE) {
        struct dashboard_answer answer = dashboard_refuse(431);
        link_answer(link, &answer);
    } else if (error) {
        link_close(link);
    }
}

/* "HTTP/1.1 200 …" and the fields that say how the body ends; what the agent says beyond that is not for the browser.
 */
static bool link_read_framing(const char *head, int *ret_status, const char **ret_framing)
{
    static const char *const names[] = {"content-length:", "transfer-encoding:"};
    if (!text_starts(head, "HTTP/1.1 ") || strlen(head) < 12)
        return false;
    int status = atoi(head + strlen("HTTP/1.1 "));
    *ret_framing = "";
    for (const char *line = strstr(head, "\r\n"); line && strncmp(line, "\r\n\r\n", 4) != 0;
         line = strstr(line + 2, "\r\n"))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncasecmp(line + 2, names[i], strlen(names[i])) == 0)
                *ret_framing = text_format("%.*s\r\n", (int)strcspn(line + 2, "\r"), line + 2);
    *ret_status = status;
    return status >= 200 && status <= 599;
}

static void link_read_answer(struct dashboard_link *link)
{
    int error, status;
    const char *framing;
    if (!link_read_head(link, link->agent_fd, &error)) {
        if (error)
            link_explain(link, error);
        return;
    }
    if (!link_read_framing(link->in, &status, &framing)) {
        link_explain(link, -EPROTO);
        return;
    }
    const char *type = link->is_stream && status == 200 ? "application/x-ndjson" : "application/json";
    const char *body = strstr(link->in, "\r\n\r\n") + 4;
    link->out_start = link->out_end = 0;
    link_put_text(link, dashboard_head(200, type, framing));
    link_put_text(link, dashboard_agent_status(status));
    link_put_text(link, "\r\n");
    if (!link->is_head_only)
        link_put(link, body, link->in_used - (size_t)(body - link->in));
    link->state = link->is_head_only ? LINK_WRITING : LINK_RELAYING;
    link->deadline_ms = launch_now_ms() + DASHBOARD_WRITE_MS;
}

static void link_read_body(struct dashboard_link *link)
{
    ssize_t got = recv(link->agent_fd, link->out, sizeof link->out, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) { /* a body that ends too early shows in the framing that the browser was given */
        link_finish(link);
        return;
    }
    link->out_start = 0;
    link->out_end = (size_t)got;
    link->deadline_ms = launch_now_ms() + DASHBOARD_WRITE_MS;
}

/* ---- writing ---- */

static void link_drain(struct dashboard_link *link)
{
    enum { DRAIN_BYTES_MAX = 1 << 20 };
    ssize_t got = recv(link->fd, link->in, DASHBOARD_HEAD_BYTES_MAX, 0);
    link->drained += got > 0 ? (size_t)got : 0;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) || link->drained > DRAIN_BYTES_MAX)
        link_close(link);
}

static void link_write(struct dashboard_link *link)
{
    bool is_out = link->out_end > link->out_start;
    const void *from = is_out ? (const void *)(link->out + link->out_start) : link->body;
    ssize_t sent = send(link->fd, from, is_out ? link->out_end - link->out_start : link->body_left, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent < 0) {
        link_close(link);
        return;
    }
    if (is_out) {
        link->out_start += (size_t)sent;
    } else {
        link->body += sent;
        link->body_left -= (size_t)sent;
    }
    bool is_idle_stream = link->is_stream && link->state == LINK_RELAYING && link_left(link) == 0;
    long long wait_ms = link->state == LINK_RELAYING && link_left(link) == 0 ? DASHBOARD_AGENT_MS : DASHBOARD_WRITE_MS;
    link->deadline_ms = is_idle_stream ? 0 : launch_now_ms() + wait_ms;
    if (link->state == LINK_WRITING && link_left(link) == 0)
        link_finish(link);
}

/* ---- the loop's side ---- */

static void link_expire(struct dashboard_link *link)
{
    struct dashboard_answer answer = dashboard_refuse(408);
    if (link->state == LINK_READING && link->in_used > 0)
        link_answer(link, &answer);
    else if (link->state == LINK_ASKING)
        link_explain(link, -ETIMEDOUT);
    else
        link_close(link);
}

/* When all are taken, whoever has been slowest to say what he wants makes room. */
static struct dashboard_link *links_find_free(struct dashboard *dashboard)
{
    struct dashboard_link *oldest = NULL;
    for (size_t i = 0; i < DASHBOARD_LINKS_MAX; i++) {
        struct dashboard_link *link = &dashboard->links[i];
        if (link->state == LINK_FREE)
            return link;
        if (link->state == LINK_READING && (!oldest || link->deadline_ms < oldest->deadline_ms))
            oldest = link;
    }
    if (oldest)
        link_close(oldest);
    return oldest;
}

void links_accept(struct dashboard *dashboard, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct dashboard_link *link = fd >= 0 ? links_find_free(dashboard) : NULL;
    if (!link) {
        if (fd >= 0)
            close(fd);
        return;
    }
    memset(link, 0, offsetof(struct dashboard_link, in));
    link->state = LINK_READING;
    link->fd = fd;
    link->agent_fd = -1;
    link->deadline_ms = launch_now_ms() + DASHBOARD_HEAD_MS;
}

size_t links_prepare(struct dashboard *dashboard, struct pollfd *rows, int *ret_timeout_ms)
{
    size_t count = 0;
    long long now_ms = launch_now_ms(), nearest_ms = 0;
    for (size_t i = 0; i < DASHBOARD_LINKS_MAX; i++) {
        struct dashboard_link *link = &dashboard->links[i];
        if (link->state != LINK_FREE && link->deadline_ms && link->deadline_ms <= now_ms)
            link_expire(link);
        if (link->state == LINK_FREE)
            continue;
        bool is_reading = link->state == LINK_READING || link->state == LINK_DRAINING;
        short events = is_reading ? POLLIN : POLLRDHUP;
        rows[count++] = (struct pollfd){.fd = link->fd, .events = (short)(events | (link_left(link) ? POLLOUT : 0))};
        bool wants_more = link->state == LINK_ASKING || (link->state == LINK_RELAYING && link_left(link) == 0);
        if (wants_more)
            rows[count++] = (struct pollfd){.fd = link->agent_fd, .events = POLLIN};
        if (link->deadline_ms && (!nearest_ms || link->deadline_ms < nearest_ms))
            nearest_ms = link->deadline_ms;
    }
    *ret_timeout_ms = !nearest_ms ? -1 : nearest_ms > now_ms ? (int)(nearest_ms - now_ms) : 0;
    return count;
}

static void link_serve(struct dashboard *dashboard, struct dashboard_link *link, const struct pollfd *row)
{
    if (row->fd == link->agent_fd) {
        if (link->state == LINK_ASKING)
            link_read_answer(link);
        else if (link->state == LINK_RELAYING)
            link_read_body(link);
    } else if (link->state == LINK_READING) {
        link_read_request(dashboard, link);
    } else if (link->state == LINK_DRAINING) {
        link_drain(link);
    } else if (row->revents & (POLLRDHUP | POLLHUP | POLLERR)) {
        link_close(link); /* the browser left */
    } else if (row->revents & POLLOUT) {
        link_write(link);
    }
}

void links_serve(struct dashboard *dashboard, const struct pollfd *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; rows[i].revents && j < DASHBOARD_LINKS_MAX; j++) {
            struct dashboard_link *link = &dashboard->links[j];
            if (link->state == LINK_FREE || (rows[i].fd != link->fd && rows[i].fd != link->agent_fd))
                continue;
            link_serve(dashboard, link, &rows[i]);
            break;
        }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/http.c: an answer of the agent, or of whoever stands in its place: read to its end or refused, never more than
 * was announced, in bounded memory. The answer comes from a socket pair, cut where the first byte says.
 */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"

static int answering; /* what agent_connect gives out */

int agent_connect(const struct launch_place *place, const char *socket_name)
{
    (void)place;
    (void)socket_name;
    return answering;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_stream stream;
    const struct http_request request = {.method = "GET", .path = "/v1/hello", .timeout_ms = 2000};
    struct slice input = fuzz_slice(data, size);
    int pair[2];
    char bytes[1024];
    size_t step = 1 + fuzz_choose(&input, 255), total = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    /* The whole answer lies in the socket before it is asked for. */
    for (size_t at = 0; at < input.length; at += step) {
        size_t length = input.length - at < step ? input.length - at : step;
        if (send(pair[1], input.data + at, length, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)length)
            break; /* full: the rest is cut off */
    }
    shutdown(pair[1], SHUT_WR);
    answering = pair[0];
    struct text_block *mark = text_mark();
    if (http_open(NULL, &request, &stream) == 0) {
        long long announced = stream.content_left;
        long got;
        while ((got = http_read(&stream, bytes, sizeof bytes)) > 0)
            total += (size_t)got;
        FUZZ_REQUIRE(got <= 0 && total <= input.length, "%zu of %zu bytes", total, input.length);
        FUZZ_REQUIRE(stream.is_chunked || announced < 0 || total <= (size_t)announced, "%zu bytes, announced %lld",
                     total, announced);
        http_close(&stream);
    }
    text_release(mark);
    close(pair[1]);
    return 0;
}

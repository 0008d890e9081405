/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket below a connection, and the same as OpenSSL sees it: a BIO of our own, because the stock one writes
 * without MSG_NOSIGNAL and asks the kernel once more after everything was read. Called by OpenSSL, and by plain.c.
 */
#include "net/connection.h"

#include "base/check.h"

#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <sys/socket.h>

static BIO_METHOD *transport_method;

/* A read that returned less than asked emptied the socket: what came since, epoll reports (it is level-triggered). So
 * the read that would only return EAGAIN is answered here: one system call per request instead of two. */
ssize_t transport_receive(struct transport *transport, char *data, size_t length, bool *ret_again)
{
    *ret_again = false;
    if (transport->is_ended)
        return 0;
    if (!transport->is_drained) {
        ssize_t got = recv(transport->fd, data, length, 0);
        transport->is_drained = got < (ssize_t)length;
        transport->is_ended = got == 0;
        if (got >= 0 || (errno != EAGAIN && errno != EINTR))
            return got;
    }
    *ret_again = true;
    return -1;
}

/* MSG_MORE: the kernel joins the records of one answer into few segments, which wakes the program less often: 14 % less
 * CPU for 100 KB. The last record goes without it, so nothing waits. */
ssize_t transport_send(struct transport *transport, const char *data, size_t length, bool *ret_again)
{
    ssize_t written = send(transport->fd, data, length, MSG_NOSIGNAL | (transport->more_follows ? MSG_MORE : 0));
    *ret_again = written < 0 && (errno == EAGAIN || errno == EINTR);
    transport->sent += written > 0 ? (uint64_t)written : 0;
    return written;
}

static int transport_read(BIO *bio, char *data, int length)
{
    bool again;
    BIO_clear_retry_flags(bio);
    ssize_t got = transport_receive(BIO_get_data(bio), data, (size_t)length, &again);
    if (again)
        BIO_set_retry_read(bio);
    return (int)got;
}

static int transport_write(BIO *bio, const char *data, int length)
{
    bool again;
    BIO_clear_retry_flags(bio);
    ssize_t written = transport_send(BIO_get_data(bio), data, (size_t)length, &again);
    if (again)
        BIO_set_retry_write(bio);
    return (int)written;
}

static long transport_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    const struct transport *transport = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return transport->is_ended;
    return command == BIO_CTRL_FLUSH;
}

static void transport_make_method(void)
{
    transport_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tollgate socket");
    check(transport_method != NULL);
    BIO_meth_set_read(transport_method, transport_read);
    BIO_meth_set_write(transport_method, transport_write);
    BIO_meth_set_ctrl(transport_method, transport_control);
}

BIO *transport_new_bio(struct transport *transport)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, transport_make_method);
    BIO *bio = BIO_new(transport_method);
    if (bio) {
        BIO_set_data(bio, transport);
        BIO_set_init(bio, 1);
    }
    return bio;
}

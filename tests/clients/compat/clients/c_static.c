/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static C client with OpenSSL: posts the body of each mode and prints the answer. Certificates come from
 * SSL_CERT_FILE, as OpenSSL itself reads it.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static long read_file(const char *path, char *into, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    long length = (long)fread(into, 1, size - 1, file);
    fclose(file);
    into[length] = '\0';
    return length;
}

static BIO *open_connection(SSL_CTX *context, const char *host, const char *port)
{
    SSL *ssl = NULL;
    char address[300];
    snprintf(address, sizeof address, "%s:%s", host, port);
    BIO *connection = BIO_new_ssl_connect(context);
    BIO_get_ssl(connection, &ssl);
    SSL_set_tlsext_host_name(ssl, host);
    SSL_set1_host(ssl, host);
    BIO_set_conn_hostname(connection, address);
    if (BIO_do_connect(connection) == 1 && BIO_do_handshake(connection) == 1)
        return connection;
    ERR_print_errors_fp(stderr);
    BIO_free_all(connection);
    return NULL;
}

static int ask(SSL_CTX *context, const char *host, const char *port, const char *mode)
{
    static char body[65536], head[1024], piece[4096];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.json", getenv("COMPAT_BODIES"), mode);
    long length = read_file(path, body, sizeof body);
    BIO *connection = length < 0 ? NULL : open_connection(context, host, port);
    if (connection == NULL)
        return fail(mode);
    snprintf(head, sizeof head,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
             "Content-Type: application/json\r\nContent-Length: %ld\r\n\r\n",
             host, getenv("OPENAI_API_KEY"), length);
    BIO_puts(connection, head);
    BIO_write(connection, body, (int)length);
    int got, is_first = 1, status = 1;
    while ((got = BIO_read(connection, piece, sizeof piece)) > 0) {
        if (is_first)
            status = got > 12 && memcmp(piece + 9, "200", 3) == 0 ? 0 : 1;
        is_first = 0;
        fwrite(piece, 1, (size_t)got, stdout);
    }
    fflush(stdout);
    BIO_free_all(connection);
    return status;
}

int main(int count, char **modes)
{
    char host[256] = "", port[8] = "443";
    static char nothing[4096];
    sscanf(getenv("COMPAT_URL"), "https://%255[^:/]:%7[0-9]", host, port);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    for (int i = 1; i < count; i++) {
        if (i > 1)
            read_file(getenv("COMPAT_PAUSE"), nothing, sizeof nothing);
        if (ask(context, host, port, modes[i]) != 0)
            return 1;
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a transfer ended, in our words: libcurl's code and what our callbacks saw, to a row of errors.def and a text
 * without anything of the URL but its host, and without any field. Called by transfer.c.
 */
#include "upstream/internal.h"

#include "base/clock.h"

#include <stdio.h>

struct code_row {
    CURLcode code;
    enum error error;
};

/* What is not here is UPSTREAM_CUT when the request was sent and UPSTREAM_CONNECT when it was not. */
static const struct code_row code_rows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_UPSTREAM_RESOLVE}, {CURLE_COULDNT_RESOLVE_PROXY, ERROR_UPSTREAM_RESOLVE},
    {CURLE_COULDNT_CONNECT, ERROR_UPSTREAM_CONNECT},      {CURLE_SSL_CONNECT_ERROR, ERROR_UPSTREAM_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, ERROR_UPSTREAM_TLS}, {CURLE_SSL_CACERT_BADFILE, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_CERTPROBLEM, ERROR_UPSTREAM_TLS},          {CURLE_SSL_CIPHER, ERROR_UPSTREAM_TLS},
    {CURLE_SSL_ISSUER_ERROR, ERROR_UPSTREAM_TLS},         {CURLE_SSL_ENGINE_INITFAILED, ERROR_UPSTREAM_TLS},
    {CURLE_WEIRD_SERVER_REPLY, ERROR_UPSTREAM_MALFORMED}, {CURLE_BAD_CONTENT_ENCODING, ERROR_UPSTREAM_MALFORMED},
    {CURLE_URL_MALFORMAT, ERROR_HTTP_MALFORMED},          {CURLE_OUT_OF_MEMORY, ERROR_NO_MEMORY},
};

/* Before the request was sent libcurl's only deadline is the one for connecting. */
static enum error map_timeout(const struct upstream_transfer *transfer)
{
    if (transfer->was_sent)
        return ERROR_UPSTREAM_TIMEOUT;
    return transfer->has_opened ? ERROR_UPSTREAM_CONNECT : ERROR_UPSTREAM_RESOLVE;
}

static enum error map_code(const struct upstream_transfer *transfer, CURLcode code)
{
    if (transfer->refusal)
        return transfer->refusal;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return map_timeout(transfer);
    if (code == CURLE_UNSUPPORTED_PROTOCOL) /* HTTP/0.9, or a scheme that the request may not use */
        return transfer->was_sent ? ERROR_UPSTREAM_MALFORMED : ERROR_HTTP_MALFORMED;
    if (code == CURLE_OUT_OF_MEMORY && transfer->was_sent) /* curl's word for fields that exceed its bound */
        return ERROR_UPSTREAM_MALFORMED;
    for (size_t i = 0; i < sizeof code_rows / sizeof *code_rows; i++)
        if (code_rows[i].code == code)
            return code_rows[i].error;
    return transfer->was_sent ? ERROR_UPSTREAM_CUT : ERROR_UPSTREAM_CONNECT;
}

/* libcurl's own text only where it is about a certificate; elsewhere it could quote the URL. */
static const char *describe(const struct upstream_transfer *transfer, CURLcode code, enum error error)
{
    if (transfer->was_resent)
        return "the kept connection was closed; the request is not sent again";
    if (error == ERROR_UPSTREAM_TLS && transfer->error_text[0])
        return transfer->error_text;
    if (transfer->refusal || code == CURLE_OK)
        return error_row(error)->text;
    if (code == CURLE_OPERATION_TIMEDOUT && !transfer->was_sent)
        return "no connection in time";
    if (code == CURLE_OUT_OF_MEMORY && transfer->was_sent)
        return "the answer's fields are too long";
    return curl_easy_strerror(code);
}

static void write_detail(const struct upstream_transfer *transfer, const char *text, char detail[160])
{
    snprintf(detail, 160, "%.60s%s%.96s", transfer->host, transfer->host[0] ? ": " : "", text);
    for (char *byte = detail; *byte; byte++)
        if ((unsigned char)*byte < ' ' || *byte == 0x7f)
            *byte = '?';
}

static int64_t since(const struct upstream_transfer *transfer, int64_t at_ns)
{
    return at_ns ? at_ns - transfer->started_ns : 0;
}

void transfer_fill_result(struct upstream_transfer *transfer, CURLcode code, struct upstream_result *ret_result)
{
    enum error error = code == CURLE_OK && !transfer->refusal ? ERROR_OK : map_code(transfer, code);
    if (!error && !transfer->head_received)
        error = ERROR_UPSTREAM_CUT;
    *ret_result = (struct upstream_result){
        .error = error,
        .bytes_were_sent = transfer->was_sent,
        .head_was_received = transfer->head_received,
        .connect_ns = since(transfer, transfer->connected_ns),
        .first_byte_ns = since(transfer, transfer->first_byte_ns),
        .total_ns = since(transfer, clock_monotonic_ns()),
    };
    if (error)
        write_detail(transfer, describe(transfer, code, error), ret_result->detail);
}

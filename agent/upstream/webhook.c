/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alert's POST to the operator's receiver: libcurl's easy interface, blocking, called on a thread that has time. The
 * same rules as for providers: TLS is verified, nothing is redirected, and a public name that resolves to an address of
 * this machine or its network is refused.
 */
#include "upstream/internal.h"

#include "base/check.h"
#include "base/digest.h"

#include <inttypes.h>
#include <sys/socket.h>

enum { HEADER_BYTES_MAX = 256, WEBHOOK_BODY_BYTES_MAX = 64 << 10 };

struct post {
    const struct upstream_webhook *webhook;
    CURL *easy;
    struct curl_slist *fields;
    bool uses_proxy, is_forbidden;
    char error_text[CURL_ERROR_SIZE];
};

#define set(post, option, value) check(curl_easy_setopt((post)->easy, (option), (value)) == CURLE_OK)

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct post *post = context;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!post->webhook->local && !post->uses_proxy && upstream_is_forbidden_address(&address->addr)) {
        post->is_forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t ignore_body(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes, (void)context;
    return size * count;
}

/* libcurl asks about once a second, also while it waits. */
static int is_over(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const struct post *post = context;
    return post->webhook->is_cancelled && atomic_load(post->webhook->is_cancelled);
}

static void add_field(struct post *post, const char *name, const char *value)
{
    char line[HEADER_BYTES_MAX];
    snprintf(line, sizeof line, "%s:%s%s", name, *value ? " " : "", value);
    struct curl_slist *fields = curl_slist_append(post->fields, line);
    check(fields != NULL);
    post->fields = fields;
}

/* Over "t.body", so that neither can be exchanged. */
static void sign(struct post *post)
{
    const struct upstream_webhook *webhook = post->webhook;
    unsigned char digest[DIGEST_BYTES];
    char hex[DIGEST_TEXT_MAX], value[HEADER_BYTES_MAX];
    struct buffer message;
    buffer_init(&message, WEBHOOK_BODY_BYTES_MAX + 32);
    check(buffer_append_format(&message, "%" PRId64 ".", webhook->time_s) && buffer_append(&message, webhook->body));
    digest_hmac_sha256(secret_reveal(webhook->secret), buffer_contents(&message), digest);
    snprintf(value, sizeof value, "t=%" PRId64 ",v1=%s", webhook->time_s, digest_format(digest, hex));
    add_field(post, "tollgate-signature", value);
    buffer_done(&message);
}

static void choose_proxy(struct post *post)
{
    struct upstream_proxy proxy;
    char host[128];
    const char *start = strstr(post->webhook->url, "://");
    snprintf(host, sizeof host, "%.*s", start ? (int)strcspn(start + 3, "/?#") : 0, start ? start + 3 : "");
    proxy_read_environment(&proxy);
    const char *chosen = post->webhook->local ? "" : proxy_choose(&proxy, host);
    post->uses_proxy = *chosen != 0;
    set(post, CURLOPT_PROXY, chosen);
    set(post, CURLOPT_NOPROXY, "");
    proxy_done(&proxy);
}

static void set_options(struct post *post)
{
    const struct upstream_webhook *webhook = post->webhook;
    set(post, CURLOPT_ERRORBUFFER, post->error_text);
    set(post, CURLOPT_NOSIGNAL, 1L);
    set(post, CURLOPT_QUICK_EXIT, 1L);
    set(post, CURLOPT_PROTOCOLS_STR, webhook->local ? "https,http" : "https");
    set(post, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set(post, CURLOPT_SSL_VERIFYPEER, 1L);
    set(post, CURLOPT_SSL_VERIFYHOST, 2L);
    set(post, CURLOPT_CAINFO, webhook->ca_file ? webhook->ca_file : upstream_system_ca_file());
    set(post, CURLOPT_CAPATH, (char *)NULL);
    set(post, CURLOPT_FOLLOWLOCATION, 0L);
    set(post, CURLOPT_HTTP09_ALLOWED, 0L);
    set(post, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    set(post, CURLOPT_TIMEOUT_MS, (long)webhook->timeout_ms);
    set(post, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    set(post, CURLOPT_OPENSOCKETDATA, (void *)post);
    set(post, CURLOPT_WRITEFUNCTION, ignore_body);
    set(post, CURLOPT_NOPROGRESS, 0L);
    set(post, CURLOPT_XFERINFOFUNCTION, is_over);
    set(post, CURLOPT_XFERINFODATA, (void *)post);
    set(post, CURLOPT_POST, 1L);
    set(post, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)webhook->body.length);
    set(post, CURLOPT_POSTFIELDS, webhook->body.data);
    set(post, CURLOPT_HTTPHEADER, post->fields);
    set(post, CURLOPT_URL, webhook->url);
}

static enum error name_error(const struct post *post, CURLcode code)
{
    static const struct {
        CURLcode code;
        enum error error;
    } rows[] = {{CURLE_COULDNT_RESOLVE_HOST, ERROR_UPSTREAM_RESOLVE},
                {CURLE_OPERATION_TIMEDOUT, ERROR_UPSTREAM_TIMEOUT},
                {CURLE_PEER_FAILED_VERIFICATION, ERROR_UPSTREAM_TLS},
                {CURLE_SSL_CONNECT_ERROR, ERROR_UPSTREAM_TLS},
                {CURLE_SSL_CACERT_BADFILE, ERROR_UPSTREAM_TLS},
                {CURLE_COULDNT_CONNECT, ERROR_UPSTREAM_CONNECT},
                {CURLE_GOT_NOTHING, ERROR_UPSTREAM_CUT},
                {CURLE_RECV_ERROR, ERROR_UPSTREAM_CUT}};
    if (post->is_forbidden)
        return ERROR_UPSTREAM_FORBIDDEN_ADDRESS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code)
            return rows[i].error;
    return ERROR_UPSTREAM_MALFORMED;
}

enum error upstream_post_webhook(const struct upstream_webhook *webhook, int *ret_status, char *why, size_t why_bytes)
{
    struct post post = {.webhook = webhook};
    long status = 0;
    if (webhook->body.length > WEBHOOK_BODY_BYTES_MAX)
        return ERROR_REQUEST_INVALID;
    upstream_init_library();
    post.easy = curl_easy_init();
    check(post.easy != NULL);
    add_field(&post, "content-type", "application/json");
    add_field(&post, "user-agent", "tollgate/" TOLLGATE_VERSION);
    add_field(&post, "tollgate-delivery", webhook->delivery);
    add_field(&post, "expect", ""); /* removes libcurl's own: receivers rarely know it */
    if (webhook->secret)
        sign(&post);
    choose_proxy(&post);
    set_options(&post);
    CURLcode code = curl_easy_perform(post.easy);
    enum error error = code ? name_error(&post, code) : ERROR_OK;
    if (!error)
        curl_easy_getinfo(post.easy, CURLINFO_RESPONSE_CODE, &status);
    if (!error && (status < 200 || status > 299))
        error = ERROR_UPSTREAM_MALFORMED;
    if (error && status)
        snprintf(why, why_bytes, "the receiver answered %ld", status);
    else if (error)
        snprintf(why, why_bytes, "%s%s%s", error_row(error)->text, post.error_text[0] ? ": " : "", post.error_text);
    *ret_status = (int)status;
    curl_easy_cleanup(post.easy);
    curl_slist_free_all(post.fields);
    return error;
}

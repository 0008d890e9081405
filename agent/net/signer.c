/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides of the signer: the process that alone has the intermediates' keys (certificates_sign), and the agent's
 * questions to it (contexts.c). What it reads from the agent is a name and a point of fixed size, and what it signs is
 * bounded by it: a name that a pair permits, for LEAF_HOURS of its own clock. So what parses strangers' bytes has no
 * key of a CA in its memory. Its files are the same user's: who executes in the agent can still read them.
 */
#include "net/authority.h"

#include "base/check.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    POINT_BYTES = 65, /* of P-256, uncompressed */
    NAME_BYTES_MAX = 256,
    LEAF_BYTES_MAX = 4096,
    KEY_ROOM_BYTES = 1 << 20, /* OpenSSL's heap for keys, locked: 20,000 names are 157 pairs */
    KEY_BYTES_MIN = 32,
    PATIENCE_S = 5, /* a leaf takes 0.2 ms */
};

struct question {
    char name[NAME_BYTES_MAX];
    unsigned char point[POINT_BYTES];
};

struct reply {
    int32_t error; /* enum error */
    uint32_t pair_number, leaf_bytes;
    int64_t not_before_s, renew_s;
    unsigned char leaf[LEAF_BYTES_MAX];
};

/* ---- in the signer ---- */

/* The oldest living pair: running programs may trust no younger one. */
static const struct pair *find_pair(const struct certificates *certificates, const char *name, int64_t now_s)
{
    for (unsigned i = 0; i < certificates->pair_count; i++) {
        const struct pair *pair = certificates->pairs[i];
        if (pair_is_living(pair, now_s) && pair_permits(pair, name))
            return pair;
    }
    return NULL;
}

static EVP_PKEY *read_point(const struct pair *pair, const unsigned char point[POINT_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new();
    if (key && EVP_PKEY_copy_parameters(key, pair->key) == 1 &&
        EVP_PKEY_set1_encoded_public_key(key, point, POINT_BYTES) == 1)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool write_leaf(X509 *leaf, struct reply *reply)
{
    unsigned char *end = reply->leaf;
    const int length = leaf ? i2d_X509(leaf, NULL) : 0;
    if (length <= 0 || length > LEAF_BYTES_MAX)
        return false;
    reply->leaf_bytes = (uint32_t)i2d_X509(leaf, &end);
    return true;
}

static void sign_leaf(const struct certificates *certificates, const struct question *question, struct reply *reply)
{
    const int64_t now_s = authority_now_s(), not_after_s = now_s + 3600 * LEAF_HOURS;
    const char *name = question->name;
    const struct pair *pair = memchr(name, 0, NAME_BYTES_MAX) ? find_pair(certificates, name, now_s) : NULL;
    *reply = (struct reply){.error = ERROR_NOT_FOUND};
    if (!pair)
        return;
    struct x509_request request = {.names = &name,
                                   .name_count = 1,
                                   .key = read_point(pair, question->point),
                                   .issuer = pair->intermediate,
                                   .issuer_key = pair->key,
                                   .not_before_s = now_s - 300,
                                   .not_after_s = not_after_s < pair->not_after_s ? not_after_s : pair->not_after_s};
    X509 *leaf = request.key ? x509_new_leaf(&request) : NULL;
    reply->error = write_leaf(leaf, reply) ? ERROR_OK : ERROR_INTERNAL;
    reply->pair_number = pair->number;
    reply->not_before_s = request.not_before_s;
    reply->renew_s = request.not_after_s == not_after_s ? not_after_s - 3600 * LEAF_RENEWAL_HOURS
                                                        : request.not_after_s; /* the pair's last day: no better one */
    X509_free(leaf);
    EVP_PKEY_free(request.key);
    ERR_clear_error();
}

static bool say_pairs(int fd, enum error error, const struct certificates *certificates)
{
    struct signer_pairs pairs = {.error = (int32_t)error};
    for (unsigned i = 0; !error && i < certificates->pair_count; i++)
        pairs.numbers[pairs.count++] = certificates->pairs[i]->number;
    pairs.damaged_count = error ? 0 : certificates->damaged_count;
    return send(fd, &pairs, sizeof pairs, MSG_NOSIGNAL) == (ssize_t)sizeof pairs;
}

void certificates_sign(int fd, const char *directory, const char *const *names, size_t name_count)
{
    struct certificates *certificates = NULL;
    char go; /* the agent owns the environment by now: another one's files are not touched */
    if (recv(fd, &go, sizeof go, 0) != (ssize_t)sizeof go)
        return;
    CRYPTO_secure_malloc_init(KEY_ROOM_BYTES, KEY_BYTES_MIN);
    enum error error = certificates_prepare(directory, names, name_count, &certificates);
    bool goes_on = say_pairs(fd, error, certificates) && !error;
    struct question question;
    struct reply reply;
    while (goes_on && recv(fd, &question, sizeof question, 0) == (ssize_t)sizeof question) {
        sign_leaf(certificates, &question, &reply);
        goes_on = send(fd, &reply, sizeof reply, MSG_NOSIGNAL) == (ssize_t)sizeof reply;
    }
    certificates_free(certificates);
}

/* ---- in the agent ---- */

bool signer_read_pairs(int fd, struct signer_pairs *ret_pairs)
{
    return send(fd, "", 1, MSG_NOSIGNAL) == 1 &&
           recv(fd, ret_pairs, sizeof *ret_pairs, 0) == (ssize_t)sizeof *ret_pairs &&
           ret_pairs->count <= SIGNER_PAIRS_MAX && ret_pairs->error >= 0 && ret_pairs->error < ERROR_COUNT;
}

void signer_limit_patience(int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    (void)!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static bool write_question(const char *name, EVP_PKEY *key, struct question *question)
{
    unsigned char *point = NULL;
    const size_t length = EVP_PKEY_get1_encoded_public_key(key, &point);
    const size_t name_bytes = strlen(name) + 1;
    bool ok = length == POINT_BYTES && name_bytes <= NAME_BYTES_MAX;
    if (ok) {
        memcpy(question->name, name, name_bytes);
        memcpy(question->point, point, POINT_BYTES);
    }
    OPENSSL_free(point);
    return ok;
}

/* A late answer would be taken for the next one's: who was late once is not asked again. */
static bool ask(struct certificates *certificates, const struct question *question, struct reply *reply)
{
    const int fd = certificates->signer_fd;
    ssize_t got;
    if (certificates->is_signer_gone)
        return false;
    bool ok = send(fd, question, sizeof *question, MSG_NOSIGNAL) == (ssize_t)sizeof *question;
    do
        got = ok ? recv(fd, reply, sizeof *reply, 0) : 0;
    while (got < 0 && errno == EINTR);
    ok = got == (ssize_t)sizeof *reply && reply->leaf_bytes <= LEAF_BYTES_MAX;
    certificates->is_signer_gone = !ok;
    if (!ok)
        kill(getpid(), SIGCHLD); /* main looks after the helpers when one has ended: it asks certificates_can_sign */
    return ok;
}

enum error signer_make_leaf(struct certificates *certificates, const char *name, EVP_PKEY *key,
                            struct signer_leaf *ret_leaf)
{
    struct question question = {0};
    struct reply reply;
    if (!write_question(name, key, &question) || !ask(certificates, &question, &reply))
        return ERROR_INTERNAL;
    if (reply.error)
        return reply.error == ERROR_NOT_FOUND ? ERROR_NOT_FOUND : ERROR_INTERNAL;
    const unsigned char *der = reply.leaf;
    X509 *certificate = d2i_X509(NULL, &der, (long)reply.leaf_bytes);
    if (!certificate)
        return ERROR_INTERNAL;
    *ret_leaf = (struct signer_leaf){certificate, reply.pair_number, reply.not_before_s, reply.renew_s};
    return ERROR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API keys of known shapes (as their issuers document them) and private keys in PEM. Called through the table in
 * detect.c. Linear: where a run of a key's characters is refused, no other key can begin within it (strict rows), or it
 * was shorter than its row's least.
 */
#include "policy/internal.h"

#include <string.h>

enum charset { ALNUM, ALNUM_DASH /* - and _ */, ALNUM_DASH_DOT, ALNUM_HYPHEN, ALNUM_LINE /* _ */, UPPER };

struct key_row {
    const char *prefix;
    enum charset charset; /* of what follows */
    unsigned least, most; /* of them; most 0: any */
    bool is_strict;       /* neither - nor _ before it; and a digit in it, since words look like it */
};
static const struct key_row rows[] = {
    {"sk-ant-", ALNUM_DASH, 20, 0, false},     /* Anthropic */
    {"sk-proj-", ALNUM_DASH, 20, 0, false},    /* OpenAI */
    {"sk-svcacct-", ALNUM_DASH, 20, 0, false}, /* OpenAI */
    {"sk-admin-", ALNUM_DASH, 20, 0, false},   /* OpenAI */
    {"sk-or-v1-", ALNUM, 32, 0, false},        /* OpenRouter */
    {"sk-", ALNUM, 20, 0, true},               /* OpenAI, DeepSeek, and those that are compatible */
    {"AIza", ALNUM_DASH, 35, 0, false},        /* Google */
    {"ya29.", ALNUM_DASH, 30, 0, false},       /* Google OAuth */
    {"GOCSPX-", ALNUM_DASH, 28, 0, false},     /* Google OAuth client */
    {"AKIA", UPPER, 16, 16, false},            /* AWS */
    {"ASIA", UPPER, 16, 16, false},            /* AWS, temporary */
    {"ghp_", ALNUM, 36, 0, false},             /* GitHub: personal, OAuth, user, server, refresh */
    {"gho_", ALNUM, 36, 0, false},
    {"ghu_", ALNUM, 36, 0, false},
    {"ghs_", ALNUM, 36, 0, false},
    {"ghr_", ALNUM, 36, 0, false},
    {"github_pat_", ALNUM_LINE, 22, 0, false},
    {"xoxb-", ALNUM_HYPHEN, 20, 0, true}, /* Slack */
    {"xoxp-", ALNUM_HYPHEN, 20, 0, true},
    {"xoxa-", ALNUM_HYPHEN, 20, 0, true},
    {"xoxr-", ALNUM_HYPHEN, 20, 0, true},
    {"xoxs-", ALNUM_HYPHEN, 20, 0, true},
    {"xoxe-", ALNUM_HYPHEN, 20, 0, true},
    {"xoxo-", ALNUM_HYPHEN, 20, 0, true},
    {"xapp-", ALNUM_HYPHEN, 20, 0, true},
    {"sk_live_", ALNUM, 16, 0, false}, /* Stripe */
    {"rk_live_", ALNUM, 16, 0, false},
    {"whsec_", ALNUM, 32, 0, false},
    {"glpat-", ALNUM_DASH_DOT, 20, 0, false}, /* GitLab */
    {"hf_", ALNUM, 30, 0, false},             /* Hugging Face */
    {"npm_", ALNUM, 36, 0, false},
    {"pypi-AgE", ALNUM_DASH, 32, 0, false}, /* the beginning of every macaroon of PyPI */
    {"gsk_", ALNUM, 40, 0, false},          /* Groq */
    {"xai-", ALNUM, 40, 0, false},
    {"pplx-", ALNUM, 40, 0, false},        /* Perplexity */
    {"tgp_v1_", ALNUM_DASH, 40, 0, false}, /* Together */
    {"r8_", ALNUM, 37, 0, false},          /* Replicate */
    {"nvapi-", ALNUM_DASH, 60, 0, false},
    {"SG.", ALNUM_DASH_DOT, 60, 0, false},   /* SendGrid */
    {"hvs.", ALNUM_DASH, 24, 0, false},      /* Vault */
    {"dop_v1_", ALNUM, 64, 0, false},        /* DigitalOcean */
    {"dckr_pat_", ALNUM_DASH, 27, 0, false}, /* Docker */
    {"shpat_", ALNUM, 32, 0, false},         /* Shopify */
};

static bool is_in(enum charset charset, char c)
{
    static const char *const more[] = {
        [ALNUM] = "", [ALNUM_DASH] = "-_", [ALNUM_DASH_DOT] = "-_.", [ALNUM_HYPHEN] = "-", [ALNUM_LINE] = "_"};
    if (charset == UPPER)
        return detect_is_digit(c) || (c >= 'A' && c <= 'Z');
    return detect_is_alnum(c) || (c && strchr(more[charset], c));
}

static bool is_start(struct slice text, size_t at, bool is_strict)
{
    if (at == 0)
        return true;
    char before = text.data[at - 1];
    return !detect_is_alnum(before) && !(is_strict && (before == '-' || before == '_'));
}

static size_t find_row_end(struct slice text, size_t at, const struct key_row *row)
{
    size_t from = at + strlen(row->prefix), to = from;
    bool has_digit = false;
    if (!is_start(text, at, row->is_strict))
        return 0;
    for (; is_in(row->charset, detect_byte(text, to)) && (!row->most || to - from <= row->most); to++)
        has_digit |= detect_is_digit(text.data[to]);
    if (row->most && (to - from > row->most || detect_is_alnum(detect_byte(text, to))))
        return 0;
    while (to > from && text.data[to - 1] == '.')
        to--; /* of the sentence */
    return to - from >= row->least && (has_digit || !row->is_strict) ? to : 0;
}

/* RFC 7519: header.payload.signature, the first two of which are JSON objects: {" is eyJ in base64. */
static size_t find_token_end(struct slice text, size_t at)
{
    enum { PARTS = 3, PART_LEAST = 8 };
    size_t to = at;
    if (!is_start(text, at, true))
        return 0;
    for (unsigned part = 0; part < PARTS; part++) {
        size_t from = to;
        if (part < 2 && !slice_has_prefix(slice_from(text, from), "eyJ"))
            return 0;
        while (is_in(ALNUM_DASH, detect_byte(text, to)))
            to++;
        if (to - from < PART_LEAST)
            return 0;
        if (part < 2 && detect_byte(text, to++) != '.')
            return 0;
    }
    return to;
}

static size_t find_key_end(struct slice text, size_t at)
{
    if (text.data[at] == 'e')
        return slice_has_prefix(slice_from(text, at), "eyJ") ? find_token_end(text, at) : 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t end = rows[i].prefix[0] == text.data[at] && slice_has_prefix(slice_from(text, at), rows[i].prefix)
                         ? find_row_end(text, at, &rows[i])
                         : 0;
        if (end)
            return end;
    }
    return 0;
}

bool detect_api_key(struct slice text, struct span *ret_span)
{
    for (size_t next = 0; next < text.length; next++) {
        /* only where a word begins: most places are looked at no further */
        size_t end = detect_is_alnum(text.data[next]) && is_start(text, next, false) ? find_key_end(text, next) : 0;
        if (end) {
            *ret_span = (struct span){next, end};
            return true;
        }
    }
    return false;
}

/* ---- PEM (RFC 7468): -----BEGIN RSA PRIVATE KEY----- … -----END RSA PRIVATE KEY----- ---- */

/* Behind the marker's last dash when `at` begins "-----BEGIN …-----" (or END), else 0. */
static size_t find_marker_end(struct slice text, size_t at, const char *word, bool *ret_is_private)
{
    enum { LABEL_MAX = 64 };
    if (!slice_has_prefix(slice_from(text, at), word))
        return 0;
    size_t from = at + strlen(word), to = from;
    while (to - from < LABEL_MAX && (detect_is_alnum(detect_byte(text, to)) || detect_byte(text, to) == ' '))
        to++;
    if (!slice_has_prefix(slice_from(text, to), "-----"))
        return 0;
    *ret_is_private = memmem(text.data + from, to - from, "PRIVATE KEY", 11) != NULL;
    return to + 5;
}

/* The next "-----BEGIN" or "-----END" marker; blocks do not nest. */
static size_t find_block_end(struct slice text, size_t at)
{
    bool is_private = false;
    while (at < text.length) {
        const char *dashes = memmem(text.data + at, text.length - at, "-----", 5);
        if (!dashes)
            return 0;
        at = (size_t)(dashes - text.data);
        size_t end = find_marker_end(text, at, "-----END ", &is_private);
        if (end)
            return is_private ? end : 0;
        if (slice_has_prefix(slice_from(text, at), "-----BEGIN "))
            return 0;
        at++;
    }
    return 0;
}

static bool is_base64(char c)
{
    return detect_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

/* A key that was cut: whole lines of base64, whose ends may be written \n. 0: no such line, only talk of a marker. */
static size_t find_cut_end(struct slice text, size_t at)
{
    enum { LINE_LEAST = 40 };
    size_t end = 0;
    for (;;) {
        char c;
        while ((c = detect_byte(text, at)) == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\\')
            at += c == '\\' && strchr("nrt", detect_byte(text, at + 1)) && at + 1 < text.length ? 2 : 1;
        size_t from = at;
        while (is_base64(detect_byte(text, at)))
            at++;
        if (at - from < LINE_LEAST)
            return end;
        end = at;
    }
}

bool detect_private_key(struct slice text, struct span *ret_span)
{
    size_t at = 0;
    while (at < text.length) {
        const char *found = memmem(text.data + at, text.length - at, "-----BEGIN ", 11);
        if (!found)
            return false;
        size_t from = (size_t)(found - text.data);
        bool is_private = false;
        size_t body = find_marker_end(text, from, "-----BEGIN ", &is_private);
        size_t end = body && is_private ? find_block_end(text, body) : 0;
        if (!end && body && is_private)
            end = find_cut_end(text, body);
        if (end) {
            *ret_span = (struct span){from, end};
            return true;
        }
        at = from + 11;
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data URLs (RFC 2397) and others; see media.h. Called by readers and by the writer of Chat Completions. The data is
 * not decoded: whether it is an image is the provider's to say.
 */
#include "translate/media.h"

static const struct slice data_scheme = {"data:", 5}, base64_mark = {";base64", 7};

static struct slice head(struct slice text, size_t length)
{
    return (struct slice){text.data, length};
}

static bool has_scheme(struct slice url, const char *scheme)
{
    return url.length > strlen(scheme) && slice_is_like(head(url, strlen(scheme)), scheme);
}

/* "data:image/png;base64,…"; parameters of the media type are left out. */
static bool parse_data_url(struct slice url, struct media *media)
{
    const char *comma = memchr(url.data, ',', url.length);
    if (!comma)
        return false;
    struct slice type = slice_from(head(url, (size_t)(comma - url.data)), data_scheme.length);
    if (type.length <= base64_mark.length ||
        !slice_is_like(slice_from(type, type.length - base64_mark.length), ";base64"))
        return false;
    type.length -= base64_mark.length;
    const char *semicolon = memchr(type.data, ';', type.length);
    if (semicolon)
        type.length = (size_t)(semicolon - type.data);
    media->type = type;
    media->data = slice_from(url, (size_t)(comma - url.data) + 1);
    return type.length > 0 && media->data.length > 0;
}

bool media_read_data_url(struct work *work, json_t *value, void *into)
{
    if (!json_is_string(value))
        return work_reject(work, "must be a string");
    if (!has_scheme(tree_text(value), "data:") || !parse_data_url(tree_text(value), into))
        return work_refuse(work, "only data URLs in base64 (data:TYPE;base64,…)");
    return true;
}

bool media_read_url(struct work *work, json_t *value, void *into)
{
    struct media *media = into;
    if (!json_is_string(value))
        return work_reject(work, "must be a string");
    struct slice url = tree_text(value);
    if (has_scheme(url, "data:"))
        return media_read_data_url(work, value, into);
    if (!has_scheme(url, "https://") && !has_scheme(url, "http://"))
        return work_refuse(work, "only https, http and data URLs");
    media->url = url;
    return true;
}

struct slice media_format_url(struct work *work, const struct media *media)
{
    if (media->url.length)
        return media->url;
    const struct slice pieces[] = {data_scheme, media->type, base64_mark, {",", 1}, media->data};
    size_t length = 0, at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        length += pieces[i].length;
    char *url = arena_alloc(work->arena, length);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        memcpy(url + at, pieces[i].data, pieces[i].length);
        at += pieces[i].length;
    }
    return (struct slice){url, length};
}

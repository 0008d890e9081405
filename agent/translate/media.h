/* SPDX-License-Identifier: Apache-2.0 */
/* Images and files: where they are, as the apis write it (RFC 2397 data URLs, https URLs). Internal to translate/. */
#ifndef TRANSLATE_MEDIA_H
#define TRANSLATE_MEDIA_H

#include "translate/work.h"

/* Reads a URL (`into` is a struct media): a base64 data URL, or one of http or https. Others are refused. */
bool media_read_url(struct work *work, json_t *value, void *into);
/* The same, but only data. */
bool media_read_data_url(struct work *work, json_t *value, void *into);
/* The URL that says the same, in the work's arena. */
struct slice media_format_url(struct work *work, const struct media *media);

#endif

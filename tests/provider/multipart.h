/* SPDX-License-Identifier: Apache-2.0 */
/* Forms (multipart/form-data, RFC 7578): uploads, images to edit, recordings. Called by dispatch.c, which reads a
 * form's texts as it reads JSON, and by whoever wants a file's bytes.
 */
#ifndef TESTS_PROVIDER_MULTIPART_H
#define TESTS_PROVIDER_MULTIPART_H

#include "tests/provider/http.h"

#include <jansson.h>

struct form_part {
    char name[64];
    char file_name[128]; /* "": a text */
    const char *data;    /* in the request's body */
    size_t length;
};

bool multipart_is(const struct request *request);
/* Takes the next part; *at begins with 0. False: there is none, or the form is broken. */
bool multipart_next(const struct request *request, size_t *at, struct form_part *ret_part);
/* The form as a JSON object: texts as strings, numbers and booleans as such; files as
 * {"file_name":…,"bytes":…,"count":…}, several of one name counted together. */
json_t *multipart_to_json(const struct request *request);

#endif

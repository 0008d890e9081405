/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1), strictly: what two readers could take differently is refused,
 * so that a provider sees no other model than the one that was held to the rules. Slices point into the body.
 */
#ifndef DIALECT_FORM_H
#define DIALECT_FORM_H

#include "dialect/internal.h"

/* gpt-image takes 16 images and a mask; audio has a dozen fields. */
enum { FORM_FIELDS_MAX = 64 };

struct form_field {
    struct slice name, value;
    bool is_file; /* has a file name */
};
struct form {
    struct form_field fields[FORM_FIELDS_MAX];
    size_t field_count;
    size_t text_bytes; /* of the fields that are no files */
    size_t file_count;
};

/* "multipart/form-data; boundary=…", whatever else it says. */
bool form_is_announced(struct slice content_type);
/* BODY_MALFORMED with a fixed text. */
enum error form_parse(struct slice content_type, struct slice body, struct form *ret_form,
                      const char **ret_problem) MUST_USE;
/* The first of that name; NULL: none. */
const struct form_field *form_find(const struct form *form, const char *name);
/* Takes the members of the table from the fields of reading->form: model, stream, choices. A field that the table names
 * must come once. BODY_INCOMPLETE. */
enum error form_take_members(struct reading *reading, struct request_facts *facts) MUST_USE;
/* The body with another model; the same slice when the model cannot stand in a form. */
struct slice form_edit_model(struct slice body, const struct request_facts *facts, const char *model,
                             struct arena *arena);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider can refuse, with the words each dialect has for it. One row per problem; the dialects' writers turn
 * a row into their own error shape. Used by the endpoints (validation), the faults (on request) and dispatch.
 */
#ifndef TESTS_PROVIDER_PROBLEMS_H
#define TESTS_PROVIDER_PROBLEMS_H

struct problem {
    const char *name; /* as a directive names it: [[fault=NAME]] */
    int status;
    const char *openai_type;
    const char *openai_code; /* NULL: null */
    const char *anthropic_type;
    const char *gemini_status;
    const char *message;
};

/* NULL when no row has that name. */
const struct problem *problem_find(const char *name);

extern const struct problem *const problem_bad_request,
    *const problem_unauthorized, *const problem_not_found, *const problem_method, *const problem_model_not_found;

/* One refusal: a row, with the details of this request. */
struct refusal {
    const struct problem *problem;
    const char *message; /* NULL: the row's */
    const char *param;   /* the field at fault; NULL: none */
};

#endif

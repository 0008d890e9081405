/* SPDX-License-Identifier: Apache-2.0 */
/* The table of problems; see problems.h. Wording and codes follow the providers' published error pages.
 */
#include "tests/provider/problems.h"

#include <stddef.h>
#include <string.h>

static const struct problem problems[] = {
    {"400", 400, "invalid_request_error", NULL, "invalid_request_error", "INVALID_ARGUMENT",
     "The request body is not valid."},
    {"401", 401, "invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED",
     "Incorrect API key provided."},
    {"404", 404, "invalid_request_error", "unknown_url", "not_found_error", "NOT_FOUND", "Unknown request URL."},
    {"405", 405, "invalid_request_error", "method_not_supported", "invalid_request_error", "UNIMPLEMENTED",
     "This method is not allowed here."},
    {"model_not_found", 404, "invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND",
     "The model does not exist or you do not have access to it."},
    {"previous_response_not_found", 400, "invalid_request_error", "previous_response_not_found",
     "invalid_request_error", "INVALID_ARGUMENT", "Previous response not found."},
    {"403", 403, "permission_error", NULL, "permission_error", "PERMISSION_DENIED",
     "Your key may not use this resource."},
    {"408", 408, "timeout_error", NULL, "timeout_error", "DEADLINE_EXCEEDED", "The request took too long."},
    {"413", 413, "invalid_request_error", NULL, "request_too_large", "INVALID_ARGUMENT", "The request is too large."},
    {"429", 429, "requests", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED", "Rate limit reached."},
    {"insufficient_quota", 429, "insufficient_quota", "insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED",
     "You exceeded your current quota."},
    {"500", 500, "server_error", NULL, "api_error", "INTERNAL", "The server had an error."},
    {"502", 502, "server_error", NULL, "api_error", "UNAVAILABLE", "Bad gateway."},
    {"503", 503, "server_error", NULL, "overloaded_error", "UNAVAILABLE", "The engine is currently overloaded."},
    {"529", 529, "server_error", NULL, "overloaded_error", "UNAVAILABLE", "Overloaded"},
};

const struct problem *const problem_bad_request = &problems[0], *const problem_unauthorized = &problems[1],
                            *const problem_not_found = &problems[2], *const problem_method = &problems[3],
                            *const problem_model_not_found = &problems[4];

const struct problem *problem_find(const char *name)
{
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        if (strcmp(problems[i].name, name) == 0)
            return &problems[i];
    return NULL;
}

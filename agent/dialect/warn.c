/* SPDX-License-Identifier: Apache-2.0 */
/* What `check` says about rules whose endpoints no dialect has: such a rule never acts. */
#include "dialect/internal.h"

#include <stdio.h>

static bool has_endpoint(const char *pattern)
{
    for (int kind = 0; kind < DIALECT_COUNT; kind++) {
        const struct endpoint_row *row = dialect_of((enum dialect_kind)kind)->endpoints;
        for (bool is_last = false; !is_last; row++) {
            is_last = !row->method && row->suffix[0] == '\0';
            if (text_fits(row->endpoint.name, pattern))
                return true;
        }
    }
    return text_fits("uncatalogued", pattern);
}

void dialect_warn_endpoints(const struct settings *settings, struct config_problems *problems)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        for (size_t j = 0; j < settings->rules[i].endpoint_count; j++) {
            char message[320];
            if (has_endpoint(settings->rules[i].endpoints[j]))
                continue;
            snprintf(message, sizeof message, "rule \"%s\": no endpoint is named \"%s\", so that it never acts",
                     settings->rules[i].id, settings->rules[i].endpoints[j]);
            config_add_problem(problems, true, settings->file, NULL, message,
                               "events name the endpoints, e.g. chat.completions, responses, messages, embeddings, "
                               "images*, audio*");
        }
}

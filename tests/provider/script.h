/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: behaviours for requests that match, from --script FILE or POST /_script. For programs whose prompts cannot be
 * changed, and for "the third request of all". Directives in the prompt win over rules; later rules over earlier ones.
 */
#ifndef TESTS_PROVIDER_SCRIPT_H
#define TESTS_PROVIDER_SCRIPT_H

#include "tests/provider/directives.h"

#include <pthread.h>
#include <stdatomic.h>

#define SCRIPT_RULES_MAX    64
#define SCRIPT_SETTINGS_MAX 24

struct rule_setting {
    const struct directive *directive;
    char value[48];
};

struct rule {
    char path[128]; /* "": any; a '*' at the end matches the rest */
    char model[96];
    uint32_t connection_request; /* at least the n-th request of its connection; 0: any */
    uint32_t nth;                /* only the n-th request that matches; 0: any */
    uint32_t every;              /* every n-th; 0: any */
    uint32_t matches;            /* so far */
    size_t setting_count;
    struct rule_setting settings[SCRIPT_SETTINGS_MAX];
};

struct script {
    pthread_mutex_t lock;
    atomic_size_t rule_count; /* read without the lock: 0 is the common case */
    struct rule *rules;       /* SCRIPT_RULES_MAX of them */
};

void script_init(struct script *script);
void script_done(struct script *script);
/* Replaces all rules by those of a JSON array. False with a message: nothing has changed then. */
bool script_load(struct script *script, const char *json, size_t length, char *ret_message, size_t message_bytes);
/* Puts the matching rules under what *behaviour has already (the prompt's directives). Counts the request. */
void script_apply(struct script *script, const char *path, const char *model, uint32_t connection_request,
                  struct behaviour *behaviour);
/* Starts the counts of nth and every again. */
void script_reset(struct script *script);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a support bundle's texts go through. Its parts are made of what holds no secret to begin with; this is the
 * second net, for what a log line or an error may have quoted: shapes of keys, passwords and paths in addresses, quoted
 * lines of policies, and every value that this user's environment, the agent's store and the policy's groups hold.
 */
#ifndef CLI_REDACT_H
#define CLI_REDACT_H

#include "cli/cli.h"

struct redact {
    struct text_list secrets; /* values, each also in the forms that URLs, JSON and base64 give it */
    struct text_list names;   /* with --redact-names: private ones, the longest first when used */
};

void redact_learn_environment(struct redact *redact);
/* The files of STATE/secrets, as far as they can be read. */
void redact_learn_store(struct redact *redact, const char *state);
void redact_learn_secret(struct redact *redact, const char *value);
/* Groups, wallets, projects, programs, directories … of a document of the agent's. */
void redact_learn_names(struct redact *redact, const json_t *document);
void redact_learn_name(struct redact *redact, const char *name);
/* The text without them; lives as long as the program. */
char *redact_text(struct redact *redact, const char *text);

#endif

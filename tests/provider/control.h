/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in's own paths: /_bill, /_stats, /_reset, /_script, /_release. On the same port, never billed.
 */
#ifndef TESTS_PROVIDER_CONTROL_H
#define TESTS_PROVIDER_CONTROL_H

#include "tests/provider/server.h"

/* Answers the exchange when its path is one of these. False: it is a request to the provider. */
bool control_answer(struct server *server, struct exchange *exchange);

#endif

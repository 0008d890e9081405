/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the anthropic dialect, read, edited and read again: endpoints.h. */
#include "endpoints.h"

ENDPOINT_TARGET(play_request, DIALECT_ANTHROPIC, anthropic_cases)

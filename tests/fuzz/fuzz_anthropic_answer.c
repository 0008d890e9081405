/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the anthropic dialect, metered whole and in pieces: endpoints.h. */
#include "endpoints.h"

ENDPOINT_TARGET(play_answer, DIALECT_ANTHROPIC, anthropic_cases)

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the gemini dialect, read, edited and read again: endpoints.h. */
#include "endpoints.h"

ENDPOINT_TARGET(play_request, DIALECT_GEMINI, gemini_cases)

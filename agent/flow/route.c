/* SPDX-License-Identifier: Apache-2.0 */
/* Route: which targets, in which order. The step only asks; routing/ decides. */
#include "flow/exchange.h"

enum outcome step_route(struct exchange *exchange)
{
    const struct route_request request = {
        .settings = exchange->settings,
        .provider = exchange->provider,
        .model = exchange->facts.model,
        .tokens_estimate = exchange->facts.text_bytes / 4 + 1,
    };
    enum error error = routing_choose(exchange->worker->services->routing, &request, &exchange->route);
    if (error)
        return exchange_fail(exchange, error, "%s (model %s at %s)", error_row(error)->text,
                             exchange->facts.model[0] ? exchange->facts.model : "-", exchange->provider->id);
    if (exchange->route.is_pass && exchange->principal.group.key_is_placeholder)
        return exchange_fail(
            exchange, ERROR_NO_SECRET,
            "%s would be asked with the program's own key, but the program has only the placeholder key",
            exchange->provider->id);
    exchange_note(exchange, "%s: %s", exchange->route.reason,
                  exchange->route.is_pass ? exchange->provider->id : exchange->route.targets[0]->id);
    return OUTCOME_NEXT;
}

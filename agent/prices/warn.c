/* SPDX-License-Identifier: Apache-2.0 */
/* What `check` says about targets whose model is in no price list. */
#include "prices/prices.h"

#include <stdio.h>

static void warn_ceiling(const struct settings *settings, const struct target *target, const struct price_quote *quote,
                         struct config_problems *problems)
{
    char input[MONEY_TEXT_MAX], output[MONEY_TEXT_MAX], message[320], hint[160];
    price_format(quote->standard.input, input);
    price_format(quote->standard.output, output);
    snprintf(message, sizeof message,
             "model \"%s\" has no list price: charged at the ceiling of its family, %s in and %s out (USD per million "
             "tokens, as %s)",
             target->model, input, output, quote->list_model);
    snprintf(hint, sizeof hint, "add to the target its true price, e.g. pricing: {input: %s, output: %s}", input,
             output);
    config_add_problem(problems, true, settings->file, &target->model_place, message, hint);
}

static void warn_blocked(const struct settings *settings, const struct target *target, struct config_problems *problems)
{
    char message[320];
    snprintf(message, sizeof message, "model \"%s\" has no price: its requests are refused", target->model);
    config_add_problem(problems, true, settings->file, &target->model_place, message,
                       "add to the target its price: pricing: {input: ..., output: ...}");
}

void prices_warn_unknown(const struct settings *settings, struct config_problems *problems)
{
    for (size_t i = 0; i < settings->target_count; i++) {
        const struct target *target = &settings->targets[i];
        struct price_quote quote;
        enum error error = prices_find(settings, target->provider, target->model, NULL, &target->pricing, &quote);
        if (error == ERROR_PRICE_UNKNOWN)
            warn_blocked(settings, target, problems);
        else if (!error && quote.basis == PRICE_CEILING)
            warn_ceiling(settings, target, &quote, problems);
    }
}

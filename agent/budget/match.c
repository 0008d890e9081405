/* SPDX-License-Identifier: Apache-2.0 */
/* Which budgets count a call. Called by flow before each hold; touches nothing but its arguments. */
#include "budget/budget.h"

#include <string.h>

/* A last '*' stands for any ending, none included. What is not known is only matched by what asks for nothing. */
static bool matches(const char *pattern, const char *value)
{
    if (!pattern)
        return true;
    size_t length = strlen(pattern);
    if (!value)
        value = "";
    return length && pattern[length - 1] == '*' ? strncmp(pattern, value, length - 1) == 0
                                                : *value && strcmp(pattern, value) == 0;
}

size_t budget_match(const struct settings *settings, const struct budget_call *call, const struct budget **ret_budgets,
                    size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->budget_count && count < max; i++) {
        const struct budget *budget = &settings->budgets[i];
        if (matches(budget->scope.wallet, call->wallet) && matches(budget->scope.group, call->group) &&
            matches(budget->scope.provider, call->provider) && matches(budget->scope.model, call->model) &&
            matches(budget->scope.project, call->project))
            ret_budgets[count++] = budget;
    }
    return count;
}

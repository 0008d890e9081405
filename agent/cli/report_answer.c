/* SPDX-License-Identifier: Apache-2.0 */
/* A report in one sentence: which program spent most, on which model, and what the cache saved. */
#include "cli/report.h"

#include <string.h>

/* The dearest name of a dimension among the rows of `executable` (NULL: of all); NULL: none cost anything. */
static const char *find_dearest(const json_t *rows, const char *dimension, const char *executable,
                                struct figures *ret_figures)
{
    json_t *sums = json_object();
    const char *dearest = NULL;
    struct figures best = {.cost = 0};
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = api_text(row, dimension, "");
        if (!json_object_get(row, "rest") && (!executable || strcmp(api_text(row, "executable", ""), executable) == 0))
            json_object_set_new(
                sums, name,
                json_integer(json_integer_value(json_object_get(sums, name)) + nano_parse(api_text(row, "cost", "0"))));
    }
    const char *name;
    json_t *sum;
    json_object_foreach(sums, name, sum) if (json_integer_value(sum) > best.cost)
    {
        best.cost = json_integer_value(sum);
        dearest = text_format("%s", name);
    }
    json_decref(sums);
    *ret_figures = best;
    return dearest;
}

const char *report_sentence(const json_t *document)
{
    const json_t *rows = json_object_get(document, "rows");
    struct figures total, of_program, of_model;
    figures_read(json_object_get(document, "total"), &total);
    const char *saved = total.hits ? text_format("; the cache saved %s USD in %lld call%s", nano_format(total.avoided),
                                                 total.hits, total.hits == 1 ? "" : "s")
                                   : "; the cache saved nothing";
    const char *program = find_dearest(rows, "executable", NULL, &of_program);
    if (!program)
        return text_format("nothing was spent, in %lld call%s%s", total.calls, total.calls == 1 ? "" : "s", saved);
    const char *model = find_dearest(rows, "model", program, &of_model);
    return text_format("%s spent most: %s USD of %s%s%s%s",
                       program[0] ? terminal_base(program) : "a program nobody knows", nano_format(of_program.cost),
                       nano_format(total.cost),
                       !model                             ? ""
                       : of_model.cost == of_program.cost ? ", on "
                                                          : text_format(", %s of it on ", nano_format(of_model.cost)),
                       model ? model : "", saved);
}

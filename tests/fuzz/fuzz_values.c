/* SPDX-License-Identifier: Apache-2.0 */
/* Money, prices, ids and canonical numbers: what is read can be written and read again, and is the same. */
#include "fuzz.h"

#include "base/id.h"
#include "base/json.h"
#include "base/money.h"
#include "cache/internal.h"

static void play_money(struct slice text)
{
    struct money money, again;
    struct price price, price_again;
    char written[MONEY_TEXT_MAX];
    if (!money_parse(text, &money))
        FUZZ_REQUIRE(!money_parse(slice_of(money_format(money, written)), &again) && again.nano == money.nano, "%s",
                     written);
    if (!price_parse(text, &price))
        FUZZ_REQUIRE(!price_parse(slice_of(price_format(price, written)), &price_again) &&
                         price_again.pico == price.pico,
                     "%s", written);
}

static void play_id(struct slice text)
{
    struct id id, again;
    char written[ID_TEXT_MAX];
    if (!id_parse(text, &id))
        return;
    FUZZ_REQUIRE(text.length == ID_TEXT_MAX - 1 && id_parse(slice_of(id_format(id, written)), &again), "%s", written);
    FUZZ_REQUIRE(id_is_equal(id, again), "%s", written);
}

/* The form of the form is itself, where it is a number: what no exponent can say stays as it was, behind a mark. */
static void play_number(struct slice text)
{
    if (!text.length || text.data[0] == '"' || strchr("[{tfn \t\r\n", text.data[0]) ||
        json_scan(text, 1, NULL, 0, NULL))
        return;
    size_t length = text.length;
    while (strchr(" \t\r\n", text.data[length - 1]))
        length--;
    char *form = malloc(length + NUMBER_ROOM_BYTES), *again = malloc(length + 2 * NUMBER_ROOM_BYTES);
    size_t form_length = number_write_canonical((struct slice){text.data, length}, form);
    FUZZ_REQUIRE(form_length <= length + NUMBER_ROOM_BYTES, "%zu of %zu", form_length, length);
    /* An exponent of 16 digits is calculated with, but not read: 0.1e-999999999999999 has another form than the same
     * number written with 1e. A miss of the cache, never a false hit. */
    bool is_number = form_length < 17 && json_scan((struct slice){form, form_length}, 1, NULL, 0, NULL) == ERROR_OK;
    size_t again_length = is_number ? number_write_canonical((struct slice){form, form_length}, again) : 0;
    FUZZ_REQUIRE(!is_number || (again_length == form_length && !memcmp(form, again, form_length)), "%.*s, then %.*s",
                 (int)form_length, form, (int)again_length, again);
    free(form);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = fuzz_slice(data, size);
    play_money(text);
    play_id(text);
    play_number(text);
    return 0;
}

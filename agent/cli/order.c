/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate wallet fund and adjust: money in, and corrections. The client makes the id of the transfer, so that an order
 * whose answer was lost can be given again: the ledger does it once.
 */
#include "cli/cli.h"

#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>

/* As the agent's own ids (base/id.h): 48 bits of milliseconds, 80 random ones, 26 characters of Crockford's base 32. */
static const char *order_new_id(void)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct timespec now;
    unsigned char bytes[16];
    char text[27] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t milliseconds = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return NULL;
    for (int i = 5; i >= 0; i--, milliseconds >>= 8)
        bytes[i] = (unsigned char)milliseconds;
    unsigned __int128 number = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        number = number << 8 | bytes[i];
    for (int i = 25; i >= 0; i--, number >>= 5)
        text[i] = digits[(unsigned)number & 31];
    return text_format("%s", text);
}

/* No answer: it may have been done or not. */
static bool order_is_uncertain(int code, const struct answer *answer)
{
    return !answer->json && (code == EX_TEMPFAIL || code == EX_UNAVAILABLE || code == EX_PROTOCOL);
}

static int order_send(struct cli *cli, const char *verb)
{
    struct answer answer = {0};
    const struct options *options = &cli->options;
    const char *name = cli->arguments.items[1], *amount = cli->arguments.items[2];
    const char *id = options->id ? options->id : order_new_id();
    if (!api_is_name("wallet", name))
        return EX_USAGE;
    if (!id) {
        text_complain("the system gives no random bytes");
        return EX_OSERR;
    }
    json_t *order = json_pack("{s:s, s:s*, s:b, s:s}", "amount", amount, "note", options->note, "create",
                              options->create, "id", id);
    int code = api_post(cli, text_format("/v1/wallets/%s/%s", name, verb), order, &answer);
    if (code == EX_OK)
        wallet_print(cli, &answer);
    else if (order_is_uncertain(code, &answer) && !agent_is_absent(cli))
        text_complain("if in doubt, repeat it with --id %s: it is done once", id);
    json_decref(answer.json);
    return code;
}

int wallet_fund(struct cli *cli)
{
    return order_send(cli, "fund");
}

int wallet_adjust(struct cli *cli)
{
    if (!cli->options.note || !cli->options.note[0]) {
        text_complain("an adjustment needs --note TEXT: who corrected what, and why");
        return EX_USAGE;
    }
    return order_send(cli, "adjust");
}

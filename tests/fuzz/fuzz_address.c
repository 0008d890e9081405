/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and URLs of a policy, and what they stand for: the text stands where a policy has its provider's URL, its
 * hosts, addresses and networks. And the file of redirects, which is read at start.
 */
#include "fuzz.h"

#include <arpa/inet.h>

#include "base/buffer.h"
#include "redirects.h"
#include "settings.h"

static void play_policy(struct slice text)
{
    struct buffer yaml;
    buffer_init(&yaml, 1 << 20);
    char *word = fuzz_copy(text);
    for (char *at = word; *at; at++) /* within quotes of YAML */
        if (*at == '\'' || *at == '\n' || *at == '\r')
            *at = ' ';
    bool ok = buffer_append_format(&yaml,
                                   "capture: {hosts: ['%s'], addresses: ['%s'], network: '%s'}\n"
                                   "providers: {targets: [{id: t, provider: openai, model: m, base_url: '%s'}]}\n"
                                   "consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w}]\n",
                                   word, word, word, word);
    FUZZ_REQUIRE(ok, "the buffer is full");
    require_settings(FILE_POLICY, buffer_contents(&yaml));
    buffer_done(&yaml);
    free(word);
}

/* What is in the file can be found and is written again. */
static void play_redirects(struct slice bytes)
{
    struct redirects *redirects = redirects_open(fuzz_file("redirects", bytes), 0x7f4e0000);
    size_t count = redirects_count(redirects);
    FUZZ_REQUIRE(count <= REDIRECTS_MAX, "%zu", count);
    FUZZ_REQUIRE(redirects_save(redirects) == ERROR_OK, "not saved");
    for (uint32_t part = 0; part < 65536; part += 1 + part / 16) {
        struct config_address original;
        char text[INET6_ADDRSTRLEN];
        if (redirects_find(redirects, 0x7f4e0000 + part, &original))
            FUZZ_REQUIRE(strlen(redirects_format(&original, text)) >= 2, "%s", text);
    }
    redirects_free(redirects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = fuzz_slice(data, size);
    (fuzz_choose(&input, 2) ? play_redirects : play_policy)(input);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of bodies: the same request, or not. Each is checked both ways, with the canonical form and with the key.
 */
#ifndef TESTS_UNIT_CACHE_PAIRS_H
#define TESTS_UNIT_CACHE_PAIRS_H

#include "config/config.h"

struct pair {
    const char *what;
    bool is_same;
    enum api api;
    const char *left, *right;
};

static const struct pair pairs[] = {
    /* order and white space */
    {"itself", true, API_CHAT, "{\"model\":\"m\",\"n\":1}", "{\"model\":\"m\",\"n\":1}"},
    {"members in another order", true, API_CHAT, "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3,\"a\":1,\"b\":2}"},
    {"members of members", true, API_CHAT, "{\"o\":{\"x\":1,\"y\":{\"p\":1,\"q\":2}}}",
     "{\"o\":{\"y\":{\"q\":2,\"p\":1},\"x\":1}}"},
    {"members inside arrays", true, API_CHAT, "[[{\"a\":1,\"b\":2}],{\"c\":3,\"d\":[{\"e\":4,\"f\":5}]}]",
     "[[{\"b\":2,\"a\":1}],{\"d\":[{\"f\":5,\"e\":4}],\"c\":3}]"},
    {"white space", true, API_CHAT, "{\"a\":[1,2,{}],\"b\":{}}", " {\t\"a\" :\n[ 1 , 2 , { } ] ,\r\n \"b\" : { \n} } "},
    {"many members", true, API_CHAT,
     "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,"
     "\"o\":14}",
     "{\"o\":14,\"m\":13,\"l\":12,\"k\":11,\"j\":10,\"i\":9,\"h\":8,\"g\":7,\"f\":6,\"e\":5,\"d\":4,\"c\":3,\"b\":2,"
     "\"a\":1}"},
    {"a prefix of another name", true, API_CHAT, "{\"ab\":1,\"a\":2,\"abc\":3}", "{\"abc\":3,\"a\":2,\"ab\":1}"},
    {"the order of an array", false, API_CHAT, "{\"a\":[1,2]}", "{\"a\":[2,1]}"},
    {"the order of messages", false, API_CHAT, "{\"messages\":[{\"role\":\"user\"},{\"role\":\"assistant\"}]}",
     "{\"messages\":[{\"role\":\"assistant\"},{\"role\":\"user\"}]}"},
    {"values that changed places", false, API_CHAT, "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}"},
    {"a member that moved into another", false, API_CHAT, "{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"b\":1,\"c\":2}}"},
    {"a member that moved between elements", false, API_CHAT, "[{\"a\":1},{\"b\":2}]", "[{\"a\":1,\"b\":2},{}]"},
    {"an element more", false, API_CHAT, "[[1],[2]]", "[[1,2]]"},
    {"an empty array and an empty object", false, API_CHAT, "{\"a\":[]}", "{\"a\":{}}"},
    {"null and absent", false, API_CHAT, "{\"a\":null}", "{}"},
    {"white space inside a string", false, API_CHAT, "{\"a\":\"x y\"}", "{\"a\":\"x  y\"}"},
    /* numbers */
    {"1 and 1.0", true, API_CHAT, "{\"t\":1}", "{\"t\":1.0}"},
    {"1 and 10e-1", true, API_CHAT, "{\"t\":1}", "{\"t\":10e-1}"},
    {"1 and 0.1E+1", true, API_CHAT, "{\"t\":1}", "{\"t\":0.1E+1}"},
    {"100 and 1e2", true, API_CHAT, "{\"t\":100}", "{\"t\":1e2}"},
    {"1200.50 and 12005e-1", true, API_CHAT, "{\"t\":1200.50}", "{\"t\":12005e-1}"},
    {"0, 0.0 and 0e9", true, API_CHAT, "[0,0,0]", "[0.0,0e9,0e-99]"},
    {"-1.50 and -15e-1", true, API_CHAT, "{\"t\":-1.50}", "{\"t\":-15e-1}"},
    {"leading zeros of an exponent", true, API_CHAT, "1e5", "1e0000000000000000000005"},
    {"0.001 and 1e-3", true, API_CHAT, "0.001", "1e-3"},
    {"10.01 and 1001e-2", true, API_CHAT, "10.01", "1001e-2"},
    {"a big integer and its decimal", true, API_CHAT, "123456789012345678901234567890",
     "1234567890123456789012345678.90e2"},
    {"1 and 1.0000001", false, API_CHAT, "{\"t\":1}", "{\"t\":1.0000001}"},
    {"1 and 1.00000000000000000000001", false, API_CHAT, "1", "1.00000000000000000000001"},
    {"big integers that differ at the end", false, API_CHAT, "{\"seed\":9007199254740992}",
     "{\"seed\":9007199254740993}"},
    {"very big integers", false, API_CHAT, "123456789012345678901234567890", "123456789012345678901234567891"},
    {"1 and 10", false, API_CHAT, "1", "10"},
    {"1 and -1", false, API_CHAT, "1", "-1"},
    {"0 and -0", false, API_CHAT, "0", "-0"},
    {"0.1 and 0.01", false, API_CHAT, "0.1", "0.01"},
    {"1e5 and 1e-5", false, API_CHAT, "1e5", "1e-5"},
    {"12 and 1, 2", false, API_CHAT, "[12]", "[1,2]"},
    {"101 and 1001", false, API_CHAT, "101", "1001"},
    {"exponents without end", false, API_CHAT, "1e-99999999999999999999", "1e-99999999999999999998"},
    {"a number and its text", false, API_CHAT, "{\"t\":1}", "{\"t\":\"1\"}"},
    {"true and 1", false, API_CHAT, "true", "1"},
    {"false and null", false, API_CHAT, "false", "null"},
    /* escapes */
    {"an escaped letter", true, API_CHAT, "{\"a\":\"A\"}", "{\"a\":\"\\u0041\"}"},
    {"hex digits of either case", true, API_CHAT, "\"\\u00e9\"", "\"\\u00E9\""},
    {"an accent", true, API_CHAT, "\"caf\xc3\xa9\"", "\"caf\\u00e9\""},
    {"a surrogate pair", true, API_CHAT, "\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\""},
    {"a slash", true, API_CHAT, "\"a/b\"", "\"a\\/b\""},
    {"a line feed", true, API_CHAT, "\"a\\nb\"", "\"a\\u000Ab\""},
    {"a quote", true, API_CHAT, "\"a\\\"b\"", "\"a\\u0022b\""},
    {"a backslash", true, API_CHAT, "\"a\\\\b\"", "\"a\\u005cb\""},
    {"an escaped name", true, API_CHAT, "{\"model\":1,\"b\":2}", "{\"b\":2,\"\\u006dodel\":1}"},
    {"escaped names sort by what they mean", true, API_CHAT, "{\"a\":1,\"b\":2,\"c\":3}",
     "{\"\\u0063\":3,\"\\u0061\":1,\"b\":2}"},
    {"a backslash and an escape", false, API_CHAT, "\"\\\\u0041\"", "\"\\u0041\""},
    {"a backslash n and a line feed", false, API_CHAT, "\"\\\\n\"", "\"\\n\""},
    {"U+0000 and nothing", false, API_CHAT, "\"a\\u0000b\"", "\"ab\""},
    {"a string that looks like the end of one", false, API_CHAT, "[\"a\\\",\\\"b\"]", "[\"a\",\"b\"]"},
    {"letters of another case", false, API_CHAT, "{\"a\":\"User\"}", "{\"a\":\"user\"}"},
    {"composed and decomposed", false, API_CHAT, "\"\\u00e9\"", "\"e\\u0301\""},
    {"\\b and b", false, API_CHAT, "\"\\b\"", "\"b\""},
    {"\\t and \\r", false, API_CHAT, "\"\\t\"", "\"\\r\""},
    /* members that are left out */
    {"user of chat", true, API_CHAT, "{\"model\":\"m\",\"user\":\"a\"}", "{\"user\":\"b\",\"model\":\"m\"}"},
    {"user of chat, absent", true, API_CHAT, "{\"model\":\"m\",\"user\":\"a\"}", "{\"model\":\"m\"}"},
    {"user alone", true, API_CHAT, "{\"user\":\"a\"}", "{}"},
    {"user first of several", true, API_CHAT, "{\"aa\":1,\"user\":\"x\",\"zz\":2}", "{\"aa\":1,\"zz\":2}"},
    {"metadata of chat, with members", true, API_CHAT, "{\"metadata\":{\"a\":{\"b\":[1]}},\"n\":{\"x\":1}}",
     "{\"n\":{\"x\":1}}"},
    {"an escaped name that is left out", true, API_CHAT, "{\"\\u0075ser\":\"a\",\"n\":1}", "{\"n\":1}"},
    {"safety_identifier", true, API_CHAT, "{\"safety_identifier\":\"a\"}", "{\"safety_identifier\":\"b\"}"},
    {"prompt_cache_key", true, API_RESPONSES, "{\"prompt_cache_key\":\"a\",\"input\":\"x\"}", "{\"input\":\"x\"}"},
    {"prompt_cache_retention", true, API_CHAT, "{\"prompt_cache_retention\":\"24h\"}", "{}"},
    {"metadata of messages", true, API_MESSAGES, "{\"metadata\":{\"user_id\":\"1\"}}",
     "{\"metadata\":{\"user_id\":\"2\"}}"},
    {"labels of generateContent", true, API_GENERATE, "{\"labels\":{\"team\":\"a\"}}", "{\"labels\":{\"team\":\"b\"}}"},
    {"user of embeddings", true, API_EMBEDDINGS, "{\"input\":\"x\",\"user\":\"a\"}", "{\"input\":\"x\"}"},
    {"metadata of Responses is echoed", false, API_RESPONSES, "{\"metadata\":{\"a\":\"1\"}}",
     "{\"metadata\":{\"a\":\"2\"}}"},
    {"user inside something", false, API_CHAT, "{\"tools\":[{\"user\":\"a\"}]}", "{\"tools\":[{\"user\":\"b\"}]}"},
    {"user inside an object", false, API_CHAT, "{\"o\":{\"user\":\"a\"}}", "{\"o\":{\"user\":\"b\"}}"},
    {"user of an api that knows none", false, API_MESSAGES, "{\"user\":\"a\"}", "{\"user\":\"b\"}"},
    {"labels of chat", false, API_CHAT, "{\"labels\":1}", "{\"labels\":2}"},
    {"user of what is not read", false, API_OTHER, "{\"user\":\"a\"}", "{\"user\":\"b\"}"},
    {"a name that begins like one that is left out", false, API_CHAT, "{\"users\":\"a\"}", "{\"users\":\"b\"}"},
    /* what decides */
    {"model", false, API_CHAT, "{\"model\":\"gpt-5\"}", "{\"model\":\"gpt-5-mini\"}"},
    {"stream", false, API_CHAT, "{\"stream\":true}", "{\"stream\":false}"},
    {"stream, absent", false, API_CHAT, "{\"stream\":false}", "{}"},
    {"stream_options", false, API_CHAT, "{\"stream_options\":{\"include_usage\":true}}", "{}"},
    {"seed", false, API_CHAT, "{\"seed\":1}", "{\"seed\":2}"},
    {"n", false, API_CHAT, "{\"n\":1}", "{\"n\":2}"},
    {"temperature", false, API_CHAT, "{\"temperature\":0}", "{\"temperature\":0.0001}"},
    {"service_tier", false, API_CHAT, "{\"service_tier\":\"auto\"}", "{\"service_tier\":\"priority\"}"},
    {"store", false, API_CHAT, "{\"store\":true}", "{\"store\":false}"},
    {"role", false, API_CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}"},
    {"tools", false, API_CHAT, "{\"tools\":[{\"function\":{\"name\":\"a\"}}]}",
     "{\"tools\":[{\"function\":{\"name\":\"b\"}}]}"},
    {"tool_choice", false, API_CHAT, "{\"tool_choice\":\"auto\"}", "{\"tool_choice\":\"none\"}"},
    {"an image", false, API_CHAT, "{\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}",
     "{\"image_url\":{\"url\":\"data:image/png;base64,AAAB\"}}"},
    {"max_tokens under its other name", false, API_CHAT, "{\"max_tokens\":5}", "{\"max_completion_tokens\":5}"},
    {"previous_response_id", false, API_RESPONSES, "{\"previous_response_id\":\"resp_a\"}",
     "{\"previous_response_id\":\"resp_b\"}"},
    {"system of messages", false, API_MESSAGES, "{\"system\":\"a\"}",
     "{\"system\":[{\"type\":\"text\",\"text\":\"a\"}]}"},
    {"cache_control", false, API_MESSAGES, "{\"system\":[{\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\"}}]}",
     "{\"system\":[{\"text\":\"a\"}]}"},
    {"input of embeddings", false, API_EMBEDDINGS, "{\"input\":[\"a\",\"b\"]}", "{\"input\":[\"ab\"]}"},
    {"dimensions of embeddings", false, API_EMBEDDINGS, "{\"dimensions\":256}", "{\"dimensions\":512}"},
};
enum { PAIR_COUNT = sizeof pairs / sizeof *pairs };

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a request goes through the proxy of the agent's own environment. Decided here and not by libcurl, so that
 * the address check knows for certain which connections lead to the proxy, and no request costs a dozen getenv.
 * Rules as libcurl's: https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY; no_proxy, NO_PROXY ("*", or names that cover
 * themselves and what is below them). Networks in no_proxy are not understood: providers have names.
 */
#include "upstream/internal.h"

#include "base/check.h"

#include <stdlib.h>

static const char *const proxy_names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
static const char *const no_proxy_names[] = {"no_proxy", "NO_PROXY"};

static char *copy_first_set(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value)
            continue;
        char *copy = strdup(value);
        check(copy != NULL);
        return copy;
    }
    return NULL;
}

void proxy_read_environment(struct upstream_proxy *ret_proxy)
{
    ret_proxy->url = copy_first_set(proxy_names, sizeof proxy_names / sizeof *proxy_names);
    ret_proxy->no_proxy = copy_first_set(no_proxy_names, sizeof no_proxy_names / sizeof *no_proxy_names);
}

void proxy_done(struct upstream_proxy *proxy)
{
    free(proxy->url);
    free(proxy->no_proxy);
}

static bool covers(struct slice rule, const char *host, size_t host_length)
{
    if (slice_is(rule, "*"))
        return true;
    while (rule.length && rule.data[0] == '.')
        rule = slice_from(rule, 1);
    if (rule.length && rule.data[rule.length - 1] == '.')
        rule.length--;
    if (rule.length == 0 || rule.length > host_length)
        return false;
    const char *end = host + host_length - rule.length;
    return strncasecmp(end, rule.data, rule.length) == 0 && (end == host || end[-1] == '.');
}

const char *proxy_choose(const struct upstream_proxy *proxy, const char *host)
{
    static const char separators[] = ", \t";
    if (!proxy->url)
        return "";
    size_t host_length = strcspn(host, ":"); /* without the port */
    for (const char *rule = proxy->no_proxy; rule && *rule;) {
        rule += strspn(rule, separators);
        size_t length = strcspn(rule, separators);
        if (covers((struct slice){rule, length}, host, host_length))
            return "";
        rule += length;
    }
    return proxy->url;
}

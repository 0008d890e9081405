/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's look at the present environment (keys, proxies, other preloads) and at the kernel. */
#include "cli/cli.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const doctor_keys[] = {
    "OPENAI_API_KEY",     "ANTHROPIC_API_KEY", "GEMINI_API_KEY",     "GOOGLE_API_KEY",       "MISTRAL_API_KEY",
    "GROQ_API_KEY",       "DEEPSEEK_API_KEY",  "TOGETHER_API_KEY",   "FIREWORKS_API_KEY",    "XAI_API_KEY",
    "OPENROUTER_API_KEY", "COHERE_API_KEY",    "PERPLEXITY_API_KEY", "AZURE_OPENAI_API_KEY", NULL};
static const char *const doctor_proxies[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", NULL};

static void doctor_check_keys(struct doctor *doctor)
{
    struct text_list real = {0};
    size_t placeholders = 0;
    for (const char *const *name = doctor_keys; *name; name++) {
        const char *value = getenv(*name);
        if (value && value[0] && !owned_is_key(value))
            text_append(&real, *name);
        placeholders += value && owned_is_key(value);
    }
    if (real.count > 0)
        doctor_add(doctor, "keys", FINDING_WARNING,
                   "hand them to the agent (tollgate secret set NAME) and take them out of this shell",
                   "%s: real keys in this shell; programs not started by tollgate run use them past the gate",
                   text_join(&real, ", "));
    else
        doctor_add(doctor, "keys", FINDING_OK, NULL, "%s",
                   placeholders > 0 ? "placeholders only" : "none in this shell");
}

static bool doctor_has_too_many_names(const struct doctor *doctor)
{
    return doctor->has_map && strlen(map_join_names(&doctor->map.names)) < strlen(text_join(&doctor->map.names, ","));
}

static void doctor_check_proxy(struct doctor *doctor)
{
    const char *found = NULL;
    for (const char *const *name = doctor_proxies; *name && !found; name++) {
        const char *value = getenv(*name);
        found = value && value[0] ? *name : NULL;
    }
    const char *upper = getenv("NO_PROXY"), *lower = getenv("no_proxy");
    if (!found) {
        doctor_add(doctor, "proxy", FINDING_OK, NULL, "none is set");
    } else if (getenv(TOLLGATE_ENV_RUNTIME) && !upper && !lower) {
        doctor_add(doctor, "proxy", FINDING_WARNING, "activate this shell again: tollgate env, or use tollgate run",
                   "%s is set without NO_PROXY: it hides the governed names from the agent", found);
    } else if (doctor_has_too_many_names(doctor)) {
        doctor_add(
            doctor, "proxy", FINDING_WARNING, "start programs without it; the agent itself uses the proxy",
            "%s is set, and not all of the governed names find room in NO_PROXY: calls to the others go to the proxy",
            found);
    } else {
        doctor_add(doctor, "proxy", FINDING_OK, NULL,
                   "%s is set; tollgate run adds the governed names to NO_PROXY, and the agent itself uses the proxy",
                   found);
    }
}

static void doctor_check_preload(struct doctor *doctor)
{
    const char *rest = owned_preload_rest(getenv("LD_PRELOAD"));
    if (rest)
        doctor_add(doctor, "other preloads", FINDING_WARNING, "if programs misbehave, try without it",
                   "LD_PRELOAD also holds %s, which may hook the same functions", rest);
    else
        doctor_add(doctor, "other preloads", FINDING_OK, NULL, "none");
}

/* Of those that gain rights; what root starts of his own gains none. */
static void doctor_check_setuid(struct doctor *doctor)
{
    bool is_strict = doctor->has_map && (doctor->map.header.flags & TOLLGATE_MAP_STRICT);
    const char *run = doctor->cli->place.is_prod ? "refuses to start them" : "warns";
    if (is_strict)
        doctor_add(doctor, "setuid programs", FINDING_OK, NULL,
                   "are not executed: capture.strict holds for tollgate run and for what governed programs start");
    else
        doctor_add(doctor, "setuid programs", FINDING_OK, NULL,
                   "are not governed: tollgate run %s; what governed programs start runs, without capture.strict", run);
}

void doctor_check_environment(struct doctor *doctor)
{
    doctor_check_keys(doctor);
    doctor_check_proxy(doctor);
    doctor_check_preload(doctor);
    doctor_check_setuid(doctor);
}

/* The kernel may know it and a sandbox around us forbid it: only trying tells. */
static void doctor_check_seccomp(struct doctor *doctor)
{
    bool is_below = filter_is_in_force();
    int error = is_below ? 0 : supervise_try();
    if (error)
        doctor_add(
            doctor, "seccomp", FINDING_WARNING,
            "static and Go programs are not governed here: run them outside of the sandbox, on a kernel from 5.19 on",
            "no program can be supervised: %s", supervise_explain(error));
    else
        doctor_add(doctor, "seccomp", FINDING_OK, NULL, "static and Go programs can be supervised%s",
                   is_below ? ": this one is" : "");
}

static void doctor_check_sockets(struct doctor *doctor)
{
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can_bind = tcp >= 0 && setsockopt(tcp, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") == 0;
    int error = errno;
    if (tcp >= 0)
        close(tcp);
    doctor_add(doctor, "SO_BINDTODEVICE", can_bind ? FINDING_OK : FINDING_FAILURE,
               "a kernel from 5.7 on lets users bind to lo", "%s",
               can_bind ? "the listener can be limited to lo" : strerror(error));
    int diagnosis = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    error = errno;
    if (diagnosis >= 0)
        close(diagnosis);
    doctor_add(doctor, "sock_diag", diagnosis >= 0 ? FINDING_OK : FINDING_FAILURE,
               "modprobe inet_diag; is NETLINK_SOCK_DIAG forbidden in this sandbox?", "%s",
               diagnosis >= 0 ? "the kernel tells who is calling" : strerror(error));
}

void doctor_check_system(struct doctor *doctor)
{
    doctor_check_seccomp(doctor);
    doctor_check_sockets(doctor);
}

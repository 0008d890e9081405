/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-in AI provider: options and life of the process. A test double and a demo; README.md says how to use it. Never
 * linked into the product. Exit: 0 after SIGTERM or SIGINT, 64 bad usage, 65 bad script, 1 anything else.
 */
#include "tests/provider/server.h"

#include "tests/provider/digest.h"
#include "tests/provider/tls.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct options {
    const char *listen, *ca_file, *ca_key, *names, *ready_fd, *port_file, *bill, *script, *threads;
};

static const struct option_row {
    const char *name;
    size_t offset;
    const char *value;
    const char *help;
} option_rows[] = {
#define OPTION(name, member, value, help)                                                                              \
    {                                                                                                                  \
        name, offsetof(struct options, member), value, help                                                            \
    }
    OPTION("listen", listen, "ADDRESS:PORT", "where to listen (127.0.0.1:18443; port 0: any)"),
    OPTION("ca-file", ca_file, "PATH", "write the test CA's certificate there"),
    OPTION("ca-key", ca_key, "PATH", "keep the CA's key there (0600), so that a restart has the same CA"),
    OPTION("names", names, "A,B,C", "more names for the certificate"),
    OPTION("ready-fd", ready_fd, "N", "write the port there when ready, and close it"),
    OPTION("port-file", port_file, "PATH", "write the port there when ready"),
    OPTION("bill", bill, "PATH", "append one JSON row per request there"),
    OPTION("script", script, "FILE", "rules, as for POST /_script"),
    OPTION("threads", threads, "N", "event loops (1)"),
#undef OPTION
};
#define OPTION_COUNT (sizeof option_rows / sizeof option_rows[0])

static struct server server;

static int usage(FILE *to)
{
    fputs("usage: provider [options]\n", to);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        fprintf(to, "  --%-10s %-13s %s\n", option_rows[i].name, option_rows[i].value, option_rows[i].help);
    return 64;
}

static bool options_parse(int argc, char **argv, struct options *ret_options)
{
    struct option longs[OPTION_COUNT + 1] = {0};
    int row;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        longs[i] = (struct option){option_rows[i].name, required_argument, NULL, 0};
    while ((row = -1, getopt_long(argc, argv, "", longs, &row)) == 0)
        memcpy((char *)ret_options + option_rows[row].offset, &optarg, sizeof optarg);
    return row == -1 && optind == argc;
}

static void on_signal(int number)
{
    (void)number;
    server_stop(&server);
}

static void signals_setup(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool script_read(const char *path)
{
    char message[160], bytes[4096];
    struct buffer json = {0};
    FILE *file = fopen(path, "re");
    size_t length;
    while (file && (length = fread(bytes, 1, sizeof bytes, file)) > 0)
        buffer_append(&json, bytes, length);
    bool loaded = file && script_load(&server.script, json.data ? json.data : "", json.length, message, sizeof message);
    if (!loaded)
        fprintf(stderr, "provider: %s: %s\n", path, file ? message : strerror(errno));
    if (file)
        fclose(file);
    buffer_free(&json);
    return loaded;
}

static bool port_publish(const struct options *options)
{
    char text[16], temporary[4096];
    int length = snprintf(text, sizeof text, "%u\n", server.port);
    if (options->port_file) {
        snprintf(temporary, sizeof temporary, "%s.%ld", options->port_file, (long)getpid());
        FILE *file = fopen(temporary, "we");
        if (!file)
            return false;
        bool written = fputs(text, file) >= 0;
        if (fclose(file) != 0 || !written || rename(temporary, options->port_file) != 0)
            return false;
    }
    if (options->ready_fd) {
        int fd = atoi(options->ready_fd);
        if (write(fd, text, (size_t)length) != length)
            return false;
        close(fd);
    }
    printf("provider: listening on port %u\n", server.port);
    fflush(stdout);
    return true;
}

static bool listen_parse(const char *listen, char *ret_address, size_t address_bytes, uint16_t *ret_port)
{
    const char *colon = strrchr(listen, ':');
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || end == colon + 1 || *end || port > 65535 || (size_t)(colon - listen) >= address_bytes)
        return false;
    snprintf(ret_address, address_bytes, "%.*s", (int)(colon - listen), listen);
    *ret_port = (uint16_t)port;
    return true;
}

static int run(const struct options *options)
{
    char address[64];
    uint16_t port = 0;
    unsigned long threads = options->threads ? strtoul(options->threads, NULL, 10) : 1;
    if (threads < 1 || threads > SERVER_THREADS_MAX || !listen_parse(options->listen, address, sizeof address, &port))
        return usage(stderr);
    if (options->script && !script_read(options->script))
        return 65;
    const struct tls_options tls = {options->ca_file, options->ca_key, options->names};
    server.tls = tls_context_new(&tls);
    if (!server.tls)
        return 1;
    if (!server_listen(&server, address, port, (unsigned)threads) || !port_publish(options)) {
        fprintf(stderr, "provider: %s: %s\n", options->listen, strerror(errno));
        return 1;
    }
    server_run(&server);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.listen = "127.0.0.1:18443"};
    if (!options_parse(argc, argv, &options))
        return usage(stderr);
    if (!bill_open(&server.bill, options.bill)) {
        fprintf(stderr, "provider: %s: %s\n", options.bill, strerror(errno));
        return 1;
    }
    signals_setup();
    descriptors_raise();
    digest_setup();
    script_init(&server.script);
    gate_init(&server.gate);
    store_init(&server.store);
    int status = run(&options);
    SSL_CTX_free(server.tls);
    gate_done(&server.gate);
    store_done(&server.store);
    script_done(&server.script);
    digest_cleanup();
    bill_close(&server.bill);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the governed program's side (shim, launcher) and the agent agree on: environment variable names, the files
 * of an agent's runtime directory, the layout of the map file, and the datagram that introduces a connection.
 * This is the ONLY header both sides include. It uses fixed-width types and no library.
 *
 * The map file is written by the agent (to a temporary name, fsync, rename) and read once, at start, by the shim into
 * anonymous memory. It outlives the agent: an agent that restarts takes the same ports, so that running programs
 * recover, and while no agent runs the addresses refuse, which is how governed names fail closed.
 */
#ifndef TOLLGATE_CONTRACT_H
#define TOLLGATE_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

/* Environment variables of a governed process. All begin with TOLLGATE_ so that they can be scrubbed as a family. */
#define TOLLGATE_ENV_ENVIRONMENT "TOLLGATE_ENV"     /* dev | prod */
#define TOLLGATE_ENV_RUNTIME     "TOLLGATE_RUNTIME" /* the agent's runtime directory, absolute */
#define TOLLGATE_ENV_GROUP       "TOLLGATE_GROUP" /* consumer group asked for by `run --group`; absent: agent decides */
#define TOLLGATE_ENV_PROJECT     "TOLLGATE_PROJECT"  /* project name, absent when none */
#define TOLLGATE_ENV_SHIM        "TOLLGATE_SHIM"     /* absolute path of libtollgate.so: what LD_PRELOAD must contain */
#define TOLLGATE_ENV_LAUNCHER    "TOLLGATE_LAUNCHER" /* absolute path of `tollgate`: what supervises static programs */
#define TOLLGATE_ENV_SUPERVISED  "TOLLGATE_SUPERVISED" /* pid of the supervisor above this process, absent when none */
#define TOLLGATE_ENV_EXECUTE     "TOLLGATE_EXECUTE"    /* an exec hook's order to TOLLGATE_LAUNCHER, see below */
#define TOLLGATE_ENV_WAS         "TOLLGATE_WAS_"       /* + CA variable = what the user had there */
#define TOLLGATE_ENV_BASE_URLS   "TOLLGATE_BASE_URLS"  /* names of the variables that hold our base URLs, by commas */
#define TOLLGATE_BASE_URLS_START "http://127.0.0.1:"   /* how their values begin */
#define TOLLGATE_ENV_CA_FILE     "TOLLGATE_CA_FILE"    /* our roots, PEM (= RUNTIME/ca.pem) */
#define TOLLGATE_ENV_CA_BUNDLE                                                                                         \
    "TOLLGATE_CA_BUNDLE" /* user's + system roots + ours: value of replacing CA variables                              \
                          */

/* Files of a runtime directory. */
#define TOLLGATE_FILE_MAP      "map"
#define TOLLGATE_FILE_CA       "ca.pem"        /* our roots only, concatenated */
#define TOLLGATE_FILE_BUNDLE   "bundle.pem"    /* system roots + ours */
#define TOLLGATE_FILE_JKS      "cacerts.jks"   /* the same for Java, store password "changeit" */
#define TOLLGATE_FILE_IDENTITY "identity.sock" /* SOCK_DGRAM: struct tollgate_hello */
#define TOLLGATE_FILE_REDIRECT "redirect.sock" /* SOCK_SEQPACKET: struct tollgate_redirect, answered */
#define TOLLGATE_FILE_OWNER    "agent.lock" /* locked (F_OFD_SETLK) by the agent whose directory it is: "PID STATE\n" */
/* in the state directory, likewise: "PID RUNTIME\n" */
#define TOLLGATE_FILE_STATE_OWNER "state.lock"
#define TOLLGATE_OWNER_ENDS       "ending\n"    /* in both, a second line: the agent ends its last calls */
#define TOLLGATE_FILE_ADMIN       "admin.sock"  /* SOCK_STREAM, HTTP/1.1: the owner's control API */
#define TOLLGATE_FILE_REPORT      "report.sock" /* SOCK_STREAM, HTTP/1.1: launch facts and read-only reports */

/* What a start writes before it is ready: a few small files, and logs of events and cache of at most 4 MiB each; the
 * ledger has its ballast. */
#define TOLLGATE_STATE_ROOM_MIB 10

/* What an agent hands to the next one (LISTEN_FDNAMES of sd_listen_fds(3)): its listening sockets. */
#define TOLLGATE_HANDED_TLS      "tollgate-tls"
#define TOLLGATE_HANDED_BASE_URL "tollgate-base-url"
#define TOLLGATE_HANDED_ADMIN    "tollgate-admin"
#define TOLLGATE_HANDED_REPORT   "tollgate-report"
#define TOLLGATE_HANDED_REDIRECT "tollgate-redirect"
#define TOLLGATE_HANDED_PROGRAM  "program" /* in an answer only: the executable that runs */
#define TOLLGATE_HANDED_MAX      6

/* Consumer-group keys begin so; such a value is never a provider secret. */
#define TOLLGATE_KEY_PREFIX "kt_cg_"

/*
 * CA variables: what a governed process should have. The launcher sets them all (merging what the user had); the
 * shim's constructor and exec hooks put back those that are absent. `adds` = the variable adds to the client's own
 * store (value TOLLGATE_CA_FILE's path); otherwise it replaces the store (value TOLLGATE_CA_BUNDLE's path).
 * X(name, adds)
 */
#define TOLLGATE_CA_VARIABLES(X)                                                                                       \
    X("NODE_EXTRA_CA_CERTS", 1)                                                                                        \
    X("SSL_CERT_FILE", 0)                                                                                              \
    X("DENO_CERT", 1)                                                                                                  \
    X("CODEX_CA_CERTIFICATE", 0)                                                                                       \
    X("REQUESTS_CA_BUNDLE", 0)                                                                                         \
    X("CURL_CA_BUNDLE", 0)                                                                                             \
    X("GIT_SSL_CAINFO", 0)                                                                                             \
    X("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", 0)                                                                           \
    X("AWS_CA_BUNDLE", 0)                                                                                              \
    X("PIP_CERT", 0)                                                                                                   \
    X("npm_config_cafile", 0)                                                                                          \
    X("CARGO_HTTP_CAINFO", 0)                                                                                          \
    X("HTTPLIB2_CA_CERTS", 0)                                                                                          \
    X("NIX_SSL_CERT_FILE", 0)                                                                                          \
    X("PERL_LWP_SSL_CA_FILE", 0)

/* The governed names in NO_PROXY, in the map's order: those that fit whole. The kernel takes no variable above 128 KiB,
 * and a program must not fail to start because there are many names. */
#define TOLLGATE_NO_PROXY_BYTES_MAX 4096 /* NUL included */

/*
 * The map file, little endian (host order; both sides are on one machine), version TOLLGATE_MAP_VERSION:
 *   struct tollgate_map_header
 *   struct tollgate_map_port     ports[port_count]
 *   struct tollgate_map_name     names[name_count]          sorted by name (bytewise, lower case, no trailing dot)
 *   struct tollgate_map_redirect redirects[redirect_count]  sorted by original (bytewise)
 *   char                         text[text_size]            the names' bytes, each NUL-terminated
 * checksum: FNV-1a 64 over the whole file, with the checksum itself taken as zero. A reader refuses a wrong magic,
 * version, size or checksum, and any offset or address outside its bounds.
 *
 * Names and addresses. A governed name has an address in `network`: it says by itself what was asked for. An address at
 * which a provider answers (found by a program without asking us: c-ares, DNS over HTTPS, hard-coded) has an address in
 * `redirect_network`: the agent then knows the original one, reads the server name of the TLS handshake, governs the
 * governed names and passes everything else on to the original address, untouched. The first address of that network
 * (redirect_network + 1) stands for any: its connections were announced by a supervisor (struct tollgate_redirect).
 */
#define TOLLGATE_MAP_MAGIC     0x50414d474c4c4f54ull /* "TOLLGMAP" */
#define TOLLGATE_MAP_VERSION   3u
#define TOLLGATE_MAP_BYTES_MAX (4u << 20)
#define TOLLGATE_MAP_STRICT    1u /* flag: a program that cannot be governed is not executed (EPERM) */

/* libtollgate.so says in an ELF note which version of the map it reads. */
#define TOLLGATE_NOTE_NAME "Tollgate"
#define TOLLGATE_NOTE_MAP  1 /* its descriptor is a uint32_t */

struct tollgate_map_header {
    uint64_t magic;
    uint32_t version;
    uint32_t file_size; /* bytes, header included */
    uint64_t checksum;
    uint32_t network;      /* IPv4 network of governed addresses, host order, e.g. 127.77.0.0 = 0x7f4d0000 */
    uint32_t network_mask; /* host order, e.g. 0xffff0000 */
    uint32_t port_count;
    uint32_t name_count;
    uint32_t text_size;
    uint32_t generation;       /* counts up with every map this agent's state directory wrote */
    uint32_t redirect_network; /* host order, e.g. 127.78.0.0; same mask; disjoint from network */
    uint32_t redirect_count;
    uint32_t flags;         /* TOLLGATE_MAP_… */
    uint32_t base_url_port; /* of 127.0.0.1, where base URLs lead; 0: none */
};

struct tollgate_map_port {
    uint16_t original; /* the port the program asked for, e.g. 443 */
    uint16_t agent;    /* the agent's listening port for it */
};

struct tollgate_map_name {
    uint32_t address;     /* host order, inside network */
    uint32_t text_offset; /* into text */
};

/* An address of a provider and its stand-in. */
struct tollgate_map_redirect {
    uint8_t original[16]; /* IPv6, network order; IPv4 as ::ffff:a.b.c.d */
    uint32_t address;     /* host order, inside redirect_network */
};

/* FNV-1a 64: small enough to stand in both sides without a library. A hash begins with START and can be continued. */
#define TOLLGATE_HASH_START 14695981039346656037ull
static inline uint64_t tollgate_hash(uint64_t hash, const void *data, uint64_t length)
{
    const unsigned char *bytes = (const unsigned char *)data;
    for (uint64_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ull;
    return hash;
}

/* What the checksum of a whole map must be, whatever it is now. Assumes file_size >= sizeof(struct
 * tollgate_map_header). */
static inline uint64_t tollgate_map_checksum(const void *file, uint64_t file_size)
{
    const unsigned char *bytes = (const unsigned char *)file;
    const uint64_t zero = 0;
    const uint64_t before = offsetof(struct tollgate_map_header, checksum), after = before + sizeof zero;
    uint64_t hash = tollgate_hash(TOLLGATE_HASH_START, bytes, before);
    hash = tollgate_hash(hash, &zero, sizeof zero);
    return tollgate_hash(hash, bytes + after, file_size - after);
}

/*
 * The datagram a shim sends to RUNTIME/identity.sock just before a governed connect, or one to the base URL port,
 * non-blocking, losses allowed. The agent learns pid and uid from the kernel (SCM_CREDENTIALS), and joins on the cookie
 * (SO_COOKIE of the connecting socket, the same number sock_diag reports). What a program says of itself, `executable`
 * and `directory`, counts where the agent may not read it in /proc.
 */
#define TOLLGATE_HELLO_MAGIC   0x4f4c4c48u
#define TOLLGATE_HELLO_VERSION 2u
#define TOLLGATE_NAME_MAX      64  /* group and project, NUL included */
#define TOLLGATE_PATH_MAX      256 /* executable and directory likewise; longer ones are cut off */

struct tollgate_hello {
    uint32_t magic;
    uint16_t version;
    uint16_t size; /* sizeof(struct tollgate_hello) */
    uint64_t cookie;
    char group[TOLLGATE_NAME_MAX];      /* NUL-padded, empty: not asked for */
    char project[TOLLGATE_NAME_MAX];    /* NUL-padded, empty: none */
    char executable[TOLLGATE_PATH_MAX]; /* NUL-padded, as /proc/self/exe says; empty: unknown */
    char directory[TOLLGATE_PATH_MAX];  /* /proc/self/cwd */
};

/*
 * An exec hook starts a static or Go program by executing TOLLGATE_LAUNCHER in its place: the arguments are the
 * program's own, argv[0] included, and TOLLGATE_EXECUTE names it: a path, or "fd:N" (a descriptor that stays open), or
 * "close:N" (one that the program must not find open). The launcher takes the variable out again.
 *
 * Below a supervisor no second one is possible, nor needed: its filter is inherited, and answers this prctl with this
 * errno, whatever became of the environment.
 */
#define TOLLGATE_EXECUTE_OPEN  "fd:"
#define TOLLGATE_EXECUTE_CLOSE "close:"
#define TOLLGATE_PROBE_OPTION  0x544f4c4c
#define TOLLGATE_PROBE_ERRNO   55 /* ENOANO: no prctl of Linux fails so */

/*
 * What a supervisor sends on a connection to RUNTIME/redirect.sock before it connects a program's socket for it, and
 * the agent's acknowledgement: one message each, any number of times on one connection, in order. The agent joins on
 * the cookie as above (its lifetime is that of a hello, 30 s) and believes the pid when the kernel says that it belongs
 * to the supervisor's own uid. `address` of the answer is where to connect: the original itself when it lies in the
 * map's networks, else redirect_network + 1.
 *
 * With `has_socket` one descriptor travels with the message (SCM_RIGHTS): a TCP socket of the supervisor's own that is
 * connected, or still connecting, to `original`. It is what the connection is passed on to when its server name is not
 * governed. An address that the map does not know wants one: an agent of prod calls nobody on another's word.
 */
#define TOLLGATE_REDIRECT_MAGIC   0x52444952u
#define TOLLGATE_REDIRECT_VERSION 3u
#define TOLLGATE_REDIRECT_AGAIN   11 /* EAGAIN, refused: another agent takes over; ask again until it does */

struct tollgate_redirect {
    uint32_t magic;
    uint16_t version;
    uint16_t size; /* sizeof(struct tollgate_redirect) */
    uint64_t cookie;
    uint8_t original[16]; /* as in struct tollgate_map_redirect */
    uint16_t port;        /* host order; one that the map governs */
    uint16_t has_socket;  /* 0 or 1 */
    int32_t pid;          /* of the program, as the agent's /proc shows it */
    char group[TOLLGATE_NAME_MAX];
    char project[TOLLGATE_NAME_MAX];
    char executable[TOLLGATE_PATH_MAX]; /* the program's, not the supervisor's */
    char directory[TOLLGATE_PATH_MAX];
};

struct tollgate_redirect_answer {
    uint32_t magic;   /* TOLLGATE_REDIRECT_MAGIC */
    uint16_t port;    /* the agent's, host order */
    uint16_t refused; /* an errno; 0: connect now */
    uint32_t address; /* IPv4, host order */
};

#endif

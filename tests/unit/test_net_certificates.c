/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private CA: what its certificates allow and refuse, judged by OpenSSL's own verifier; which pair signs what over
 * the years (the wall clock is scripted below); what crashes and damage leave; the published files, judged by keytool.
 */
#include "base/clock.h"
#include "net/authority.h"
#include "tests/unit/net_signer.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a scripted wall clock in place of clock.c ---- */

enum { DAY_S = 86400 };
static _Atomic int64_t *wall_offset_s; /* shared with the signer, which is a process of its own */

__attribute__((constructor)) static void share_clock(void)
{
    void *page = mmap(NULL, sizeof *wall_offset_s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        abort();
    wall_offset_s = page;
}

static int64_t clock_read(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return clock_read(CLOCK_REALTIME) + atomic_load(wall_offset_s) * 1000000000;
}

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

/* ---- a directory per test ---- */

static char directory[64], ca_directory[80];

static const char *path_of(const char *file)
{
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, file);
    return path;
}

static void directory_open(void)
{
    atomic_store(wall_offset_s, 0);
    strcpy(directory, "/tmp/test-net-XXXXXX");
    EXPECT(mkdtemp(directory) != NULL, "mkdtemp");
    snprintf(ca_directory, sizeof ca_directory, "%s/ca", directory);
}

static void directory_close(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    EXPECT_INTEGER(system(command), 0);
    atomic_store(wall_offset_s, 0);
}

static const char *const provider_names[] = {"api.openai.com", "api.anthropic.com"};

static struct certificates *open_names(const char *const *names, size_t count)
{
    struct certificates *certificates = NULL;
    EXPECT_INTEGER(signed_open(ca_directory, names, count, &certificates), ERROR_OK);
    return certificates;
}

static struct certificates *open_providers(void)
{
    return open_names(provider_names, 2);
}

static X509 *leaf_of(struct certificates *certificates, const char *name)
{
    SSL_CTX *context = NULL;
    const char *lasting_name;
    if (contexts_find(certificates, name, &context, &lasting_name) != ERROR_OK)
        return NULL;
    X509 *leaf = SSL_CTX_get0_certificate(context);
    X509_up_ref(leaf);
    SSL_CTX_free(context);
    return leaf;
}

/* The number of the pair that signs the name, 0 when none does. */
static unsigned signer_of(struct certificates *certificates, const char *name)
{
    X509 *leaf = leaf_of(certificates, name);
    unsigned number = 0;
    for (unsigned i = 0; leaf && i < certificates->pair_count; i++) {
        const struct pair *pair = certificates->pairs[i];
        if (X509_verify(leaf, X509_get0_pubkey(pair->intermediate)) == 1)
            number = pair->number;
    }
    X509_free(leaf);
    ERR_clear_error();
    return number;
}

static int verify(const struct pair *pair, X509 *leaf, X509 *extra, const char *name, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, pair->root);
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, pair->intermediate);
    if (extra)
        sk_X509_push(chain, extra);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, leaf, chain);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT); /* as Python 3.13 does */
    X509_VERIFY_PARAM_set_purpose(parameters, purpose);
    if (name)
        X509_VERIFY_PARAM_set1_host(parameters, name, 0);
    int ok = X509_verify_cert(context);
    int error = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    sk_X509_free(chain);
    X509_STORE_free(store);
    return error;
}

/* A certificate that a thief of the intermediate's key could sign. */
static X509 *forge(const struct pair *pair, EVP_PKEY *key, const char *alternative_name, const char *basic_constraints)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 4711);
    X509_set_issuer_name(certificate, X509_get_subject_name(pair->intermediate));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "O", MBSTRING_ASC, (const unsigned char *)"forged",
                               -1, -1, 0);
    X509_set_pubkey(certificate, key);
    ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(authority_now_s() - 60));
    ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(authority_now_s() + 3600));
    X509V3_CTX context;
    X509V3_set_ctx(&context, pair->intermediate, certificate, NULL, NULL, 0);
    struct {
        int nid;
        const char *value;
    } rows[] = {{NID_subject_alt_name, alternative_name},
                {NID_basic_constraints, basic_constraints},
                {NID_subject_key_identifier, "hash"},
                {NID_authority_key_identifier, "keyid:always"}};
    for (size_t i = 0; i < 4; i++) {
        X509_EXTENSION *extension =
            rows[i].value ? X509V3_EXT_conf_nid(NULL, &context, rows[i].nid, rows[i].value) : NULL;
        if (extension)
            X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, pair->key, EVP_sha256());
    return certificate;
}

TEST(leaf_is_good_for_its_name_only)
{
    directory_open();
    struct certificates *certificates = open_providers();
    X509 *leaf = leaf_of(certificates, "api.openai.com");
    const struct pair *pair = certificates->pairs[0];
    EXPECT_INTEGER(verify(pair, leaf, NULL, "api.openai.com", X509_PURPOSE_SSL_SERVER), X509_V_OK);
    EXPECT_INTEGER(verify(pair, leaf, NULL, "api.anthropic.com", X509_PURPOSE_SSL_SERVER),
                   X509_V_ERR_HOSTNAME_MISMATCH);
    EXPECT_INTEGER(verify(pair, leaf, NULL, NULL, X509_PURPOSE_SSL_CLIENT), X509_V_ERR_INVALID_PURPOSE);
    int64_t not_before_s, not_after_s;
    EXPECT(x509_get_validity(leaf, &not_before_s, &not_after_s), "validity");
    EXPECT(not_after_s - authority_now_s() <= 24 * 3600, "a leaf of more than 24 h");
    EXPECT_INTEGER(X509_NAME_entry_count(X509_get_subject_name(leaf)), 0);
    EXPECT(X509_get0_subject_key_id(leaf) && X509_get0_authority_key_id(leaf), "SKI and AKI");
    X509 *other = leaf_of(certificates, "example.com");
    EXPECT(other == NULL, "a leaf for a name that no pair permits");
    X509_free(leaf);
    signed_close(certificates);
    directory_close();
}

TEST(agent_has_certificates_and_no_key)
{
    directory_open();
    for (int start = 0; start < 2; start++) { /* the one that makes the pair, and one that finds it */
        struct certificates *certificates = open_providers();
        EXPECT(certificates->pair_count == 1 && !certificates->pairs[0]->key, "a key in the agent");
        signed_close(certificates);
    }
    directory_close();
}

TEST(signer_that_is_gone_is_said_and_what_was_signed_serves_on)
{
    directory_open();
    struct certificates *certificates = open_providers();
    X509 *before = leaf_of(certificates, "api.openai.com");
    EXPECT(certificates_can_sign(certificates), "the signer is there");
    kill(signer.pid, SIGKILL);
    EXPECT(leaf_of(certificates, "api.anthropic.com") == NULL, "a leaf without a signer");
    EXPECT(!certificates_can_sign(certificates), "nobody was told");
    X509 *after = leaf_of(certificates, "api.openai.com");
    EXPECT(before && after && X509_cmp(before, after) == 0, "what was signed before");
    X509_free(before);
    X509_free(after);
    signed_close(certificates);
    directory_close();
}

TEST(stolen_intermediate_key_is_worth_nothing_elsewhere)
{
    directory_open();
    signed_close(open_providers());
    struct pair *pair = NULL;
    EXPECT_INTEGER(pair_load(ca_directory, 1, true, &pair), ERROR_OK);
    EVP_PKEY *key = x509_new_key();
    static const struct {
        const char *names;
        int error;
    } rows[] = {
        {"DNS:api.openai.com", X509_V_OK},
        {"DNS:beta.api.openai.com", X509_V_OK}, /* RFC 5280: a DNS constraint permits subdomains */
        {"DNS:openai.com", X509_V_ERR_PERMITTED_VIOLATION},
        {"DNS:xapi.openai.com", X509_V_ERR_PERMITTED_VIOLATION},
        {"DNS:example.com", X509_V_ERR_PERMITTED_VIOLATION},
        {"DNS:api.openai.com,DNS:example.com", X509_V_ERR_PERMITTED_VIOLATION},
        {"IP:127.77.0.1", X509_V_ERR_EXCLUDED_VIOLATION},
        {"IP:::1", X509_V_ERR_EXCLUDED_VIOLATION},
        {"DNS:api.openai.com,IP:10.0.0.1", X509_V_ERR_EXCLUDED_VIOLATION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        X509 *forged = forge(pair, key, rows[i].names, NULL);
        int error = verify(pair, forged, NULL, NULL, X509_PURPOSE_SSL_SERVER);
        EXPECT(error == rows[i].error, "%s: %s", rows[i].names, X509_verify_cert_error_string(error));
        X509_free(forged);
    }
    X509 *authority = forge(pair, key, NULL, "critical,CA:TRUE");
    struct pair below = {.intermediate = authority, .key = key};
    X509 *forged = forge(&below, key, "DNS:api.openai.com", NULL);
    EXPECT(verify(pair, forged, authority, NULL, X509_PURPOSE_SSL_SERVER) != X509_V_OK, "a further authority");
    X509_free(forged);
    X509_free(authority);
    EVP_PKEY_free(key);
    pair_free(pair);
    directory_close();
}

TEST(constraints_of_root_and_intermediate_are_critical_and_equal)
{
    directory_open();
    struct certificates *certificates = open_providers();
    const struct pair *pair = certificates->pairs[0];
    X509 *const both[] = {pair->root, pair->intermediate};
    for (int i = 0; i < 2; i++) {
        char **names = NULL;
        size_t count = 0;
        EXPECT(x509_read_constraints(both[i], &names, &count), "certificate %d", i);
        EXPECT_INTEGER(count, 2);
        EXPECT_STRING(count == 2 ? names[0] : "", "api.anthropic.com");
        EXPECT_STRING(count == 2 ? names[1] : "", "api.openai.com");
        for (size_t k = 0; k < count; k++)
            free(names[k]);
        free(names);
    }
    EXPECT_INTEGER(X509_get_pathlen(pair->intermediate), 0);
    EXPECT(X509_get_extension_flags(pair->intermediate) & EXFLAG_CA, "an authority");
    EXPECT_INTEGER(X509_get_extended_key_usage(pair->intermediate), XKU_SSL_SERVER);
    EXPECT_INTEGER((pair->not_after_s - authority_now_s() + 60) / DAY_S, 400);
    signed_close(certificates);
    directory_close();
}

/* Also a proof that the root's key is nowhere: the only key on disk belongs to the intermediate. */
TEST(files_of_a_pair_are_private_and_hold_no_root_key)
{
    directory_open();
    signed_close(open_providers());
    struct stat file_stat;
    EXPECT(stat(ca_directory, &file_stat) == 0 && (file_stat.st_mode & 07777) == 0700, "directory mode");
    EXPECT(stat(path_of("ca/pair-001/intermediate.key"), &file_stat) == 0 && (file_stat.st_mode & 07777) == 0600,
           "key mode");
    char command[256];
    snprintf(command, sizeof command, "test \"$(grep -rl 'PRIVATE KEY' %s)\" = %s/pair-001/intermediate.key", directory,
             ca_directory);
    EXPECT_INTEGER(system(command), 0);
    snprintf(command, sizeof command, "test \"$(find %s -type f | wc -l)\" = 3", directory);
    EXPECT_INTEGER(system(command), 0);
    directory_close();
}

TEST(second_start_uses_the_same_pair)
{
    directory_open();
    struct certificates *certificates = open_providers();
    X509 *root = certificates->pairs[0]->root;
    X509_up_ref(root);
    signed_close(certificates);
    certificates = open_providers();
    EXPECT_INTEGER(certificates->pair_count, 1);
    EXPECT_INTEGER(X509_cmp(root, certificates->pairs[0]->root), 0);
    X509_free(root);
    signed_close(certificates);
    directory_close();
}

TEST(new_names_get_a_further_pair_and_old_names_keep_theirs)
{
    directory_open();
    signed_close(open_providers());
    static const char *const names[] = {"api.openai.com", "beta.api.openai.com", "api.mistral.ai"};
    struct certificates *certificates = open_names(names, 3);
    EXPECT_INTEGER(certificates->pair_count, 2);
    EXPECT_INTEGER(signer_of(certificates, "api.openai.com"), 1);
    EXPECT_INTEGER(signer_of(certificates, "beta.api.openai.com"), 1); /* permitted as a subdomain */
    EXPECT_INTEGER(signer_of(certificates, "api.mistral.ai"), 2);
    static const char *const later[] = {"api.groq.com"};
    for (int i = 0; i < 2; i++) {
        signed_close(certificates);
        certificates = open_names(later, 1);
    }
    EXPECT_INTEGER(certificates->pair_count, 3);
    EXPECT_INTEGER(signer_of(certificates, "api.groq.com"), 3);
    static const char *const bad[] = {"API.openai.com", "", "a b", "*.com", ".com", "com."};
    struct arena *arena = arena_new(4096);
    const char *text = certificates_describe(certificates, arena);
    EXPECT(strstr(text, "pair 1: 2 names, expires 20") && strstr(text, "\npair 3: 1 name, expires 20"), "%s", text);
    arena_free(arena);
    signed_close(certificates);
    for (size_t i = 0; i < 6; i++) {
        EXPECT(signed_open(ca_directory, &bad[i], 1, &certificates) == ERROR_SETTINGS_INVALID, "\"%s\"", bad[i]);
        signed_close(NULL);
    }
    directory_close();
}

TEST(many_names_are_spread_over_pairs)
{
    directory_open();
    enum { NAMES = 300 };
    static char text[NAMES][32];
    const char *names[NAMES];
    for (int i = 0; i < NAMES; i++) {
        snprintf(text[i], sizeof text[i], "host-%d.example.net", i);
        names[i] = text[i];
    }
    struct certificates *certificates = open_names(names, NAMES);
    EXPECT_INTEGER(certificates->pair_count, 3);
    EXPECT_INTEGER(signer_of(certificates, names[0]), 1);
    EXPECT_INTEGER(signer_of(certificates, names[NAMES - 1]), 3);
    signed_close(certificates);
    directory_close();
}

TEST(pair_is_renewed_in_time_and_the_old_one_signs_to_its_end)
{
    directory_open();
    signed_close(open_providers());
    atomic_store(wall_offset_s, (int64_t)369 * DAY_S);
    struct certificates *certificates = open_providers();
    EXPECT_INTEGER(certificates->pair_count, 1);
    signed_close(certificates);
    atomic_store(wall_offset_s, (int64_t)371 * DAY_S);
    certificates = open_providers();
    EXPECT_INTEGER(certificates->pair_count, 2);
    EXPECT_INTEGER(signer_of(certificates, "api.openai.com"), 1);
    atomic_store(wall_offset_s, (int64_t)400 * DAY_S - 3600);
    EXPECT_INTEGER(signer_of(certificates, "api.openai.com"), 1);
    X509 *leaf = leaf_of(certificates, "api.openai.com");
    int64_t not_before_s = 0, not_after_s = 0;
    EXPECT(x509_get_validity(leaf, &not_before_s, &not_after_s), "validity");
    EXPECT(not_after_s <= certificates->pairs[0]->not_after_s, "a leaf outlives its authority");
    X509_free(leaf);
    atomic_store(wall_offset_s, (int64_t)401 * DAY_S);
    EXPECT_INTEGER(signer_of(certificates, "api.openai.com"), 2);
    signed_close(certificates);
    directory_close();
}

TEST(leaf_is_renewed_before_it_expires_and_after_clock_jumps)
{
    directory_open();
    struct certificates *certificates = open_providers();
    static const struct {
        int64_t offset_s;
        bool is_same;
    } rows[] = {{0, true}, {17 * 3600, true}, {19 * 3600, false}, {20 * 3600, true}, {-5 * 3600, false}};
    X509 *last = leaf_of(certificates, "api.openai.com");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        atomic_store(wall_offset_s, rows[i].offset_s);
        X509 *leaf = leaf_of(certificates, "api.openai.com");
        EXPECT((X509_cmp(leaf, last) == 0) == rows[i].is_same, "after %lld s", (long long)rows[i].offset_s);
        X509_free(last);
        last = leaf;
    }
    X509_free(last);
    signed_close(certificates);
    directory_close();
}

static void damage(const char *file, const char *how)
{
    char command[256];
    snprintf(command, sizeof command, "f=%s; %s", path_of(file), how);
    EXPECT_INTEGER(system(command), 0);
}

TEST(damaged_pair_is_ignored_and_replaced)
{
    static const struct {
        const char *file, *how;
    } rows[] = {
        {"ca/pair-001/intermediate.key", "truncate -s 100 $f"},
        {"ca/pair-001/intermediate.key", "rm $f"},
        {"ca/pair-001/intermediate.key", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $f"},
        {"ca/pair-001/intermediate.pem", ": > $f"},
        {"ca/pair-001/root.pem", "sed -i 's/A/B/' $f"},
        {"ca/pair-001/root.pem", "cp ${f%/*}/intermediate.pem $f"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        directory_open();
        signed_close(open_providers());
        damage(rows[i].file, rows[i].how);
        struct certificates *certificates = open_providers();
        EXPECT(certificates->pair_count == 1 && certificates->pairs[0]->number == 2, "%s: %s", rows[i].file,
               rows[i].how);
        EXPECT_INTEGER(signer_of(certificates, "api.openai.com"), 2);
        struct arena *arena = arena_new(4096);
        EXPECT(strstr(certificates_describe(certificates, arena), "1 damaged pair ignored"), "not described");
        arena_free(arena);
        signed_close(certificates);
        directory_close();
    }
}

TEST(crash_while_a_pair_was_made_leaves_nothing)
{
    directory_open();
    EXPECT(mkdir(ca_directory, 0700) == 0 && mkdir(path_of("ca/new-Ab12Cd"), 0700) == 0, "mkdir");
    int fd = open(path_of("ca/new-Ab12Cd/root.pem.new"), O_CREAT | O_WRONLY, 0600);
    close(fd);
    struct certificates *certificates = open_providers();
    EXPECT_INTEGER(certificates->pair_count, 1);
    EXPECT(access(path_of("ca/new-Ab12Cd"), F_OK) != 0, "it is still there");
    signed_close(certificates);
    directory_close();
}

TEST(unwritable_directory_is_an_error)
{
    struct certificates *certificates;
    EXPECT_INTEGER(signed_open("/proc/nowhere/ca", provider_names, 2, &certificates), ERROR_FILE_UNWRITABLE);
    signed_close(NULL);
}

static unsigned count_certificates(const char *file)
{
    unsigned count = 0;
    FILE *stream = fopen(file, "r");
    for (X509 *certificate; stream && (certificate = PEM_read_X509(stream, NULL, NULL, NULL)); count++)
        X509_free(certificate);
    if (stream)
        fclose(stream);
    ERR_clear_error();
    return count;
}

TEST(published_files_hold_the_roots)
{
    directory_open();
    struct certificates *certificates = open_providers();
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0644), ERROR_OK);
    static const char *const files[] = {"ca.pem", "bundle.pem", "cacerts.jks"};
    for (int i = 0; i < 3; i++) {
        struct stat file_stat;
        EXPECT(stat(path_of(files[i]), &file_stat) == 0 && (file_stat.st_mode & 07777) == 0644, "%s", files[i]);
    }
    EXPECT_INTEGER(count_certificates(path_of("ca.pem")), 1);
    unsigned system_roots = count_certificates("/etc/ssl/certs/ca-certificates.crt");
    EXPECT(count_certificates(path_of("bundle.pem")) == system_roots + 1 || system_roots == 0, "%u of %u",
           count_certificates(path_of("bundle.pem")), system_roots + 1);
    signed_close(certificates);
    directory_close();
}

static ino_t inode_of(const char *file)
{
    struct stat file_stat = {0};
    EXPECT(stat(path_of(file), &file_stat) == 0, "%s", file);
    return file_stat.st_ino;
}

TEST(files_are_written_again_only_when_something_changed)
{
    directory_open();
    struct certificates *certificates = open_providers();
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0644), ERROR_OK);
    ino_t inode = inode_of("bundle.pem");
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0644), ERROR_OK);
    EXPECT_INTEGER(inode_of("bundle.pem"), inode);
    damage("bundle.pem", "truncate -s 1000 $f");
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0644), ERROR_OK);
    EXPECT(inode_of("bundle.pem") != inode && count_certificates(path_of("bundle.pem")) > 0, "not repaired");
    inode = inode_of("ca.pem");
    static const char *const more[] = {"api.mistral.ai"};
    signed_close(certificates);
    certificates = open_names(more, 1);
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0644), ERROR_OK);
    EXPECT(inode_of("ca.pem") != inode, "a new root was not published");
    EXPECT_INTEGER(count_certificates(path_of("ca.pem")), 2);
    atomic_store(wall_offset_s, (int64_t)402 * DAY_S);
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0600), ERROR_OK);
    EXPECT_INTEGER(count_certificates(path_of("ca.pem")), 0); /* expired roots are withdrawn */
    struct stat file_stat;
    EXPECT(stat(path_of("cacerts.jks"), &file_stat) == 0 && (file_stat.st_mode & 07777) == 0600, "new mode");
    signed_close(certificates);
    directory_close();
}

TEST(files_that_were_spoilt_are_put_back)
{
    static const char *const ways[] = {"rm $f",
                                       "truncate -s 10 $f",
                                       "chmod 0640 $f",
                                       "cp $f $f.x; mv $f.x $f",
                                       "printf x | dd of=$f conv=notrunc status=none",
                                       "ln -sf /dev/null $f"};
    directory_open();
    struct certificates *certificates = open_providers();
    bool was_spoilt = true;
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0644), ERROR_OK);
    EXPECT_INTEGER(certificates_keep_published(certificates, directory, 0644, &was_spoilt), ERROR_OK);
    EXPECT(!was_spoilt, "nothing has happened");
    for (size_t i = 0; i < 3 * sizeof ways / sizeof *ways; i++) {
        const char *file = (const char *[]){"ca.pem", "bundle.pem", "cacerts.jks"}[i % 3];
        struct stat file_stat;
        damage(file, ways[i / 3]);
        EXPECT_INTEGER(certificates_keep_published(certificates, directory, 0644, &was_spoilt), ERROR_OK);
        EXPECT(was_spoilt, "%s of %s was not seen", ways[i / 3], file);
        EXPECT(lstat(path_of(file), &file_stat) == 0 && file_stat.st_mode == (S_IFREG | 0644), "%s", file);
        EXPECT_INTEGER(count_certificates(path_of("ca.pem")), 1);
        EXPECT(count_certificates(path_of("bundle.pem")) > 0, "%s of %s", ways[i / 3], file);
        EXPECT_INTEGER(certificates_keep_published(certificates, directory, 0644, &was_spoilt), ERROR_OK);
        EXPECT(!was_spoilt, "%s of %s: again and again", ways[i / 3], file);
    }
    damage("ca.pem", "rm $f; mkdir -p $f/in-the-way");
    EXPECT_INTEGER(certificates_keep_published(certificates, directory, 0644, &was_spoilt), ERROR_FILE_UNWRITABLE);
    damage("ca.pem", "rm -r $f");
    EXPECT_INTEGER(certificates_keep_published(certificates, directory, 0644, &was_spoilt), ERROR_OK);
    EXPECT_INTEGER(count_certificates(path_of("ca.pem")), 1);
    signed_close(certificates);
    directory_close();
}

TEST(java_reads_the_key_store)
{
    if (system("command -v keytool >/dev/null") != 0) {
        fprintf(stderr, "(skipped: no keytool) ");
        return;
    }
    directory_open();
    struct certificates *certificates = open_providers();
    EXPECT_INTEGER(certificates_publish(certificates, directory, 0600), ERROR_OK);
    char command[512];
    snprintf(command, sizeof command,
             "test $(keytool -list -keystore %s/cacerts.jks -storepass changeit 2>&1 | grep -c trustedCertEntry) = "
             "$(grep -c BEGIN %s/bundle.pem)",
             directory, directory);
    EXPECT_INTEGER(system(command), 0);
    snprintf(command, sizeof command,
             "keytool -list -rfc -alias root-0001 -keystore %s/cacerts.jks -storepass changeit 2>/dev/null | "
             "openssl x509 -noout -subject | grep -q 'O = Tollgate'",
             directory);
    EXPECT_INTEGER(system(command), 0);
    snprintf(command, sizeof command, "keytool -list -keystore %s/cacerts.jks -storepass changeme >/dev/null 2>&1",
             directory);
    EXPECT(system(command) != 0, "the digest is not checked");
    signed_close(certificates);
    directory_close();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS trust for programs whose OpenSSL or GnuTLS is a shared library: whenever a client context gets a store, our roots
 * are added to it, whatever bundle the program brings itself. Additive and idempotent; OpenSSL's error queue, errno and
 * dlerror are left as found; contexts for servers only are left alone.
 * Which library a caller uses is asked once per call site: modules may bring their own libssl (wheels), and look-ups
 * take the loader's lock, which a forked child of a threaded program should not need again.
 */
#include <dlfcn.h>

#include "shim/preload/shim.h"

extern int dladdr(const void *address, Dl_info *ret_info) __attribute__((weak));
extern void *dlopen(const char *file, int mode) __attribute__((weak));
extern void *dlvsym(void *restrict handle, const char *restrict name, const char *restrict version)
    __attribute__((weak));
extern char *dlerror(void) __attribute__((weak));

#define TRUST_FUNCTIONS_MAX 20
#define TRUST_SITES_MAX     32
#define TRUST_ROOTS_MAX     64 /* pairs of a state directory that ever overlap: two or three */
#define TRUST_PEM           1  /* GNUTLS_X509_FMT_PEM */

enum openssl {
    OPENSSL_ctx_new,
    OPENSSL_ctx_new_ex,
    OPENSSL_set_store,
    OPENSSL_set1_store,
    OPENSSL_get_store,
    OPENSSL_get_method,
    OPENSSL_server_method,
    OPENSSL_server_method_old,
    OPENSSL_server_method_12,
    OPENSSL_server_method_datagram,
    OPENSSL_bio_new_file,
    OPENSSL_bio_free,
    OPENSSL_pem_read,
    OPENSSL_add_cert,
    OPENSSL_x509_free,
    OPENSSL_set_mark,
    OPENSSL_pop_to_mark,
    OPENSSL_COUNT
};
static const char *const openssl_names[OPENSSL_COUNT] = {
    "SSL_CTX_new",
    "SSL_CTX_new_ex",
    "SSL_CTX_set_cert_store",
    "SSL_CTX_set1_cert_store",
    "SSL_CTX_get_cert_store",
    "SSL_CTX_get_ssl_method",
    "TLS_server_method",
    "SSLv23_server_method",
    "TLSv1_2_server_method",
    "DTLS_server_method",
    "BIO_new_file",
    "BIO_free",
    "PEM_read_bio_X509",
    "X509_STORE_add_cert",
    "X509_free",
    "ERR_set_mark",
    "ERR_pop_to_mark",
};

enum gnutls { GNUTLS_allocate, GNUTLS_system_trust, GNUTLS_trust_list, GNUTLS_trust_file, GNUTLS_COUNT };
static const char *const gnutls_names[GNUTLS_COUNT] = {
    "gnutls_certificate_allocate_credentials",
    "gnutls_certificate_set_x509_system_trust",
    "gnutls_certificate_set_trust_list",
    "gnutls_certificate_set_x509_trust_file",
};

/* Names to fall back to when neither the caller nor the global scope leads to the library. */
static const char *const openssl_files[] = {"libssl.so.3", "libssl.so.1.1", "libssl.so.1.0.2", "libssl.so.1.0.0", NULL};
static const char *const gnutls_files[] = {"libgnutls.so.30", "libgnutls.so.28", NULL};
static const char *const openssl_versions[] = {"OPENSSL_3.0.0", "OPENSSL_1_1_0", "OPENSSL_1.0.2", "OPENSSL_1.0.0",
                                               NULL};
static const char *const gnutls_versions[] = {"GNUTLS_3_4", "GNUTLS_1_4", NULL};

struct trust_family {
    const char *const *names;
    size_t count;
    const char *const *files;
    const char *const *versions;
};
static const struct trust_family openssl = {openssl_names, OPENSSL_COUNT, openssl_files, openssl_versions};
static const struct trust_family gnutls = {gnutls_names, GNUTLS_COUNT, gnutls_files, gnutls_versions};

/* One call site and the functions its library has. `caller` is published last. */
struct trust_site {
    const void *caller;
    void *functions[TRUST_FUNCTIONS_MAX];
};
static struct trust_site trust_sites[TRUST_SITES_MAX];
static unsigned trust_sites_used;

/* The handle of a loaded object; it stays referenced, so that no cached function can be unloaded. */
static void *trust_open(const char *file)
{
    void *handle = dlopen != NULL && file != NULL ? dlopen(file, RTLD_NOLOAD | RTLD_LAZY) : NULL;
    if (handle == NULL && dlerror != NULL)
        dlerror();
    return handle;
}

static void *trust_open_owner(const void *address)
{
    Dl_info owner;
    if (dladdr == NULL || address == NULL || dladdr(address, &owner) == 0)
        return NULL;
    return trust_open(owner.dli_fname);
}

/* Two libraries offer it: without us the global one would serve the caller only if it has the version he was linked to.
 */
static void *trust_choose(void *own, void *own_handle, void *global, const struct trust_family *family,
                          const char *name)
{
    if (own == NULL || own == global || dlvsym == NULL)
        return own != NULL ? own : global;
    for (size_t i = 0; family->versions[i] != NULL && global != NULL; i++) {
        void *same = dlvsym(own_handle, name, family->versions[i]);
        void *other = same == own ? dlvsym(RTLD_NEXT, name, family->versions[i]) : NULL;
        if (dlerror != NULL)
            dlerror();
        if (other != NULL)
            return other;
    }
    return own;
}

static void *trust_find_function(const struct trust_family *family, const void *caller, const char *name)
{
    void *handle = trust_open_owner(caller);
    void *own = handle != NULL ? real_find(handle, name) : NULL;
    void *global = real_find(RTLD_NEXT, name);
    /* A handle of the main program searches the global scope, where the first hit is our own hook. */
    Dl_info mine;
    Dl_info found;
    if (own != NULL && dladdr != NULL && dladdr((void *)(uintptr_t)&shim, &mine) && dladdr(own, &found) &&
        mine.dli_fbase == found.dli_fbase)
        own = NULL;
    void *function = trust_choose(own, handle, global, family, name);
    for (size_t i = 0; function == NULL && family->files[i] != NULL; i++) {
        void *library = trust_open(family->files[i]);
        function = library != NULL ? real_find(library, name) : NULL;
    }
    return function;
}

static void trust_fill(const struct trust_family *family, const void *caller, size_t which, struct trust_site *ret_site)
{
    void *function = trust_find_function(family, caller, family->names[which]);
    void *library = trust_open_owner(function);
    for (size_t i = 0; i < family->count; i++)
        ret_site->functions[i] = library != NULL ? real_find(library, family->names[i]) : NULL;
    ret_site->functions[which] = function;
}

/* The functions for this caller; `room` serves when the table is full. Never NULL; single functions may be. */
static const struct trust_site *trust_find(const struct trust_family *family, const void *caller, size_t which,
                                           struct trust_site *room)
{
    for (size_t i = 0; i < TRUST_SITES_MAX; i++)
        if (__atomic_load_n(&trust_sites[i].caller, __ATOMIC_ACQUIRE) == caller)
            return &trust_sites[i];
    int saved = real_get_errno();
    __builtin_memset(room, 0, sizeof *room);
    trust_fill(family, caller, which, room);
    real_set_errno(saved);
    unsigned slot = __atomic_fetch_add(&trust_sites_used, 1, __ATOMIC_RELAXED);
    if (slot >= TRUST_SITES_MAX) {
        __atomic_store_n(&trust_sites_used, TRUST_SITES_MAX, __ATOMIC_RELAXED);
        return room;
    }
    __builtin_memcpy(trust_sites[slot].functions, room->functions, sizeof room->functions);
    __atomic_store_n(&trust_sites[slot].caller, caller, __ATOMIC_RELEASE);
    return &trust_sites[slot];
}

#define CALL(site, which, type) ((type)(site)->functions[which])
typedef void *(*trust_make)(void);
typedef void *(*trust_get)(const void *);
typedef int (*trust_free)(void *);
typedef void (*trust_drop)(void *);
typedef void *(*trust_open_file)(const char *, const char *);
typedef void *(*trust_read)(void *, void *, void *, void *);
typedef int (*trust_put)(void *, void *);
typedef int (*trust_mark)(void);
typedef int (*trust_add_file)(void *, const char *, int);

static bool openssl_is_server(const struct trust_site *site, void *context)
{
    trust_get get_method = CALL(site, OPENSSL_get_method, trust_get);
    if (get_method == NULL)
        return false;
    const void *method = get_method(context);
    for (size_t i = OPENSSL_server_method; i <= OPENSSL_server_method_datagram; i++) {
        trust_make make = CALL(site, i, trust_make);
        if (make != NULL && make() == method)
            return true;
    }
    return false;
}

static bool openssl_is_complete(const struct trust_site *site)
{
    if (site->functions[OPENSSL_get_store] == NULL)
        return false;
    for (size_t i = OPENSSL_bio_new_file; i < OPENSSL_COUNT; i++)
        if (site->functions[i] == NULL)
            return false;
    return true;
}

/* One certificate at a time under the store's own lock: a store may be shared with running threads. */
static void openssl_add_roots(const struct trust_site *site, void *store)
{
    void *file = CALL(site, OPENSSL_bio_new_file, trust_open_file)(shim.ca_file, "r");
    if (file == NULL)
        return;
    for (int i = 0; i < TRUST_ROOTS_MAX; i++) {
        void *root = CALL(site, OPENSSL_pem_read, trust_read)(file, NULL, NULL, NULL);
        if (root == NULL)
            break;
        CALL(site, OPENSSL_add_cert, trust_put)(store, root);
        CALL(site, OPENSSL_x509_free, trust_drop)(root);
    }
    CALL(site, OPENSSL_bio_free, trust_free)(file);
}

static void openssl_extend(const struct trust_site *site, void *context)
{
    if (!shim.is_active || shim.ca_file == NULL || !map_is_open() || context == NULL || !openssl_is_complete(site))
        return;
    int saved = real_get_errno();
    void *store = openssl_is_server(site, context) ? NULL : CALL(site, OPENSSL_get_store, trust_get)(context);
    if (store != NULL) {
        CALL(site, OPENSSL_set_mark, trust_mark)();
        openssl_add_roots(site, store);
        CALL(site, OPENSSL_pop_to_mark, trust_mark)();
    }
    real_set_errno(saved);
}

void *hook_SSL_CTX_new(const void *method)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&openssl, __builtin_return_address(0), OPENSSL_ctx_new, &room);
    real_SSL_CTX_new_call real = CALL(site, OPENSSL_ctx_new, real_SSL_CTX_new_call);
    void *context = real != NULL ? real(method) : NULL;
    openssl_extend(site, context);
    return context;
}

void *hook_SSL_CTX_new_ex(void *library, const char *query, const void *method)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&openssl, __builtin_return_address(0), OPENSSL_ctx_new_ex, &room);
    real_SSL_CTX_new_ex_call real = CALL(site, OPENSSL_ctx_new_ex, real_SSL_CTX_new_ex_call);
    void *context = real != NULL ? real(library, query, method) : NULL;
    openssl_extend(site, context);
    return context;
}

void hook_SSL_CTX_set_cert_store(void *context, void *store)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&openssl, __builtin_return_address(0), OPENSSL_set_store, &room);
    real_SSL_CTX_set_cert_store_call real = CALL(site, OPENSSL_set_store, real_SSL_CTX_set_cert_store_call);
    if (real != NULL)
        real(context, store);
    openssl_extend(site, context);
}

void hook_SSL_CTX_set1_cert_store(void *context, void *store)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&openssl, __builtin_return_address(0), OPENSSL_set1_store, &room);
    real_SSL_CTX_set1_cert_store_call real = CALL(site, OPENSSL_set1_store, real_SSL_CTX_set1_cert_store_call);
    if (real != NULL)
        real(context, store);
    openssl_extend(site, context);
}

/* GnuTLS knows no server credentials as such; a root without client purpose adds nothing there. */
static void gnutls_extend(const struct trust_site *site, void *credentials)
{
    trust_add_file add = CALL(site, GNUTLS_trust_file, trust_add_file);
    if (!shim.is_active || shim.ca_file == NULL || !map_is_open() || credentials == NULL || add == NULL)
        return;
    int saved = real_get_errno();
    add(credentials, shim.ca_file, TRUST_PEM);
    real_set_errno(saved);
}

int hook_gnutls_certificate_allocate_credentials(void **ret_credentials)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&gnutls, __builtin_return_address(0), GNUTLS_allocate, &room);
    real_gnutls_certificate_allocate_credentials_call real =
        CALL(site, GNUTLS_allocate, real_gnutls_certificate_allocate_credentials_call);
    int result = real != NULL ? real(ret_credentials) : -1;
    if (result >= 0)
        gnutls_extend(site, *ret_credentials);
    return result;
}

int hook_gnutls_certificate_set_x509_system_trust(void *credentials)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&gnutls, __builtin_return_address(0), GNUTLS_system_trust, &room);
    real_gnutls_certificate_set_x509_system_trust_call real =
        CALL(site, GNUTLS_system_trust, real_gnutls_certificate_set_x509_system_trust_call);
    int result = real != NULL ? real(credentials) : -1;
    gnutls_extend(site, credentials);
    return result;
}

void hook_gnutls_certificate_set_trust_list(void *credentials, void *list, unsigned flags)
{
    struct trust_site room;
    const struct trust_site *site = trust_find(&gnutls, __builtin_return_address(0), GNUTLS_trust_list, &room);
    real_gnutls_certificate_set_trust_list_call real =
        CALL(site, GNUTLS_trust_list, real_gnutls_certificate_set_trust_list_call);
    if (real != NULL)
        real(credentials, list, flags);
    gnutls_extend(site, credentials);
}

#include "http_tls.h"

#include <openssl/ssl.h>

#include "base/buf.h"

/* All names of a list together, in bytes. */
#define LIST_BYTES_MAX 4096

/* OpenSSL's spelling of Go's names of curves; NULL when it is not one. */
static const char *curve_name(const char *name)
{
    static const char *const names[][2] = {
        {"P256", "P-256"}, {"P384", "P-384"}, {"P521", "P-521"}, {"X25519", "X25519"}, {NULL, NULL},
    };
    size_t i = 0;

    while (names[i][0] && strcmp(names[i][0], name) != 0) {
        i++;
    }
    return names[i][1];
}

static const char *cipher_name(const char *name)
{
    const char *openssl = OPENSSL_cipher_name(name);

    return openssl && strcmp(openssl, "(NONE)") != 0 ? openssl : NULL;
}

void pp_http_tls_check(const struct pp_tls_client_config *config, struct pp_check *check)
{
    const struct pp_tls_config *common = &config->common;

    for (size_t i = 0; i < common->cipher_suites.n; i++) {
        if (!cipher_name(common->cipher_suites.v[i])) {
            pp_check_error(check, "tls.cipher_suites", "OpenSSL has no cipher suite \"%s\"",
                           common->cipher_suites.v[i]);
        }
    }
    for (size_t i = 0; i < common->curve_preferences.n; i++) {
        if (!curve_name(common->curve_preferences.v[i])) {
            pp_check_error(check, "tls.curve_preferences", "OpenSSL has no curve \"%s\"",
                           common->curve_preferences.v[i]);
        }
    }
}

/* Sets a colon-separated list of translated names; an empty list leaves the library's own. */
static bool set_names(CURL *handle, CURLoption option, const struct pp_string_list *list,
                      const char *(*translate)(const char *))
{
    struct pp_buf text;
    bool ok = true;

    pp_buf_init(&text, LIST_BYTES_MAX);
    for (size_t i = 0; i < list->n; i++) {
        const char *name = translate(list->v[i]);

        ok = ok && name && (i == 0 || pp_buf_add_byte(&text, ':')) && pp_buf_add_c(&text, name);
    }
    if (list->n) {
        ok = ok && pp_buf_add_byte(&text, '\0') &&
             curl_easy_setopt(handle, option, text.data) == CURLE_OK;
    }
    pp_buf_done(&text);
    return ok;
}

static bool set_blob(CURL *handle, CURLoption option, char *pem)
{
    struct curl_blob blob = {pem, pem ? strlen(pem) : 0, CURL_BLOB_NOCOPY};

    return !pem || curl_easy_setopt(handle, option, &blob) == CURLE_OK;
}

static long version_range(const struct pp_tls_config *common)
{
    static const long least[] = {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_0,
                                 CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                                 CURL_SSLVERSION_TLSv1_3};
    static const long most[] = {CURL_SSLVERSION_MAX_DEFAULT, CURL_SSLVERSION_MAX_TLSv1_0,
                                CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                                CURL_SSLVERSION_MAX_TLSv1_3};

    return least[common->min_version] | most[common->max_version];
}

bool pp_http_tls_apply(CURL *handle, const struct pp_tls_client_config *config,
                       const struct pp_tls_material *material)
{
    const struct pp_tls_config *common = &config->common;

    if (material->ca) {
        /* curl would go on trusting the system's authorities beside ours. */
        curl_easy_setopt(handle, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
    }
    if (config->insecure_skip_verify) {
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return set_blob(handle, CURLOPT_CAINFO_BLOB, material->ca) &&
           set_blob(handle, CURLOPT_SSLCERT_BLOB, material->cert) &&
           set_blob(handle, CURLOPT_SSLKEY_BLOB, material->key) &&
           curl_easy_setopt(handle, CURLOPT_SSLVERSION, version_range(common)) == CURLE_OK &&
           set_names(handle, CURLOPT_SSL_CIPHER_LIST, &common->cipher_suites, cipher_name) &&
           set_names(handle, CURLOPT_SSL_EC_CURVES, &common->curve_preferences, curve_name);
}

/* Sends batches to an OTLP server over HTTP: what it is, and which of the two clients it uses. */
#include <stdlib.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "http_tls.h"
#include "net/compress.h"
#include "otlp_client/otlp_partial.h"
#include "otlp_http.h"

enum { ENCODING_PROTO, ENCODING_JSON };

static const char *const encoding_choices[] = {"proto", "json", NULL};

static const struct otlp_http_config otlp_http_defaults = {
    .client = {PP_HTTP_CLIENT_DEFAULTS_BODY, .timeout = PP_NS(30),
               .compression = PP_COMPRESSION_GZIP},
    .retry_on_failure = PP_RETRY_DEFAULTS,
    .sending_queue = PP_SENDING_QUEUE_DEFAULTS,
};

static const struct pp_field otlp_http_fields[] = {
    PP_ROW_INLINE(struct otlp_http_config, client, &pp_http_client_group),
    PP_ROW_STRING(struct otlp_http_config, profiles_endpoint, 0,
                  "URL that profiles go to as it stands, in place of endpoint with "
                  "/v1development/profiles added."),
    PP_ROW_IGNORED("traces_endpoint", "Only profiles are sent."),
    PP_ROW_IGNORED("metrics_endpoint", "Only profiles are sent."),
    PP_ROW_IGNORED("logs_endpoint", "Only profiles are sent."),
    PP_ROW_ENUM(struct otlp_http_config, encoding, 0, encoding_choices,
                "Form of the request: protobuf or OTLP/JSON."),
    PP_ROW_GROUP(struct otlp_http_config, retry_on_failure, &pp_retry_group,
                 "How what failed is tried again."),
    PP_ROW_GROUP(struct otlp_http_config, sending_queue, &pp_sending_queue_group,
                 "What waits to be sent, and how many send."),
    PP_ROW_BOOL(struct otlp_http_config, references, 0,
                "Write attribute keys and values as references into the string table (ours): "
                "smaller, but only for servers that "
                "resolve them (the Collector from 0.161)."),
    PP_ROW_END,
};

static const struct pp_group otlp_http_group = {
    .name = "otlp_http",
    .size = sizeof(struct otlp_http_config),
    .defaults = &otlp_http_defaults,
    .fields = otlp_http_fields,
};

const struct otlp_http_config *pp_otlp_http_config(const struct pp_component *self)
{
    return self->config;
}

struct pp_http_post_options pp_otlp_http_options(struct otlp_http *exporter)
{
    const struct otlp_http_config *config = pp_otlp_http_config(&exporter->exporter.component);
    struct pp_http_post_options options = {
        .owner = &exporter->exporter.component,
        .config = &config->client,
        .url = &exporter->url,
        .tls = exporter->tls,
        .auth = exporter->auth,
        .content_type = exporter->request.json ? PP_OTLP_TYPE_JSON : PP_OTLP_TYPE_PROTOBUF,
    };

    if (config->client.compression == PP_COMPRESSION_ZLIB) {
        options.content_encoding = "zlib"; /* the Collector's name for what the standards call deflate */
    } else if (exporter->request.encoding != PP_ENCODING_IDENTITY) {
        options.content_encoding = pp_encoding_name(exporter->request.encoding);
    }
    return options;
}

static void otlp_http_validate(const void *value, struct pp_check *check)
{
    const struct otlp_http_config *config = value;
    struct pp_otlp_url url;
    struct pp_error err;

    if (!pp_http_headers_check(&config->client.headers, &err)) {
        pp_check_error(check, "headers", "%s", err.message);
    }
    if (!pp_otlp_url_make(config->client.endpoint, config->profiles_endpoint,
                          config->client.tls.server_name_override, &url, &err)) {
        pp_check_error(check, config->profiles_endpoint ? "profiles_endpoint" : "endpoint", "%s",
                       err.message);
        return;
    }
    if (url.tls) {
        pp_http_tls_check(&config->client.tls, check);
    }
    pp_otlp_url_done(&url);
}

static enum pp_encoding encoding_of(int compression)
{
    switch (compression) {
    case PP_COMPRESSION_GZIP:
        return PP_ENCODING_GZIP;
    case PP_COMPRESSION_SNAPPY:
        return PP_ENCODING_SNAPPY;
    case PP_COMPRESSION_SNAPPY_FRAMED:
        return PP_ENCODING_SNAPPY_FRAMED;
    case PP_COMPRESSION_ZSTD:
        return PP_ENCODING_ZSTD;
    case PP_COMPRESSION_ZLIB:
    case PP_COMPRESSION_DEFLATE:
        return PP_ENCODING_DEFLATE;
    case PP_COMPRESSION_LZ4:
        return PP_ENCODING_LZ4;
    default:
        return PP_ENCODING_IDENTITY;
    }
}

/* Whether the way to the server is a plain one, which our own client goes: no TLS, no proxy, no credentials in the URL. */
static bool is_plain(const struct pp_http_client_config *client, const struct pp_otlp_url *url)
{
    static const char *const proxies[] = {"http_proxy", "all_proxy", "ALL_PROXY"}; /* what curl heeds for http:// */

    if (url->tls || url->has_user || (client->proxy_url && *client->proxy_url)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++) {
        const char *proxy = getenv(proxies[i]);

        if (proxy && *proxy) {
            return false;
        }
    }
    return true;
}

static void release(struct otlp_http *exporter)
{
    pp_client_tls_free(exporter->tls);
    pp_otlp_url_done(&exporter->url);
    if (!exporter->is_plain) {
        curl_global_cleanup();
    }
}

static bool otlp_http_create(struct pp_component *self, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;
    const struct otlp_http_config *config = pp_otlp_http_config(self);
    const struct pp_http_client_config *client = &config->client;

    exporter->request = (struct pp_otlp_request_options){
        .encoding = encoding_of(client->compression),
        .level = client->compression_params.level == 0 ? PP_COMPRESS_LEVEL_DEFAULT
                                                       : (int)client->compression_params.level,
        .json = config->encoding == ENCODING_JSON,
        .encode.references = config->references,
    };
    if (!pp_client_auth_find(self, client->auth, false, &exporter->auth, err)) {
        return false;
    }
    if (!pp_otlp_url_make(client->endpoint, config->profiles_endpoint,
                          client->tls.server_name_override, &exporter->url, err)) {
        return false;
    }
    exporter->is_plain = is_plain(client, &exporter->url);
    if (!exporter->is_plain && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        pp_otlp_url_done(&exporter->url);
        return pp_error_set(err, PP_ERR_INTERNAL, "libcurl does not start");
    }
    exporter->rejected = pp_otlp_partial_counter(self);
    exporter->exporter.destination = (struct pp_exporter_destination){exporter->url.name, exporter->url.port, exporter->url.path};
    if (!pp_exporter_create(&exporter->exporter, exporter->is_plain ? &pp_otlp_http_plain_ops : &pp_otlp_http_curl_ops,
                            &config->sending_queue, &config->retry_on_failure, client->timeout, err)) {
        release(exporter);
        return false;
    }
    return true;
}

/* The certificates outlive a shutdown, so that a second start finds them. */
static bool otlp_http_start(struct pp_component *self, struct pp_error *err)
{
    struct otlp_http *exporter = (struct otlp_http *)self;

    if (exporter->url.tls && !exporter->tls) {
        exporter->tls = pp_client_tls_new(&pp_otlp_http_config(self)->client.tls, err);
        if (!exporter->tls) {
            return false;
        }
    }
    return pp_exporter_start(self, err);
}

static void otlp_http_destroy(struct pp_component *self)
{
    struct otlp_http *exporter = (struct otlp_http *)self;

    pp_exporter_destroy(self);
    release(exporter);
}

static const char *const otlp_http_aliases[] = {"otlphttp", NULL};

const struct pp_factory pp_otlp_http_exporter_factory = {
    PP_FACTORY_DEFAULTS,
    .kind = PP_EXPORTER,
    .type = "otlp_http",
    .aliases = otlp_http_aliases,
    .stability = PP_ALPHA,
    .summary = "Sends batches to an OTLP server over HTTP.",
    .signals = PP_PROFILES,
    .instance_size = sizeof(struct otlp_http),
    .config = &otlp_http_group,
    .readme = "exporters/otlp_http",
    .starts_beside_old = true,
    .validate = otlp_http_validate,
    .create = otlp_http_create,
    .start = otlp_http_start,
    .consume = pp_exporter_consume,
    .shutdown = pp_exporter_shutdown,
    .destroy = otlp_http_destroy,
};

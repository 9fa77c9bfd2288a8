/* Where configuration text comes from: `scheme:value`, for --config, --set and ${...} alike. */
#ifndef PP_CONFIG_SOURCE_H
#define PP_CONFIG_SOURCE_H

#include "base/error.h"
#include "config/yaml.h"

/* The world outside, given by the caller so that this layer depends on no HTTP client and tests on
 * no environment. */
struct pp_config_io {
    void *ctx;
    /* NULL: the process's environment. */
    const char *(*get_env)(void *ctx, const char *name);
    /* Appends the body of a GET to `ret_body` (whose max is the limit); NULL: http and https are
     * refused. */
    bool (*fetch)(void *ctx, const char *url, struct pp_buf *ret_body, struct pp_error *err);
};

struct pp_retrieved {
    struct pp_str text;  /* in the arena, NUL behind it */
    struct pp_mark mark; /* line set: the text has no lines of its own (env, yaml) */
};

/* Whether `text` begins with a scheme (two characters at least, as the Collector wants it) and a
 * colon. */
bool pp_uri_has_scheme(struct pp_str text);

/* Gets the text a URI names. An environment variable that is unset and without default
 * (`env:X:-default`) is empty, with a warning. `mark` is where the URI stands. False with a problem
 * in `diags`. */
bool pp_source_retrieve(struct pp_arena *arena, const struct pp_config_io *io, struct pp_str uri,
                        struct pp_mark mark, struct pp_diags *diags, struct pp_retrieved *ret);

#endif

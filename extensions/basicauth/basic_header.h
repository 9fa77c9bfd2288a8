/* The Authorization header of the Basic scheme (RFC 7617). Sans-I/O. */
#ifndef PP_BASICAUTH_HEADER_H
#define PP_BASICAUTH_HEADER_H

#include "base/arena.h"
#include "base/error.h"

struct pp_basic_credentials {
    struct pp_str user, password; /* may hold any bytes */
    struct pp_str raw;            /* as it was sent, in base64 */
};

/* Text in `arena`. False when the value is of another scheme or no such credentials. */
bool pp_basic_parse(struct pp_arena *arena, struct pp_str value, struct pp_basic_credentials *ret);
/* "Basic <base64>" in `arena`. PP_ERR_INVALID when there is a colon in the user. */
bool pp_basic_format(struct pp_arena *arena, struct pp_str user, struct pp_str password, struct pp_str *ret, struct pp_error *err);

#endif

/* One hashed password, in the forms that the Collector's basicauth takes: $2a$ $2b$ $2x$ $2y$ (bcrypt), $apr1$ $1$ (MD5-crypt), {SHA}, {SSHA},
 * $5$ $6$ (SHA-crypt); everything else is the password itself, perhaps behind nginx's {PLAIN}. */
#ifndef PP_BASICAUTH_PASSWORD_HASH_H
#define PP_BASICAUTH_PASSWORD_HASH_H

#include "base/str.h"

/* Of what a peer sends; libcrypt takes no more. */
#define PP_PASSWORD_BYTES_MAX 511u
/* A cost above these would keep a thread busy for seconds with each request. */
#define PP_PASSWORD_BCRYPT_COST_MAX 16u
#define PP_PASSWORD_CRYPT_ROUNDS_MAX 1000000u

/* Whether the form is whole and not too costly. */
bool pp_password_is_usable(struct pp_str hashed);
/* Whether checking takes long (a tenth of a millisecond or more): not on an event loop. */
bool pp_password_is_slow(struct pp_str hashed);
/* Whether `password` is the one. `hashed` is usable and NUL-terminated. Compares digests in constant time. */
bool pp_password_matches(struct pp_str hashed, struct pp_str password);

#endif

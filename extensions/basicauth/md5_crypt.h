/* Passwords as "$apr1$salt$hash" (Apache's htpasswd) and "$1$salt$hash" (md5-crypt of Poul-Henning Kamp): one algorithm, two names. libcrypt knows the
 * second only. */
#ifndef PP_BASICAUTH_MD5_CRYPT_H
#define PP_BASICAUTH_MD5_CRYPT_H

#include "base/str.h"

#define PP_MD5_CRYPT_HASH_BYTES 22u
#define PP_MD5_CRYPT_SALT_BYTES_MAX 64u /* Apache writes 8 */

/* The part behind the salt, NUL-terminated. `prefix` is "$apr1$" or "$1$". False when the library has no MD5. */
bool pp_md5_crypt(struct pp_str password, struct pp_str prefix, struct pp_str salt, char ret[PP_MD5_CRYPT_HASH_BYTES + 1]);

#endif

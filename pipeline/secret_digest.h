/* Secrets are compared by keyed digests: all of one length, compared in constant time, so that neither how long a comparison takes nor where it ends says
 * anything about a secret. The key is random and of this process. */
#ifndef PP_PIPELINE_SECRET_DIGEST_H
#define PP_PIPELINE_SECRET_DIGEST_H

#include "base/str.h"

#define PP_SECRET_DIGEST_BYTES 32u /* HMAC-SHA256 (RFC 2104) */

struct pp_secret_digest {
    unsigned char bytes[PP_SECRET_DIGEST_BYTES];
};

/* Of several parts, each with its length, so that no two lists give the same by other cuts. False when the library fails: nothing must be admitted. */
bool pp_secret_digest_make(const struct pp_str *parts, size_t parts_n, struct pp_secret_digest *ret);
bool pp_secret_digest_equal(const struct pp_secret_digest *a, const struct pp_secret_digest *b);

/* Overwrites memory that held a secret; the compiler does not leave it out. */
void pp_secret_wipe(void *p, size_t n);

#endif

/* A table of users and their hashed passwords, in the format of Apache's htpasswd. Immutable, reference-counted: replaced as a whole when the file changes. */
#ifndef PP_BASICAUTH_HTPASSWD_H
#define PP_BASICAUTH_HTPASSWD_H

#include "base/error.h"
#include "base/str.h"

#define PP_HTPASSWD_BYTES_MAX (1024u * 1024)
#define PP_HTPASSWD_USERS_MAX 10000u
#define PP_HTPASSWD_LINE_BYTES_MAX 4096u

struct pp_htpasswd;

struct pp_htpasswd_entry {
    struct pp_str user, password; /* the second as written; NUL-terminated both */
};

/* Of `file`'s content and the configuration's own lines, which win. White space around a line is dropped, empty lines and such without a colon count as
 * ignored (*ret_ignored), of several lines for one user the last one counts. False over a limit or out of memory. */
bool pp_htpasswd_parse(struct pp_str file, struct pp_str inline_lines, struct pp_htpasswd **ret, size_t *ret_ignored, struct pp_error *err);
struct pp_htpasswd *pp_htpasswd_ref(struct pp_htpasswd *table);
void pp_htpasswd_unref(struct pp_htpasswd *table);

size_t pp_htpasswd_users(const struct pp_htpasswd *table);
/* NULL when there is no such user. Lives as long as the table. */
const struct pp_htpasswd_entry *pp_htpasswd_find(const struct pp_htpasswd *table, struct pp_str user);
/* Some entry whose password is slow to check (password_hash.h), NULL when there is none: for checks of users that do not exist, which must take as long. */
const struct pp_htpasswd_entry *pp_htpasswd_decoy(const struct pp_htpasswd *table);

#endif

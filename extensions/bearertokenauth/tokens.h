/* The tokens of bearertokenauth: what a client sends, and what a server takes. Immutable, reference-counted: replaced as a whole when their file changes. */
#ifndef PP_BEARERTOKENAUTH_TOKENS_H
#define PP_BEARERTOKENAUTH_TOKENS_H

#include "base/error.h"
#include "base/str.h"

#define PP_TOKENS_MAX 1000u
#define PP_TOKEN_BYTES_MAX 8192u
#define PP_TOKEN_FILE_BYTES_MAX (1024u * 1024)

struct pp_tokens;

/* Of `n` tokens, each sent as "<scheme> <token>", or as it is when `scheme` is "". False: too many, too long, or not fit for a header; the error
 * shows none of them. */
bool pp_tokens_new(const char *scheme, const struct pp_str *tokens, size_t n, struct pp_tokens **ret, struct pp_error *err);
/* Of a file's content: one token a line, what follows it on the line is a comment. PP_ERR_INVALID when there is none. */
bool pp_tokens_parse(const char *scheme, struct pp_str content, struct pp_tokens **ret, struct pp_error *err);
struct pp_tokens *pp_tokens_ref(struct pp_tokens *tokens);
void pp_tokens_unref(struct pp_tokens *tokens);

/* What a client puts into the header: the first one. */
struct pp_str pp_tokens_first(const struct pp_tokens *tokens);
/* Whether a header's value is one of them. Takes as long for one as for another. */
bool pp_tokens_match(const struct pp_tokens *tokens, struct pp_str value);

#endif

/* HTTP/1.1 messages (RFC 9112), sans-I/O and strict: what two readers could read differently is refused, so that nothing can be
 * smuggled past a proxy. Line ends are CRLF only, header folding and conflicting lengths are errors. */
#ifndef PP_NET_HTTP1_H
#define PP_NET_HTTP1_H

#include "net/http_server.h"

struct pp_http1_head {
    struct pp_str method, path, query, authority;
    unsigned version; /* 10 or 11 */
    struct pp_http_header *headers; /* in the arena; names lower-cased in place */
    size_t headers_n;
    bool chunked;
    bool has_content_length;
    uint64_t content_length;
    bool keep_alive;      /* what the client wishes */
    bool expect_continue; /* it waits for "100 Continue" before it sends the body */
};

/* Length of the header section at the start of `data`, its closing blank line included; 0 when the end is not there yet.
 * *scanned (0 at first) remembers how far earlier calls have looked. */
size_t pp_http1_head_length(struct pp_str data, size_t *scanned);

/* Parses one whole header section; slices point into `head`, which is changed. Returns 0, or the status to refuse with: 400,
 * 414, 431, 500 (memory), 501, 505, with the reason in `err`. */
int pp_http1_parse_head(char *head, size_t n, size_t headers_max, struct pp_arena *arena, struct pp_http1_head *ret,
                        struct pp_error *err);

/* Bytes that chunk extensions and trailers of one body may have; nobody reads them. */
#define PP_HTTP1_CHUNK_NOISE_MAX (16u * 1024)

struct pp_http1_body {
    int state;
    uint64_t left;  /* content bytes of this chunk or body still to come */
    size_t noise;   /* bytes of extensions and trailers so far */
    unsigned digits;
};

enum pp_http1_event {
    PP_HTTP1_MORE, /* everything given was consumed, more is needed */
    PP_HTTP1_DATA, /* *ret_data is content; call again */
    PP_HTTP1_END,  /* the body is complete, what is left of *in belongs to the next request */
    PP_HTTP1_BAD,  /* the framing is broken; the connection cannot go on */
};

void pp_http1_body_init(struct pp_http1_body *body, const struct pp_http1_head *head);
/* Consumes from the front of *in. */
enum pp_http1_event pp_http1_body_next(struct pp_http1_body *body, struct pp_str *in, struct pp_str *ret_data);

/* "Not Found"; "Unknown" for what RFC 9110 does not name. */
const char *pp_http_reason(int status);

#endif

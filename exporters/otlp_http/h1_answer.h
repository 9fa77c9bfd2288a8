/* An HTTP/1.1 answer, byte by byte: what comes in from a connection, out comes a struct pp_http_answer. No sockets. Strict about
 * framing (RFC 9112), so that nothing of one answer is taken for the next. */
#ifndef PP_EXPORTERS_H1_ANSWER_H
#define PP_EXPORTERS_H1_ANSWER_H

#include "http_post.h"
#include "net/http1.h"

/* Longest status line and headers of an answer, in bytes. */
#define PP_H1_HEAD_BYTES_MAX (64u * 1024)
/* Interim answers (100 Continue, 103 Early Hints) before the real one. */
#define PP_H1_ANNOUNCED_MAX 16u

enum pp_h1_event {
    PP_H1_MORE, /* everything given was taken, more is needed */
    PP_H1_DONE, /* the answer is whole, or as much of it as anybody reads */
    PP_H1_BAD,  /* this is no HTTP answer; answer.message says why */
};

struct pp_h1_answer {
    struct pp_http_answer answer;
    bool begun;      /* a byte has come */
    bool keep_alive; /* after PP_H1_DONE: the connection is good for another request */

    unsigned announced; /* 1xx answers so far */
    bool in_body;
    bool until_close;  /* the body ends with the connection */
    struct pp_buf head; /* as long as it is incomplete */
    size_t scanned;
    struct pp_http1_body framing;
    struct pp_buf body;
};

void pp_h1_answer_init(struct pp_h1_answer *reader);
/* Ready for the next answer; memory is kept. */
void pp_h1_answer_reset(struct pp_h1_answer *reader);
void pp_h1_answer_done(struct pp_h1_answer *reader);

/* After PP_H1_DONE and PP_H1_BAD nothing more is to be given before a reset; `answer.body` lives until then. */
enum pp_h1_event pp_h1_answer_take(struct pp_h1_answer *reader, struct pp_str data);
/* The peer has closed the connection. */
enum pp_h1_event pp_h1_answer_end(struct pp_h1_answer *reader);

#endif

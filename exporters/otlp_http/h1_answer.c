#include "h1_answer.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

#include <curl/curl.h>

#include "base/clock.h"

/* "HTTP/1.1 200" */
#define STATUS_LINE_MIN 12u

void pp_h1_answer_init(struct pp_h1_answer *reader)
{
    *reader = (struct pp_h1_answer){.answer = {.retry_after_ms = -1}};
    pp_buf_init(&reader->head, PP_H1_HEAD_BYTES_MAX);
    pp_buf_init(&reader->body, PP_ANSWER_BYTES_MAX);
}

void pp_h1_answer_reset(struct pp_h1_answer *reader)
{
    struct pp_buf head = reader->head, body = reader->body;

    *reader = (struct pp_h1_answer){.answer = {.retry_after_ms = -1}, .head = head, .body = body};
    pp_buf_reset(&reader->head);
    pp_buf_reset(&reader->body);
}

void pp_h1_answer_done(struct pp_h1_answer *reader)
{
    pp_buf_done(&reader->head);
    pp_buf_done(&reader->body);
}

static enum pp_h1_event bad(struct pp_h1_answer *reader, const char *why)
{
    reader->answer.status = 0;
    pp_answer_text(reader->answer.message, pp_str_c(why));
    return PP_H1_BAD;
}

static enum pp_h1_event done(struct pp_h1_answer *reader, bool whole)
{
    reader->answer.body = pp_buf_str(&reader->body);
    reader->answer.body_whole = whole;
    return PP_H1_DONE;
}

/* Seconds, or a date (RFC 9110, 10.2.3). */
static int64_t retry_after(struct pp_str value)
{
    char text[64];
    uint64_t seconds;
    time_t then, now = time(NULL);

    if (!pp_str_to_u64(value, &seconds)) {
        snprintf(text, sizeof(text), PP_STR_FMT, PP_STR_ARG(value));
        then = curl_getdate(text, NULL);
        if (then < 0) {
            return -1;
        }
        seconds = then > now ? (uint64_t)(then - now) : 0;
    }
    if (seconds == 0) {
        return -1; /* as if it were not there: the usual pause */
    }
    return (int64_t)(seconds < INT_MAX ? seconds : INT_MAX) * (int64_t)PP_MS_PER_S;
}

static bool has_word(struct pp_str list, const char *word)
{
    while (list.n > 0) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;

        if (pp_str_eq_nocase(pp_str_trim((struct pp_str){list.p, n}), pp_str_c(word))) {
            return true;
        }
        n += comma != NULL;
        list = (struct pp_str){list.p + n, list.n - n};
    }
    return false;
}

/* One header; NULL, or what is wrong with it. */
static const char *take_header(struct pp_h1_answer *reader, struct pp_http1_head *head,
                               struct pp_str name, struct pp_str value)
{
    struct pp_http_answer *answer = &reader->answer;
    uint64_t length;

    if (pp_str_eq_nocase(name, PP_STR("content-length"))) {
        if (!pp_str_to_u64(value, &length) ||
            (head->has_content_length && head->content_length != length)) {
            return "the answer's Content-Length is wrong";
        }
        head->has_content_length = true;
        head->content_length = length;
    } else if (pp_str_eq_nocase(name, PP_STR("transfer-encoding"))) {
        if (!pp_str_eq_nocase(value, PP_STR("chunked"))) {
            return "the answer's Transfer-Encoding is not known";
        }
        head->chunked = true;
    } else if (pp_str_eq_nocase(name, PP_STR("connection"))) {
        head->keep_alive = (head->keep_alive || has_word(value, "keep-alive")) && !has_word(value, "close");
    } else if (pp_str_eq_nocase(name, PP_STR("content-type"))) {
        const char *semicolon = memchr(value.p, ';', value.n);

        value.n = semicolon ? (size_t)(semicolon - value.p) : value.n;
        snprintf(answer->content_type, sizeof(answer->content_type), PP_STR_FMT,
                 PP_STR_ARG(pp_str_trim(value)));
    } else if (pp_str_eq_nocase(name, PP_STR("retry-after"))) {
        answer->retry_after_ms = retry_after(value);
    } else if (pp_str_eq_nocase(name, PP_STR("location"))) {
        pp_answer_text(answer->redirect, value);
    }
    return NULL;
}

/* "HTTP/1.x NNN reason" */
static bool take_status_line(struct pp_h1_answer *reader, struct pp_str line, struct pp_http1_head *head)
{
    uint64_t status;

    if (line.n < STATUS_LINE_MIN || memcmp(line.p, "HTTP/1.", 7) != 0 ||
        (line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' ' ||
        (line.n > STATUS_LINE_MIN && line.p[12] != ' ') ||
        !pp_str_to_u64((struct pp_str){line.p + 9, 3}, &status) || status < 100) {
        return false;
    }
    reader->answer.status = (long)status;
    head->keep_alive = line.p[7] == '1';
    return true;
}

static bool cut_line(struct pp_str *in, struct pp_str *ret_line)
{
    const char *lf = memchr(in->p, '\n', in->n);
    size_t n = lf ? (size_t)(lf - in->p) : 0;

    if (n == 0 || lf[-1] != '\r' || memchr(in->p, '\r', n - 1)) {
        return false;
    }
    *ret_line = (struct pp_str){in->p, n - 1};
    *in = (struct pp_str){lf + 1, in->n - n - 1};
    return true;
}

/* The lines behind the status line, up to the empty one. */
static const char *take_headers(struct pp_h1_answer *reader, struct pp_str rest, struct pp_http1_head *head)
{
    struct pp_str line;
    const char *problem = NULL;

    while (!problem && cut_line(&rest, &line)) {
        const char *colon = memchr(line.p, ':', line.n);

        if (line.n == 0) {
            return NULL;
        }
        if (!colon || colon == line.p || line.p[0] == ' ' || line.p[0] == '\t' || colon[-1] == ' ') {
            return "the answer has a malformed header";
        }
        problem = take_header(reader, head, (struct pp_str){line.p, (size_t)(colon - line.p)},
                              pp_str_trim((struct pp_str){colon + 1, (size_t)(line.p + line.n - colon - 1)}));
    }
    return problem ? problem : "the answer has a malformed header";
}

static enum pp_h1_event take_body(struct pp_h1_answer *reader, struct pp_str data);

/* An interim answer only announces the one to come. */
static enum pp_h1_event take_announcement(struct pp_h1_answer *reader, long status, struct pp_str rest)
{
    unsigned announced = reader->announced + 1;

    if (status == 101) {
        return bad(reader, "the server switches protocols unasked");
    }
    if (announced > PP_H1_ANNOUNCED_MAX) {
        return bad(reader, "the server sends interim answers without end");
    }
    pp_h1_answer_reset(reader);
    reader->begun = true;
    reader->announced = announced;
    return pp_h1_answer_take(reader, rest);
}

/* A whole head; `rest` is what came behind it. */
static enum pp_h1_event take_head(struct pp_h1_answer *reader, struct pp_str text, struct pp_str rest)
{
    struct pp_http1_head head = {0};
    struct pp_str line;
    const char *problem;
    long status;

    if (!cut_line(&text, &line) || !take_status_line(reader, line, &head)) {
        return bad(reader, "the server does not answer in HTTP/1.1");
    }
    problem = take_headers(reader, text, &head);
    if (problem) {
        return bad(reader, problem);
    }
    status = reader->answer.status;
    if (status < 200) {
        return take_announcement(reader, status, rest);
    }
    reader->in_body = true;
    reader->keep_alive = head.keep_alive && !(head.chunked && head.has_content_length);
    if (status == 204 || status == 304) {
        head = (struct pp_http1_head){.has_content_length = true};
    }
    reader->until_close = !head.chunked && !head.has_content_length;
    if (head.chunked) {
        head.content_length = 0; /* RFC 9112, 6.3: chunked counts */
    }
    pp_http1_body_init(&reader->framing, &head);
    return take_body(reader, rest);
}

/* False: it is more than anybody reads. */
static bool keep(struct pp_h1_answer *reader, struct pp_str data)
{
    size_t room = PP_ANSWER_BYTES_MAX - reader->body.len, n = data.n < room ? data.n : room;

    return pp_buf_add(&reader->body, data.p, n) && n == data.n;
}

static enum pp_h1_event cut_off(struct pp_h1_answer *reader)
{
    reader->keep_alive = false; /* nobody reads the rest */
    return done(reader, false);
}

static enum pp_h1_event take_body(struct pp_h1_answer *reader, struct pp_str data)
{
    struct pp_str content;

    if (reader->until_close) {
        return keep(reader, data) ? PP_H1_MORE : cut_off(reader);
    }
    for (;;) {
        switch (pp_http1_body_next(&reader->framing, &data, &content)) {
        case PP_HTTP1_DATA:
            if (!keep(reader, content)) {
                return cut_off(reader);
            }
            break;
        case PP_HTTP1_MORE:
            return PP_H1_MORE;
        case PP_HTTP1_END:
            reader->keep_alive = reader->keep_alive && data.n == 0; /* nothing was asked for that could come behind it */
            return done(reader, true);
        case PP_HTTP1_BAD:
            return bad(reader, "the answer's chunks are malformed");
        }
    }
}

enum pp_h1_event pp_h1_answer_take(struct pp_h1_answer *reader, struct pp_str data)
{
    size_t n, before = reader->head.len;

    reader->begun = reader->begun || data.n > 0;
    if (reader->in_body) {
        return take_body(reader, data);
    }
    if (before == 0) {
        n = pp_http1_head_length(data, &reader->scanned);
        if (n > 0) {
            return take_head(reader, (struct pp_str){data.p, n}, (struct pp_str){data.p + n, data.n - n});
        }
    }
    if (!pp_buf_add_str(&reader->head, data)) {
        return bad(reader, "the answer's headers do not end");
    }
    n = pp_http1_head_length(pp_buf_str(&reader->head), &reader->scanned);
    if (n == 0) {
        return PP_H1_MORE;
    }
    /* What was added last holds the end of the head, and what is behind it. */
    return take_head(reader, (struct pp_str){reader->head.data, n},
                     (struct pp_str){data.p + (n - before), data.n - (n - before)});
}

enum pp_h1_event pp_h1_answer_end(struct pp_h1_answer *reader)
{
    reader->keep_alive = false;
    if (reader->in_body && reader->until_close) {
        return done(reader, true);
    }
    return bad(reader, reader->begun ? "the connection was closed in the middle of the answer"
                                     : "the server closed the connection without an answer");
}

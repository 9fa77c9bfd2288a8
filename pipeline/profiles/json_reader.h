/* Tokens of JSON text (RFC 8259), bounds-checked, without a tree. Private to profiles. */
#ifndef PP_PROFILES_JSON_READER_H
#define PP_PROFILES_JSON_READER_H

#include "base/buf.h"
#include "base/error.h"

struct pp_json_reader {
    struct pp_str text;
    size_t at;
    unsigned depth;         /* open objects and arrays */
    struct pp_buf unescaped; /* the last string that had escapes */
    struct pp_error *err;
};

void pp_json_reader_init(struct pp_json_reader *r, struct pp_str text, struct pp_error *err);
void pp_json_reader_done(struct pp_json_reader *r);

/* Sets the error, with the byte where the reader is; returns false. */
bool pp_json_fail(struct pp_json_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The next byte that is not white space, not consumed; 0 at the end. */
static inline char pp_json_peek(struct pp_json_reader *r)
{
    for (; r->at < r->text.n; r->at++) {
        char c = r->text.p[r->at];

        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return c;
    }
    return '\0';
}

/* Consumes `c` where it comes next. */
static inline bool pp_json_accept(struct pp_json_reader *r, char c)
{
    if (pp_json_peek(r) != c || r->at == r->text.n)
        return false;
    r->at++;
    return true;
}

/* Consumes the word (null, true, false) where it comes next. */
bool pp_json_accept_word(struct pp_json_reader *r, const char *word);

/* A string's content; lives until the next string is read. */
bool pp_json_string(struct pp_json_reader *r, struct pp_str *ret);
/* A number's text, its form checked; at most PP_JSON_NUMBER_BYTES_MAX bytes. */
bool pp_json_number(struct pp_json_reader *r, struct pp_str *ret);

/* Opens an object or array. False with an error past PP_JSON_DEPTH_MAX. */
bool pp_json_open(struct pp_json_reader *r, char opening);
/* Steps to the next entry: true with *ret_more telling whether there is one (else the closing bracket was consumed). */
bool pp_json_next(struct pp_json_reader *r, char closing, bool *first, bool *ret_more);
/* As above in an object, with the entry's name; the colon is consumed. */
bool pp_json_next_name(struct pp_json_reader *r, bool *first, bool *ret_more, struct pp_str *ret_name);

/* Passes over any value. */
bool pp_json_skip(struct pp_json_reader *r);

#endif

/* A pull reader for the few small JSON objects that servers answer with (RFC 8259). It never
 * recurses. */
#ifndef PP_EXPORTERS_ANSWER_JSON_H
#define PP_EXPORTERS_ANSWER_JSON_H

#include "base/buf.h"

/* Deepest nesting of a value that is skipped. */
#define PP_ANSWER_JSON_DEPTH_MAX 64

struct pp_answer_json {
    struct pp_str left;
    bool bad; /* sticky: what came is not JSON, or too deep */
};

/* Steps into the object that comes next. */
bool pp_answer_json_enter(struct pp_answer_json *json);
/* The next member's name into `name` (reset first); false at the object's end, which is consumed.
 * `first` is the caller's, true before the first call of each object. The member's value must be
 * read or skipped before the next call. */
bool pp_answer_json_member(struct pp_answer_json *json, bool *first, struct pp_buf *name);
/* A string's text, unescaped; `out` is reset first. */
bool pp_answer_json_string(struct pp_answer_json *json, struct pp_buf *out);
/* A whole number, bare or quoted, as proto3 JSON writes 64-bit integers. */
bool pp_answer_json_int64(struct pp_answer_json *json, int64_t *ret);
bool pp_answer_json_skip(struct pp_answer_json *json);
/* Whether `null` comes next; consumes it. */
bool pp_answer_json_null(struct pp_answer_json *json);
/* Whether nothing but white space is left. */
bool pp_answer_json_at_end(struct pp_answer_json *json);

#endif

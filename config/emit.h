/* Writes YAML (block style) or JSON from the same calls. */
#ifndef PP_CONFIG_EMIT_H
#define PP_CONFIG_EMIT_H

#include "base/buf.h"

enum pp_emit_format { PP_EMIT_YAML, PP_EMIT_JSON };

#define PP_EMIT_DEPTH_MAX 256 /* more than any tree or group has */

struct pp_emitter {
    struct pp_buf *out; /* test out->failed at the end */
    enum pp_emit_format format;
    bool double_dollars; /* strings in which a $ means something get $$ for $, so that reading
                            expands nothing */
    unsigned depth;
    struct {
        bool is_list, in_list;
        unsigned indent;
        size_t n; /* children so far */
    } levels[PP_EMIT_DEPTH_MAX];
};

void pp_emit_begin_map(struct pp_emitter *e);
void pp_emit_begin_list(struct pp_emitter *e);
void pp_emit_end(struct pp_emitter *e);
/* In a map, before each value. */
void pp_emit_key(struct pp_emitter *e, struct pp_str key);
/* A string: in quotes wherever it could be read as something else. */
void pp_emit_string(struct pp_emitter *e, struct pp_str text);
/* As it is: a number, true, false, null. */
void pp_emit_plain(struct pp_emitter *e, const char *text);
void pp_emit_int(struct pp_emitter *e, int64_t value);
/* With as many digits as it takes to read the same number back; infinities and NaN by YAML's names
 * (in quotes in JSON). */
void pp_emit_double(struct pp_emitter *e, double value);

static inline void pp_emit_key_c(struct pp_emitter *e, const char *key)
{
    pp_emit_key(e, pp_str_c(key));
}

static inline void pp_emit_string_c(struct pp_emitter *e, const char *text)
{
    pp_emit_string(e, pp_str_c(text));
}

#endif

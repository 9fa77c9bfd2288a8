#include "config/emit.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/tree.h"

#define INDENT 2u

static void write_indent(struct pp_emitter *e, unsigned indent)
{
    pp_buf_printf(e->out, "%*s", (int)indent, "");
}

/* Whether YAML reads the text as this very string without quotes; strict, so that a canonical text
 * stays stable. */
static bool plain_is_safe(struct pp_str text)
{
    if (!text.n || (!isalnum((unsigned char)text.p[0]) && !strchr("_/", text.p[0])) ||
        text.p[text.n - 1] == ':')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!isalnum((unsigned char)text.p[i]) && (!text.p[i] || !strchr("_./:@%+-", text.p[i])))
            return false;
    }
    return pp_scalar_read(text).type == PP_SCALAR_STRING;
}

/* Characters that YAML would fold or refuse inside quotes although JSON takes them: DEL and C1,
 * line separators, BOM. */
static size_t bytes_to_escape(struct pp_str rest, unsigned *ret_code)
{
    const unsigned char *p = (const unsigned char *)rest.p;

    if (p[0] == 0x7F) {
        *ret_code = 0x7F;
        return 1;
    }
    if (rest.n >= 2 && p[0] == 0xC2 && p[1] < 0xA0) {
        *ret_code = p[1];
        return 2;
    }
    if (rest.n >= 3 && ((p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9)) ||
                        (p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF))) {
        *ret_code = (p[0] & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    return 0;
}

static void write_quoted_char(struct pp_buf *out, unsigned char c)
{
    if (c == '"' || c == '\\')
        pp_buf_printf(out, "\\%c", c);
    else if (c == '\n' || c == '\t' || c == '\r')
        pp_buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (c < ' ')
        pp_buf_printf(out, "\\u%04X", c);
    else
        pp_buf_add_byte(out, (char)c);
}

static void write_quoted(struct pp_buf *out, struct pp_str text, bool double_dollars)
{
    struct pp_str rest = text;

    pp_buf_add_byte(out, '"');
    while (rest.n) {
        unsigned code;
        size_t n = bytes_to_escape(rest, &code);

        if (n) {
            pp_buf_printf(out, "\\u%04X", code);
        } else {
            n = 1;
            if (double_dollars && rest.p[0] == '$')
                pp_buf_add_byte(out, '$');
            write_quoted_char(out, (unsigned char)rest.p[0]);
        }
        rest = (struct pp_str){rest.p + n, rest.n - n};
    }
    pp_buf_add_byte(out, '"');
}

static void write_string(struct pp_emitter *e, struct pp_str text, bool double_dollars)
{
    if (e->format == PP_EMIT_YAML && plain_is_safe(text))
        pp_buf_add_str(e->out, text);
    else
        write_quoted(e->out, text, double_dollars);
}

/* Whether expansion would change the text. */
static bool would_expand(struct pp_str text)
{
    return text.n && (memmem(text.p, text.n, "${", 2) || memmem(text.p, text.n, "$$", 2));
}

/* Up to where a list's next item or a map's next key begins. */
static void begin_child(struct pp_emitter *e)
{
    unsigned at = e->depth - 1, indent = e->levels[at].indent;
    bool first = e->levels[at].n++ == 0;

    if (e->format == PP_EMIT_JSON) {
        pp_buf_add_c(e->out, first ? "\n" : ",\n");
        write_indent(e, indent);
        return;
    }
    if (first && e->levels[at].in_list) {
        pp_buf_add_c(e->out, " "); /* on the line of the outer list's dash */
        return;
    }
    if (first && at > 0)
        pp_buf_add_c(e->out, "\n");
    write_indent(e, indent);
}

/* Before a value; a map's value has had its key. */
static void begin_value(struct pp_emitter *e)
{
    if (e->depth == 0 || !e->levels[e->depth - 1].is_list)
        return;
    begin_child(e);
    if (e->format == PP_EMIT_YAML)
        pp_buf_add_c(e->out, "-");
}

static void begin(struct pp_emitter *e, bool is_list)
{
    bool in_list = e->depth > 0 && e->levels[e->depth - 1].is_list;
    unsigned indent = e->depth ? e->levels[e->depth - 1].indent + INDENT : 0;

    assert(e->depth < PP_EMIT_DEPTH_MAX);
    begin_value(e);
    if (e->format == PP_EMIT_JSON) {
        pp_buf_add_byte(e->out, is_list ? '[' : '{');
        indent = (e->depth + 1) * INDENT;
    }
    e->levels[e->depth].is_list = is_list;
    e->levels[e->depth].in_list = in_list;
    e->levels[e->depth].indent = indent;
    e->levels[e->depth].n = 0;
    e->depth++;
}

void pp_emit_begin_map(struct pp_emitter *e)
{
    begin(e, false);
}

void pp_emit_begin_list(struct pp_emitter *e)
{
    begin(e, true);
}

void pp_emit_end(struct pp_emitter *e)
{
    bool is_list, empty;

    assert(e->depth > 0);
    e->depth--;
    is_list = e->levels[e->depth].is_list;
    empty = e->levels[e->depth].n == 0;
    if (e->format == PP_EMIT_YAML) {
        if (empty)
            pp_buf_printf(e->out, "%s%s\n", e->depth ? " " : "", is_list ? "[]" : "{}");
        return;
    }
    if (!empty) {
        pp_buf_add_c(e->out, "\n");
        write_indent(e, e->depth * INDENT);
    }
    pp_buf_add_byte(e->out, is_list ? ']' : '}');
    if (e->depth == 0)
        pp_buf_add_c(e->out, "\n");
}

void pp_emit_key(struct pp_emitter *e, struct pp_str key)
{
    begin_child(e);
    write_string(e, key, false); /* keys are never expanded */
    pp_buf_add_c(e->out, e->format == PP_EMIT_JSON ? ": " : ":");
}

static void begin_scalar(struct pp_emitter *e)
{
    begin_value(e);
    if (e->format == PP_EMIT_YAML && e->depth)
        pp_buf_add_c(e->out, " ");
}

static void end_scalar(struct pp_emitter *e)
{
    if (e->format == PP_EMIT_YAML || e->depth == 0)
        pp_buf_add_c(e->out, "\n");
}

void pp_emit_string(struct pp_emitter *e, struct pp_str text)
{
    begin_scalar(e);
    write_string(e, text, e->double_dollars && would_expand(text));
    end_scalar(e);
}

void pp_emit_plain(struct pp_emitter *e, const char *text)
{
    begin_scalar(e);
    pp_buf_add_c(e->out, text);
    end_scalar(e);
}

void pp_emit_int(struct pp_emitter *e, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    pp_emit_plain(e, text);
}

void pp_emit_double(struct pp_emitter *e, double value)
{
    char text[40];

    if (!isfinite(value)) {
        const char *name = isnan(value) ? ".nan" : value < 0 ? "-.inf" : ".inf";
        if (e->format == PP_EMIT_JSON)
            pp_emit_string_c(e, name);
        else
            pp_emit_plain(e, name);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    pp_emit_plain(e, text);
}

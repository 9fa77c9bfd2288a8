#include "convert/any_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_text.h"

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void add_base64(struct pp_buf *buf, struct pp_str s)
{
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t group = 0;
        size_t n = s.n - i < 3 ? s.n - i : 3;
        char out[4] = {'=', '=', '=', '='};

        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < n ? (unsigned char)s.p[i + j] : 0);
        for (size_t j = 0; j <= n; j++)
            out[j] = BASE64[group >> (18 - 6 * j) & 63];
        pp_buf_add(buf, out, sizeof(out));
    }
}

/* The shortest form that reads back as the same number. */
static void add_double(struct pp_buf *buf, double number)
{
    char text[32];

    if (!isfinite(number)) {
        pp_buf_add_c(buf, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    pp_buf_add_c(buf, text);
}

static void add_json(struct pp_buf *buf, struct pp_str encoded, unsigned depth);

static void add_json_list(struct pp_buf *buf, const struct pp_any_value *list, unsigned depth)
{
    size_t offset = 0;
    struct pp_str element;
    struct pp_key_value pair;
    int32_t ref;
    const char *comma = "";

    if (list->kind == PP_ANY_ARRAY) {
        pp_buf_add_byte(buf, '[');
        for (; !buf->failed && pp_any_value_next_element(list, &offset, &element); comma = ",") {
            pp_buf_add_c(buf, comma);
            add_json(buf, element, depth + 1);
        }
        pp_buf_add_byte(buf, ']');
        return;
    }
    pp_buf_add_byte(buf, '{');
    for (; !buf->failed && pp_any_value_next_pair(list, &offset, &pair, &ref); comma = ",") {
        pp_buf_add_c(buf, comma);
        pp_json_add_string(buf, pair.key);
        pp_buf_add_byte(buf, ':');
        add_json(buf, pair.value, depth + 1);
    }
    pp_buf_add_byte(buf, '}');
}

static void add_json(struct pp_buf *buf, struct pp_str encoded, unsigned depth)
{
    struct pp_any_value value;

    if (depth > PP_ANY_TEXT_DEPTH_MAX || !pp_any_value_read(encoded, &value) || value.kind == PP_ANY_EMPTY) {
        pp_buf_add_c(buf, "null");
    } else if (value.kind == PP_ANY_STRING) {
        pp_json_add_string(buf, value.string);
    } else if (value.kind == PP_ANY_BYTES) {
        pp_buf_add_byte(buf, '"');
        add_base64(buf, value.string);
        pp_buf_add_byte(buf, '"');
    } else if (value.kind == PP_ANY_ARRAY || value.kind == PP_ANY_KVLIST) {
        add_json_list(buf, &value, depth);
    } else {
        pp_any_text_add(buf, encoded);
    }
}

bool pp_any_text_add(struct pp_buf *buf, struct pp_str encoded)
{
    struct pp_any_value value;

    if (!pp_any_value_read(encoded, &value))
        return !buf->failed;
    switch (value.kind) {
    case PP_ANY_STRING:
        pp_buf_add_str(buf, value.string);
        break;
    case PP_ANY_BOOL:
        pp_buf_add_c(buf, value.boolean ? "true" : "false");
        break;
    case PP_ANY_INT:
        pp_buf_printf(buf, "%" PRId64, value.integer);
        break;
    case PP_ANY_DOUBLE:
        add_double(buf, value.number);
        break;
    case PP_ANY_BYTES:
        add_base64(buf, value.string);
        break;
    case PP_ANY_ARRAY:
    case PP_ANY_KVLIST:
        add_json_list(buf, &value, 0);
        break;
    default:
        break;
    }
    return !buf->failed;
}

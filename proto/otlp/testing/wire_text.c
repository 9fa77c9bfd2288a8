#include "proto/otlp/testing/wire_text.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/wire_out.h"

static const char *write_fields(struct pp_buf *out, const char *p);

static const char *write_value(struct pp_buf *out, uint32_t field, const char *p)
{
    uint8_t tag_type = PP_WIRE_VARINT, word[16];
    uint64_t number;
    size_t body;
    char *end;

    if (*p == '{' || *p == '[') {
        char closing = *p == '{' ? '}' : ']';

        body = pp_out_begin(out, field, 1);
        p++;
        if (closing == '}') {
            p = write_fields(out, p);
        } else {
            while (*p != ']') {
                number = (uint64_t)strtoll(p, &end, 10);
                p = end + (*end == ' ');
                pp_buf_add(out, word, (size_t)(pp_out_varint(word, number) - word));
            }
        }
        assert(*p == closing);
        pp_out_end(out, body, 1);
        return p + 1;
    }
    if (*p == '"') {
        end = strchr(p + 1, '"');
        pp_out_add_bytes(out, field, (struct pp_str){p + 1, (size_t)(end - p - 1)});
        return end + 1;
    }
    if (*p == '@')
        tag_type = PP_WIRE_FIXED64;
    pp_buf_add_byte(out, (char)PP_WIRE_TAG(field, tag_type));
    number = (uint64_t)strtoll(p + (*p == '@'), &end, 10);
    if (*p == '@')
        pp_buf_add(out, &number, 8);
    else
        pp_buf_add(out, word, (size_t)(pp_out_varint(word, number) - word));
    return end;
}

static const char *write_fields(struct pp_buf *out, const char *p)
{
    while (*p && *p != '}') {
        char *end;
        uint32_t field;

        if (*p == ' ') {
            p++;
            continue;
        }
        field = (uint32_t)strtoul(p, &end, 10);
        if (*end == '{' || *end == '[' || *end == '"')
            p = write_value(out, field, end);
        else
            p = write_value(out, field, end + 1);
    }
    return p;
}

void pp_wire_text(struct pp_buf *out, const char *text)
{
    const char *end;

    pp_buf_init(out, 1u << 20);
    end = write_fields(out, text);
    assert(*end == '\0' && !out->failed);
    (void)end;
}

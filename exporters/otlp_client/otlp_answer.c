#include "otlp_answer.h"

#include "answer_json.h"
#include "proto/wire.h"

/* Fields of ExportProfilesServiceResponse and ExportProfilesPartialSuccess. */
#define RESPONSE_PARTIAL_SUCCESS PP_WIRE_TAG(1, PP_WIRE_LEN)
#define PARTIAL_REJECTED PP_WIRE_TAG(1, PP_WIRE_VARINT)
#define PARTIAL_MESSAGE PP_WIRE_TAG(2, PP_WIRE_LEN)

void pp_answer_text(char out[PP_ANSWER_TEXT_MAX], struct pp_str text)
{
    bool utf8 = pp_utf8_valid(text);
    size_t n = text.n < PP_ANSWER_TEXT_MAX ? text.n : PP_ANSWER_TEXT_MAX - 1;

    while (utf8 && n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80) {
        n--; /* not in the middle of a character */
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        out[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) ? '?' : (char)c;
    }
    out[n] = '\0';
}

static bool parse_partial(struct pp_wire w, struct pp_otlp_answer *answer)
{
    while (pp_wire_more(&w)) {
        struct pp_str text;
        uint64_t number;
        uint32_t tag;
        bool ok;

        if (!pp_wire_tag(&w, &tag)) {
            return false;
        }
        if (tag == PARTIAL_REJECTED) {
            ok = pp_wire_varint(&w, &number);
            answer->rejected_profiles = ok ? (int64_t)number : 0;
        } else if (tag == PARTIAL_MESSAGE) {
            ok = pp_wire_len(&w, &text);
            if (ok) {
                pp_answer_text(answer->error_message, text);
            }
        } else {
            ok = pp_wire_skip(&w, tag);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool pp_otlp_answer_parse(struct pp_str body, struct pp_otlp_answer *ret)
{
    struct pp_wire w = pp_wire_from(body), partial;
    struct pp_otlp_answer answer = {0};
    uint32_t tag;

    while (pp_wire_more(&w)) {
        if (!pp_wire_tag(&w, &tag)) {
            return false;
        }
        if (tag == RESPONSE_PARTIAL_SUCCESS) {
            if (!pp_wire_sub(&w, &partial) || !parse_partial(partial, &answer)) {
                return false;
            }
        } else if (PP_WIRE_FIELD(tag) == PP_WIRE_FIELD(RESPONSE_PARTIAL_SUCCESS) ||
                   !pp_wire_skip(&w, tag)) {
            return false; /* field 1 as anything but a message: not an answer to an export */
        }
    }
    *ret = answer;
    return true;
}

static bool named(const struct pp_buf *name, const char *camel, const char *snake)
{
    return pp_str_eq_c(pp_buf_str(name), camel) || pp_str_eq_c(pp_buf_str(name), snake);
}

static bool parse_partial_json(struct pp_answer_json *json, struct pp_otlp_answer *answer,
                               struct pp_buf *text)
{
    bool first = true;

    if (pp_answer_json_null(json)) {
        return true;
    }
    if (!pp_answer_json_enter(json)) {
        return false;
    }
    while (pp_answer_json_member(json, &first, text)) {
        if (named(text, "rejectedProfiles", "rejected_profiles")) {
            pp_answer_json_int64(json, &answer->rejected_profiles);
        } else if (named(text, "errorMessage", "error_message")) {
            if (pp_answer_json_string(json, text)) {
                pp_answer_text(answer->error_message, pp_buf_str(text));
            }
        } else {
            pp_answer_json_skip(json);
        }
    }
    return !json->bad;
}

bool pp_otlp_answer_parse_json(struct pp_str body, struct pp_otlp_answer *ret)
{
    struct pp_answer_json json = {.left = body};
    struct pp_otlp_answer answer = {0};
    struct pp_buf text;
    bool first = true;

    pp_buf_init(&text, PP_ANSWER_BYTES_MAX);
    if (pp_answer_json_enter(&json)) {
        while (pp_answer_json_member(&json, &first, &text)) {
            if (named(&text, "partialSuccess", "partial_success")) {
                parse_partial_json(&json, &answer, &text);
            } else {
                pp_answer_json_skip(&json);
            }
        }
    }
    pp_buf_done(&text);
    if (json.bad || !pp_answer_json_at_end(&json)) {
        return false;
    }
    *ret = answer;
    return true;
}

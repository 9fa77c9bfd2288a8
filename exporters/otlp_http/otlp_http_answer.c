#include "base/error.h"
#include "otlp_client/otlp_partial.h"
#include "otlp_http.h"

/* What a 2xx answer means. A body of another type than the two of OTLP is nobody's business, as in
 * the Collector. */
static void read_success(struct otlp_http *exporter, const struct pp_http_answer *answer,
                         struct pp_error *text, struct pp_result *ret)
{
    struct pp_str type = pp_str_c(answer->content_type);
    struct pp_otlp_answer response = {0};
    bool ok = true;

    if (pp_str_eq_nocase(type, PP_STR(PP_OTLP_TYPE_PROTOBUF))) {
        ok = answer->body_whole && pp_otlp_answer_parse(answer->body, &response);
    } else if (pp_str_eq_nocase(type, PP_STR(PP_OTLP_TYPE_JSON)) && answer->body.n) {
        ok = answer->body_whole && pp_otlp_answer_parse_json(answer->body, &response);
    }
    if (!ok) {
        pp_error_set(text, PP_ERR_INVALID,
                     "%s: HTTP %ld, but the answer is not an ExportProfilesServiceResponse",
                     exporter->url.shown, answer->status);
        *ret = PP_RESULT_PERMANENT(text->message);
        return;
    }
    pp_otlp_partial_report(&exporter->exporter.component, exporter->rejected, exporter->url.shown, &response);
    *ret = PP_RESULT_ACCEPTED;
}

/* The reason in an error's body: a google.rpc.Status of either form, or plain text. */
static void read_reason(const struct pp_http_answer *answer, char out[PP_ANSWER_TEXT_MAX])
{
    struct pp_str type = pp_str_c(answer->content_type);
    struct pp_rpc_status status;

    if ((pp_str_eq_nocase(type, PP_STR(PP_OTLP_TYPE_PROTOBUF)) &&
         pp_rpc_status_parse(answer->body, &status)) ||
        (pp_str_eq_nocase(type, PP_STR(PP_OTLP_TYPE_JSON)) &&
         pp_rpc_status_parse_json(answer->body, &status))) {
        memcpy(out, status.message, PP_ANSWER_TEXT_MAX);
    } else if (answer->redirect[0]) {
        memcpy(out, answer->redirect,
               PP_ANSWER_TEXT_MAX); /* redirects are not followed: the endpoint should say where */
    } else {
        pp_answer_text(out, pp_str_trim(answer->body));
    }
}

static void read_failure(struct otlp_http *exporter, const struct pp_http_answer *answer,
                         struct pp_error *text, struct pp_result *ret)
{
    char reason[PP_ANSWER_TEXT_MAX];

    if (answer->status == 0) {
        pp_error_set(text, PP_ERR_IO, "%s: %s", exporter->url.shown, answer->message);
        *ret = PP_RESULT_RETRY(text->message);
        return;
    }
    read_reason(answer, reason);
    pp_error_set(text, PP_ERR_IO, "%s: HTTP %ld%s%s", exporter->url.shown, answer->status,
                 reason[0] ? ": " : "", reason);
    pp_result_from_http(answer->status, answer->retry_after_ms, text->message, ret);
}

void pp_otlp_http_read_answer(struct otlp_http *exporter, const struct pp_http_answer *answer, struct pp_error *text,
                              struct pp_result *ret)
{
    if (answer->status >= 200 && answer->status <= 299) {
        read_success(exporter, answer, text, ret);
    } else {
        read_failure(exporter, answer, text, ret);
    }
}

#include "convert/pprof_open.h"

#include "net/compress.h"

static enum pp_encoding encoding_of(struct pp_str s)
{
    if (pp_str_starts(s, "\x1f\x8b"))
        return PP_ENCODING_GZIP;
    if (pp_str_starts(s, "\x28\xb5\x2f\xfd"))
        return PP_ENCODING_ZSTD;
    return PP_ENCODING_IDENTITY;
}

/* What people often get from a wrong path or a proxy in place of a profile. */
static const char *page_kind(struct pp_str s)
{
    s = pp_str_trim(s);
    if (s.n == 0)
        return NULL;
    if (s.p[0] == '<')
        return "an HTML page";
    if (s.p[0] == '{' || s.p[0] == '[')
        return "JSON";
    return NULL;
}

bool pp_pprof_file_open(struct pp_str content, struct pp_pprof_file *ret, struct pp_error *err)
{
    struct pp_pprof_file file = {0};
    enum pp_encoding encoding = encoding_of(content);
    const char *kind = page_kind(content);

    if (content.n == 0)
        return pp_error_set(err, PP_ERR_INVALID, "empty profile");
    if (!pp_decompress(encoding, content, PP_PPROF_INFLATED_BYTES_MAX, &file.bytes, err))
        return pp_error_prefix(err, "profile");
    if (!pp_pprof_decode(pp_bytes_str(file.bytes), &file.profile, err)) {
        pp_bytes_unref(file.bytes);
        return kind && err && err->kind == PP_ERR_INVALID ? pp_error_set(err, PP_ERR_INVALID, "not a profile but %s", kind) : false;
    }
    *ret = file;
    return true;
}

void pp_pprof_file_done(struct pp_pprof_file *file)
{
    pp_pprof_done(&file->profile);
    pp_bytes_unref(file->bytes);
    file->bytes = NULL;
}

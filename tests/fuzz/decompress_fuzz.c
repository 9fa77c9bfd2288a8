/* One decompressor, the one of PP_FUZZ_ENCODING. What comes out is within the limit, and packs and unpacks to itself. */
#include <stdlib.h>

#include "net/compress.h"

#define OUT_BYTES_MAX (256u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_bytes *out = NULL, *packed = NULL, *again = NULL;
    struct pp_error err = {0};
    const enum pp_encoding encoding = PP_FUZZ_ENCODING;

    if (!pp_decompress(encoding, (struct pp_str){(const char *)data, size}, OUT_BYTES_MAX, &out, &err)) {
        if (out || (err.kind != PP_ERR_INVALID && err.kind != PP_ERR_LIMIT))
            abort();
        return 0;
    }
    if (out->len > OUT_BYTES_MAX || !pp_compress(encoding, PP_COMPRESS_LEVEL_DEFAULT, pp_bytes_str(out), &packed, &err) ||
        !pp_decompress(encoding, pp_bytes_str(packed), OUT_BYTES_MAX, &again, &err) ||
        !pp_str_eq(pp_bytes_str(out), pp_bytes_str(again)))
        abort();
    pp_bytes_unref(out);
    pp_bytes_unref(packed);
    pp_bytes_unref(again);
    return 0;
}

/* gzip and zlib where no level is configured: ISA-L's compressor takes a third of libdeflate's time at its fastest level, for 2 to 3 %
 * more bytes on profiles (docs/decisions/0005-compression-levels.md). */
#include <isa-l/igzip_lib.h>

#include "base/mem.h"
#include "net/compress_codec.h"

#define LEVEL 2 /* of ISA-L's 0 to 3: one more costs half as much again, one less makes more bytes in the same time */

struct pp_igzip {
    struct isal_zstream stream;
    uint8_t level_buf[ISAL_DEF_LVL2_SMALL]; /* short blocks: 2 % fewer bytes than with the default, in the same time */
};

size_t pp_igzip_deflate(bool gzip, struct pp_str in, char *out, size_t room)
{
    struct pp_codec_contexts *contexts = pp_codec_contexts();
    struct isal_zstream *stream;

    if (!contexts || in.n > UINT32_MAX || room > UINT32_MAX)
        return 0;
    if (!contexts->igzip)
        contexts->igzip = pp_malloc(sizeof(*contexts->igzip));
    if (!contexts->igzip)
        return 0;
    stream = &contexts->igzip->stream;
    isal_deflate_init(stream);
    stream->level = LEVEL;
    stream->level_buf = contexts->igzip->level_buf;
    stream->level_buf_size = sizeof(contexts->igzip->level_buf);
    stream->gzip_flag = gzip ? IGZIP_GZIP : IGZIP_ZLIB;
    stream->end_of_stream = 1;
    stream->next_in = (uint8_t *)in.p;
    stream->avail_in = (uint32_t)in.n;
    stream->next_out = (uint8_t *)out;
    stream->avail_out = (uint32_t)room;
    if (isal_deflate(stream) != COMP_OK || stream->internal_state.state != ZSTATE_END)
        return 0;
    return stream->total_out;
}

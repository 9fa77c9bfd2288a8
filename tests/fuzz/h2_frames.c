#include "h2_frames.h"

#define ZEROS_UNIT_BYTES 64u
#define ZEROS_BIT 0x80u
#define CANNED_TYPE 14u

void h2_frame_add(struct pp_buf *out, unsigned type, unsigned flags, unsigned stream, struct pp_str payload)
{
    const char head[9] = {(char)(payload.n >> 16), (char)(payload.n >> 8), (char)payload.n, (char)type, (char)flags, 0, 0, 0, (char)stream};

    pp_buf_add(out, head, sizeof(head));
    pp_buf_add_str(out, payload);
}

void h2_headers_add(struct pp_buf *out, unsigned flags, unsigned stream, const char *const *fields)
{
    struct pp_buf block;

    pp_buf_init(&block, H2_FRAMES_BYTES_MAX);
    for (size_t i = 0; fields[i]; i++) {
        const char literal = 0, length = (char)strlen(fields[i]);

        pp_buf_add(&block, &literal, i % 2 == 0);
        pp_buf_add(&block, &length, 1);
        pp_buf_add(&block, fields[i], strlen(fields[i]));
    }
    h2_frame_add(out, H2_HEADERS, flags, stream, pp_buf_str(&block));
    pp_buf_done(&block);
}

void h2_frames_write(struct pp_buf *out, const char *const *const canned[2], const uint8_t *p, size_t n)
{
    static const char zeros[255 * ZEROS_UNIT_BYTES];

    while (n >= 4 && out->len < H2_FRAMES_BYTES_MAX / 2) {
        bool long_one = p[0] & ZEROS_BIT;
        size_t length = long_one || p[3] > n - 4 ? 0 : p[3];
        unsigned type = p[0] & 0x0f;

        if (type >= CANNED_TYPE)
            h2_headers_add(out, p[1], p[2], canned[type - CANNED_TYPE]);
        else if (long_one)
            h2_frame_add(out, type, p[1], p[2], (struct pp_str){zeros, p[3] * ZEROS_UNIT_BYTES});
        else
            h2_frame_add(out, type, p[1], p[2], (struct pp_str){(const char *)p + 4, length});
        p += 4 + length;
        n -= 4 + length;
    }
    pp_buf_add(out, p, n);
}

#include "client_name.h"

#include <ctype.h>

#include "base/crc32c.h"

#define ENDING ".queue"
/* "~" and a CRC-32C in hex. */
#define CHECKSUM_BYTES 9u

/* One character of UTF-8; ids are valid UTF-8, since they come out of YAML. */
static uint32_t next_character(const char **p)
{
    unsigned char first = (unsigned char)*(*p)++;
    unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    uint32_t character = more == 3 ? first & 0x07 : more == 2 ? first & 0x0F : more == 1 ? first & 0x1F : first;

    for (; more > 0 && **p; more--)
        character = character << 6 | ((unsigned char)*(*p)++ & 0x3F);
    return character;
}

static void add_safe(struct pp_buf *out, const char *name)
{
    while (*name) {
        uint32_t c = next_character(&name);

        if (c < 0x80 && (isalnum((int)c) || c == '.' || c == '-' || c == '_'))
            pp_buf_add_byte(out, (char)c);
        else
            pp_buf_printf(out, "~%04X", c);
    }
}

void pp_client_name(const struct pp_record_client *client, struct pp_buf *out)
{
    const char *slash = strchr(client->id, '/');
    size_t start = out->len, room = PP_CLIENT_NAME_BYTES_MAX - sizeof(ENDING) + 1;

    pp_buf_printf(out, "%s_" PP_STR_FMT "_", client->kind, (int)(slash ? (size_t)(slash - client->id) : strlen(client->id)), client->id);
    add_safe(out, slash ? slash + 1 : "");
    pp_buf_printf(out, "_%s", client->purpose);
    if (!out->failed && out->len - start > room) {
        uint32_t crc = pp_crc32c((struct pp_str){out->data + start, out->len - start});

        out->len = start + room - CHECKSUM_BYTES;
        pp_buf_printf(out, "~%08X", crc);
    }
    pp_buf_add_c(out, ENDING);
}

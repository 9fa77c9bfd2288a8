#include "base/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82F63B78u /* reflected */

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[i] = crc;
    }
}

static uint32_t update_by_table(uint32_t crc, struct pp_str s)
{
    pthread_once(&table_once, table_make);
    for (size_t i = 0; i < s.n; i++)
        crc = crc >> 8 ^ table[(crc ^ (unsigned char)s.p[i]) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t update_by_instruction(uint32_t crc, struct pp_str s)
{
    uint64_t wide = crc, word;
    size_t i = 0;

    for (; s.n - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, s.p + i, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; i < s.n; i++)
        crc = __builtin_ia32_crc32qi(crc, (unsigned char)s.p[i]);
    return crc;
}

static uint32_t update(uint32_t crc, struct pp_str s)
{
    return __builtin_cpu_supports("sse4.2") ? update_by_instruction(crc, s) : update_by_table(crc, s);
}
#else
static uint32_t update(uint32_t crc, struct pp_str s)
{
    return update_by_table(crc, s);
}
#endif

uint32_t pp_crc32c_more(uint32_t crc, struct pp_str s)
{
    return ~update(~crc, s);
}

uint32_t pp_crc32c(struct pp_str s)
{
    return pp_crc32c_more(0, s);
}

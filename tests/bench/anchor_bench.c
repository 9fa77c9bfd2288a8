/* What the codec's figures stand beside: protobuf-c (as it is, and with an arena) and every content encoding, on the same message.
 * anchor_bench [--seconds S] NAME FILE: one JSON line for each operation, in codec_bench's form; FILE holds uncompressed protobuf. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_net.h"
#include "net/compress.h"
#include "profiles.pb-c.h"

#define ARENA_PER_BYTE 16 /* of the message: protobuf-c's structs take about five */

struct arena {
    char *memory;
    size_t used, size;
};

struct bench {
    struct pp_bytes *message, *packed;
    enum pp_encoding encoding;
    struct arena arena;
    Oracle__Request *request;
    uint8_t *out;
};

static double seconds_each = 0.5;

static void *arena_alloc(void *context, size_t size)
{
    struct arena *a = context;
    char *at = a->memory + a->used;

    size = (size + 15) & ~(size_t)15;
    if (size > a->size - a->used)
        return NULL;
    a->used += size;
    return at;
}

static void arena_free(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

static Oracle__Request *unpack(struct bench *b, ProtobufCAllocator *allocator)
{
    Oracle__Request *request = oracle__request__unpack(allocator, b->message->len, (const uint8_t *)b->message->data);

    if (!request)
        bench_die("unpack");
    return request;
}

static void run_unpack(struct bench *b)
{
    oracle__request__free_unpacked(unpack(b, NULL), NULL);
}

static void run_unpack_arena(struct bench *b)
{
    ProtobufCAllocator allocator = {arena_alloc, arena_free, &b->arena};

    b->arena.used = 0;
    unpack(b, &allocator);
}

static void run_pack(struct bench *b)
{
    if (oracle__request__pack(b->request, b->out) == 0)
        bench_die("pack");
}

static void run_compress(struct bench *b)
{
    struct pp_bytes *packed;
    struct pp_error err;

    if (!pp_compress(b->encoding, PP_COMPRESS_LEVEL_DEFAULT, pp_bytes_str(b->message), &packed, &err))
        bench_die(err.message);
    pp_bytes_unref(b->packed);
    b->packed = packed;
}

static void run_decompress(struct bench *b)
{
    struct pp_bytes *plain;
    struct pp_error err;

    if (!pp_decompress(b->encoding, pp_bytes_str(b->packed), b->message->len, &plain, &err))
        bench_die(err.message);
    pp_bytes_unref(plain);
}

static void measure(struct bench *b, const char *name, const char *operation, void (*run)(struct bench *b))
{
    uint64_t end, bytes = b->message->len;
    double start, best = 1e9, total = 0, took;
    unsigned n = 0;

    run(b);
    end = bench_now_ns() + (uint64_t)(seconds_each * 1e9);
    do {
        start = bench_cpu_s();
        run(b);
        took = bench_cpu_s() - start;
        best = took < best ? took : best;
        total += took;
        n++;
    } while (bench_now_ns() < end);
    printf("{\"bench\":\"anchor\",\"message\":\"%s\",\"operation\":\"%s\",\"bytes\":%llu,\"best_us\":%.1f,\"mean_us\":%.1f,\"gb_per_s\":%.3f}\n", name, operation,
           (unsigned long long)bytes, best * 1e6, total * 1e6 / n, (double)bytes / 1e9 / best);
    fflush(stdout);
}

static struct pp_bytes *read_message(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct pp_bytes *message;
    long len;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) <= 0 || !(message = pp_bytes_new((size_t)len)))
        bench_die(path);
    rewind(file);
    if (fread(message->data, 1, message->len, file) != message->len)
        bench_die(path);
    fclose(file);
    return message;
}

static void measure_encodings(struct bench *b, const char *name)
{
    static const enum pp_encoding encodings[] = {PP_ENCODING_GZIP, PP_ENCODING_DEFLATE, PP_ENCODING_ZSTD, PP_ENCODING_SNAPPY, PP_ENCODING_LZ4};

    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        char operation[64];
        b->encoding = encodings[i];
        snprintf(operation, sizeof operation, "compress_%s", pp_encoding_name(b->encoding));
        measure(b, name, operation, run_compress);
        snprintf(operation, sizeof operation, "decompress_%s", pp_encoding_name(b->encoding));
        measure(b, name, operation, run_decompress);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {0};

    if (argc == 5 && strcmp(argv[1], "--seconds") == 0) {
        seconds_each = atof(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: anchor_bench [--seconds S] NAME FILE\n");
        return 2;
    }
    b.message = read_message(argv[2]);
    b.arena.size = b.message->len * ARENA_PER_BYTE;
    b.arena.memory = bench_alloc(b.arena.size, 1);
    b.out = bench_alloc(b.message->len * 2, 1);
    b.request = unpack(&b, NULL);
    measure(&b, argv[1], "protobuf_c_unpack", run_unpack);
    measure(&b, argv[1], "protobuf_c_unpack_arena", run_unpack_arena);
    measure(&b, argv[1], "protobuf_c_pack", run_pack);
    measure_encodings(&b, argv[1]);
    oracle__request__free_unpacked(b.request, NULL);
    pp_bytes_unref(b.packed);
    pp_bytes_unref(b.message);
    free(b.out);
    free(b.arena.memory);
    return 0;
}

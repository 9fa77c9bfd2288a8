/* Speed of the OTLP codec on one message, beside memcpy: one JSON line for each operation.
 * codec_bench [--seconds S] [--only OPERATION] [FILE]: FILE holds a message (protobuf, uncompressed); without it three synthetic ones are measured. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "profiles/edit.h"
#include "profiles/otlp_json.h"
#include "profiles/testing/batch_testing.h"

#define JSON_BYTES_MAX (256u << 20)
#define MERGED_N 16
#define MALLOC_KEEP_BYTES (64 << 20) /* as the daemon sets it: large blocks are not given back to the kernel each time */

static double seconds_each = 0.5;
static const char *only; /* NULL: all */

struct bench {
    const char *name;
    struct pp_bytes *message;
    struct pp_batch *batch;    /* decoded */
    struct pp_batch *pieces[MERGED_N];
    size_t pieces_n, pieces_bytes, parts_bytes;
    struct pp_bytes *scratch;
    struct pp_buf json;
};

static void die(const char *what, const struct pp_error *err)
{
    fprintf(stderr, "codec_bench: %s: %s\n", what, err ? err->message : "failed");
    exit(1);
}

static struct pp_batch *open_message(struct pp_bytes *message)
{
    struct pp_batch_source source = {.wire = message};
    struct pp_batch *batch;
    struct pp_error err;

    if (!pp_batch_from_otlp(&source, &batch, &err))
        die("message", &err);
    return batch;
}

static void run_memcpy(struct bench *b)
{
    memcpy(b->scratch->data, b->message->data, b->message->len);
    __asm__ volatile("" : : "r"(b->scratch->data) : "memory");
}

static void run_check(struct bench *b)
{
    pp_batch_unref(open_message(b->message));
}

static void run_check_and_decode(struct bench *b)
{
    struct pp_batch *batch = open_message(b->message);

    if (!pp_batch_tables(batch, NULL))
        die("decode", NULL);
    pp_batch_unref(batch);
}

static void encode_after(struct bench *b, unsigned edits)
{
    const struct pp_encode_options inline_keys = {0};
    struct pp_batch *batch = pp_batch_ref(b->batch);
    struct pp_bytes *bytes = NULL;
    struct pp_error err;

    if (!pp_batch_edit(&batch, edits, &err) || !pp_batch_encode(batch, &inline_keys, &bytes, &err))
        die("encode", &err);
    pp_bytes_unref(bytes);
    pp_batch_unref(batch);
}

static void run_encode_resources(struct bench *b)
{
    encode_after(b, PP_EDIT_RESOURCES);
}

static void run_encode_everything(struct bench *b)
{
    encode_after(b, 0x7FF);
}

static void run_merge(struct bench *b)
{
    struct pp_batch *merged;
    struct pp_error err;

    if (!pp_batch_merge(b->pieces, b->pieces_n, &merged, &err))
        die("merge", &err);
    pp_batch_unref(merged);
}

static bool drop_part(void *arg, struct pp_batch *part)
{
    *(size_t *)arg += pp_batch_wire_bytes(part);
    pp_batch_unref(part);
    return true;
}

static void run_split(struct bench *b)
{
    struct pp_batch_limits limits = {.samples_max = (uint64_t)pp_batch_samples(b->batch) / 4 + 1};
    struct pp_error err;

    b->parts_bytes = 0;
    if (!pp_batch_split(b->batch, &limits, drop_part, &b->parts_bytes, &err))
        die("split", &err);
}

static void run_json_write(struct bench *b)
{
    struct pp_error err;

    pp_buf_reset(&b->json);
    if (!pp_batch_to_json(b->batch, &b->json, &err))
        die("json", &err);
}

static void run_json_read(struct bench *b)
{
    struct pp_batch *batch;
    struct pp_error err;

    if (!pp_batch_from_json(pp_buf_str(&b->json), NULL, &batch, &err))
        die("json", &err);
    pp_batch_unref(batch);
}

/* CPU time, so that a busy machine disturbs less. */
static uint64_t cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * PP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Best of many: what the code takes when nothing disturbs it. */
static void measure(struct bench *b, const char *operation, void (*run)(struct bench *b), size_t bytes)
{
    uint64_t end = pp_clock_mono_ns() + (uint64_t)(seconds_each * 1e9), best = UINT64_MAX, total = 0;
    unsigned n = 0;

    if (only && strcmp(only, operation) != 0)
        return;
    run(b);
    do {
        uint64_t start = cpu_ns(), took;

        run(b);
        took = cpu_ns() - start;
        best = took < best ? took : best;
        total += took;
        n++;
    } while (pp_clock_mono_ns() < end);
    printf("{\"bench\":\"codec\",\"message\":\"%s\",\"operation\":\"%s\",\"bytes\":%zu,\"best_us\":%.1f,\"mean_us\":%.1f,\"gb_per_s\":%.3f}\n",
           b->name, operation, bytes, (double)best / 1e3, (double)total / 1e3 / n, (double)bytes / (double)best);
    fflush(stdout);
}

static bool keep_piece(void *arg, struct pp_batch *part)
{
    const struct pp_encode_options inline_keys = {0};
    struct bench *b = arg;
    struct pp_bytes *bytes;

    if (!pp_batch_encode(part, &inline_keys, &bytes, NULL))
        die("encode", NULL);
    b->pieces[b->pieces_n] = open_message(bytes);
    pp_batch_tables(b->pieces[b->pieces_n++], NULL);
    b->pieces_bytes += bytes->len;
    pp_bytes_unref(bytes);
    pp_batch_unref(part);
    return b->pieces_n < MERGED_N;
}

static void measure_message(const char *name, struct pp_bytes *message)
{
    struct bench b = {.name = name, .message = message, .batch = open_message(message), .scratch = pp_bytes_new(message->len)};
    const struct pp_tables *t = pp_batch_tables(b.batch, NULL);
    struct pp_batch_limits limits = {.samples_max = t->samples.n / MERGED_N + 1};

    pp_buf_init(&b.json, JSON_BYTES_MAX);
    measure(&b, "memcpy", run_memcpy, message->len);
    measure(&b, "check", run_check, message->len);
    measure(&b, "check_and_decode", run_check_and_decode, message->len);
    measure(&b, "edit_resources_and_encode", run_encode_resources, message->len);
    measure(&b, "edit_everything_and_encode", run_encode_everything, message->len);
    run_split(&b);
    measure(&b, "split_in_4", run_split, b.parts_bytes); /* what comes out: each part has its own dictionary */
    pp_batch_split(b.batch, &limits, keep_piece, &b, NULL);
    if (b.pieces_n > 1)
        measure(&b, "merge_of_16_decoded", run_merge, b.pieces_bytes);
    measure(&b, "json_write", run_json_write, message->len);
    run_json_write(&b);
    measure(&b, "json_read", run_json_read, b.json.len);
    for (size_t i = 0; i < b.pieces_n; i++)
        pp_batch_unref(b.pieces[i]);
    pp_buf_done(&b.json);
    pp_bytes_unref(b.scratch);
    pp_batch_unref(b.batch);
}

static void measure_synthetic(const char *name, const struct pp_test_shape *shape)
{
    const struct pp_encode_options inline_keys = {0};
    struct pp_batch *batch = pp_test_batch(shape, 1);
    struct pp_bytes *message = NULL;

    if (!batch || !pp_batch_encode(batch, &inline_keys, &message, NULL))
        die(name, NULL);
    measure_message(name, message);
    pp_bytes_unref(message);
    pp_batch_unref(batch);
}

static void measure_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct pp_bytes *message;
    struct pp_buf buf;
    char piece[65536];
    size_t n;

    if (!file)
        die(path, NULL);
    pp_buf_init(&buf, JSON_BYTES_MAX);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        pp_buf_add(&buf, piece, n);
    fclose(file);
    message = pp_bytes_take(&buf);
    if (!message)
        die(path, NULL);
    measure_message(path, message);
    pp_bytes_unref(message);
}

int main(int argc, char **argv)
{
    static const struct pp_test_shape small = {1, 1, 1, 200, 150, 120, 30, false}, medium = {1, 1, 1, 9000, 5000, 6000, 40, false},
                                      many = {60, 1, 2, 60, 4000, 3000, 40, true};
    int i = 1;

    mallopt(M_MMAP_THRESHOLD, MALLOC_KEEP_BYTES);
    mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP_BYTES);
    if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0) {
        seconds_each = atof(argv[i + 1]);
        i += 2;
    }
    if (i + 1 < argc && strcmp(argv[i], "--only") == 0) {
        only = argv[i + 1];
        i += 2;
    }
    if (i < argc) {
        measure_file(argv[i]);
        return 0;
    }
    measure_synthetic("small", &small);
    measure_synthetic("medium", &medium);
    measure_synthetic("many_resources", &many);
    return 0;
}

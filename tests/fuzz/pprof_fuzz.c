/* Any bytes as a pprof: what is taken becomes a batch that our own check of OTLP takes too, goes back to a pprof that decodes again, and is drawn. */
#include <stdlib.h>

#include "convert/pprof_merge.h"
#include "convert/pprof_open.h"
#include "convert/pprof_to_batch.h"
#include "render/flamegraph.h"
#include "render/folded.h"

#define BYTES_MAX ((size_t)256 << 20)
#define TREE_NODES_MAX 1000

/* Two ways to the same profile must agree on how many samples it has. */
static void back_to_pprof(const struct pp_tables *tables, const struct pp_pprof *original)
{
    struct pp_pprof_merge merge = {0};
    struct pp_pprof again;
    struct pp_error err;
    struct pp_buf buf;

    pp_buf_init(&buf, BYTES_MAX);
    if (!pp_pprof_merge_add(&merge, tables, &(struct pp_pprof_merge_options){.exact = true}, &err) || !pp_pprof_encode(&merge.profile, &buf))
        abort();
    if (!pp_pprof_decode(pp_buf_str(&buf), &again, &err))
        abort();
    if (original->sample_types.n == 1 && again.samples.n != original->samples.n)
        abort();
    pp_pprof_done(&again);
    pp_pprof_merge_done(&merge);
    pp_buf_done(&buf);
}

static void draw(const struct pp_tables *tables)
{
    struct pp_error err;
    struct pp_tree tree;
    struct pp_buf buf;

    pp_tree_init(&tree, TREE_NODES_MAX, true);
    pp_buf_init(&buf, BYTES_MAX);
    if (!pp_tree_add(&tree, tables, &err) || !pp_flamegraph_write(&tree, PP_STR("fuzz"), &buf, &err))
        abort();
    for (uint32_t i = 0; i < tree.types.n; i++)
        if (!pp_folded_write(&tree, i, &buf, &err))
            abort();
    pp_buf_done(&buf);
    pp_tree_done(&tree);
}

static void check_batch(struct pp_batch *batch, const struct pp_pprof *original)
{
    struct pp_batch *again;
    struct pp_bytes *wire;
    struct pp_error err;
    const struct pp_tables *tables = pp_batch_tables(batch, &err);

    if (!tables || !pp_batch_encode(batch, &(struct pp_encode_options){0}, &wire, &err))
        abort();
    if (!pp_batch_from_otlp(&(struct pp_batch_source){.wire = wire}, &again, &err))
        abort();
    back_to_pprof(tables, original);
    draw(tables);
    pp_batch_unref(again);
    pp_bytes_unref(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_pprof_origin origin = {.scope_name = PP_STR("fuzz")};
    struct pp_pprof_file file;
    struct pp_batch *batch;
    struct pp_error err;

    if (!pp_pprof_file_open((struct pp_str){(const char *)data, size}, &file, &err))
        return 0;
    if (pp_batch_from_pprof(&file.profile, &origin, &batch, &err)) {
        check_batch(batch, &file.profile);
        pp_batch_unref(batch);
    }
    pp_pprof_file_done(&file);
    return 0;
}

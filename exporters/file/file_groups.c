#include "file_groups.h"

#include <errno.h>
#include <unistd.h>

#include "base/arena.h"
#include "convert/any_text.h"
#include "file_path.h"
#include "file_seen.h"

/* Which path each resource of one batch goes to. */
struct plan {
    struct pp_arena arena;
    uint32_t *path_of; /* by resource: number of the path */
    const char **paths;
    uint32_t paths_n, wanted;
};

static void attribute_text(const struct pp_tables *t, const struct pp_resource *resource, const char *key, struct pp_buf *buf)
{
    for (uint32_t i = 0; i < resource->attributes.n; i++) {
        const struct pp_key_value *kv = &t->key_values.v[resource->attributes.first + i];

        if (pp_str_eq_c(kv->key, key)) {
            pp_any_text_add(buf, kv->value);
            return;
        }
    }
    pp_buf_add_c(buf, PP_FILE_GROUP_MISSING);
}

static bool plan_resource(struct plan *p, const struct pp_file_config *config, const struct pp_tables *t, uint32_t r, struct pp_error *err)
{
    struct pp_buf value, path;
    bool ok;

    pp_buf_init(&value, PP_FILE_PATH_BYTES_MAX);
    pp_buf_init(&path, 2 * PP_FILE_PATH_BYTES_MAX);
    attribute_text(t, &t->resources.v[r], config->group_by->resource_attribute, &value);
    ok = !value.failed && pp_file_group_path(config->path, pp_buf_str(&value), &path);
    if (!ok)
        pp_error_set(err, PP_ERR_INVALID, "the value of %s is too long for a path", config->group_by->resource_attribute);
    for (p->path_of[r] = 0; ok && p->path_of[r] < p->paths_n; p->path_of[r]++)
        if (strcmp(p->paths[p->path_of[r]], path.data) == 0)
            break;
    if (ok && p->path_of[r] == p->paths_n) {
        p->paths[p->paths_n] = pp_arena_strdup(&p->arena, (struct pp_str){path.data, path.len - 1});
        ok = p->paths[p->paths_n++] || pp_error_nomem(err);
    }
    pp_buf_done(&value);
    pp_buf_done(&path);
    return ok;
}

static bool plan_make(struct plan *p, const struct pp_file_config *config, const struct pp_tables *t, struct pp_error *err)
{
    p->path_of = pp_arena_array(&p->arena, t->resources.n + 1, sizeof(*p->path_of));
    p->paths = pp_arena_array(&p->arena, t->resources.n + 1, sizeof(*p->paths));
    if (!p->path_of || !p->paths)
        return pp_error_nomem(err);
    for (uint32_t r = 0; r < t->resources.n; r++)
        if (!plan_resource(p, config, t, r, err))
            return false;
    return true;
}

static bool keep_wanted(void *arg, const struct pp_tables *tables, uint32_t resource)
{
    const struct plan *p = arg;

    (void)tables;
    return p->path_of[resource] == p->wanted;
}

static bool close_oldest(struct pp_file_groups *g, struct pp_error *err)
{
    size_t oldest = 0;
    uint64_t lost_bytes = 0; /* none: it has just been flushed */
    bool ok;

    for (size_t i = 1; i < g->open.n; i++)
        if (g->open.v[i].used < g->open.v[oldest].used)
            oldest = i;
    /* What cannot be written stays in its buffer, and the file open. */
    if (!pp_file_stream_flush(&g->open.v[oldest].stream, err))
        return false;
    ok = pp_file_stream_close(&g->open.v[oldest].stream, &lost_bytes, err);
    g->open.v[oldest] = g->open.v[--g->open.n];
    return ok;
}

static struct pp_file_stream *stream_of(struct pp_file_groups *g, const char *path, struct pp_error *err)
{
    struct pp_file_group made;

    for (size_t i = 0; i < g->open.n; i++)
        if (strcmp(g->open.v[i].stream.path, path) == 0) {
            g->open.v[i].used = ++g->tick;
            return &g->open.v[i].stream;
        }
    if (g->open.n >= (size_t)g->config->group_by->max_open_files && !close_oldest(g, err))
        return NULL;
    if (!pp_vec_reserve(&g->open, 1)) {
        pp_error_nomem(err);
        return NULL;
    }
    if (!pp_file_make_parents(path, pp_file_directory_mode(g->config), err) ||
        !pp_file_stream_open(&made.stream, g->config, path, pp_file_seen_before(path) || g->config->append, err))
        return NULL;
    made.used = ++g->tick;
    g->open.v[g->open.n++] = made;
    return &g->open.v[g->open.n - 1].stream;
}

static bool write_part(struct pp_file_groups *g, struct plan *p, struct pp_batch *batch, pp_file_put *put, void *arg, struct pp_error *err)
{
    struct pp_batch *part = NULL;
    struct pp_file_stream *stream = stream_of(g, p->paths[p->wanted], err);
    bool ok = stream && pp_batch_filter_resources(batch, keep_wanted, p, &part, err);

    ok = ok && (!part || put(arg, stream, part, err));
    pp_batch_unref(part);
    return ok;
}

bool pp_file_groups_write(struct pp_file_groups *g, struct pp_batch *batch, pp_file_put *put, void *arg, struct pp_error *err)
{
    const struct pp_tables *tables = pp_batch_tables(batch, err);
    struct plan p = {0};
    bool ok = tables && plan_make(&p, g->config, tables, err);

    for (; ok && p.wanted < p.paths_n; p.wanted++)
        ok = write_part(g, &p, batch, put, arg, err);
    pp_arena_done(&p.arena);
    return ok;
}

bool pp_file_groups_check(const struct pp_file_groups *g, struct pp_error *err)
{
    const char *path = g->config->path, *star = strchr(path, '*'), *end = star;
    char *folder;
    bool ok;

    while (end > path && end[-1] != '/')
        end--;
    folder = end > path ? pp_str_dup((struct pp_str){path, (size_t)(end - path)}) : pp_strdup("./");
    if (!folder)
        return pp_error_nomem(err);
    ok = pp_file_make_parents(folder, pp_file_directory_mode(g->config), err);
    if (ok && access(folder, W_OK | X_OK) != 0)
        ok = pp_error_set(err, PP_ERR_IO, "cannot write to the folder %s: %s", folder, strerror(errno));
    pp_free(folder);
    return ok;
}

bool pp_file_groups_flush(struct pp_file_groups *g, struct pp_error *err)
{
    bool ok = true;

    for (size_t i = 0; i < g->open.n; i++)
        ok &= pp_file_stream_flush(&g->open.v[i].stream, ok ? err : NULL);
    return ok;
}

bool pp_file_groups_close(struct pp_file_groups *g, uint64_t *lost_bytes, struct pp_error *err)
{
    bool ok = true;

    for (size_t i = 0; i < g->open.n; i++)
        ok &= pp_file_stream_close(&g->open.v[i].stream, lost_bytes, ok ? err : NULL);
    pp_vec_done(&g->open);
    return ok;
}

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "profiles/testing/batch_testing.h"

#define DUMP_BYTES_MAX (1u << 30)

static void hex(struct pp_buf *out, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pp_buf_printf(out, "%02x", ((const uint8_t *)data)[i]);
}

static void string(struct pp_buf *out, const struct pp_tables *t, int32_t i)
{
    pp_buf_printf(out, "'" PP_STR_FMT "'", PP_STR_ARG(t->strings.v[i]));
}

static void attrs(struct pp_buf *out, const struct pp_tables *t, struct pp_range range)
{
    pp_buf_add_byte(out, '{');
    for (uint32_t i = 0; i < range.n; i++) {
        const struct pp_attribute *a = &t->attributes.v[t->attr_indices.v[range.first + i]];

        string(out, t, a->key);
        hex(out, a->value.p, a->value.n);
        string(out, t, a->unit);
    }
    pp_buf_add_byte(out, '}');
}

static void pairs(struct pp_buf *out, const struct pp_tables *t, struct pp_range range)
{
    for (uint32_t i = 0; i < range.n; i++) {
        const struct pp_key_value *kv = &t->key_values.v[range.first + i];

        pp_buf_printf(out, " " PP_STR_FMT "=", PP_STR_ARG(kv->key));
        hex(out, kv->value.p, kv->value.n);
    }
}

static void location(struct pp_buf *out, const struct pp_tables *t, int32_t i)
{
    const struct pp_location *l = &t->locations.v[i];
    const struct pp_mapping *m = &t->mappings.v[l->mapping];

    pp_buf_printf(out, " %" PRIx64 "@%" PRIx64 "-%" PRIx64 "+%" PRIx64, l->address, m->memory_start, m->memory_limit, m->file_offset);
    string(out, t, m->filename);
    attrs(out, t, m->attrs);
    for (uint32_t n = 0; n < l->lines.n; n++) {
        const struct pp_line *line = &t->lines.v[l->lines.first + n];
        const struct pp_function *f = &t->functions.v[line->function];

        pp_buf_printf(out, ":%" PRId64 ":%" PRId64 ":%" PRId64, line->line, line->column, f->start_line);
        string(out, t, f->name);
        string(out, t, f->system_name);
        string(out, t, f->filename);
    }
    attrs(out, t, l->attrs);
}

static void value_type(struct pp_buf *out, const struct pp_tables *t, struct pp_value_type type)
{
    string(out, t, type.type);
    string(out, t, type.unit);
}

static void profile(struct pp_buf *out, const struct pp_tables *t, const struct pp_profile *p)
{
    value_type(out, t, p->sample_type);
    value_type(out, t, p->period_type);
    pp_buf_printf(out, " %" PRIu64 " %" PRIu64 " %" PRId64 " %u ", p->time_unix_nano, p->duration_nano, p->period,
                  p->dropped_attributes_count);
    hex(out, p->profile_id, sizeof(p->profile_id));
    attrs(out, t, p->attrs);
}

static void sample(struct pp_buf *out, const struct pp_tables *t, uint32_t i)
{
    const struct pp_samples *s = &t->samples;
    struct pp_range stack = t->stacks.v[s->stack[i]].locations;

    for (uint32_t n = 0; n < stack.n; n++)
        location(out, t, t->location_indices.v[stack.first + n]);
    hex(out, &t->links.v[s->link[i]], sizeof(struct pp_link));
    attrs(out, t, s->attrs[i]);
    for (uint32_t n = 0; n < s->values[i].n; n++)
        pp_buf_printf(out, " v%" PRId64, t->values.v[s->values[i].first + n]);
    for (uint32_t n = 0; n < s->timestamps[i].n; n++)
        pp_buf_printf(out, " t%" PRIu64, t->timestamps.v[s->timestamps[i].first + n]);
}

static void scope_lines(struct pp_buf *out, const struct pp_tables *t, const struct pp_resource *r, const struct pp_scope *s)
{
    for (uint32_t p = s->profiles.first; p < s->profiles.first + s->profiles.n; p++)
        for (uint32_t i = 0; i < t->profiles.v[p].samples.n; i++) {
            pairs(out, t, r->attributes);
            pp_buf_printf(out, " " PP_STR_FMT " %u|" PP_STR_FMT " " PP_STR_FMT " " PP_STR_FMT, PP_STR_ARG(r->schema_url),
                          r->dropped_attributes_count, PP_STR_ARG(s->name), PP_STR_ARG(s->version), PP_STR_ARG(s->schema_url));
            pairs(out, t, s->attributes);
            profile(out, t, &t->profiles.v[p]);
            sample(out, t, t->profiles.v[p].samples.first + i);
            pp_buf_add_byte(out, '\n');
        }
}

void pp_test_dump(const struct pp_tables *t, struct pp_buf *out)
{
    for (uint32_t r = 0; r < t->resources.n; r++)
        for (uint32_t s = 0; s < t->resources.v[r].scopes.n; s++)
            scope_lines(out, t, &t->resources.v[r], &t->scopes.v[t->resources.v[r].scopes.first + s]);
}

static int compare_lines(const void *a, const void *b)
{
    const struct pp_str *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

char *pp_test_dump_sorted(struct pp_batch *const *batches, size_t n)
{
    struct pp_buf out;
    struct pp_str *lines;
    size_t lines_n = 0, count = 0, at = 0;
    char *text;

    pp_buf_init(&out, DUMP_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        pp_test_dump(pp_batch_tables(batches[i], NULL), &out);
    assert(!out.failed);
    for (size_t i = 0; i < out.len; i++)
        count += out.data[i] == '\n';
    lines = malloc((count + 1) * sizeof(*lines));
    text = malloc(out.len + 1);
    for (size_t i = 0, from = 0; i < out.len; i++)
        if (out.data[i] == '\n') {
            lines[lines_n++] = (struct pp_str){out.data + from, i + 1 - from};
            from = i + 1;
        }
    qsort(lines, lines_n, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < lines_n; at += lines[i++].n)
        memcpy(text + at, lines[i].p, lines[i].n);
    text[at] = '\0';
    free(lines);
    pp_buf_done(&out);
    return text;
}

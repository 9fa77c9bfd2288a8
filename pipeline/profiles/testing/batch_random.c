#include <stdio.h>

#include "profiles/any_value.h"
#include "profiles/builder.h"
#include "profiles/testing/batch_testing.h"

#define POOL_MAX 20000u

struct maker {
    struct pp_builder *b;
    const struct pp_test_shape *shape;
    uint64_t state;
    int32_t stacks[POOL_MAX], attrs[64], links[8];
    unsigned stacks_n, attrs_n, links_n;
};

static uint64_t next(struct maker *m)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state;
}

static unsigned below(struct maker *m, unsigned n)
{
    return n ? (unsigned)(next(m) >> 20) % n : 0;
}

static int32_t text(struct maker *m, const char *stem, unsigned i)
{
    char s[128];
    int n = snprintf(s, sizeof(s), "%s.%08x_%u", stem, (i + 1) * 2654435761u, i);

    return pp_builder_string(m->b, (struct pp_str){s, (size_t)n});
}

/* One value of every kind in turn. */
static struct pp_str value(struct maker *m, unsigned i)
{
    struct pp_arena *arena = pp_builder_arena(m->b);
    struct pp_str v = {0}, parts[2] = {{0}};
    struct pp_key_value pair = {PP_STR("inner"), {0}};

    pp_any_value_from_string(arena, i % 2 ? PP_STR("a value") : PP_STR(""), &parts[0]);
    pp_any_value_from_int(arena, (int64_t)next(m), &parts[1]);
    pair.value = parts[1];
    switch (i % 8) {
    case 0:
        return parts[0];
    case 1:
        return parts[1];
    case 2:
        pp_any_value_from_bool(arena, i & 8, &v);
        break;
    case 3:
        pp_any_value_from_double(arena, 0.5 * i, &v);
        break;
    case 4:
        pp_any_value_from_bytes(arena, PP_STR("\x01\0\xff"), &v);
        break;
    case 5:
        pp_any_value_from_array(arena, parts, 2, &v);
        break;
    case 6:
        pp_any_value_from_pairs(arena, &pair, 1, &v);
        break;
    default:
        break; /* empty */
    }
    return v;
}

static void make_attributes(struct maker *m)
{
    for (unsigned i = 0; i < 64; i++) {
        char key[32];
        int n = snprintf(key, sizeof(key), "key.%u", i);

        m->attrs[m->attrs_n++] = pp_builder_attribute(m->b, (struct pp_str){key, (size_t)n}, value(m, i),
                                                      i % 3 ? PP_STR("") : PP_STR("By"));
    }
}

/* Some of the attributes, each once. */
static size_t pick_attrs(struct maker *m, int32_t to[4])
{
    size_t n = m->shape->rich ? below(m, 4) : 1;

    for (size_t i = 0; i < n; i++)
        to[i] = m->attrs[i * 16 + below(m, 16)];
    return n;
}

static int32_t make_location(struct maker *m, unsigned i)
{
    struct pp_mapping mapping = {.memory_start = 0x400000 + (i % 7) * 0x100000, .memory_limit = 0x500000 + (i % 7) * 0x100000};
    struct pp_location location = {.address = 0x400000 + i * 37u};
    struct pp_line lines[2];
    size_t lines_n = i % 9 == 0 ? 2 : i % 11 != 0;
    int32_t attrs[4];

    mapping.filename = text(m, "/usr/lib/libsomething.so", i % 7);
    location.mapping = pp_builder_mapping(m->b, &mapping, attrs, pick_attrs(m, attrs));
    for (size_t l = 0; l < lines_n; l++) {
        struct pp_function f = {.start_line = i % 500};

        f.name = text(m, "github.com/example/service/internal/handler.(*Server).Serve", i + (unsigned)l);
        f.filename = text(m, "/src/github.com/example/service/file", (i + (unsigned)l) / 8);
        if (m->shape->rich && i % 5 == 0)
            f.system_name = text(m, "_ZN7example", i);
        lines[l] = (struct pp_line){pp_builder_function(m->b, &f), i % 3000, m->shape->rich ? i % 80 : 0};
    }
    return pp_builder_location(m->b, &location, lines, lines_n, attrs, m->shape->rich ? pick_attrs(m, attrs) : 0);
}

static void make_stacks(struct maker *m)
{
    unsigned functions = m->shape->functions < POOL_MAX ? m->shape->functions : POOL_MAX;
    static _Thread_local int32_t locations[POOL_MAX];
    int32_t stack[256];

    for (unsigned i = 0; i < functions; i++)
        locations[i] = make_location(m, i);
    for (unsigned i = 0; i < m->shape->stacks && i < POOL_MAX; i++) {
        unsigned depth = 1 + below(m, m->shape->depth < 256 ? m->shape->depth : 256);

        for (unsigned d = 0; d < depth; d++)
            stack[d] = locations[below(m, functions)];
        m->stacks[m->stacks_n++] = pp_builder_stack(m->b, stack, depth);
    }
}

static void make_sample(struct maker *m, uint64_t now)
{
    int32_t attrs[4];
    int64_t values[5];
    uint64_t timestamps[5];
    struct pp_builder_sample sample = {.attrs = attrs, .values = values, .timestamps = timestamps};
    unsigned kind = m->shape->rich ? below(m, 3) : 1, points = m->shape->rich ? 1 + below(m, 4) : 1;

    sample.stack = m->stacks[below(m, m->stacks_n)];
    sample.link = m->links_n ? m->links[below(m, m->links_n)] : 0;
    sample.attrs_n = pick_attrs(m, attrs);
    for (unsigned i = 0; i < points; i++) {
        values[i] = m->shape->rich ? (int64_t)(next(m) >> (next(m) & 63)) : 1;
        timestamps[i] = now + below(m, 1000000000);
    }
    sample.values_n = kind == 0 ? 1 : kind == 1 ? 0 : points;
    sample.timestamps_n = kind == 0 ? 0 : points;
    pp_builder_add_sample(m->b, &sample);
}

static void make_profile(struct maker *m, unsigned i)
{
    struct pp_profile p = {.time_unix_nano = 1700000000000000000ull + i, .duration_nano = 10000000000ull, .period = 52631578};
    int32_t attrs[4];

    p.sample_type = (struct pp_value_type){pp_builder_string(m->b, PP_STR("samples")), pp_builder_string(m->b, PP_STR("count"))};
    p.period_type = (struct pp_value_type){pp_builder_string(m->b, PP_STR("cpu")), pp_builder_string(m->b, PP_STR("nanoseconds"))};
    if (m->shape->rich) {
        memset(p.profile_id, (int)(i + 1), sizeof(p.profile_id));
        p.dropped_attributes_count = i;
        p.original_payload_format = PP_STR("pprof");
        p.original_payload = PP_STR("\x1f\x8b\0payload");
    }
    pp_builder_add_profile(m->b, &p, attrs, m->shape->rich ? pick_attrs(m, attrs) : 0);
    for (unsigned s = 0; s < m->shape->samples; s++)
        make_sample(m, p.time_unix_nano);
}

static void make_data(struct maker *m)
{
    for (unsigned r = 0; r < m->shape->resources; r++) {
        char name[32];
        struct pp_key_value attributes[2] = {{.key = PP_STR("service.name")}, {.key = PP_STR("odd"), .value = value(m, r)}};
        struct pp_builder_resource resource = {.attributes = attributes, .attributes_n = m->shape->rich ? 2 : 1};

        snprintf(name, sizeof(name), "service-%u", r);
        pp_any_value_from_string(pp_builder_arena(m->b), pp_str_c(name), &attributes[0].value);
        resource.schema_url = m->shape->rich ? PP_STR("https://opentelemetry.io/schemas/1.44.0") : PP_STR("");
        pp_builder_add_resource(m->b, &resource);
        for (unsigned s = 0; s < m->shape->scopes; s++) {
            struct pp_builder_scope scope = {.name = PP_STR("scope"), .version = s % 2 ? PP_STR("2") : PP_STR("")};

            scope.attributes = attributes;
            scope.attributes_n = m->shape->rich ? s % 2 : 0;
            pp_builder_add_scope(m->b, &scope);
            for (unsigned p = 0; p < m->shape->profiles; p++)
                make_profile(m, p);
        }
    }
}

struct pp_batch *pp_test_batch(const struct pp_test_shape *shape, uint64_t seed)
{
    static _Thread_local struct maker m; /* too large for a small stack */
    struct pp_batch *batch = NULL;

    m = (struct maker){.b = pp_builder_new(NULL), .shape = shape, .state = seed * 0x9E3779B97F4A7C15ull + 1};
    if (!m.b)
        return NULL;
    make_attributes(&m);
    for (unsigned i = 0; shape->rich && i < 8; i++) {
        struct pp_link link;

        memset(&link, (int)i, sizeof(link));
        m.links[m.links_n++] = pp_builder_link(m.b, &link);
    }
    make_stacks(&m);
    if (!pp_builder_failed(m.b))
        make_data(&m);
    if (!pp_builder_finish(m.b, &batch, NULL))
        batch = NULL;
    pp_builder_free(m.b);
    return batch;
}

/* Merging: resources that are equal become one, and below them scopes. Both are grouped first, by hash, for a group's members must
 * stand together in the tables. */
#include "base/mem.h"
#include "profiles/batch_impl.h"
#include "profiles/gather.h"
#include "profiles/hash.h"
#include "profiles/remap.h"

#define NONE UINT32_MAX

/* A resource or scope of one of the inputs, or a group of equal ones, which its first member stands for. */
struct member {
    uint32_t batch, entry;
    uint32_t group;      /* the first member's number */
    uint32_t next, last; /* members of a group in order; `last` is the first member's */
    uint32_t scopes;     /* of a resource group: its first scope group */
    uint32_t sibling;    /* of a scope group: the next one in the same resource group */
};

struct merger {
    const struct pp_data **data;
    struct pp_gather *gathers; /* without slots where a remap does the profiles */
    struct pp_remap *remaps;   /* `from` is NULL where the gather does */
    size_t batches_n;
    PP_VEC(struct member) resources, scopes;
    struct pp_index resource_index, scope_index;
    struct pp_builder *builder;
};

struct lookup {
    const struct merger *m;
    struct member member;
    uint32_t parent; /* of a scope: its resource group */
};

static uint64_t hash_pairs(const struct pp_tables *t, struct pp_range range, uint64_t hash)
{
    for (uint32_t i = range.first; i < range.first + range.n; i++)
        hash = pp_hash_mix(pp_hash_mix(hash, pp_hash_str(t->key_values.v[i].key)), pp_hash_str(t->key_values.v[i].value));
    return hash;
}

static bool same_pairs(const struct pp_tables *a, struct pp_range ra, const struct pp_tables *b, struct pp_range rb)
{
    if (ra.n != rb.n)
        return false;
    for (uint32_t i = 0; i < ra.n; i++) {
        const struct pp_key_value *x = &a->key_values.v[ra.first + i], *y = &b->key_values.v[rb.first + i];

        if (!pp_str_eq(x->key, y->key) || !pp_str_eq(x->value, y->value))
            return false;
    }
    return true;
}

static bool has_unknown(const struct pp_data *data, enum pp_unknown_kind a, enum pp_unknown_kind b, uint32_t i, struct pp_range pairs)
{
    if (pp_unknown_find(data, a, i).n || pp_unknown_find(data, b, i).n)
        return true;
    for (uint32_t n = 0; data->unknown[PP_UNKNOWN_KEY_VALUE].n && n < pairs.n; n++)
        if (pp_unknown_find(data, PP_UNKNOWN_KEY_VALUE, pairs.first + n).n)
            return true;
    return false;
}

static bool same_resource(const void *context, uint32_t id)
{
    const struct lookup *key = context;
    const struct member *other = &key->m->resources.v[id];
    const struct pp_tables *a = &key->m->data[key->member.batch]->tables, *b = &key->m->data[other->batch]->tables;
    const struct pp_resource *x = &a->resources.v[key->member.entry], *y = &b->resources.v[other->entry];

    return pp_str_eq(x->schema_url, y->schema_url) && x->dropped_attributes_count == y->dropped_attributes_count &&
           same_pairs(a, x->attributes, b, y->attributes);
}

static bool same_scope(const void *context, uint32_t id)
{
    const struct lookup *key = context;
    const struct member *other = &key->m->scopes.v[id];
    const struct pp_tables *a = &key->m->data[key->member.batch]->tables, *b = &key->m->data[other->batch]->tables;
    const struct pp_scope *x = &a->scopes.v[key->member.entry], *y = &b->scopes.v[other->entry];

    return other->scopes == key->parent && pp_str_eq(x->name, y->name) && pp_str_eq(x->version, y->version) &&
           pp_str_eq(x->schema_url, y->schema_url) && x->dropped_attributes_count == y->dropped_attributes_count &&
           same_pairs(a, x->attributes, b, y->attributes);
}

/* Numbers the resource and puts it into its group; NONE when memory is out. */
static uint32_t add_resource(struct merger *m, uint32_t batch, uint32_t entry)
{
    const struct pp_data *data = m->data[batch];
    const struct pp_resource *r = &data->tables.resources.v[entry];
    struct lookup key = {m, {batch, entry, 0, NONE, 0, NONE, NONE}, NONE};
    uint64_t hash = hash_pairs(&data->tables, r->attributes, pp_hash_str(r->schema_url));
    bool apart = has_unknown(data, PP_UNKNOWN_RESOURCE, PP_UNKNOWN_RESOURCE_PROFILES, entry, r->attributes);
    uint32_t group = apart ? NONE : pp_index_find(&m->resource_index, hash, same_resource, &key), id = (uint32_t)m->resources.n;

    key.member.group = group == NONE ? id : group;
    key.member.last = id;
    if (!pp_vec_push(&m->resources, key.member) || (group == NONE && !apart && !pp_index_add(&m->resource_index, hash, id)))
        return NONE;
    return key.member.group;
}

/* As above; a new group joins its resource group's list, at the end. */
static bool add_scope(struct merger *m, uint32_t batch, uint32_t entry, uint32_t parent)
{
    const struct pp_data *data = m->data[batch];
    const struct pp_scope *s = &data->tables.scopes.v[entry];
    struct lookup key = {m, {batch, entry, 0, NONE, 0, parent, NONE}, parent};
    uint64_t hash = pp_hash_mix(hash_pairs(&data->tables, s->attributes, pp_hash_str(s->name)), parent);
    bool apart = has_unknown(data, PP_UNKNOWN_SCOPE, PP_UNKNOWN_SCOPE_PROFILES, entry, s->attributes);
    uint32_t group = apart ? NONE : pp_index_find(&m->scope_index, hash, same_scope, &key), id = (uint32_t)m->scopes.n;
    struct member *owner = &m->resources.v[parent];

    key.member.group = group == NONE ? id : group;
    key.member.last = id;
    if (!pp_vec_push(&m->scopes, key.member) || (group == NONE && !apart && !pp_index_add(&m->scope_index, hash, id)))
        return false;
    if (group != NONE) {
        m->scopes.v[m->scopes.v[group].last].next = id;
        m->scopes.v[group].last = id;
    } else if (owner->scopes == NONE) {
        owner->scopes = owner->next = id; /* `next` of a resource group: its last scope group */
    } else {
        m->scopes.v[owner->next].sibling = id;
        owner->next = id;
    }
    return true;
}

static bool group_all(struct merger *m)
{
    for (uint32_t b = 0; b < m->batches_n; b++) {
        const struct pp_tables *t = &m->data[b]->tables;

        for (uint32_t r = 0; r < t->resources.n; r++) {
            struct pp_range scopes = t->resources.v[r].scopes;
            uint32_t group = add_resource(m, b, r);

            if (group == NONE)
                return false;
            for (uint32_t s = scopes.first; s < scopes.first + scopes.n; s++)
                if (!add_scope(m, b, s, group))
                    return false;
        }
    }
    return true;
}

static void emit_scope_group(struct merger *m, uint32_t group)
{
    const struct member *first = &m->scopes.v[group];

    pp_gather_scope(&m->gathers[first->batch], first->entry);
    for (uint32_t i = group; i != NONE; i = m->scopes.v[i].next) {
        const struct member *member = &m->scopes.v[i];
        struct pp_range profiles = m->data[member->batch]->tables.scopes.v[member->entry].profiles;

        for (uint32_t p = profiles.first; p < profiles.first + profiles.n && !pp_builder_failed(m->builder); p++) {
            if (m->remaps[member->batch].from)
                pp_remap_profile(&m->remaps[member->batch], p);
            else
                pp_gather_whole_profile(&m->gathers[member->batch], p);
        }
    }
}

static void emit_all(struct merger *m)
{
    for (uint32_t b = 0; b < m->batches_n; b++)
        pp_gather_top(&m->gathers[b]);
    for (uint32_t r = 0; r < m->resources.n && !pp_builder_failed(m->builder); r++) {
        const struct member *resource = &m->resources.v[r];

        if (resource->group != r)
            continue;
        pp_gather_resource(&m->gathers[resource->batch], resource->entry);
        for (uint32_t s = resource->scopes; s != NONE && !pp_builder_failed(m->builder); s = m->scopes.v[s].sibling)
            emit_scope_group(m, s);
    }
}

/* What is true of all inputs; NULL when there is nothing. */
static bool common_context(struct pp_batch *const *batches, size_t n, struct pp_context **ret)
{
    struct pp_context *common = pp_context_ref(batches[0]->context);

    for (size_t i = 1; i < n && common; i++) {
        struct pp_context *less = NULL;
        bool ok = pp_context_common(common, batches[i]->context, &less);

        pp_context_unref(common);
        if (!ok)
            return false;
        common = less;
    }
    *ret = common;
    return true;
}

static bool make_builder(struct merger *m, struct pp_batch *const *batches, size_t n)
{
    struct pp_context *context;

    if (!common_context(batches, n, &context))
        return false;
    m->builder = pp_builder_new(context);
    pp_context_unref(context);
    return m->builder != NULL;
}

static bool open_source(struct merger *m, struct pp_data *data, size_t i)
{
    bool ok;

    m->data[i] = data;
    if (pp_remap_possible(data)) {
        m->gathers[i] = (struct pp_gather){.from = data};
        ok = pp_remap_init(&m->remaps[i], data, NULL, m->builder);
    } else {
        ok = pp_gather_init(&m->gathers[i], data);
    }
    pp_gather_begin(&m->gathers[i], m->builder);
    return ok;
}

static bool prepare(struct merger *m, struct pp_batch *const *batches, size_t n, struct pp_error *err)
{
    m->data = pp_calloc(n, sizeof(*m->data));
    m->gathers = pp_calloc(n, sizeof(*m->gathers));
    m->remaps = pp_calloc(n, sizeof(*m->remaps));
    if (!m->data || !m->gathers || !m->remaps || !make_builder(m, batches, n))
        return pp_error_nomem(err);
    for (; m->batches_n < n; m->batches_n++) {
        struct pp_data *data = pp_batch_data(batches[m->batches_n], err);

        if (!data)
            return false;
        if (!open_source(m, data, m->batches_n))
            return pp_error_nomem(err);
    }
    return group_all(m) || pp_error_nomem(err);
}

bool pp_batch_merge(struct pp_batch *const *batches, size_t n, struct pp_batch **ret, struct pp_error *err)
{
    struct merger m = {0};
    bool ok;

    if (n == 1) {
        *ret = pp_batch_ref(batches[0]);
        return true;
    }
    ok = prepare(&m, batches, n, err);
    if (ok) {
        emit_all(&m);
        ok = pp_builder_finish(m.builder, ret, err);
    }
    for (size_t i = 0; i < m.batches_n; i++) {
        pp_gather_done(&m.gathers[i]);
        pp_remap_done(&m.remaps[i]);
    }
    pp_free(m.gathers);
    pp_free(m.remaps);
    pp_free((void *)m.data);
    pp_vec_done(&m.resources);
    pp_vec_done(&m.scopes);
    pp_index_done(&m.resource_index);
    pp_index_done(&m.scope_index);
    pp_builder_free(m.builder);
    return ok;
}

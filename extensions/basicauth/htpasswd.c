#include "htpasswd.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/index.h"
#include "base/mem.h"
#include "base/vec.h"
#include "password_hash.h"
#include "pipeline/secret_digest.h"

struct pp_htpasswd {
    atomic_uint refs;
    char *text; /* what entries point into; wiped at the end */
    size_t text_n, text_max;
    PP_VEC(struct pp_htpasswd_entry) entries;
    struct pp_index index; /* by user */
    uint32_t decoy;        /* PP_INDEX_NONE: none */
};

struct key {
    const struct pp_htpasswd *table;
    struct pp_str user;
};

/* FNV-1a. Users come from the administrator, so nobody chooses them to collide; what peers ask for only follows short chains. */
static uint64_t hash_of(struct pp_str user)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < user.n; i++)
        hash = (hash ^ (unsigned char)user.p[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static bool is_user(const void *context, uint32_t id)
{
    const struct key *key = context;

    return pp_str_eq(key->table->entries.v[id].user, key->user);
}

static uint32_t find(const struct pp_htpasswd *table, struct pp_str user)
{
    const struct key key = {table, user};

    return pp_index_find(&table->index, hash_of(user), is_user, &key);
}

static struct pp_str keep(struct pp_htpasswd *table, struct pp_str s)
{
    struct pp_str copy = {table->text + table->text_n, s.n};

    memcpy(table->text + table->text_n, s.p, s.n);
    table->text[table->text_n + s.n] = '\0';
    table->text_n += s.n + 1;
    return copy;
}

static bool add(struct pp_htpasswd *table, struct pp_str user, struct pp_str password, struct pp_error *err)
{
    uint32_t id = find(table, user);

    if (id != PP_INDEX_NONE) {
        table->entries.v[id].password = keep(table, password);
        return true;
    }
    if (table->entries.n >= PP_HTPASSWD_USERS_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "more than %u users", PP_HTPASSWD_USERS_MAX);
    id = (uint32_t)table->entries.n;
    if (!pp_vec_push(&table->entries, (struct pp_htpasswd_entry){keep(table, user), keep(table, password)}) ||
        !pp_index_add(&table->index, hash_of(user), id))
        return pp_error_nomem(err);
    return true;
}

static bool add_line(struct pp_htpasswd *table, struct pp_str line, size_t *ignored, struct pp_error *err)
{
    const char *colon;

    line = pp_str_trim(line);
    if (line.n == 0)
        return true;
    colon = memchr(line.p, ':', line.n);
    if (!colon || line.n > PP_HTPASSWD_LINE_BYTES_MAX || memchr(line.p, '\0', line.n) ||
        !pp_password_is_usable((struct pp_str){colon + 1, (size_t)(line.p + line.n - colon - 1)})) {
        ++*ignored;
        return true;
    }
    return add(table, (struct pp_str){line.p, (size_t)(colon - line.p)}, (struct pp_str){colon + 1, (size_t)(line.p + line.n - colon - 1)}, err);
}

static bool add_lines(struct pp_htpasswd *table, struct pp_str lines, size_t *ignored, struct pp_error *err)
{
    while (lines.n > 0) {
        const char *newline = memchr(lines.p, '\n', lines.n);
        size_t n = newline ? (size_t)(newline - lines.p) : lines.n, used = newline ? n + 1 : n;

        if (!add_line(table, (struct pp_str){lines.p, n}, ignored, err))
            return false;
        lines = (struct pp_str){lines.p + used, lines.n - used};
    }
    return true;
}

static void choose_decoy(struct pp_htpasswd *table)
{
    table->decoy = PP_INDEX_NONE;
    for (uint32_t i = 0; i < table->entries.n && table->decoy == PP_INDEX_NONE; i++)
        if (pp_password_is_slow(table->entries.v[i].password))
            table->decoy = i;
}

bool pp_htpasswd_parse(struct pp_str file, struct pp_str inline_lines, struct pp_htpasswd **ret, size_t *ret_ignored, struct pp_error *err)
{
    struct pp_htpasswd *table;
    size_t ignored = 0;

    if (file.n > PP_HTPASSWD_BYTES_MAX || inline_lines.n > PP_HTPASSWD_BYTES_MAX)
        return pp_error_set(err, PP_ERR_LIMIT, "more than %u bytes of users", PP_HTPASSWD_BYTES_MAX);
    table = pp_calloc(1, sizeof(*table));
    if (!table)
        return pp_error_nomem(err);
    atomic_init(&table->refs, 1);
    /* Of each line the text without its colon and newline, and two NULs. */
    table->text_max = file.n + inline_lines.n + 4;
    table->text = pp_malloc(table->text_max);
    if (!table->text || !add_lines(table, file, &ignored, err) || !add_lines(table, inline_lines, &ignored, err)) {
        if (!table->text)
            pp_error_nomem(err);
        pp_htpasswd_unref(table);
        return false;
    }
    choose_decoy(table);
    *ret = table;
    *ret_ignored = ignored;
    return true;
}

struct pp_htpasswd *pp_htpasswd_ref(struct pp_htpasswd *table)
{
    if (table)
        atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void pp_htpasswd_unref(struct pp_htpasswd *table)
{
    if (!table || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    pp_secret_wipe(table->text, table->text_n);
    pp_free(table->text);
    pp_vec_done(&table->entries);
    pp_index_done(&table->index);
    pp_free(table);
}

size_t pp_htpasswd_users(const struct pp_htpasswd *table)
{
    return table->entries.n;
}

const struct pp_htpasswd_entry *pp_htpasswd_find(const struct pp_htpasswd *table, struct pp_str user)
{
    uint32_t id = find(table, user);

    return id == PP_INDEX_NONE ? NULL : &table->entries.v[id];
}

const struct pp_htpasswd_entry *pp_htpasswd_decoy(const struct pp_htpasswd *table)
{
    return table->decoy == PP_INDEX_NONE ? NULL : &table->entries.v[table->decoy];
}

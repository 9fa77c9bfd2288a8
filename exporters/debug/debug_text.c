#include "debug_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "convert/any_text.h"
#include "profiles/any_value.h"
#include "render/frame_name.h"

struct printer {
    const struct pp_tables *t;
    struct pp_buf *out;
};

static void add_hex(struct pp_buf *out, const uint8_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pp_buf_printf(out, "%02x", id[i]);
}

static bool is_zero(const uint8_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (id[i])
            return false;
    return true;
}

/* Text of a peer's on one line of ours. */
static void add_line_text(struct pp_buf *out, struct pp_str s)
{
    char *room = pp_buf_reserve(out, s.n);

    for (size_t i = 0; room && i < s.n; i++)
        room[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F ? ' ' : s.p[i];
    if (room)
        out->len += s.n;
}

static void add_value_text(struct printer *p, struct pp_str encoded)
{
    size_t start = p->out->len;

    pp_any_text_add(p->out, encoded);
    for (size_t i = start; i < p->out->len; i++)
        if ((unsigned char)p->out->data[i] < 0x20)
            p->out->data[i] = ' ';
}

static struct pp_str string_of(const struct printer *p, int32_t index)
{
    return p->t->strings.v[index];
}

static void add_key_values(struct printer *p, struct pp_range range)
{
    for (uint32_t i = 0; i < range.n; i++) {
        const struct pp_key_value *kv = &p->t->key_values.v[range.first + i];

        pp_buf_add_byte(p->out, ' ');
        add_line_text(p->out, kv->key);
        pp_buf_add_byte(p->out, '=');
        add_value_text(p, kv->value);
    }
}

static void add_bracketed(struct printer *p, struct pp_str schema_url)
{
    if (schema_url.n == 0)
        return;
    pp_buf_add_c(p->out, " [");
    add_line_text(p->out, schema_url);
    pp_buf_add_byte(p->out, ']');
}

static void normal_scope(struct printer *p, const struct pp_scope *scope, uint32_t number)
{
    pp_buf_printf(p->out, "ScopeProfiles #%" PRIu32, number);
    if (scope->name.n) {
        pp_buf_add_byte(p->out, ' ');
        add_line_text(p->out, scope->name);
    }
    if (scope->version.n) {
        pp_buf_add_byte(p->out, '@');
        add_line_text(p->out, scope->version);
    }
    add_bracketed(p, scope->schema_url);
    add_key_values(p, scope->attributes);
    pp_buf_add_byte(p->out, '\n');
}

static void normal_profile(struct printer *p, const struct pp_profile *profile)
{
    if (!is_zero(profile->profile_id, sizeof(profile->profile_id)))
        add_hex(p->out, profile->profile_id, sizeof(profile->profile_id));
    pp_buf_printf(p->out, " samples=%" PRIu32, profile->samples.n);
    for (uint32_t i = 0; i < profile->attrs.n; i++) {
        const struct pp_attribute *a = &p->t->attributes.v[p->t->attr_indices.v[profile->attrs.first + i]];

        pp_buf_add_byte(p->out, ' ');
        add_line_text(p->out, string_of(p, a->key));
        pp_buf_add_byte(p->out, '=');
        add_value_text(p, a->value);
    }
    pp_buf_add_byte(p->out, '\n');
}

bool pp_debug_text_normal(const struct pp_tables *tables, struct pp_buf *buf)
{
    struct printer p = {tables, buf};

    for (uint32_t r = 0; r < tables->resources.n; r++) {
        const struct pp_resource *resource = &tables->resources.v[r];

        pp_buf_printf(buf, "ResourceProfiles #%" PRIu32, r);
        add_bracketed(&p, resource->schema_url);
        add_key_values(&p, resource->attributes);
        pp_buf_add_byte(buf, '\n');
        for (uint32_t s = 0; s < resource->scopes.n; s++) {
            const struct pp_scope *scope = &tables->scopes.v[resource->scopes.first + s];

            normal_scope(&p, scope, s);
            for (uint32_t i = 0; i < scope->profiles.n && !buf->failed; i++)
                normal_profile(&p, &tables->profiles.v[scope->profiles.first + i]);
        }
    }
    return !buf->failed;
}

static const char *kind_name(struct pp_str encoded)
{
    static const char *const names[] = {
        [PP_ANY_EMPTY] = "Empty", [PP_ANY_STRING] = "Str", [PP_ANY_BOOL] = "Bool",   [PP_ANY_INT] = "Int",
        [PP_ANY_DOUBLE] = "Double", [PP_ANY_ARRAY] = "Slice", [PP_ANY_KVLIST] = "Map", [PP_ANY_BYTES] = "Bytes",
    };
    struct pp_any_value value;

    return pp_any_value_read(encoded, &value) && value.kind <= PP_ANY_BYTES ? names[value.kind] : "Empty";
}

static void add_typed(struct printer *p, const char *indent, struct pp_str key, struct pp_str value, struct pp_str unit)
{
    pp_buf_printf(p->out, "%s -> ", indent);
    add_line_text(p->out, key);
    pp_buf_printf(p->out, ": %s(", kind_name(value));
    add_value_text(p, value);
    pp_buf_add_byte(p->out, ')');
    if (unit.n) {
        pp_buf_add_byte(p->out, ' ');
        add_line_text(p->out, unit);
    }
    pp_buf_add_byte(p->out, '\n');
}

static void add_labelled(struct printer *p, const char *label, struct pp_str text)
{
    pp_buf_add_c(p->out, label);
    add_line_text(p->out, text);
    pp_buf_add_byte(p->out, '\n');
}

static void add_attributes(struct printer *p, const char *title, const char *indent, struct pp_range range)
{
    if (range.n)
        pp_buf_printf(p->out, "%s\n", title);
    for (uint32_t i = 0; i < range.n; i++) {
        const struct pp_attribute *a = &p->t->attributes.v[p->t->attr_indices.v[range.first + i]];

        add_typed(p, indent, string_of(p, a->key), a->value, string_of(p, a->unit));
    }
}

static void add_owner_attributes(struct printer *p, const char *title, struct pp_range range)
{
    if (range.n)
        pp_buf_printf(p->out, "%s\n", title);
    for (uint32_t i = 0; i < range.n; i++) {
        const struct pp_key_value *kv = &p->t->key_values.v[range.first + i];

        add_typed(p, "    ", kv->key, kv->value, (struct pp_str){0});
    }
}

/* As Go prints a time: 2020-02-11 20:26:12.000000321 +0000 UTC */
static void add_time(struct pp_buf *out, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / PP_NS_PER_S);
    char text[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    pp_buf_printf(out, "%s.%09" PRIu64 " +0000 UTC", text, (uint64_t)(unix_ns % PP_NS_PER_S));
}

static void add_value_type(struct printer *p, const char *label, struct pp_value_type type)
{
    pp_buf_add_c(p->out, label);
    add_line_text(p->out, string_of(p, type.type));
    pp_buf_add_byte(p->out, '/');
    add_line_text(p->out, string_of(p, type.unit));
    pp_buf_add_byte(p->out, '\n');
}

static void detailed_lines(struct printer *p, const struct pp_location *location)
{
    for (uint32_t i = 0; i < location->lines.n; i++) {
        const struct pp_line *line = &p->t->lines.v[location->lines.first + i];
        struct pp_str file = string_of(p, p->t->functions.v[line->function].filename);

        pp_buf_add_c(p->out, "            ");
        add_line_text(p->out, pp_frame_function_name(p->t, line->function));
        if (file.n) {
            pp_buf_add_byte(p->out, ' ');
            add_line_text(p->out, file);
        }
        if (line->line)
            pp_buf_printf(p->out, ":%" PRId64, line->line);
        pp_buf_add_c(p->out, i + 1 < location->lines.n ? " (inlined)\n" : "\n");
    }
}

static void detailed_stack(struct printer *p, int32_t stack)
{
    struct pp_range locations = p->t->stacks.v[stack].locations;

    if (locations.n)
        pp_buf_add_c(p->out, "        Stack:\n");
    for (uint32_t i = 0; i < locations.n && !p->out->failed; i++) {
        const struct pp_location *location = &p->t->locations.v[p->t->location_indices.v[locations.first + i]];

        detailed_lines(p, location);
        if (location->lines.n)
            continue;
        pp_buf_add_c(p->out, "            ");
        pp_frame_address_name(p->t, location, p->out);
        pp_buf_add_byte(p->out, '\n');
    }
}

static void detailed_sample(struct printer *p, uint32_t sample, uint32_t number)
{
    const struct pp_samples *s = &p->t->samples;
    const struct pp_link *link = &p->t->links.v[s->link[sample]];

    pp_buf_printf(p->out, "    Sample #%" PRIu32 "\n        Values: [", number);
    for (uint32_t i = 0; i < s->values[sample].n; i++)
        pp_buf_printf(p->out, "%s%" PRId64, i ? " " : "", p->t->values.v[s->values[sample].first + i]);
    pp_buf_add_c(p->out, "]\n");
    if (s->timestamps[sample].n)
        pp_buf_add_c(p->out, "        Timestamps:\n");
    for (uint32_t i = 0; i < s->timestamps[sample].n; i++) {
        pp_buf_add_c(p->out, "            ");
        add_time(p->out, p->t->timestamps.v[s->timestamps[sample].first + i]);
        pp_buf_add_byte(p->out, '\n');
    }
    if (!is_zero(link->trace_id, sizeof(link->trace_id)) || !is_zero(link->span_id, sizeof(link->span_id))) {
        pp_buf_add_c(p->out, "        Trace ID: ");
        add_hex(p->out, link->trace_id, sizeof(link->trace_id));
        pp_buf_add_c(p->out, "\n        Span ID: ");
        add_hex(p->out, link->span_id, sizeof(link->span_id));
        pp_buf_add_byte(p->out, '\n');
    }
    add_attributes(p, "        Attributes:", "            ", s->attrs[sample]);
    detailed_stack(p, s->stack[sample]);
}

static void detailed_profile(struct printer *p, const struct pp_profile *profile, uint32_t number)
{
    pp_buf_printf(p->out, "Profile #%" PRIu32 "\n    Profile ID     : ", number);
    if (!is_zero(profile->profile_id, sizeof(profile->profile_id)))
        add_hex(p->out, profile->profile_id, sizeof(profile->profile_id));
    add_value_type(p, "\n    Sample type    : ", profile->sample_type);
    pp_buf_add_c(p->out, "    Start time     : ");
    add_time(p->out, profile->time_unix_nano);
    pp_buf_printf(p->out, "\n    Duration       : %" PRIu64 ".%09" PRIu64 "s\n", (uint64_t)(profile->duration_nano / PP_NS_PER_S),
                  (uint64_t)(profile->duration_nano % PP_NS_PER_S));
    add_value_type(p, "    Period type    : ", profile->period_type);
    pp_buf_printf(p->out, "    Period         : %" PRId64 "\n    Dropped attributes count: %" PRIu32 "\n", profile->period,
                  profile->dropped_attributes_count);
    if (profile->original_payload.n) {
        add_labelled(p, "    Original payload format: ", profile->original_payload_format);
        pp_buf_printf(p->out, "    Original payload size: %zu\n", profile->original_payload.n);
    }
    add_attributes(p, "    Attributes:", "        ", profile->attrs);
    for (uint32_t i = 0; i < profile->samples.n && !p->out->failed; i++)
        detailed_sample(p, profile->samples.first + i, i);
}

static void detailed_scope(struct printer *p, const struct pp_scope *scope, uint32_t number)
{
    pp_buf_printf(p->out, "ScopeProfiles #%" PRIu32 "\n", number);
    add_labelled(p, "ScopeProfiles SchemaURL: ", scope->schema_url);
    pp_buf_add_c(p->out, "InstrumentationScope ");
    add_line_text(p->out, scope->name);
    pp_buf_add_byte(p->out, ' ');
    add_line_text(p->out, scope->version);
    pp_buf_add_byte(p->out, '\n');
    add_owner_attributes(p, "InstrumentationScope attributes:", scope->attributes);
    for (uint32_t i = 0; i < scope->profiles.n && !p->out->failed; i++)
        detailed_profile(p, &p->t->profiles.v[scope->profiles.first + i], i);
}

static void detailed_mappings(struct printer *p)
{
    for (uint32_t i = 1; i < p->t->mappings.n; i++) {
        const struct pp_mapping *m = &p->t->mappings.v[i];

        pp_buf_printf(p->out, "Mapping #%" PRIu32 "\n    Memory start: 0x%" PRIx64 "\n    Memory limit: 0x%" PRIx64 "\n    File offset: 0x%" PRIx64 "\n", i,
                      m->memory_start, m->memory_limit, m->file_offset);
        add_labelled(p, "    File name: ", string_of(p, m->filename));
        add_attributes(p, "    Attributes:", "        ", m->attrs);
    }
}

bool pp_debug_text_detailed(const struct pp_tables *tables, struct pp_buf *buf)
{
    struct printer p = {tables, buf};

    detailed_mappings(&p);
    for (uint32_t r = 0; r < tables->resources.n; r++) {
        const struct pp_resource *resource = &tables->resources.v[r];

        pp_buf_printf(buf, "ResourceProfiles #%" PRIu32 "\n", r);
        add_labelled(&p, "Resource SchemaURL: ", resource->schema_url);
        add_owner_attributes(&p, "Resource attributes:", resource->attributes);
        for (uint32_t s = 0; s < resource->scopes.n && !buf->failed; s++)
            detailed_scope(&p, &tables->scopes.v[resource->scopes.first + s], s);
    }
    return !buf->failed;
}

#include "pprof_ingest.h"

#include "convert/pprof_open.h"
#include "convert/pprof_to_batch.h"
#include "convert/utf8_repair.h"
#include "profiles/any_value.h"

#define SCOPE_NAME "profpipe/receivers/pprof"

/* "pprof/shop" -> "shop" */
static const char *service_name(const struct pp_component *self)
{
    const struct pp_pprof_config *config = self->config;
    const char *slash = strchr(self->id, '/');

    if (config->service_name && *config->service_name)
        return config->service_name;
    return slash ? slash + 1 : "unknown_service";
}

static bool add_attribute(struct pp_arena *arena, const char *key, struct pp_str text, struct pp_key_value *ret)
{
    struct pp_str repaired;

    ret->key = pp_str_c(key);
    return pp_utf8_repair(arena, text, &repaired) && pp_any_value_from_string(arena, repaired, &ret->value);
}

static bool convert(const struct pp_component *self, const struct pp_pprof_source *source, const struct pp_pprof *profile,
                    struct pp_batch **ret, struct pp_error *err)
{
    struct pp_arena arena = {0};
    struct pp_key_value resource[1 + PP_PPROF_ATTRIBUTES_MAX];
    struct pp_pprof_origin origin = {.resource = resource,
                                     .resource_n = 1 + source->attributes_n,
                                     .scope_name = PP_STR(SCOPE_NAME),
                                     .scope_version = PP_STR(PP_VERSION),
                                     .context = source->context};
    bool ok = add_attribute(&arena, "service.name", pp_str_c(service_name(self)), &resource[0]);

    for (size_t i = 0; ok && i < source->attributes_n; i++)
        ok = add_attribute(&arena, source->attributes[i].key, source->attributes[i].text, &resource[1 + i]);
    ok = ok ? pp_batch_from_pprof(profile, &origin, ret, err) : pp_error_nomem(err);
    pp_arena_done(&arena);
    return ok;
}

bool pp_pprof_ingest(const struct pp_component *self, const struct pp_pprof_source *source, struct pp_str content, struct pp_batch **ret,
                     struct pp_error *err)
{
    struct pp_pprof_file file;
    bool ok = true;

    if (!pp_pprof_file_open(content, &file, err))
        return false;
    if (file.profile.samples.n == 0)
        *ret = NULL;
    else
        ok = convert(self, source, &file.profile, ret, err);
    pp_pprof_file_done(&file);
    return ok;
}

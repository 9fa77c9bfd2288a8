#include "action.h"

#include <errno.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define FROM_CONTEXT_BYTES_MAX (64u * 1024)

static bool compile(struct pp_action *action, struct pp_error *err)
{
    const char *pattern = action->config->pattern;
    PCRE2_UCHAR reason[128];
    PCRE2_SIZE offset;
    uint32_t names = 0;
    int code;

    action->match_context = pcre2_match_context_create(NULL);
    if (!action->match_context)
        return pp_error_nomem(err);
    pcre2_set_match_limit(action->match_context, PP_ACTION_MATCH_STEPS_MAX);
    action->regex = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &offset, NULL);
    if (!action->regex) {
        pcre2_get_error_message(code, reason, sizeof(reason));
        return pp_error_set(err, PP_ERR_CONFIG, "regular expression \"%s\": %s at offset %zu", pattern, (const char *)reason, offset);
    }
    pcre2_pattern_info(action->regex, PCRE2_INFO_NAMECOUNT, &names);
    if (action->config->action == PP_ACTION_EXTRACT && names == 0)
        return pp_error_set(err, PP_ERR_CONFIG, "regular expression \"%s\" has no named group, (?P<name>...), to extract", pattern);
    return true;
}

bool pp_action_init(struct pp_action *action, const struct pp_action_config *config, struct pp_arena *arena, struct pp_error *err)
{
    *action = (struct pp_action){.config = config};
    if (config->pattern && !compile(action, err))
        return false;
    return !config->value || pp_action_encode_node(config->value, arena, &action->value, err);
}

void pp_action_done(struct pp_action *action)
{
    pcre2_code_free(action->regex);
    pcre2_match_context_free(action->match_context);
    *action = (struct pp_action){0};
}

/* Invalid UTF-8 and values that cost too many steps do not match. NULL: no match. */
static pcre2_match_data *match(const struct pp_action *action, struct pp_str subject)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(action->regex, NULL);

    if (data && pcre2_match(action->regex, (PCRE2_SPTR)(subject.n ? subject.p : ""), subject.n, 0, 0, data, action->match_context) < 0) {
        pcre2_match_data_free(data);
        return NULL;
    }
    return data;
}

static bool matches(const struct pp_action *action, struct pp_str subject)
{
    pcre2_match_data *data = match(action, subject);

    pcre2_match_data_free(data);
    return data != NULL;
}

static bool set_copy(struct pp_action_site *site, struct pp_str key, struct pp_str value)
{
    const char *key_copy = pp_arena_strdup(site->arena, key), *value_copy = pp_arena_strdup(site->arena, value);

    return key_copy && value_copy &&
           pp_resource_set(&site->edit, (struct pp_str){key_copy, key.n}, (struct pp_str){value_copy, value.n});
}

/* Into *ret_found whether the request carries it. */
static bool value_from_context(const struct pp_action *action, const struct pp_action_site *site, struct pp_str *ret, bool *ret_found)
{
    const char *from = action->config->from_context;
    struct pp_str one;
    struct pp_buf joined;
    bool ok;

    *ret_found = false;
    if (!site->context)
        return true;
    if (strcmp(from, "client.address") == 0) {
        one = pp_context_peer(site->context);
        *ret_found = one.n > 0;
        return !*ret_found || pp_any_value_from_string(site->arena, one, ret);
    }
    pp_buf_init(&joined, FROM_CONTEXT_BYTES_MAX);
    for (size_t i = 0; pp_context_metadata(site->context, pp_str_c(from + strlen("metadata.")), i, &one); i++) {
        if (i)
            pp_buf_add_byte(&joined, ';');
        pp_buf_add_str(&joined, one);
        *ret_found = true;
    }
    *ret_found = *ret_found && !joined.failed;
    ok = !*ret_found || pp_any_value_from_string(site->arena, pp_buf_str(&joined), ret);
    pp_buf_done(&joined);
    return ok;
}

static bool apply_setter(const struct pp_action *action, struct pp_action_site *site)
{
    const struct pp_action_config *config = action->config;
    struct pp_str key = pp_str_c(config->key), value = action->value;
    uint32_t there = pp_resource_find(site->edit.tables, site->edit.resource, key), source;
    bool found = true;

    if ((config->action == PP_ACTION_INSERT && there != PP_ATTRIBUTE_NONE) ||
        (config->action == PP_ACTION_UPDATE && there == PP_ATTRIBUTE_NONE))
        return true;
    if (config->from_attribute) {
        source = pp_resource_find(site->edit.tables, site->edit.resource, pp_str_c(config->from_attribute));
        found = source != PP_ATTRIBUTE_NONE;
        if (found)
            value = pp_resource_attribute(site->edit.tables, site->edit.resource, source)->value;
    } else if (config->from_context && !value_from_context(action, site, &value, &found)) {
        return false;
    }
    return !found || set_copy(site, key, value);
}

static bool is_chosen(const struct pp_action *action, struct pp_str key)
{
    return (action->config->key && pp_str_eq_c(key, action->config->key)) || (action->regex && matches(action, key));
}

/* Hex SHA-256 of the value's bytes; numbers as 8 bytes, little-endian, as the Collector hashes them. */
static bool hash_value(struct pp_arena *arena, struct pp_str encoded, struct pp_str *ret)
{
    struct pp_any_value value;
    unsigned char digest[EVP_MAX_MD_SIZE], boolean;
    const void *data = encoded.p;
    size_t n = encoded.n;
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned digest_n;

    if (!pp_any_value_read(encoded, &value) || value.kind == PP_ANY_EMPTY)
        n = 0;
    else if (value.kind == PP_ANY_STRING || value.kind == PP_ANY_BYTES)
        data = value.string.p, n = value.string.n;
    else if (value.kind == PP_ANY_INT)
        data = &value.integer, n = sizeof(value.integer);
    else if (value.kind == PP_ANY_DOUBLE)
        data = &value.number, n = sizeof(value.number);
    else if (value.kind == PP_ANY_BOOL)
        boolean = value.boolean, data = &boolean, n = 1;
    if (EVP_Digest(n ? data : "", n, digest, &digest_n, EVP_sha256(), NULL) != 1)
        return false;
    for (unsigned i = 0; i < digest_n; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return pp_any_value_from_string(arena, (struct pp_str){hex, 2 * (size_t)digest_n}, ret);
}

/* delete and hash: the key and, with a pattern, all keys that match. From the end, so that removing moves nothing still to be seen. */
static bool apply_to_chosen(const struct pp_action *action, struct pp_action_site *site)
{
    struct pp_tables *tables = site->edit.tables;

    for (uint32_t i = tables->resources.v[site->edit.resource].attributes.n; i-- > 0;) {
        struct pp_key_value attribute = *pp_resource_attribute(tables, site->edit.resource, i);
        struct pp_str hashed;

        if (!is_chosen(action, attribute.key))
            continue;
        if (action->config->action == PP_ACTION_DELETE) {
            if (!pp_resource_remove(&site->edit, i))
                return false;
        } else if (!hash_value(site->arena, attribute.value, &hashed) || !pp_resource_set(&site->edit, attribute.key, hashed)) {
            return false;
        }
    }
    return true;
}

static bool source_value(const struct pp_action *action, const struct pp_action_site *site, struct pp_any_value *ret)
{
    uint32_t position = pp_resource_find(site->edit.tables, site->edit.resource, pp_str_c(action->config->key));

    return position != PP_ATTRIBUTE_NONE &&
           pp_any_value_read(pp_resource_attribute(site->edit.tables, site->edit.resource, position)->value, ret);
}

static bool apply_extract(const struct pp_action *action, struct pp_action_site *site)
{
    struct pp_any_value source;
    pcre2_match_data *data;
    const PCRE2_SIZE *offsets;
    PCRE2_SPTR names;
    uint32_t names_n, entry_size;
    bool ok = true;

    if (!source_value(action, site, &source) || source.kind != PP_ANY_STRING || !(data = match(action, source.string)))
        return true;
    offsets = pcre2_get_ovector_pointer(data);
    pcre2_pattern_info(action->regex, PCRE2_INFO_NAMETABLE, &names);
    pcre2_pattern_info(action->regex, PCRE2_INFO_NAMECOUNT, &names_n);
    pcre2_pattern_info(action->regex, PCRE2_INFO_NAMEENTRYSIZE, &entry_size);
    for (uint32_t i = 0; ok && i < names_n; i++) {
        PCRE2_SPTR entry = names + i * entry_size; /* group number in two bytes, then its name */
        size_t group = (size_t)entry[0] << 8 | entry[1];
        struct pp_str text = {source.string.p, 0}, value;

        if (offsets[2 * group] != PCRE2_UNSET)
            text = (struct pp_str){source.string.p + offsets[2 * group], offsets[2 * group + 1] - offsets[2 * group]};
        ok = pp_any_value_from_string(site->arena, text, &value) && set_copy(site, pp_str_c((const char *)entry + 2), value);
    }
    pcre2_match_data_free(data);
    return ok;
}

static bool number_from_string(struct pp_str text, double *ret_double, int64_t *ret_int, bool *ret_is_int)
{
    char copy[64], *end;

    if (text.n == 0 || text.n >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *ret_double = strtod(copy, &end);
    if (*end)
        return false;
    errno = 0;
    *ret_int = strtoll(copy, &end, 10);
    *ret_is_int = !*end && errno == 0;
    return true;
}

/* The value as a number both ways; false when it is none. A double outside 64 bits is no integer. */
static bool as_number(const struct pp_any_value *value, double *ret_double, int64_t *ret_int, bool *ret_is_int)
{
    switch (value->kind) {
    case PP_ANY_STRING:
        return number_from_string(value->string, ret_double, ret_int, ret_is_int);
    case PP_ANY_INT:
        *ret_int = value->integer, *ret_double = (double)value->integer, *ret_is_int = true;
        return true;
    case PP_ANY_BOOL:
        *ret_int = value->boolean, *ret_double = value->boolean, *ret_is_int = true;
        return true;
    case PP_ANY_DOUBLE:
        *ret_double = value->number;
        *ret_is_int = fabs(value->number) < 9.2e18;
        *ret_int = *ret_is_int ? (int64_t)value->number : 0;
        return true;
    default:
        return false;
    }
}

static bool string_from_value(struct pp_arena *arena, const struct pp_any_value *value, struct pp_str *ret)
{
    char text[64];

    if (value->kind == PP_ANY_BOOL)
        return pp_any_value_from_string(arena, pp_str_c(value->boolean ? "true" : "false"), ret);
    if (value->kind == PP_ANY_INT)
        snprintf(text, sizeof(text), "%lld", (long long)value->integer);
    else
        snprintf(text, sizeof(text), "%.17g", value->number);
    return pp_any_value_from_string(arena, pp_str_c(text), ret);
}

/* What cannot be converted stays as it is, as in the Collector. */
static bool apply_convert(const struct pp_action *action, struct pp_action_site *site)
{
    const char *type = action->config->converted_type;
    struct pp_any_value source;
    struct pp_str value;
    double number;
    int64_t integer;
    bool is_int, scalar;

    if (!source_value(action, site, &source))
        return true;
    scalar = source.kind == PP_ANY_BOOL || source.kind == PP_ANY_INT || source.kind == PP_ANY_DOUBLE;
    if (strcmp(type, "string") == 0) {
        if (!scalar)
            return true;
        if (!string_from_value(site->arena, &source, &value))
            return false;
    } else {
        bool to_int = strcmp(type, "int") == 0;

        if (!as_number(&source, &number, &integer, &is_int) || (to_int && !is_int))
            return true;
        if (!(to_int ? pp_any_value_from_int(site->arena, integer, &value) : pp_any_value_from_double(site->arena, number, &value)))
            return false;
    }
    return set_copy(site, pp_str_c(action->config->key), value);
}

bool pp_action_apply(const struct pp_action *action, struct pp_action_site *site)
{
    switch ((enum pp_action_kind)action->config->action) {
    case PP_ACTION_INSERT:
    case PP_ACTION_UPDATE:
    case PP_ACTION_UPSERT:
        return apply_setter(action, site);
    case PP_ACTION_DELETE:
    case PP_ACTION_HASH:
        return apply_to_chosen(action, site);
    case PP_ACTION_EXTRACT:
        return apply_extract(action, site);
    case PP_ACTION_CONVERT:
        return apply_convert(action, site);
    }
    return true;
}

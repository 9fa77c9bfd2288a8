#include "action.h"

#include <errno.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "convert/any_text.h"
#include "convert/utf8_repair.h"

#define FROM_CONTEXT_BYTES_MAX (64u * 1024)
#define TEXT_BYTES_MAX (512u << 20) /* of a value converted to a string: more than JSON makes of all that a message holds */

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

/* Into *ret the match, NULL when there is none: values that cost too many steps do not match. False when memory is out: what a rule was to delete or
 * hash must not slip through for that. */
static bool match(const struct pp_action *action, struct pp_str subject, pcre2_match_data **ret)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(action->regex, NULL);
    int found;

    if (!data)
        return false;
    found = pcre2_match(action->regex, (PCRE2_SPTR)(subject.n ? subject.p : ""), subject.n, 0, 0, data, action->match_context);
    if (found < 0)
        pcre2_match_data_free(data);
    if (found == PCRE2_ERROR_NOMEMORY)
        return false;
    *ret = found < 0 ? NULL : data;
    return true;
}

static bool set_copy(struct pp_action_site *site, struct pp_str key, struct pp_str value)
{
    const char *key_copy = pp_arena_strdup(site->arena, key), *value_copy = pp_arena_strdup(site->arena, value);

    return key_copy && value_copy &&
           pp_resource_set(&site->edit, (struct pp_str){key_copy, key.n}, (struct pp_str){value_copy, value.n});
}

/* Into *ret_found whether the request carries it and it is not too long. False when memory is out. */
static bool join_metadata(const struct pp_context *context, const char *name, struct pp_buf *out, bool *ret_found)
{
    PP_AUTOFREE char *lower = pp_strdup(name); /* as contexts have it */
    struct pp_str one;
    size_t i = 0, bytes = 0;

    if (!lower)
        return false;
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    for (; pp_context_metadata(context, pp_str_c(lower), i, &one); i++) {
        bytes += one.n + 1;
        if (bytes > FROM_CONTEXT_BYTES_MAX)
            break;
        if (i)
            pp_buf_add_byte(out, ';');
        pp_buf_add_str(out, one);
    }
    *ret_found = i > 0 && bytes <= FROM_CONTEXT_BYTES_MAX;
    return !out->failed;
}

/* What a peer sent in a header may be any bytes, a string attribute must be UTF-8. Longer than the limit counts as not there. */
static bool value_from_context(const struct pp_action *action, const struct pp_action_site *site, struct pp_str *ret, bool *ret_found)
{
    const char *from = action->config->from_context;
    struct pp_buf text;
    struct pp_str repaired;
    bool found = false, ok;

    pp_buf_init(&text, FROM_CONTEXT_BYTES_MAX);
    if (strcmp(from, "client.address") == 0) {
        found = pp_context_peer(site->context).n > 0;
        ok = pp_buf_add_str(&text, pp_context_peer(site->context));
    } else if (strncmp(from, "auth.", strlen("auth.")) == 0) {
        struct pp_str value = {0};

        found = pp_context_auth(site->context, pp_str_c(from + strlen("auth.")), &value) && value.n <= FROM_CONTEXT_BYTES_MAX;
        ok = !found || pp_buf_add_str(&text, value);
    } else {
        ok = join_metadata(site->context, from + strlen("metadata."), &text, &found);
    }
    ok = ok && (!found || (pp_utf8_repair(site->arena, pp_buf_str(&text), &repaired) && pp_any_value_from_string(site->arena, repaired, ret)));
    pp_buf_done(&text);
    if (ok)
        *ret_found = found;
    return ok;
}

/* Copies: the batch may outlive this processor. */
static bool make_copy(const struct pp_action *action, const struct pp_action_site *site, struct pp_action_copy *copy)
{
    const struct pp_action_config *config = action->config;
    struct pp_str key = pp_str_c(config->key);

    copy->found = true;
    copy->key = (struct pp_str){pp_arena_strdup(site->arena, key), key.n};
    if (config->value)
        copy->value = (struct pp_str){pp_arena_strdup(site->arena, action->value), action->value.n};
    else if (config->from_context && !value_from_context(action, site, &copy->value, &copy->found))
        return false;
    copy->made = !site->arena->failed;
    return copy->made;
}

static bool apply_setter(const struct pp_action *action, struct pp_action_site *site)
{
    const struct pp_action_config *config = action->config;
    struct pp_action_copy *copy = &site->copies[action->number];
    uint32_t there = pp_resource_find(site->edit.tables, site->edit.resource, pp_str_c(config->key)), source;

    if ((config->action == PP_ACTION_INSERT && there != PP_ATTRIBUTE_NONE) ||
        (config->action == PP_ACTION_UPDATE && there == PP_ATTRIBUTE_NONE))
        return true;
    if (!copy->made && !make_copy(action, site, copy))
        return false;
    if (!config->from_attribute)
        return !copy->found || pp_resource_set(&site->edit, copy->key, copy->value);
    source = pp_resource_find(site->edit.tables, site->edit.resource, pp_str_c(config->from_attribute));
    return source == PP_ATTRIBUTE_NONE ||
           pp_resource_set(&site->edit, copy->key, pp_resource_attribute(site->edit.tables, site->edit.resource, source)->value);
}

/* Into *ret whether the action is meant for this key. */
static bool is_chosen(const struct pp_action *action, struct pp_str key, bool *ret)
{
    pcre2_match_data *data = NULL;

    *ret = action->config->key && pp_str_eq_c(key, action->config->key);
    if (*ret || !action->regex)
        return true;
    if (!match(action, key, &data))
        return false;
    *ret = data != NULL;
    pcre2_match_data_free(data);
    return true;
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

static bool hash_attribute(struct pp_action_site *site, uint32_t position)
{
    struct pp_str hashed;

    return hash_value(site->arena, pp_resource_attribute(site->edit.tables, site->edit.resource, position)->value, &hashed) &&
           pp_resource_replace(&site->edit, position, hashed);
}

/* delete and hash: the key and, with a pattern, all keys that match. Linear, for a peer decides how many attributes there are. */
static bool apply_to_chosen(const struct pp_action *action, struct pp_action_site *site)
{
    const struct pp_tables *tables = site->edit.tables;
    uint32_t n = tables->resources.v[site->edit.resource].attributes.n;
    PP_AUTOFREE bool *chosen = pp_calloc(n, sizeof(*chosen));
    bool any = false;

    if (!chosen)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_chosen(action, pp_resource_attribute(tables, site->edit.resource, i)->key, &chosen[i]))
            return false;
        any |= chosen[i];
        if (chosen[i] && action->config->action == PP_ACTION_HASH && !hash_attribute(site, i))
            return false;
    }
    return !any || action->config->action == PP_ACTION_HASH || pp_resource_remove(&site->edit, chosen);
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
    pcre2_match_data *data = NULL;
    const PCRE2_SIZE *offsets;
    PCRE2_SPTR names;
    uint32_t names_n, entry_size;
    bool ok = true;

    if (!source_value(action, site, &source) || source.kind != PP_ANY_STRING)
        return true;
    if (!match(action, source.string, &data))
        return false;
    if (!data)
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

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool number_from_string(struct pp_str text, double *ret_double, int64_t *ret_int, bool *ret_is_int)
{
    char copy[64], *end;

    if (text.n == 0 || text.n >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *ret_double = strtod(copy, &end);
    if (end != copy + text.n || is_space(copy[0]))
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

/* As the Collector's AsString: lists and maps as JSON. */
static bool string_from_value(struct pp_arena *arena, struct pp_str encoded, struct pp_str *ret)
{
    struct pp_buf text;
    bool ok;

    pp_buf_init(&text, TEXT_BYTES_MAX);
    pp_any_text_add(&text, encoded);
    ok = !text.failed && pp_any_value_from_string(arena, pp_buf_str(&text), ret);
    pp_buf_done(&text);
    return ok;
}

/* What cannot be converted stays as it is, as in the Collector. */
static bool apply_convert(const struct pp_action *action, struct pp_action_site *site)
{
    const char *type = action->config->converted_type;
    uint32_t position = pp_resource_find(site->edit.tables, site->edit.resource, pp_str_c(action->config->key));
    struct pp_any_value source;
    struct pp_str value;
    double number;
    int64_t integer;
    bool is_int, ok;

    if (!source_value(action, site, &source))
        return true;
    if (strcmp(type, "string") == 0) {
        if (source.kind == PP_ANY_STRING)
            return true;
        ok = string_from_value(site->arena, pp_resource_attribute(site->edit.tables, site->edit.resource, position)->value, &value);
    } else {
        bool to_int = strcmp(type, "int") == 0;

        if (!as_number(&source, &number, &integer, &is_int) || (to_int && !is_int))
            return true;
        ok = to_int ? pp_any_value_from_int(site->arena, integer, &value) : pp_any_value_from_double(site->arena, number, &value);
    }
    return ok && pp_resource_replace(&site->edit, position, value);
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

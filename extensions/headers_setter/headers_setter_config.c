#include "headers_setter_config.h"

#include "pipeline/auth.h"

#define HEADER struct pp_header_config
#define CONFIG struct pp_headers_setter_config

static const char *const actions[] = {"insert", "update", "upsert", "delete", NULL};

static const struct pp_field header_fields[] = {
    PP_ROW_ENUM(HEADER, action, 0, actions,
                "insert where it is not there, update where it is, upsert in both cases, delete."),
    PP_ROW_STRING(HEADER, key, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY, "Name of the header."),
    PP_ROW_STRING(HEADER, value, PP_FIELD_SECRET, "A value that is always the same."),
    PP_ROW_STRING(HEADER, value_file, 0, "A file with the value, read again when it changes."),
    PP_ROW_STRING(HEADER, from_context, 0, "Key of the metadata that came with the data (the receiver's include_metadata)."),
    PP_ROW_STRING(HEADER, from_attribute, 0, "What the receiver's authenticator found out: username, raw."),
    PP_ROW_STRING(HEADER, default_value, PP_FIELD_SECRET, "from_context, from_attribute: the value when there is none; empty otherwise."),
    PP_ROW_END,
};

/* By the same rules as at run time. */
static void validate_text(const HEADER *header, struct pp_check *check)
{
    struct pp_arena arena = {0};
    struct pp_header_set set = {.arena = &arena};
    struct pp_error err = {0};

    if (!pp_header_set_put(&set, header->key, PP_STR(""), &err))
        pp_check_error(check, "key", "%s", err.message);
    else if (!pp_header_set_put(&set, header->key, pp_str_c(header->value), &err))
        pp_check_error(check, "value", "%s", err.message);
    else if (!pp_header_set_put(&set, header->key, pp_str_c(header->default_value), &err))
        pp_check_error(check, "default_value", "%s", err.message);
    pp_arena_done(&arena);
}

static void validate_header(const void *value, struct pp_check *check)
{
    const HEADER *header = value;
    int sources = (header->value != NULL) + (header->value_file != NULL) + (header->from_context != NULL) + (header->from_attribute != NULL);

    validate_text(header, check);
    if (header->action != PP_HEADER_DELETE && sources != 1)
        pp_check_error(check, "", "needs exactly one of value, value_file, from_context and from_attribute");
}

static const struct pp_group header_group = {
    .name = "header",
    .size = sizeof(HEADER),
    .defaults = &(const HEADER){.action = PP_HEADER_UPSERT},
    .fields = header_fields,
    .validate = validate_header,
};

static const struct pp_field fields[] = {
    PP_ROW_LIST(CONFIG, headers, PP_FIELD_REQUIRED | PP_FIELD_NONEMPTY, &header_group, "What to do, in this order."),
    PP_ROW_EXTENSION(CONFIG, additional_auth, 0, PP_OFFERS_CLIENT_AUTH, "Id of an extension that signs the request as well, after this one."),
    PP_ROW_END,
};

const struct pp_group pp_headers_setter_group = {
    .name = "headers_setter",
    .size = sizeof(CONFIG),
    .fields = fields,
};

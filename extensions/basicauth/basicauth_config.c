#include "basicauth_config.h"

#include <string.h>

#define HTPASSWD struct pp_basicauth_htpasswd
#define CLIENT struct pp_basicauth_client

static const struct pp_field htpasswd_fields[] = {
    PP_ROW_STRING(HTPASSWD, file, 0, "File as htpasswd writes it, read again when it changes."),
    {.name = "inline", .type = PP_FIELD_STRING, .flags = PP_FIELD_SECRET, .offset = offsetof(HTPASSWD, inline_lines),
     .doc = "The same as text; wins over the file."},
    PP_ROW_END,
};

static void validate_htpasswd(const void *value, struct pp_check *check)
{
    const HTPASSWD *htpasswd = value;

    if (!(htpasswd->file && *htpasswd->file) && !(htpasswd->inline_lines && *htpasswd->inline_lines))
        pp_check_error(check, "", "no credential source provided: give file or inline");
}

static const struct pp_group htpasswd_group = {
    .name = "htpasswd",
    .size = sizeof(HTPASSWD),
    .fields = htpasswd_fields,
    .validate = validate_htpasswd,
};

static const struct pp_field client_fields[] = {
    PP_ROW_STRING(CLIENT, username, 0, "The user."),
    PP_ROW_STRING(CLIENT, password, PP_FIELD_SECRET, "The password."),
    PP_ROW_STRING(CLIENT, username_file, 0, "File with the user in place of username, read again when it changes."),
    PP_ROW_STRING(CLIENT, password_file, 0, "File with the password in place of password, read again when it changes."),
    PP_ROW_END,
};

static void validate_client(const void *value, struct pp_check *check)
{
    const CLIENT *client = value;

    if (client->username && strchr(client->username, ':'))
        pp_check_error(check, "username", "must not have a colon in it (RFC 7617)");
}

static const struct pp_group client_group = {
    .name = "client_auth",
    .size = sizeof(CLIENT),
    .fields = client_fields,
    .validate = validate_client,
};

static const struct pp_field fields[] = {
    PP_ROW_OPTIONAL_OR_NULL(struct pp_basicauth_config, htpasswd, &htpasswd_group, "For servers: who may come in."),
    PP_ROW_OPTIONAL_OR_NULL(struct pp_basicauth_config, client_auth, &client_group, "For clients: who we are."),
    PP_ROW_END,
};

static void validate(const void *value, struct pp_check *check)
{
    const struct pp_basicauth_config *config = value;

    if (config->htpasswd && config->client_auth)
        pp_check_error(check, "", "only one of htpasswd and client_auth can be given");
    else if (!config->htpasswd && !config->client_auth)
        pp_check_error(check, "", "no credential source provided: give htpasswd or client_auth");
}

const struct pp_group pp_basicauth_group = {
    .name = "basicauth",
    .size = sizeof(struct pp_basicauth_config),
    .fields = fields,
    .validate = validate,
};

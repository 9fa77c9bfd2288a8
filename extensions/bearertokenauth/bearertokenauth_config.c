#include "bearertokenauth_config.h"

#include "base/arena.h"
#include "config/groups/duration.h"
#include "pipeline/auth.h"

#define CONFIG struct pp_bearertokenauth_config

static const struct pp_field retry_fields[] = {
    PP_ROW_BOOL(struct pp_bearertokenauth_retry, enabled, 0, "Whether the service starts although the file is not there yet."),
    PP_ROW_INT(struct pp_bearertokenauth_retry, max_retries, 0, 0, 1e9, "With wait_for_token_file: tries before the start fails; 0 sets no limit."),
    PP_ROW_DURATION(struct pp_bearertokenauth_retry, interval, 0, 0, PP_DURATION_MAX_S, "With wait_for_token_file: time between tries."),
    PP_ROW_END,
};

static void validate_retry(const void *value, struct pp_check *check)
{
    const struct pp_bearertokenauth_retry *retry = value;

    if (retry->enabled && retry->interval <= 0)
        pp_check_error(check, "interval", "must be more than 0 when retry_on_failure is enabled");
}

static const struct pp_group retry_group = {
    .name = "retry_on_failure",
    .size = sizeof(struct pp_bearertokenauth_retry),
    .fields = retry_fields,
    .validate = validate_retry,
};

static const struct pp_field fields[] = {
    PP_ROW_STRING(CONFIG, header, PP_FIELD_NONEMPTY, "Header that carries the token."),
    PP_ROW_STRING(CONFIG, scheme, 0, "What stands before the token, with a space between; may be empty."),
    PP_ROW_STRING(CONFIG, token, PP_FIELD_SECRET, "The token."),
    PP_ROW_STRINGS(CONFIG, tokens, PP_FIELD_SECRET, "Several: a server takes each of them, a client sends the first."),
    PP_ROW_STRING(CONFIG, filename, 0, "File with one token a line, read again when it changes; a client sends the first."),
    PP_ROW_GROUP(CONFIG, retry_on_failure, &retry_group, "What happens while the file is not there."),
    PP_ROW_BOOL(CONFIG, wait_for_token_file, 0, "The start waits for the file."),
    PP_ROW_END,
};

/* By the same rules as at run time: what cannot be sent is said now. */
static void validate_header(const CONFIG *config, struct pp_check *check)
{
    struct pp_arena arena = {0};
    struct pp_header_set set = {.arena = &arena};
    struct pp_error err = {0};

    if (!pp_header_set_put(&set, config->header, PP_STR(""), &err))
        pp_check_error(check, "header", "%s", err.message);
    if (!pp_header_set_put(&set, "authorization", pp_str_c(config->scheme), &err))
        pp_check_error(check, "scheme", "%s", err.message);
    pp_arena_done(&arena);
}

static void validate(const void *value, struct pp_check *check)
{
    const CONFIG *config = value;
    bool has_token = config->token && *config->token, has_file = config->filename && *config->filename;

    validate_header(config, check);
    if (!has_token && !has_file && config->tokens.n == 0)
        pp_check_error(check, "", "no bearer token provided: give token, tokens or filename");
    if (has_token && config->tokens.n > 0)
        pp_check_error(check, "tokens", "give either tokens or token, not both");
    if (has_file && (has_token || config->tokens.n > 0))
        pp_check_warn(check, "filename", config->tokens.n ? "tokens are given: the file is not read" : "a file is given: token is not used");
    if (config->retry_on_failure.enabled && !has_file)
        pp_check_error(check, "retry_on_failure", "requires filename to be set");
    if (config->wait_for_token_file && !has_file)
        pp_check_error(check, "wait_for_token_file", "requires filename to be set");
    else if (config->wait_for_token_file && !config->retry_on_failure.enabled)
        pp_check_error(check, "wait_for_token_file", "requires retry_on_failure to be enabled");
}

const struct pp_group pp_bearertokenauth_group = {
    .name = "bearertokenauth",
    .size = sizeof(CONFIG),
    .defaults = &(const CONFIG){.header = "Authorization", .scheme = "Bearer"},
    .fields = fields,
    .validate = validate,
};

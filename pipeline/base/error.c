#include "base/error.h"

#include <stdio.h>
#include <string.h>

bool pp_error_setv(struct pp_error *err, enum pp_error_kind kind, const char *fmt, va_list args)
{
    if (err) {
        err->kind = kind;
        vsnprintf(err->message, sizeof(err->message), fmt, args);
    }
    return false;
}

bool pp_error_set(struct pp_error *err, enum pp_error_kind kind, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pp_error_setv(err, kind, fmt, args);
    va_end(args);
    return false;
}

bool pp_error_nomem(struct pp_error *err)
{
    return pp_error_set(err, PP_ERR_NOMEM, "out of memory");
}

bool pp_error_prefix(struct pp_error *err, const char *fmt, ...)
{
    char old[PP_ERROR_MESSAGE_MAX];
    va_list args;
    size_t n;

    if (!err)
        return false;
    memcpy(old, err->message, sizeof(old));
    va_start(args, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    n = strlen(err->message);
    snprintf(err->message + n, sizeof(err->message) - n, ": %s", old);
    return false;
}

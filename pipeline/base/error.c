#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* A message that was cut off ends in front of the character it was cut in. */
static void cut_whole(char *message, size_t n)
{
    size_t start = n;

    if (n < PP_ERROR_MESSAGE_MAX - 1)
        return;
    while (start > 0 && n - start < 4 && ((unsigned char)message[--start] & 0xC0) == 0x80)
        ;
    if (!pp_utf8_valid((struct pp_str){message + start, n - start}))
        message[start] = '\0';
}

bool pp_error_setv(struct pp_error *err, enum pp_error_kind kind, const char *fmt, va_list args)
{
    if (err) {
        err->kind = kind;
        vsnprintf(err->message, sizeof(err->message), fmt, args);
        cut_whole(err->message, strlen(err->message));
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
    cut_whole(err->message, strlen(err->message));
    return false;
}

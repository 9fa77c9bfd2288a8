/* An error is made once, at the depth that knows, and travels up as it is; whoever owns the component's edge logs it. */
#ifndef PP_BASE_ERROR_H
#define PP_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

enum pp_error_kind {
    PP_ERR_NONE = 0,
    PP_ERR_INVALID,     /* data that breaks a rule: malformed, out of range */
    PP_ERR_LIMIT,       /* over a named limit */
    PP_ERR_UNSUPPORTED, /* well-formed, but not something we do */
    PP_ERR_NOMEM,
    PP_ERR_IO,          /* the system or the network said no */
    PP_ERR_CONFIG,      /* the configuration is wrong */
    PP_ERR_INTERNAL,
};

#define PP_ERROR_MESSAGE_MAX 512

struct pp_error {
    enum pp_error_kind kind;
    char message[PP_ERROR_MESSAGE_MAX]; /* one line, no trailing dot or newline; valid UTF-8 if its parts are */
};

/* Fills `err` (which may be NULL) and returns false, so that a function can end with `return pp_error_set(...)`. */
bool pp_error_set(struct pp_error *err, enum pp_error_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool pp_error_setv(struct pp_error *err, enum pp_error_kind kind, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* The standard message for an allocation that failed. */
bool pp_error_nomem(struct pp_error *err);

/* Puts "prefix: " before the message that is there; the kind stays. Returns false. */
bool pp_error_prefix(struct pp_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

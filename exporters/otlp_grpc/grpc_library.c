#include "grpc_library.h"

#include <string.h>

#include <grpc/grpc.h>
#include <grpc/support/log.h>

#include "base/log.h"

static unsigned users;

/* What the library calls an error (a peer that hangs up, a handshake that fails) is for us one
 * failed attempt, which the exporter reports with its own message: here it is a detail. */
static void log_line(gpr_log_func_args *args)
{
    const char *slash = strrchr(args->file, '/');

    pp_log(PP_LOG_DEBUG, "grpc", "%s:%d: %s", slash ? slash + 1 : args->file, args->line,
           args->message);
}

void pp_grpc_library_ref(void)
{
    if (users++ == 0) {
        gpr_set_log_function(log_line);
        gpr_set_log_verbosity(pp_log_enabled(PP_LOG_DEBUG) ? GPR_LOG_SEVERITY_INFO
                                                           : GPR_LOG_SEVERITY_ERROR);
    }
    grpc_init();
}

void pp_grpc_library_unref(void)
{
    users--;
    grpc_shutdown_blocking();
}

#ifdef __SANITIZE_THREAD__
/* Debian's grpc core is not instrumented: ThreadSanitizer sees its memory (and what it lends to
 * OpenSSL) being reused, but not the locks in between. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libgrpc.so\nrace:libgpr.so\nrace:libabsl_\nrace:libcares.so\nrace:libupb.so\nrace:"
           "libssl.so\nrace:libcrypto.so\n"
           /* Memory that a thread of grpc's filled before it handed it to the caller, with libstdc++'s frames on top. */
           "race:pp_grpc_call\n"
           "deadlock:libgrpc.so\n";
}
#endif

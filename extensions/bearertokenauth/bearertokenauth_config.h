/* Configuration of the bearertokenauth extension: the Collector's keys. */
#ifndef PP_BEARERTOKENAUTH_CONFIG_H
#define PP_BEARERTOKENAUTH_CONFIG_H

#include "config/rows.h"

struct pp_bearertokenauth_retry {
    bool enabled;
    int64_t max_retries; /* 0: without end */
    int64_t interval;    /* ns */
};

struct pp_bearertokenauth_config {
    const char *header, *scheme;
    const char *token; /* one of these three; filename wins over token, tokens over filename */
    struct pp_string_list tokens;
    const char *filename;
    struct pp_bearertokenauth_retry retry_on_failure;
    bool wait_for_token_file;
};

extern const struct pp_group pp_bearertokenauth_group;

#endif

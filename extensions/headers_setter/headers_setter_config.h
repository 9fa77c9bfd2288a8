/* Configuration of the headers_setter extension: the Collector's keys. */
#ifndef PP_HEADERS_SETTER_CONFIG_H
#define PP_HEADERS_SETTER_CONFIG_H

#include "config/rows.h"

enum pp_header_action { PP_HEADER_INSERT, PP_HEADER_UPDATE, PP_HEADER_UPSERT, PP_HEADER_DELETE };

struct pp_header_config {
    int action; /* enum pp_header_action */
    const char *key;
    const char *value, *value_file, *from_context, *from_attribute; /* one of these, none with delete */
    const char *default_value;
};

struct pp_headers_setter_config {
    struct pp_group_list headers; /* of struct pp_header_config */
    const char *additional_auth;  /* an extension's id, or NULL */
};

extern const struct pp_group pp_headers_setter_group;

#endif

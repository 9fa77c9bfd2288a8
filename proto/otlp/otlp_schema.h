/* OTLP profiles as a table of messages and fields with their JSON names: what turns protobuf into OTLP JSON and back. */
#ifndef PP_PROTO_OTLP_SCHEMA_H
#define PP_PROTO_OTLP_SCHEMA_H

#include "base/str.h"

enum pp_otlp_type {
    PP_OTLP_INT32,
    PP_OTLP_UINT32,
    PP_OTLP_INT64,
    PP_OTLP_UINT64,
    PP_OTLP_FIXED64,
    PP_OTLP_DOUBLE,
    PP_OTLP_BOOL,
    PP_OTLP_STRING,
    PP_OTLP_BYTES, /* base64 in JSON */
    PP_OTLP_ID,    /* bytes, hexadecimal in JSON */
    PP_OTLP_MESSAGE,
};

struct pp_otlp_message;

struct pp_otlp_field {
    const char *name; /* lowerCamelCase */
    uint8_t number;   /* below 16: its tag is one byte */
    enum pp_otlp_type type;
    bool repeated;
    bool always; /* written also when it is absent, as the Collector does */
    bool oneof;  /* written also when it is zero: that it is set is its meaning */
    bool implied; /* an empty message is left out on the wire, where entry 0 of a table has to be empty */
    const struct pp_otlp_message *message;
};

struct pp_otlp_message {
    const struct pp_otlp_field *fields; /* by number, ascending */
    unsigned fields_n;
    bool large; /* takes kilobytes as a rule */
};

/* ExportProfilesServiceRequest, and ProfilesData, which has the same fields. */
extern const struct pp_otlp_message pp_otlp_request;

/* By its JSON name or, as the Collector tolerates, its name in the .proto file; NULL when there is none. */
const struct pp_otlp_field *pp_otlp_field_named(const struct pp_otlp_message *message, struct pp_str name);

#endif

/* OTLP JSON: proto3 JSON with ids in hexadecimal, as the Collector writes and reads it. */
#ifndef PP_PROFILES_OTLP_JSON_H
#define PP_PROFILES_OTLP_JSON_H

#include "profiles/batch.h"

#define PP_JSON_DEPTH_MAX 256u        /* nested objects and arrays; an attribute value may use PP_OTLP_VALUE_DEPTH_MAX levels of its own */
#define PP_JSON_NUMBER_BYTES_MAX 128u /* digits of one number */

/* Appends the batch as one object on one line, without a newline. 64-bit integers are strings, zero fields are left out, attributes have
 * inline keys. PP_ERR_LIMIT when the buffer's maximum is reached. */
bool pp_batch_to_json(struct pp_batch *batch, struct pp_buf *out, struct pp_error *err);

/* Reads one message; white space around it is allowed, anything else behind it is not. Unknown names are passed over, snake_case names
 * accepted, integers taken as numbers or strings, profileId as hexadecimal or base64. Then the rules of pp_batch_from_otlp apply.
 * `context` may be NULL. PP_ERR_INVALID names the byte where the text goes wrong, or the path to what breaks a rule. */
bool pp_batch_from_json(struct pp_str json, struct pp_context *context, struct pp_batch **ret, struct pp_error *err);

#endif

/* A message of which only the resources are decoded, for those who look at or change where profiles come from and leave the profiles alone.
 * Private to profiles. */
#ifndef PP_PROFILES_ORIGINS_H
#define PP_PROFILES_ORIGINS_H

#include "profiles/data.h"

/* Not for old layouts, which have to be written anew, nor where attributes refer to the string table. */
bool pp_origins_possible(const struct pp_otlp_info *info);
/* Tables with resources and their key_values only. NULL when memory is out. */
struct pp_data *pp_origins_decode(struct pp_bytes *wire, const struct pp_otlp_info *info);
/* All tables, the resources as in `origins`, also where they were edited. NULL when memory is out. */
struct pp_data *pp_origins_complete(const struct pp_data *origins, const struct pp_otlp_info *info);
/* The message with the resources as they are now, attributes inline. */
bool pp_origins_encode(const struct pp_data *origins, struct pp_bytes **ret, struct pp_error *err);
/* Its size, at most. */
size_t pp_origins_wire_bytes(const struct pp_data *origins);

#endif

/* Private to the merger: entries of the profile, found by value or made. PP_PPROF_NONE when memory is out or a limit is reached. */
#ifndef PP_CONVERT_PPROF_INTERN_H
#define PP_CONVERT_PPROF_INTERN_H

#include "convert/pprof_merge.h"

uint32_t pp_pprof_intern_string(struct pp_pprof_merge *m, struct pp_str s);
/* The entry's id is ignored. */
uint32_t pp_pprof_intern_function(struct pp_pprof_merge *m, const struct pp_pprof_function *function);
uint32_t pp_pprof_intern_mapping(struct pp_pprof_merge *m, const struct pp_pprof_mapping *mapping);
/* `lines` is in place of the location's own range. */
uint32_t pp_pprof_intern_location(struct pp_pprof_merge *m, const struct pp_pprof_location *location, const struct pp_pprof_line *lines, uint32_t lines_n);
/* The sample with these locations (positions) and labels; made with all values 0 while there are fewer than `samples_max`. */
uint32_t pp_pprof_intern_sample(struct pp_pprof_merge *m, const uint32_t *locations, uint32_t locations_n,
                                const struct pp_pprof_label *labels, uint32_t labels_n, uint32_t samples_max);
/* A new sample even where one like it exists; the function above goes on to find the first. */
uint32_t pp_pprof_append_sample(struct pp_pprof_merge *m, const uint32_t *locations, uint32_t locations_n,
                                const struct pp_pprof_label *labels, uint32_t labels_n);
/* The sample type's column; the values of all samples are laid out anew when it is new. */
uint32_t pp_pprof_intern_type(struct pp_pprof_merge *m, struct pp_pprof_value_type type);

#endif

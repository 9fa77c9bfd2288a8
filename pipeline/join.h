/* Joins the results of one batch that went several ways into one. The worst counts, because only "permanent" tells a sender not to send the
 * batch again to those that have taken it; among retries the longest delay asked for counts. */
#ifndef PP_PIPELINE_JOIN_H
#define PP_PIPELINE_JOIN_H

#include "pipeline/component.h"

struct pp_join;

/* `outer` hears the joined result once, after pp_join_close and the last part. NULL when memory is out. */
struct pp_join *pp_join_new(struct pp_done *outer);
/* One more part: what it is given as its `done`. The same for all parts; each calls it once. */
struct pp_done *pp_join_part(struct pp_join *join);
/* No more parts come; the join must not be touched afterwards. */
void pp_join_close(struct pp_join *join);

#endif

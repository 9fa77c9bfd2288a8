/* The page's template, flamegraph.html, as the build embeds it. */
#ifndef PP_RENDER_FLAMEGRAPH_PAGE_H
#define PP_RENDER_FLAMEGRAPH_PAGE_H

#include "base/str.h"

struct pp_str pp_flamegraph_page(void);

#endif

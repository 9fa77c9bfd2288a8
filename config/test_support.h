/* What the tests of this folder share: a configuration's memory in one struct, texts in, problems
 * out as text. */
#ifndef PP_CONFIG_TEST_SUPPORT_H
#define PP_CONFIG_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "config/yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct world {
    struct pp_arena arena;
    struct pp_diags diags;
    struct pp_buf printed;
};

static inline void world_open(struct world *w)
{
    *w = (struct world){0};
    pp_buf_init(&w->printed, 1 << 20);
}

static inline void world_close(struct world *w)
{
    pp_buf_done(&w->printed);
    pp_diags_done(&w->diags);
    pp_arena_done(&w->arena);
}

static inline const struct pp_node *world_read(struct world *w, const char *text)
{
    struct pp_yaml_source source = {pp_str_c(text), {.file = "t.yaml"}};

    return pp_yaml_read(&w->arena, &source, &w->diags);
}

/* All problems, sorted, as `profpipe validate` shows them. */
static inline const char *world_problems(struct world *w)
{
    pp_buf_reset(&w->printed);
    pp_diags_sort(&w->diags);
    pp_diags_print(&w->diags, &w->printed);
    pp_buf_add_byte(&w->printed, '\0');
    assert_false(w->printed.failed);
    return w->printed.data;
}

#endif

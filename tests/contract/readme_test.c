/* Each component's README holds the table of its keys as its rows give it, between the markers below; without keys it says so.
 * PP_UPDATE_READMES=1 writes the tables anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/docs.h"

#define README_BYTES_MAX (4u << 20)
#define BEGIN "<!-- table -->\n"
#define END "<!-- /table -->"

static const struct pp_factory *const *const tables[] = {pp_receivers, pp_processors, pp_exporters, pp_connectors, pp_extensions};

static char *read_file(const char *path)
{
    struct pp_buf buf;
    char chunk[65536];
    size_t n;
    FILE *f = fopen(path, "re");
    char *text;

    if (!f)
        return NULL;
    pp_buf_init(&buf, README_BYTES_MAX);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        pp_buf_add(&buf, chunk, n);
    fclose(f);
    text = pp_str_dup(pp_buf_str(&buf));
    pp_buf_done(&buf);
    return text;
}

static void write_readme(const char *path, const char *text, const char *begin, const char *end, const struct pp_buf *table)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    fwrite(text, 1, (size_t)(begin - text), f);
    fwrite(table->data, 1, table->len, f);
    fputs(end, f);
    assert_int_equal(fclose(f), 0);
}

/* Whether the README is as it should be; says what is wrong. */
static bool check(const struct pp_factory *factory)
{
    bool update = getenv("PP_UPDATE_READMES") != NULL, ok = false;
    char path[512], *text, *begin, *end;
    struct pp_buf table;

    snprintf(path, sizeof(path), "%s/%s/README.md", PP_SOURCE_DIR, factory->readme);
    text = read_file(path);
    if (!text) {
        print_error("%s: cannot be read\n", path);
        return false;
    }
    pp_buf_init(&table, PP_DOCS_BYTES_MAX);
    assert_true(pp_docs_write(factory, &table));
    begin = strstr(text, BEGIN);
    begin = begin ? begin + strlen(BEGIN) : NULL;
    end = begin ? strstr(begin, END) : NULL;
    if (!factory->config) {
        ok = strstr(text, "It takes no keys.") != NULL;
        if (!ok)
            print_error("%s: does not say \"It takes no keys.\"\n", path);
    } else if (!end) {
        print_error("%s: has no lines <!-- table --> and <!-- /table -->\n", path);
    } else {
        ok = (size_t)(end - begin) == table.len && memcmp(begin, table.data, table.len) == 0;
        if (!ok && update)
            write_readme(path, text, begin, end, &table);
        else if (!ok)
            print_error("%s: its table is not what the rows say; run this test with PP_UPDATE_READMES=1\n", path);
        ok = ok || update;
    }
    pp_buf_done(&table);
    pp_free(text);
    return ok;
}

static void every_readme_is_true(void **state)
{
    bool ok = true;

    (void)state;
    for (size_t t = 0; t < PP_KIND_COUNT; t++)
        for (const struct pp_factory *const *f = tables[t]; *f; f++)
            ok = check(*f) && ok;
    assert_true(ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_readme_is_true)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

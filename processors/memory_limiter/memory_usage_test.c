#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory_usage.h"

#define BLOCK_BYTES ((size_t)64 << 20)

static void test_resident_grows_with_use(void **state)
{
    uint64_t before = pp_memory_resident(), after;
    char *block = malloc(BLOCK_BYTES);

    (void)state;
    assert_non_null(block);
    memset(block, 1, BLOCK_BYTES);
    after = pp_memory_resident();
    free(block);
    assert_true(before > 0);
    assert_true(after - before > BLOCK_BYTES / 2);
}

static void test_total_is_at_most_the_machine(void **state)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    (void)state;
    assert_true(pp_memory_total() > 0);
    assert_true(pp_memory_total() <= machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resident_grows_with_use),
        cmocka_unit_test(test_total_is_at_most_the_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

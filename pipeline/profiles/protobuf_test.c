/* Our codec against protobuf-c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiles.pb-c.h"
#include "profiles/batch.h"
#include "profiles/testing/batch_testing.h"

#define EDIT_ALL 0x7FFu
#define SEEDS 40u
#define MUTATIONS 4000u

static const struct pp_test_shape rich = {
    .resources = 2, .scopes = 2, .profiles = 2, .samples = 10, .functions = 30, .stacks = 20, .depth = 20, .rich = true};

static struct pp_bytes *message(uint64_t seed)
{
    const struct pp_encode_options inline_keys = {0};
    struct pp_batch *batch = pp_test_batch(&rich, seed);
    struct pp_bytes *bytes = NULL;

    assert_true(pp_batch_encode(batch, &inline_keys, &bytes, NULL));
    pp_batch_unref(batch);
    return bytes;
}

static Oracle__Request *unpack(struct pp_bytes *bytes)
{
    return oracle__request__unpack(NULL, bytes->len, (const uint8_t *)bytes->data);
}

/* protobuf-c understands every byte we write, and would have written the same. */
static void test_our_bytes_are_canonical(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct pp_bytes *bytes = message(seed);
        Oracle__Request *request = unpack(bytes);
        uint8_t *again;

        assert_non_null(request);
        assert_int_equal(oracle__request__get_packed_size(request), bytes->len);
        again = malloc(bytes->len);
        oracle__request__pack(request, again);
        assert_memory_equal(again, bytes->data, bytes->len);
        free(again);
        oracle__request__free_unpacked(request, NULL);
        pp_bytes_unref(bytes);
    }
}

static void assert_same_indices(const int32_t *table, struct pp_range range, const int32_t *want, size_t n)
{
    assert_int_equal(range.n, n);
    for (uint32_t i = 0; i < range.n; i++)
        assert_int_equal(table[range.first + i], want[i]);
}

static void assert_same_dictionary(const struct pp_tables *t, const Oracle__ProfilesDictionary *d)
{
    assert_int_equal(t->strings.n, d->n_string_table);
    for (uint32_t i = 0; i < t->strings.n; i++)
        assert_true(pp_str_eq_c(t->strings.v[i], d->string_table[i]));
    assert_int_equal(t->functions.n, d->n_function_table);
    for (uint32_t i = 0; i < t->functions.n; i++) {
        assert_int_equal(t->functions.v[i].name, d->function_table[i]->name_strindex);
        assert_int_equal(t->functions.v[i].system_name, d->function_table[i]->system_name_strindex);
        assert_int_equal(t->functions.v[i].filename, d->function_table[i]->filename_strindex);
        assert_int_equal(t->functions.v[i].start_line, d->function_table[i]->start_line);
    }
    assert_int_equal(t->locations.n, d->n_location_table);
    for (uint32_t i = 0; i < t->locations.n; i++) {
        const Oracle__Location *l = d->location_table[i];

        assert_true(t->locations.v[i].address == l->address);
        assert_int_equal(t->locations.v[i].mapping, l->mapping_index);
        assert_same_indices(t->attr_indices.v, t->locations.v[i].attrs, l->attribute_indices, l->n_attribute_indices);
        assert_int_equal(t->locations.v[i].lines.n, l->n_lines);
        for (uint32_t n = 0; n < l->n_lines; n++) {
            const struct pp_line *line = &t->lines.v[t->locations.v[i].lines.first + n];

            assert_int_equal(line->function, l->lines[n]->function_index);
            assert_int_equal(line->line, l->lines[n]->line);
            assert_int_equal(line->column, l->lines[n]->column);
        }
    }
    assert_int_equal(t->stacks.n, d->n_stack_table);
    for (uint32_t i = 0; i < t->stacks.n; i++)
        assert_same_indices(t->location_indices.v, t->stacks.v[i].locations, d->stack_table[i]->location_indices,
                            d->stack_table[i]->n_location_indices);
    assert_int_equal(t->mappings.n, d->n_mapping_table);
    for (uint32_t i = 0; i < t->mappings.n; i++) {
        assert_true(t->mappings.v[i].memory_start == d->mapping_table[i]->memory_start);
        assert_same_indices(t->attr_indices.v, t->mappings.v[i].attrs, d->mapping_table[i]->attribute_indices,
                            d->mapping_table[i]->n_attribute_indices);
    }
}

static void assert_same_profile(const struct pp_tables *t, const struct pp_profile *p, const Oracle__Profile *want)
{
    const struct pp_samples *s = &t->samples;

    assert_int_equal(p->sample_type.type, want->sample_type->type_strindex);
    assert_int_equal(p->period_type.unit, want->period_type->unit_strindex);
    assert_true(p->time_unix_nano == want->time_unix_nano && p->duration_nano == want->duration_nano);
    assert_int_equal(p->period, want->period);
    assert_memory_equal(p->profile_id, want->profile_id.data, sizeof(p->profile_id));
    assert_same_indices(t->attr_indices.v, p->attrs, want->attribute_indices, want->n_attribute_indices);
    assert_int_equal(p->samples.n, want->n_samples);
    for (uint32_t n = 0; n < p->samples.n; n++) {
        const Oracle__Sample *sample = want->samples[n];
        uint32_t i = p->samples.first + n;

        assert_int_equal(s->stack[i], sample->stack_index);
        assert_int_equal(s->link[i], sample->link_index);
        assert_same_indices(t->attr_indices.v, s->attrs[i], sample->attribute_indices, sample->n_attribute_indices);
        assert_int_equal(s->values[i].n, sample->n_values);
        for (uint32_t v = 0; v < sample->n_values; v++)
            assert_int_equal(t->values.v[s->values[i].first + v], sample->values[v]);
        assert_int_equal(s->timestamps[i].n, sample->n_timestamps_unix_nano);
        for (uint32_t v = 0; v < sample->n_timestamps_unix_nano; v++)
            assert_true(t->timestamps.v[s->timestamps[i].first + v] == sample->timestamps_unix_nano[v]);
    }
}

static void test_our_tables_hold_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct pp_bytes *bytes = message(seed);
        struct pp_batch_source source = {.wire = bytes};
        Oracle__Request *request = unpack(bytes);
        const struct pp_tables *t;
        struct pp_batch *batch;
        uint32_t profile = 0;

        assert_true(pp_batch_from_otlp(&source, &batch, NULL));
        t = pp_batch_tables(batch, NULL);
        assert_same_dictionary(t, request->dictionary);
        for (size_t r = 0; r < request->n_resource_profiles; r++)
            for (size_t s = 0; s < request->resource_profiles[r]->n_scope_profiles; s++) {
                const Oracle__ScopeProfiles *scope = request->resource_profiles[r]->scope_profiles[s];

                for (size_t p = 0; p < scope->n_profiles; p++)
                    assert_same_profile(t, &t->profiles.v[profile++], scope->profiles[p]);
            }
        assert_int_equal(profile, t->profiles.n);
        oracle__request__free_unpacked(request, NULL);
        pp_batch_unref(batch);
        pp_bytes_unref(bytes);
    }
}

static uint64_t state_of_chance = 88172645463325252ull;

static uint64_t chance(void)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    return state_of_chance ^= state_of_chance << 17;
}

/* Damaged messages: what we accept protobuf-c accepts too, and decoding and encoding it again gives a message that means the same to it. */
static void test_damaged_messages(void **state)
{
    const struct pp_encode_options inline_keys = {0};
    struct pp_bytes *good = message(3);
    unsigned accepted = 0, refused = 0;

    (void)state;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        struct pp_bytes *bytes = pp_bytes_copy(pp_bytes_str(good)), *again;
        struct pp_batch_source source = {.wire = bytes};
        Oracle__Request *request;
        struct pp_batch *batch;

        for (unsigned n = 1 + chance() % 3; n > 0; n--)
            bytes->data[chance() % bytes->len] ^= (char)(1 + chance() % 255);
        request = unpack(bytes);
        if (!pp_batch_from_otlp(&source, &batch, NULL)) {
            refused++;
        } else {
            accepted++;
            assert_non_null(request);
            assert_non_null(pp_batch_edit(&batch, EDIT_ALL, NULL));
            assert_true(pp_batch_encode(batch, &inline_keys, &again, NULL));
            oracle__request__free_unpacked(request, NULL);
            request = unpack(again);
            assert_non_null(request);
            assert_int_equal(request->n_resource_profiles, pp_batch_resources(batch));
            pp_bytes_unref(again);
            pp_batch_unref(batch);
        }
        if (request)
            oracle__request__free_unpacked(request, NULL);
        pp_bytes_unref(bytes);
    }
    assert_true(accepted > MUTATIONS / 20 && refused > MUTATIONS / 20);
    pp_bytes_unref(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_bytes_are_canonical),
        cmocka_unit_test(test_our_tables_hold_the_same),
        cmocka_unit_test(test_damaged_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

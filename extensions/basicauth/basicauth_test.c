/* The table, the header, the cache, the pool, and the extension as servers and clients use it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "basic_header.h"
#include "basicauth_server.h"
#include "config/decode.h"
#include "config/test_support.h"
#include "credential_cache.h"
#include "htpasswd.h"
#include "verify_pool.h"

#define WAIT_MS 20000u

extern const struct pp_factory pp_basicauth_extension_factory;

/* bcrypt, cost 4, of "secret" */
#define BCRYPT "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

/* ---- the table ---- */

static struct pp_htpasswd *parse(const char *file, const char *lines, size_t *ignored)
{
    struct pp_htpasswd *table;
    struct pp_error err = {0};

    if (!pp_htpasswd_parse(pp_str_c(file), pp_str_c(lines), &table, ignored, &err))
        fail_msg("%s", err.message);
    return table;
}

static void assert_password(const struct pp_htpasswd *table, const char *user, const char *password)
{
    const struct pp_htpasswd_entry *entry = pp_htpasswd_find(table, pp_str_c(user));

    assert_non_null(entry);
    assert_true(pp_str_eq_c(entry->password, password));
    assert_int_equal(entry->password.p[entry->password.n], '\0');
}

static void test_table(void **state)
{
    size_t ignored;
    struct pp_htpasswd *table = parse("\n  ann:one \r\nbob:two:with colon\nno colon\nann:three\nbad:$2b$99$x\n:nobody", "bob:mine\ncat:" BCRYPT "\n",
                                      &ignored);

    (void)state;
    assert_int_equal(ignored, 2);
    assert_int_equal(pp_htpasswd_users(table), 4);
    assert_password(table, "ann", "three");
    assert_password(table, "bob", "mine");
    assert_password(table, "", "nobody");
    assert_null(pp_htpasswd_find(table, PP_STR("bad")));
    assert_null(pp_htpasswd_find(table, PP_STR("an")));
    assert_true(pp_str_eq_c(pp_htpasswd_decoy(table)->user, "cat"));
    pp_htpasswd_unref(table);
    table = parse("", "ann:one", &ignored);
    assert_null(pp_htpasswd_decoy(table));
    pp_htpasswd_unref(table);
}

static void test_table_limits(void **state)
{
    struct pp_htpasswd *table;
    struct pp_buf many;
    struct pp_error err;
    size_t ignored;

    (void)state;
    pp_buf_init(&many, 4 << 20);
    for (unsigned i = 0; i <= PP_HTPASSWD_USERS_MAX; i++)
        pp_buf_printf(&many, "u%u:p\n", i);
    assert_false(pp_htpasswd_parse(pp_buf_str(&many), PP_STR(""), &table, &ignored, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    pp_buf_reset(&many);
    for (unsigned i = 0; i <= PP_HTPASSWD_BYTES_MAX; i++)
        pp_buf_add_byte(&many, 'a');
    assert_false(pp_htpasswd_parse(pp_buf_str(&many), PP_STR(""), &table, &ignored, &err));
    assert_int_equal(err.kind, PP_ERR_LIMIT);
    /* A line over its limit is ignored, its neighbours are not. */
    many.len = PP_HTPASSWD_LINE_BYTES_MAX + 1;
    many.data[1] = ':';
    pp_buf_add_c(&many, "\nann:one");
    assert_true(pp_htpasswd_parse(pp_buf_str(&many), PP_STR(""), &table, &ignored, &err));
    assert_int_equal(ignored, 1);
    assert_int_equal(pp_htpasswd_users(table), 1);
    pp_htpasswd_unref(table);
    pp_buf_done(&many);
}

static void test_table_without_memory(void **state)
{
    (void)state;
#ifndef PP_ALLOC_FAULTS
    skip();
#endif
    for (size_t n = 1;; n++) {
        struct pp_htpasswd *table = NULL;
        struct pp_error err = {0};
        size_t ignored;
        bool ok, failed;

        pp_alloc_fail_at(n);
        ok = pp_htpasswd_parse(PP_STR("a:1\nb:2\nc:3\n"), PP_STR("d:4"), &table, &ignored, &err);
        failed = pp_alloc_count() >= n;
        pp_alloc_fail_at(0);
        assert_int_equal(ok, !failed);
        pp_htpasswd_unref(table);
        if (ok)
            break;
        assert_int_equal(err.kind, PP_ERR_NOMEM);
    }
}

/* ---- the header ---- */

static void test_header(void **state)
{
    static const char *const bad[] = {"",       "Basic",    "Basic ",       "Bearer YW5uOm9uZQ==", "Basic YW5uOm9uZQ", "Basic YW5u\nOm9uZQ==",
                                      "Basic =", "Basic ====", "Basic YW5u", "Basic YW5uOm9uZQ== ", "Basic  YW5uOm9uZQ==", "Basic YW5uOm9u*Q=="};
    struct pp_arena arena = {0};
    struct pp_basic_credentials got;
    struct pp_str value;
    struct pp_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (pp_basic_parse(&arena, pp_str_c(bad[i]), &got))
            fail_msg("\"%s\" is taken", bad[i]);
    assert_true(pp_basic_parse(&arena, PP_STR("bAsIc YW5uOm9uZTp0d28="), &got));
    assert_true(pp_str_eq_c(got.user, "ann"));
    assert_true(pp_str_eq_c(got.password, "one:two"));
    assert_true(pp_str_eq_c(got.raw, "YW5uOm9uZTp0d28="));
    assert_true(pp_basic_format(&arena, PP_STR("ann"), PP_STR("one:two"), &value, &err));
    assert_true(pp_str_eq_c(value, "Basic YW5uOm9uZTp0d28="));
    assert_true(pp_basic_format(&arena, PP_STR(""), PP_STR(""), &value, &err));
    assert_true(pp_basic_parse(&arena, value, &got));
    assert_int_equal(got.user.n + got.password.n, 0);
    assert_false(pp_basic_format(&arena, PP_STR("a:b"), PP_STR("c"), &value, &err));
    pp_arena_done(&arena);
}

/* ---- the cache ---- */

static struct pp_secret_digest digest_of(unsigned i)
{
    struct pp_str part = {(const char *)&i, sizeof(i)};
    struct pp_secret_digest digest;

    assert_true(pp_secret_digest_make(&part, 1, &digest));
    return digest;
}

static void test_cache(void **state)
{
    static struct pp_credential_cache cache;
    struct pp_secret_digest a = digest_of(1), b = digest_of(2);
    unsigned kept = 0;

    (void)state;
    pp_credential_cache_init(&cache, 100);
    assert_false(pp_credential_cache_has(&cache, &a, 1000));
    pp_credential_cache_add(&cache, &a, 1000);
    assert_true(pp_credential_cache_has(&cache, &a, 1099));
    assert_false(pp_credential_cache_has(&cache, &a, 1100));
    assert_false(pp_credential_cache_has(&cache, &b, 1001));
    /* However many come, the newest stay. */
    for (unsigned i = 0; i < 100000; i++) {
        struct pp_secret_digest d = digest_of(i);

        pp_credential_cache_add(&cache, &d, 2000 + i / 10000);
    }
    for (unsigned i = 0; i < 100000; i++) {
        struct pp_secret_digest d = digest_of(i);

        kept += pp_credential_cache_has(&cache, &d, 2010);
    }
    assert_int_equal(kept, PP_CREDENTIAL_CACHE_SETS * PP_CREDENTIAL_CACHE_WAYS);
    pp_credential_cache_done(&cache);
}

/* ---- the pool ---- */

struct test_job {
    struct pp_verify_job base;
    sem_t *gate; /* NULL: done at once */
    atomic_int *ran, *dropped;
};

static void job_run(struct pp_verify_job *base)
{
    struct test_job *job = (struct test_job *)base;

    if (job->gate)
        sem_wait(job->gate);
    atomic_fetch_add(job->ran, 1);
}

static void job_drop(struct pp_verify_job *base)
{
    atomic_fetch_add(((struct test_job *)base)->dropped, 1);
}

static void *stop_pool(void *pool)
{
    pp_verify_pool_stop(pool);
    return NULL;
}

static bool is_stopping(struct pp_verify_pool *pool)
{
    bool stopping;

    pthread_mutex_lock(&pool->lock);
    stopping = pool->stopping;
    pthread_mutex_unlock(&pool->lock);
    return stopping;
}

static void test_pool(void **state)
{
    enum { JOBS = 200 };
    static struct pp_verify_pool pool;
    static struct test_job jobs[JOBS];
    static char peers[JOBS][32];
    atomic_int ran = 0, dropped = 0;
    unsigned taken = 0, of_one = 0;
    pthread_t stopper;
    sem_t gate;

    (void)state;
    sem_init(&gate, 0, 0);
    pp_verify_pool_init(&pool);
    assert_false(pp_verify_pool_add(&pool, &jobs[0].base));
    pp_verify_pool_restart(&pool);
    for (unsigned i = 0; i < JOBS; i++) {
        /* The first half from one machine, by ever new ports. */
        snprintf(peers[i], sizeof(peers[i]), "10.0.0.%u:%u", i < JOBS / 2 ? 1 : i, 1000 + i);
        jobs[i] = (struct test_job){{.run = job_run, .drop = job_drop, .peer = pp_str_c(peers[i])}, &gate, &ran, &dropped};
        if (pp_verify_pool_add(&pool, &jobs[i].base)) {
            taken++;
            of_one += i < JOBS / 2;
        }
    }
    assert_int_equal(of_one, PP_VERIFY_WAITING_PER_PEER_MAX);
    assert_true(taken >= PP_VERIFY_WAITING_MAX && taken <= PP_VERIFY_WAITING_MAX + PP_VERIFY_THREADS_MAX);
    for (unsigned i = 0; i < PP_VERIFY_THREADS_MAX; i++)
        sem_post(&gate);
    for (unsigned i = 0; i < WAIT_MS && ran < (int)PP_VERIFY_THREADS_MAX; i++)
        usleep(1000);
    assert_int_equal(ran, PP_VERIFY_THREADS_MAX);
    /* A stop ends what runs and drops what waits. */
    assert_int_equal(pthread_create(&stopper, NULL, stop_pool, &pool), 0);
    while (!is_stopping(&pool))
        usleep(1000);
    for (unsigned i = 0; i < PP_VERIFY_THREADS_MAX; i++)
        sem_post(&gate);
    pthread_join(stopper, NULL);
    assert_int_equal(ran + dropped, taken);
    assert_true(dropped > 0);
    assert_false(pp_verify_pool_add(&pool, &jobs[0].base));
    pp_verify_pool_done(&pool);
    sem_destroy(&gate);
}

/* ---- the extension ---- */

struct fixture {
    struct world world;
    struct pp_component *self;
};

static void open_fixture(struct fixture *f, const char *yaml)
{
    struct pp_error err = {0};

    memset(f, 0, sizeof(*f));
    world_open(&f->world);
    f->self = pp_calloc(1, pp_basicauth_extension_factory.instance_size);
    f->self->factory = &pp_basicauth_extension_factory;
    f->self->id = "basicauth";
    f->self->log_id = "extension basicauth";
    f->self->config = pp_decode(&f->world.arena, pp_basicauth_extension_factory.config, world_read(&f->world, yaml), NULL, (struct pp_mark){0},
                                &f->world.diags);
    if (!f->self->config)
        fail_msg("%s", world_problems(&f->world));
    if (!pp_basicauth_extension_factory.create(f->self, &err) || !pp_basicauth_extension_factory.start(f->self, &err))
        fail_msg("%s", err.message);
}

static void close_fixture(struct fixture *f)
{
    pp_basicauth_extension_factory.shutdown(f->self, 0);
    pp_basicauth_extension_factory.destroy(f->self);
    pp_free(f->self);
    world_close(&f->world);
}

struct attempt {
    struct pp_auth_check check; /* first */
    struct pp_http_request request;
    struct pp_http_header header;
    sem_t decided;
    bool was_pending;
};

static void on_decided(struct pp_auth_check *check)
{
    sem_post(&((struct attempt *)check)->decided);
}

/* Begins an attempt with user and password, or without a header when `user` is NULL. */
static void begin(struct fixture *f, struct attempt *a, const char *peer, const char *user, const char *password)
{
    const struct pp_server_auth *server = f->self->factory->interface(f->self, PP_OFFERS_SERVER_AUTH);
    struct pp_error err;

    memset(a, 0, sizeof(*a));
    sem_init(&a->decided, 0, 0);
    a->request.peer = pp_str_c(peer);
    a->header.name = PP_STR("authorization");
    if (user) {
        assert_true(pp_basic_format(&a->request.arena, pp_str_c(user), pp_str_c(password), &a->header.value, &err));
        a->request.headers = &a->header;
        a->request.headers_n = 1;
    }
    a->check.request = &a->request;
    a->check.decided = on_decided;
    a->was_pending = server->check(server->component, &a->check) == PP_AUTH_PENDING;
}

static enum pp_auth_outcome finish(struct attempt *a)
{
    enum pp_auth_outcome outcome;

    if (a->was_pending)
        sem_wait(&a->decided);
    sem_destroy(&a->decided);
    outcome = a->check.outcome;
    if (outcome == PP_AUTH_ADMITTED) {
        assert_int_equal(a->check.attributes_n, 2);
        assert_true(pp_str_eq_c(a->check.attributes[0].name, "username"));
        assert_true(pp_str_eq_c(a->check.attributes[1].name, "raw"));
    } else {
        assert_non_null(a->check.why);
    }
    pp_arena_done(&a->request.arena);
    return outcome;
}

static enum pp_auth_outcome try(struct fixture *f, const char *user, const char *password, bool *ret_was_pending)
{
    struct attempt a;

    begin(f, &a, "10.0.0.1:1", user, password);
    if (ret_was_pending)
        *ret_was_pending = a.was_pending;
    return finish(&a);
}

static void test_server(void **state)
{
    struct fixture f;
    bool pending;

    (void)state;
    open_fixture(&f, "htpasswd:\n  inline: |\n    ann:" BCRYPT "\n    bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n    cat:plain\n");
    assert_null(f.self->factory->interface(f.self, PP_OFFERS_CLIENT_AUTH));
    assert_int_equal(f.self->factory->offers(f.self->config), PP_OFFERS_SERVER_AUTH);
    assert_int_equal(try(&f, NULL, NULL, NULL), PP_AUTH_REFUSED);
    /* Quick ones are decided on the spot. */
    assert_int_equal(try(&f, "bob", "secret", &pending), PP_AUTH_ADMITTED);
    assert_false(pending);
    assert_int_equal(try(&f, "bob", "wrong", &pending), PP_AUTH_REFUSED);
    assert_false(pending);
    assert_int_equal(try(&f, "cat", "plain", &pending), PP_AUTH_ADMITTED);
    assert_false(pending);
    /* Slow ones go to a thread once and are remembered, right or wrong. */
    assert_int_equal(try(&f, "ann", "secret", &pending), PP_AUTH_ADMITTED);
    assert_true(pending);
    assert_int_equal(try(&f, "ann", "secret", &pending), PP_AUTH_ADMITTED);
    assert_false(pending);
    assert_int_equal(try(&f, "ann", "wrong", &pending), PP_AUTH_REFUSED);
    assert_true(pending);
    assert_int_equal(try(&f, "ann", "wrong", &pending), PP_AUTH_REFUSED);
    assert_false(pending);
    /* A user that does not exist takes the same way, whatever the password; also the decoy's own. */
    assert_int_equal(try(&f, "nobody", "secret", &pending), PP_AUTH_REFUSED);
    assert_true(pending);
    assert_int_equal(try(&f, "nobody", "secret", &pending), PP_AUTH_REFUSED);
    close_fixture(&f);
}

/* A flood of wrong passwords from one machine does not keep others out, nor those who are known. */
static void test_flood(void **state)
{
    enum { FLOOD = 100 };
    static struct attempt flood[FLOOD];
    struct fixture f;
    struct attempt other;
    unsigned busy = 0;

    (void)state;
    /* cost 10: the pool is busy for a while */
    open_fixture(&f, "htpasswd:\n  inline: |\n    ann:" BCRYPT "\n    slow:$2b$10$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n");
    assert_int_equal(try(&f, "ann", "secret", NULL), PP_AUTH_ADMITTED);
    for (unsigned i = 0; i < FLOOD; i++) {
        char password[16];

        snprintf(password, sizeof(password), "wrong%u", i);
        begin(&f, &flood[i], "10.6.6.6:1", "slow", password);
        busy += !flood[i].was_pending && flood[i].check.outcome == PP_AUTH_BUSY;
    }
    assert_true(busy >= FLOOD - PP_VERIFY_WAITING_PER_PEER_MAX - 8);
    assert_int_equal(try(&f, "ann", "secret", NULL), PP_AUTH_ADMITTED);
    begin(&f, &other, "10.0.0.2:1", "ann", "other");
    assert_true(other.was_pending);
    for (unsigned i = 0; i < FLOOD; i++)
        assert_int_not_equal(finish(&flood[i]), PP_AUTH_ADMITTED);
    assert_int_equal(finish(&other), PP_AUTH_REFUSED);
    close_fixture(&f);
}

static void write_file(const char *path, const char *text)
{
    char part[4096];
    FILE *file;

    snprintf(part, sizeof(part), "%s.part", path);
    file = fopen(part, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(part, path), 0);
}

static void test_file_is_read_again(void **state)
{
    char dir[] = "/tmp/basicauth-XXXXXX", path[64], yaml[128];
    enum pp_auth_outcome outcome = PP_AUTH_ADMITTED;
    struct fixture f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/users", dir);
    snprintf(yaml, sizeof(yaml), "htpasswd: {file: %s, inline: 'bob:own'}", path);
    write_file(path, "ann:" BCRYPT "\nbob:theirs\n");
    open_fixture(&f, yaml);
    assert_int_equal(try(&f, "ann", "secret", NULL), PP_AUTH_ADMITTED);
    assert_int_equal(try(&f, "bob", "own", NULL), PP_AUTH_ADMITTED);
    assert_int_equal(try(&f, "bob", "theirs", NULL), PP_AUTH_REFUSED);
    /* What was remembered of the old password goes with it. */
    write_file(path, "ann:new\n");
    for (unsigned i = 0; i < WAIT_MS / 50 && outcome == PP_AUTH_ADMITTED; i++) {
        usleep(50000);
        outcome = try(&f, "ann", "secret", NULL);
    }
    assert_int_equal(outcome, PP_AUTH_REFUSED);
    assert_int_equal(try(&f, "ann", "new", NULL), PP_AUTH_ADMITTED);
    /* A file that goes away leaves the last good one in use. */
    assert_int_equal(unlink(path), 0);
    usleep(1200000);
    assert_int_equal(try(&f, "ann", "new", NULL), PP_AUTH_ADMITTED);
    close_fixture(&f);
    assert_int_equal(rmdir(dir), 0);
}

static void assert_signed(struct fixture *f, const char *expected)
{
    const struct pp_client_auth *client = f->self->factory->interface(f->self, PP_OFFERS_CLIENT_AUTH);
    struct pp_arena arena = {0};
    struct pp_header_set headers = {.arena = &arena};
    struct pp_error err = {0};

    assert_true(client->needs_tls);
    assert_true(pp_header_set_put(&headers, "Authorization", PP_STR("configured"), &err));
    if (!client->sign(client->component, NULL, &headers, &err))
        fail_msg("%s", err.message);
    assert_int_equal(headers.n, 1);
    assert_true(pp_str_eq_c(pp_header_set_find(&headers, "AUTHORIZATION")->value, expected));
    pp_arena_done(&arena);
}

static void test_client(void **state)
{
    char dir[] = "/tmp/basicauth-XXXXXX", path[64], yaml[160];
    struct fixture f;

    (void)state;
    open_fixture(&f, "client_auth: {username: ann, password: 'one:two'}");
    assert_signed(&f, "Basic YW5uOm9uZTp0d28=");
    assert_null(f.self->factory->interface(f.self, PP_OFFERS_SERVER_AUTH));
    close_fixture(&f);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/password", dir);
    snprintf(yaml, sizeof(yaml), "client_auth: {username: ann, password: unused, password_file: %s}", path);
    write_file(path, "  one:two\n");
    open_fixture(&f, yaml);
    assert_signed(&f, "Basic YW5uOm9uZTp0d28=");
    write_file(path, "three");
    usleep(1200000);
    assert_signed(&f, "Basic YW5uOnRocmVl");
    write_file(path, "\n"); /* nothing in it: the last good one stays */
    usleep(1200000);
    assert_signed(&f, "Basic YW5uOnRocmVl");
    close_fixture(&f);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

static void test_config(void **state)
{
    static const struct {
        const char *yaml, *problem;
    } cases[] = {
        {"{}", "no credential source provided"},
        {"{htpasswd: {inline: 'a:b'}, client_auth: {username: a}}", "only one of htpasswd and client_auth"},
        {"{htpasswd: {}}", "no credential source provided: give file or inline"},
        {"{client_auth: {username: 'a:b'}}", "client_auth::username: must not have a colon"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;

        world_open(&world);
        assert_null(pp_decode(&world.arena, pp_basicauth_extension_factory.config, world_read(&world, cases[i].yaml), NULL, (struct pp_mark){0},
                              &world.diags));
        if (!strstr(world_problems(&world), cases[i].problem))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].problem, world_problems(&world));
        world_close(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),  cmocka_unit_test(test_table_limits), cmocka_unit_test(test_table_without_memory),
        cmocka_unit_test(test_header), cmocka_unit_test(test_cache),        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_server), cmocka_unit_test(test_flood),        cmocka_unit_test(test_file_is_read_again),
        cmocka_unit_test(test_client), cmocka_unit_test(test_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "pipeline/exporter_storage.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/record_log.h"
#include "pipeline/service.h"
#include "pipeline/stored_batch.h"

/* Written with one call and one sync. */
#define GROUP_RECORDS_MAX 256u
#define GROUP_BYTES_MAX (16u << 20)
/* How long marks of what is done are gathered; a crash within it sends these once more. */
#define GATHER_MS 5u
/* After a read or an allocation has failed. */
#define PAUSE_MS 1000u
/* Between two lines about failing writes. */
#define QUIET_MS 10000u

struct pp_exporter_storage {
    struct pp_exporter_core *core;
    struct pp_record_log *log; /* the thread's, once it runs */
    struct pp_record_log_events events;
    struct pp_exporter_storage_metrics metrics;
    pthread_t thread;
    bool runs;
    /* The thread's own. */
    struct pp_buf heads;
    struct pp_request *group[GROUP_RECORDS_MAX];
    struct pp_bytes *bodies[GROUP_RECORDS_MAX];
    size_t head_ends[GROUP_RECORDS_MAX];
    struct pp_record_parts parts[GROUP_RECORDS_MAX];
    uint64_t ids[GROUP_RECORDS_MAX];
    bool write_fails, read_fails, mark_fails; /* has been logged */
    uint64_t write_quiet_until_ms;
    struct pp_record held; /* read, but there was no memory for the batch; `body` NULL: none */
    /* Under the core's lock. */
    pthread_cond_t work;
    struct pp_request *staged, **staged_tail;
    size_t staged_bytes;
    struct pp_request *ended;
    uint64_t ended_ms; /* the first of them */
    struct pp_request *homeless; /* written, but not in the queue: there was no memory for its place, or the shutdown has begun */
    uint64_t disk_n, disk_size;  /* admitted, on the disk only; in requests and in the queue's sizer */
    uint64_t pause_until_ms;     /* no reading before */
    bool begun, closing, sleeping;
};

static uint64_t size_of(const struct pp_exporter_core *core, const struct pp_stored_info *info)
{
    return core->queue.sizer == PP_SIZER_ITEMS ? info->samples : core->queue.sizer == PP_SIZER_BYTES ? info->wire_bytes : 1;
}

static size_t window_max(const struct pp_exporter_core *core)
{
    return core->queue.memory_bytes_max ? core->queue.memory_bytes_max / 2 : SIZE_MAX;
}

/* Memory of what is in the queue or being sent. */
static size_t window_bytes(const struct pp_exporter_storage *storage)
{
    return storage->core->queue.memory_bytes - storage->staged_bytes;
}

/* During open, or once the log is found to hold less than was counted: what is admitted without being in memory. */
static void count_on_disk(struct pp_exporter_storage *storage, uint64_t n, uint64_t size, bool more)
{
    struct pp_exporter_core *core = storage->core;

    storage->disk_n += more ? n : -n;
    storage->disk_size += more ? size : -size;
    core->queue.admitted += more ? n : -n;
    core->queue.size += more ? size : -size;
    pp_gauge_add(core->metrics.queue_size, more ? (int64_t)size : -(int64_t)size);
}

static void on_found(void *arg, struct pp_str head)
{
    struct pp_exporter_storage *storage = arg;
    struct pp_stored_info info;

    /* What is none of ours is told of when it is read. */
    if (!pp_stored_batch_info(head, &info, NULL))
        info = (struct pp_stored_info){0};
    count_on_disk(storage, 1, size_of(storage->core, &info), true);
}

static void on_damaged(void *arg, enum pp_record_damage kind, const char *message)
{
    struct pp_exporter_storage *storage = arg;

    pp_counter_add(storage->metrics.damaged, 1);
    pp_log(kind == PP_RECORD_BROKEN ? PP_LOG_ERROR : PP_LOG_WARN, storage->core->self->log_id, "stored queue: %s", message);
}

/* --- writing --- */

/* The requests that are written next; with `fit` as many as go into memory behind those that are there. With the lock held. */
static size_t take_group(struct pp_exporter_storage *storage, bool fit)
{
    size_t n = 0, bytes = 0, window = window_bytes(storage), max = window_max(storage->core);

    while (storage->staged && n < GROUP_RECORDS_MAX && (n == 0 || bytes + storage->staged->memory_bytes <= GROUP_BYTES_MAX)) {
        struct pp_request *request = storage->staged;

        if (fit && window + bytes > 0 && window + bytes + request->memory_bytes > max)
            break;
        storage->staged = request->next;
        bytes += request->memory_bytes;
        storage->group[n++] = request;
    }
    if (!storage->staged)
        storage->staged_tail = &storage->staged;
    return n;
}

/* Heads and bodies of the group; takes out what cannot be written, linked in *ret_refused. Returns how many are left. */
static size_t make_records(struct pp_exporter_storage *storage, size_t n, struct pp_request **ret_refused)
{
    size_t kept = 0, start = 0;

    *ret_refused = NULL;
    pp_buf_reset(&storage->heads);
    for (size_t i = 0; i < n; i++) {
        struct pp_request *request = storage->group[i];
        struct pp_bytes *body = NULL;
        bool ok = pp_stored_batch_write(request->batch, &storage->heads, &body, NULL) &&
                  storage->heads.len - start <= PP_RECORD_HEAD_BYTES_MAX && body->len <= PP_RECORD_BODY_BYTES_MAX;

        if (!ok) {
            pp_bytes_unref(body);
            storage->heads.len = start;
            storage->heads.failed = false;
            request->next = *ret_refused;
            *ret_refused = request;
            continue;
        }
        start = storage->heads.len;
        storage->group[kept] = request;
        storage->bodies[kept] = body;
        storage->head_ends[kept++] = start;
    }
    for (size_t i = 0; i < kept; i++) {
        start = i ? storage->head_ends[i - 1] : 0;
        storage->parts[i].head = (struct pp_str){storage->heads.data + start, storage->head_ends[i] - start};
        storage->parts[i].body = pp_bytes_str(storage->bodies[i]);
    }
    return kept;
}

/* Says that writing fails, and that it works again. A disk at its limit takes a batch for each one that goes: that is not said each time. */
static void note_write(struct pp_exporter_storage *storage, bool ok, const struct pp_error *err)
{
    struct pp_component *self = storage->core->self;
    uint64_t now_ms = pp_clock_mono_ms();

    if (!ok && !storage->write_fails && now_ms >= storage->write_quiet_until_ms) {
        storage->write_fails = true;
        storage->write_quiet_until_ms = now_ms + QUIET_MS;
        pp_log(PP_LOG_ERROR, self->log_id, "stored queue: %s; senders are asked to try again until it can be written", err->message);
        pp_component_report(self, PP_COMPONENT_RECOVERABLE_ERROR, "stored queue: %s", err->message);
    } else if (ok && storage->write_fails) {
        storage->write_fails = false;
        pp_log(PP_LOG_INFO, self->log_id, "stored queue: can be written again");
        pp_component_report(self, PP_COMPONENT_OK, "%s", "");
    }
}

static void refuse_one(struct pp_exporter_storage *storage, struct pp_request *request, const char *reason)
{
    struct pp_exporter_core *core = storage->core;

    pthread_mutex_lock(&core->lock);
    storage->staged_bytes -= request->memory_bytes;
    pp_queue_release(&core->queue, request);
    pthread_mutex_unlock(&core->lock);
    pp_gauge_add(core->metrics.queue_size, -(int64_t)request->size);
    pp_exporter_refuse(core, request->batch, request->done, &PP_RESULT_RETRY(reason));
    pp_free(request);
}

/* Into the queue. Once the shutdown has begun nobody looks there any more: what is on the disk stays there only. With the lock held. */
static void enter(struct pp_exporter_storage *storage, struct pp_request *request)
{
    struct pp_exporter_core *core = storage->core;

    if (core->stopping || !pp_queue_enter(&core->queue, request, pp_clock_mono_ms())) {
        request->next = storage->homeless;
        storage->homeless = request;
    } else {
        pp_exporter_wake(core);
    }
}

/* What was written goes into the queue, or from memory until its turn comes. With the lock held. */
static void settle(struct pp_exporter_storage *storage, struct pp_request *request, bool fit)
{
    storage->staged_bytes -= request->memory_bytes;
    request->done = NULL;
    request->was_accepted = true;
    if (fit) {
        enter(storage, request);
        return;
    }
    pp_queue_unload(&storage->core->queue, request);
    storage->disk_n++;
    storage->disk_size += request->size;
    pp_batch_unref(request->batch);
    pp_free(request);
}

/* Writes a group and answers. Without the lock. */
static void write_group(struct pp_exporter_storage *storage, size_t n, bool fit)
{
    struct pp_exporter_core *core = storage->core;
    struct pp_done *answers[GROUP_RECORDS_MAX];
    struct pp_error err = {0};
    struct pp_request *refused;
    bool ok = true;

    n = make_records(storage, n, &refused);
    if (n > 0) {
        ok = storage->log->ops->append(storage->log, storage->parts, n, storage->ids, &err);
        note_write(storage, ok, &err);
    }
    if (ok && fit)
        storage->log->ops->skip(storage->log);
    pthread_mutex_lock(&core->lock);
    for (size_t i = 0; ok && i < n; i++) {
        answers[i] = storage->group[i]->done;
        storage->group[i]->record = storage->ids[i];
        settle(storage, storage->group[i], fit);
    }
    pthread_mutex_unlock(&core->lock);
    for (size_t i = 0; i < n; i++) {
        pp_bytes_unref(storage->bodies[i]);
        if (ok)
            pp_done_call(answers[i], &PP_RESULT_ACCEPTED);
        else
            refuse_one(storage, storage->group[i], err.message);
    }
    while (refused) {
        struct pp_request *request = refused;

        refused = request->next;
        refuse_one(storage, request, "out of memory, or too large for the storage");
    }
    pthread_mutex_lock(&core->lock);
    pp_exporter_admit_waiting(core);
    pthread_mutex_unlock(&core->lock);
}

/* --- marking --- */

static void mark(struct pp_exporter_storage *storage, size_t n)
{
    struct pp_error err = {0};
    bool ok = storage->log->ops->done(storage->log, storage->ids, n, &err);

    if (!ok && !storage->mark_fails)
        pp_log(PP_LOG_WARN, storage->core->self->log_id, "stored queue: %s; what was delivered may be sent again after a restart", err.message);
    storage->mark_fails = !ok;
}

/* Without the lock. */
static void mark_ended(struct pp_exporter_storage *storage, struct pp_request *ended)
{
    struct pp_request *in_order = NULL;
    size_t n = 0;

    while (ended) { /* they were put before each other */
        struct pp_request *next = ended->next;

        ended->next = in_order;
        in_order = ended;
        ended = next;
    }
    while (in_order) {
        struct pp_request *next = in_order->next;

        storage->ids[n++] = in_order->record;
        pp_free(in_order);
        in_order = next;
        if (n == GROUP_RECORDS_MAX || !in_order) {
            mark(storage, n);
            n = 0;
        }
    }
}

/* --- reading --- */

/* Whether the disk holds what memory has room for. With the lock held. */
static bool wants_reading(const struct pp_exporter_storage *storage, uint64_t now_ms)
{
    return storage->begun && !storage->core->stopping && storage->disk_n > 0 && now_ms >= storage->pause_until_ms &&
           window_bytes(storage) <= window_max(storage->core) / 2;
}

/* One that was counted and cannot be had. Without the lock. */
static void lose(struct pp_exporter_storage *storage, const struct pp_record *record, const char *why)
{
    struct pp_stored_info info = {0};

    pp_stored_batch_info(record->head, &info, NULL);
    pp_counter_add(storage->metrics.lost, info.samples);
    if (why) {
        on_damaged(storage, PP_RECORD_BROKEN, why);
        storage->ids[0] = record->id;
        mark(storage, 1);
    }
    pthread_mutex_lock(&storage->core->lock);
    count_on_disk(storage, 1, size_of(storage->core, &info), false);
    pp_exporter_admit_waiting(storage->core);
    pthread_mutex_unlock(&storage->core->lock);
}

static void enter_again(struct pp_exporter_storage *storage, struct pp_request *request)
{
    struct pp_exporter_core *core = storage->core;

    pthread_mutex_lock(&core->lock);
    storage->disk_n--;
    storage->disk_size -= request->size;
    pp_queue_load(&core->queue, request);
    enter(storage, request);
    pthread_mutex_unlock(&core->lock);
}

/* Tries again later, without being asked for it each time. */
static void pause_reading(struct pp_exporter_storage *storage, const char *why)
{
    if (!storage->read_fails)
        pp_log(PP_LOG_ERROR, storage->core->self->log_id, "stored queue: %s; tried again every %u ms", why, PAUSE_MS);
    storage->read_fails = true;
    pthread_mutex_lock(&storage->core->lock);
    storage->pause_until_ms = pp_clock_mono_ms() + PAUSE_MS;
    pthread_mutex_unlock(&storage->core->lock);
}

/* A record becomes a request. False: memory is out. */
static bool take_record(struct pp_exporter_storage *storage, const struct pp_record *record)
{
    struct pp_request *request = pp_calloc(1, sizeof(*request));
    struct pp_stored_info info;
    struct pp_error err = {0};
    char why[PP_ERROR_MESSAGE_MAX + 64];

    if (!request)
        return false;
    if (pp_stored_batch_info(record->head, &info, &err) && pp_stored_batch_read(record->head, record->body, &request->batch, &err)) {
        request->size = size_of(storage->core, &info);
        request->record = record->id;
        request->was_accepted = true;
        request->outcome = PP_ACCEPTED;
        enter_again(storage, request);
        return true;
    }
    pp_free(request);
    if (err.kind == PP_ERR_NOMEM)
        return false;
    snprintf(why, sizeof(why), "the record %" PRIx64 " is left out: %s", record->id, err.message);
    lose(storage, record, why);
    return true;
}

/* The log has no more, whatever was counted: damage has hidden some, and was told of. */
static void end_reading(struct pp_exporter_storage *storage)
{
    pthread_mutex_lock(&storage->core->lock);
    count_on_disk(storage, storage->disk_n, storage->disk_size, false);
    pp_exporter_admit_waiting(storage->core);
    pthread_mutex_unlock(&storage->core->lock);
}

/* Reads one record. Without the lock. False: nothing more for now. */
static bool read_one(struct pp_exporter_storage *storage)
{
    struct pp_error err = {0};
    enum pp_record_read result = PP_RECORD_READ;

    if (!storage->held.body)
        result = storage->log->ops->read(storage->log, &storage->held, &err);
    switch (result) {
    case PP_RECORD_READ:
        if (!take_record(storage, &storage->held)) {
            pause_reading(storage, "out of memory");
            return false;
        }
        pp_bytes_unref(storage->held.body);
        storage->held.body = NULL;
        storage->read_fails = false;
        return true;
    case PP_RECORD_DAMAGED:
        lose(storage, &storage->held, NULL);
        return true;
    case PP_RECORD_FAILED:
        pause_reading(storage, err.message);
        return false;
    case PP_RECORD_END:
        end_reading(storage);
        return false;
    }
    return false;
}

/* --- the thread --- */

static void show(const struct pp_exporter_storage *storage)
{
    struct pp_record_log_stats stats;

    storage->log->ops->stats(storage->log, &stats);
    pp_gauge_set(storage->metrics.bytes, (int64_t)stats.bytes);
}

/* With the lock held. */
static void find_homes(struct pp_exporter_storage *storage)
{
    struct pp_exporter_core *core = storage->core;

    while (storage->homeless && !core->stopping) {
        struct pp_request *request = storage->homeless, *next = request->next;

        if (!pp_queue_enter(&core->queue, request, pp_clock_mono_ms()))
            return;
        storage->homeless = next;
        pp_exporter_wake(core);
    }
}

static bool marks_are_due(const struct pp_exporter_storage *storage, uint64_t now_ms)
{
    return storage->ended && (storage->closing || now_ms >= storage->ended_ms + GATHER_MS);
}

/* Waits until there is something to do. With the lock held. */
static void wait_for_work(struct pp_exporter_storage *storage, uint64_t now_ms)
{
    uint64_t until_ms = UINT64_MAX;

    if (storage->ended)
        until_ms = storage->ended_ms + GATHER_MS;
    else if (storage->homeless)
        until_ms = now_ms + PAUSE_MS;
    else if (now_ms < storage->pause_until_ms)
        until_ms = storage->pause_until_ms;
    storage->sleeping = until_ms == UINT64_MAX;
    pp_exporter_wait(&storage->work, &storage->core->lock, until_ms);
    storage->sleeping = false;
}

/* With the lock held; lets it go meanwhile. */
static void write_staged(struct pp_exporter_storage *storage)
{
    struct pp_exporter_core *core = storage->core;
    bool fit = storage->begun && !core->stopping && storage->disk_n == 0 && storage->log->ops->at_end(storage->log);
    size_t n = take_group(storage, fit);

    if (n == 0) {
        fit = false;
        n = take_group(storage, false);
    }
    pthread_mutex_unlock(&core->lock);
    write_group(storage, n, fit);
    pthread_mutex_lock(&core->lock);
}

static void read_some(struct pp_exporter_storage *storage)
{
    struct pp_exporter_core *core = storage->core;
    bool more;

    do {
        pthread_mutex_unlock(&core->lock);
        more = read_one(storage);
        pthread_mutex_lock(&core->lock);
    } while (more && !storage->staged && !core->stopping && storage->disk_n > 0 && window_bytes(storage) < window_max(core));
}

static void mark_some(struct pp_exporter_storage *storage)
{
    struct pp_request *ended = storage->ended;

    storage->ended = NULL;
    pthread_mutex_unlock(&storage->core->lock);
    mark_ended(storage, ended);
    pthread_mutex_lock(&storage->core->lock);
}

static void *run(void *storage_)
{
    struct pp_exporter_storage *storage = storage_;

    pthread_mutex_lock(&storage->core->lock);
    for (;;) {
        uint64_t now_ms = pp_clock_mono_ms();

        find_homes(storage);
        if (marks_are_due(storage, now_ms))
            mark_some(storage);
        else if (storage->staged)
            write_staged(storage);
        else if (wants_reading(storage, now_ms))
            read_some(storage);
        else if (storage->closing)
            break;
        else
            wait_for_work(storage, now_ms);
        show(storage);
    }
    pthread_mutex_unlock(&storage->core->lock);
    return NULL;
}

void pp_exporter_storage_put(struct pp_exporter_storage *storage, struct pp_request *request)
{
    request->next = NULL;
    *storage->staged_tail = request;
    storage->staged_tail = &request->next;
    storage->staged_bytes += request->memory_bytes;
    pthread_cond_signal(&storage->work);
}

void pp_exporter_storage_end(struct pp_exporter_storage *storage, struct pp_request *request)
{
    if (request->keep) {
        pp_free(request);
        return;
    }
    if (!storage->ended)
        storage->ended_ms = pp_clock_mono_ms();
    request->next = storage->ended;
    storage->ended = request;
    /* Else it looks soon enough. */
    if (storage->sleeping)
        pthread_cond_signal(&storage->work);
}

static bool open_log(struct pp_exporter_storage *storage, struct pp_error *err)
{
    struct pp_component *self = storage->core->self;
    const char *id = storage->core->queue_config.storage;
    struct pp_record_store *store = pp_component_extension(self, id, PP_OFFERS_STORAGE);
    const struct pp_record_client client = {"exporter", self->id, "profiles"};

    if (!store)
        return pp_error_set(err, PP_ERR_CONFIG, "sending_queue::storage: the extension \"%s\" is not there", id);
    return store->open(store, &client, &storage->events, &storage->log, err);
}

static void storage_free(struct pp_exporter_storage *storage)
{
    if (storage->log)
        storage->log->ops->close(storage->log);
    pp_buf_done(&storage->heads);
    pthread_cond_destroy(&storage->work);
    pp_free(storage);
}

/* What the queue no longer counts, since it is on the disk only. */
static void forget_counts(struct pp_exporter_core *core)
{
    pp_gauge_add(core->metrics.queue_size, -(int64_t)core->queue.size);
    core->queue.size = 0;
    core->queue.memory_bytes = 0;
    core->queue.admitted = 0;
}

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool pp_exporter_storage_open(struct pp_exporter_core *core, struct pp_error *err)
{
    struct pp_exporter_storage *storage = pp_calloc(1, sizeof(*storage));
    int rc;

    if (!storage)
        return pp_error_nomem(err);
    storage->core = core;
    storage->staged_tail = &storage->staged;
    storage->events = (struct pp_record_log_events){storage, on_found, on_damaged};
    pp_buf_init(&storage->heads, (size_t)GROUP_RECORDS_MAX * PP_RECORD_HEAD_BYTES_MAX);
    pp_exporter_storage_metrics_init(&storage->metrics, core->self);
    init_cond(&storage->work);
    if (!open_log(storage, err)) {
        forget_counts(core);
        storage_free(storage);
        return false;
    }
    if (storage->disk_n > 0)
        pp_log(PP_LOG_INFO, core->self->log_id, "stored queue: %" PRIu64 " batches of earlier runs are sent first", storage->disk_n);
    pp_counter_add(storage->metrics.recovered, storage->disk_n);
    show(storage);
    core->storage = storage;
    rc = pthread_create(&storage->thread, NULL, run, storage);
    storage->runs = rc == 0;
    if (storage->runs)
        return true;
    pp_exporter_storage_close(core);
    return pp_error_set(err, PP_ERR_IO, "cannot start a thread: %s", strerror(rc));
}

void pp_exporter_storage_begin(struct pp_exporter_storage *storage)
{
    storage->begun = true;
    pthread_cond_signal(&storage->work);
}

void pp_exporter_storage_close(struct pp_exporter_core *core)
{
    struct pp_exporter_storage *storage = core->storage;
    struct pp_record_log_stats stats;

    if (!storage)
        return;
    pthread_mutex_lock(&core->lock);
    storage->closing = true;
    pthread_cond_signal(&storage->work);
    pthread_mutex_unlock(&core->lock);
    if (storage->runs)
        pthread_join(storage->thread, NULL);
    pp_bytes_unref(storage->held.body);
    while (storage->homeless) {
        struct pp_request *request = storage->homeless;

        storage->homeless = request->next;
        pp_batch_unref(request->batch);
        pp_free(request);
    }
    storage->log->ops->stats(storage->log, &stats);
    if (stats.records > 0 && storage->begun)
        pp_log(PP_LOG_INFO, core->self->log_id, "stored queue: %" PRIu64 " batches stay for the next start", stats.records);
    pp_gauge_set(storage->metrics.bytes, 0);
    forget_counts(core);
    core->storage = NULL;
    storage_free(storage);
}

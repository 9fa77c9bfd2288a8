#include "pipeline/queue.h"

#include "base/mem.h"

#define FNV_OFFSET 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull
/* A request that would fill a batch by less than this share of max_size is left for the next one instead of being cut into crumbs. */
#define ROOM_SHARE 8u

struct pp_partition {
    struct pp_partition *prev, *next; /* in queue->first..last */
    struct pp_partition *bucket_next;
    uint64_t hash;
    struct pp_context *context; /* of a request in it: what the others are compared with; may be NULL */
    struct pp_request *head, **tail;
    uint64_t weight;
    uint64_t due_ms;
};

void pp_queue_init(struct pp_queue *queue, const struct pp_sending_queue_config *config)
{
    *queue = (struct pp_queue){
        .sizer = config->sizer,
        .size_max = (uint64_t)config->queue_size,
        .memory_bytes_max = (size_t)config->max_bytes_mib << 20,
        .block_on_overflow = config->block_on_overflow,
        .batch = config->batch,
    };
    queue->waiting_tail = &queue->waiting;
}

uint64_t pp_queue_weigh(int sizer, const struct pp_batch *batch)
{
    if (sizer == PP_SIZER_ITEMS)
        return pp_batch_samples(batch);
    return sizer == PP_SIZER_BYTES ? pp_batch_wire_bytes(batch) : 1;
}

static uint64_t hash_add(uint64_t hash, struct pp_str s)
{
    for (size_t i = 0; i < s.n; i++)
        hash = (hash ^ (unsigned char)s.p[i]) * FNV_PRIME;
    return (hash ^ s.n) * FNV_PRIME;
}

static uint64_t context_hash(const struct pp_string_list *keys, const struct pp_context *context)
{
    uint64_t hash = FNV_OFFSET;

    for (size_t k = 0; k < keys->n; k++) {
        struct pp_str value;

        hash = hash_add(hash, pp_str_c(keys->v[k]));
        for (size_t i = 0; context && pp_context_metadata(context, pp_str_c(keys->v[k]), i, &value); i++)
            hash = hash_add(hash, value);
    }
    return hash;
}

static bool context_equal(const struct pp_string_list *keys, const struct pp_context *a, const struct pp_context *b)
{
    for (size_t k = 0; a != b && k < keys->n; k++) {
        struct pp_str key = pp_str_c(keys->v[k]);

        for (size_t i = 0;; i++) {
            struct pp_str x, y;
            bool has_x = a && pp_context_metadata(a, key, i, &x);
            bool has_y = b && pp_context_metadata(b, key, i, &y);

            if (has_x != has_y || (has_x && !pp_str_eq(x, y)))
                return false;
            if (!has_x)
                break;
        }
    }
    return true;
}

static void partition_unlink(struct pp_queue *queue, struct pp_partition *p)
{
    *(p->prev ? &p->prev->next : &queue->first) = p->next;
    *(p->next ? &p->next->prev : &queue->last) = p->prev;
}

/* Puts the partition where its due time belongs; most often that is the end. */
static void partition_link(struct pp_queue *queue, struct pp_partition *p)
{
    struct pp_partition *before = queue->last;

    while (before && before->due_ms > p->due_ms)
        before = before->prev;
    p->prev = before;
    p->next = before ? before->next : queue->first;
    *(p->prev ? &p->prev->next : &queue->first) = p;
    *(p->next ? &p->next->prev : &queue->last) = p;
}

/* A partition that has enough is due at once. */
static void partition_schedule(struct pp_queue *queue, struct pp_partition *p, bool linked)
{
    const struct pp_batch_config *batch = queue->batch;
    uint64_t due_ms = 0;

    if (batch && p->weight < (uint64_t)batch->min_size)
        due_ms = p->head->arrived_ms + ((uint64_t)batch->flush_timeout + 999999u) / 1000000u;
    if (linked && due_ms == p->due_ms)
        return;
    if (linked)
        partition_unlink(queue, p);
    p->due_ms = due_ms;
    partition_link(queue, p);
}

static struct pp_partition *partition_get(struct pp_queue *queue, struct pp_context *context, bool *ret_new)
{
    static const struct pp_string_list none;
    const struct pp_string_list *keys = queue->batch ? &queue->batch->partition.metadata_keys : &none;
    uint64_t hash = context_hash(keys, context);
    struct pp_partition **bucket = &queue->buckets[hash % PP_QUEUE_BUCKETS], *p;

    *ret_new = false;
    for (p = *bucket; p; p = p->bucket_next)
        if (p->hash == hash && context_equal(keys, p->context, context))
            return p;
    p = pp_calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->hash = hash;
    p->context = keys->n && context ? pp_context_ref(context) : NULL;
    p->tail = &p->head;
    p->bucket_next = *bucket;
    *bucket = p;
    *ret_new = true;
    return p;
}

static void partition_free(struct pp_queue *queue, struct pp_partition *p)
{
    struct pp_partition **at = &queue->buckets[p->hash % PP_QUEUE_BUCKETS];

    while (*at != p)
        at = &(*at)->bucket_next;
    *at = p->bucket_next;
    pp_context_unref(p->context);
    pp_free(p);
}

static bool has_room(const struct pp_queue *queue, const struct pp_request *request)
{
    if (queue->size + request->size > queue->size_max)
        return false;
    return !queue->memory_bytes_max || queue->memory_bytes == 0 ||
           queue->memory_bytes + request->memory_bytes <= queue->memory_bytes_max;
}

bool pp_queue_enter(struct pp_queue *queue, struct pp_request *request, uint64_t now_ms)
{
    bool is_new;
    struct pp_partition *p = partition_get(queue, pp_batch_context(request->batch), &is_new);

    if (!p)
        return false;
    request->arrived_ms = now_ms;
    request->next = NULL;
    *p->tail = request;
    p->tail = &request->next;
    p->weight += request->weight;
    queue->pending++;
    partition_schedule(queue, p, !is_new);
    return true;
}

static bool admit(struct pp_queue *queue, struct pp_request *request, uint64_t now_ms)
{
    if (!queue->stored && !pp_queue_enter(queue, request, now_ms))
        return false;
    queue->size += request->size;
    queue->memory_bytes += request->memory_bytes;
    queue->admitted++;
    return true;
}

static bool can_wait(const struct pp_queue *queue, const struct pp_request *request)
{
    if (!queue->block_on_overflow || queue->waiting_n >= PP_QUEUE_WAITING_MAX)
        return false;
    return !queue->memory_bytes_max || queue->waiting_n == 0 ||
           queue->waiting_bytes + request->memory_bytes <= queue->memory_bytes_max;
}

static void weigh_content(const struct pp_queue *queue, struct pp_request *request)
{
    request->weight = queue->batch ? pp_queue_weigh(queue->batch->sizer, request->batch) : 1;
    request->memory_bytes = pp_batch_memory_bytes(request->batch);
    request->samples = pp_batch_samples(request->batch);
}

void pp_queue_load(struct pp_queue *queue, struct pp_request *request)
{
    weigh_content(queue, request);
    queue->memory_bytes += request->memory_bytes;
}

void pp_queue_unload(struct pp_queue *queue, struct pp_request *request)
{
    queue->memory_bytes -= request->memory_bytes;
    request->memory_bytes = 0;
}

enum pp_queue_verdict pp_queue_push(struct pp_queue *queue, struct pp_request *request, uint64_t now_ms)
{
    request->size = pp_queue_weigh(queue->sizer, request->batch);
    weigh_content(queue, request);
    if (request->size > queue->size_max)
        return PP_QUEUE_TOO_LARGE;
    /* Those who wait come first, or a stream of small batches would starve a large one. */
    if (!queue->waiting && has_room(queue, request))
        return admit(queue, request, now_ms) ? PP_QUEUE_TAKEN : PP_QUEUE_NOMEM;
    if (!can_wait(queue, request))
        return PP_QUEUE_FULL;
    request->next = NULL;
    *queue->waiting_tail = request;
    queue->waiting_tail = &request->next;
    queue->waiting_n++;
    queue->waiting_bytes += request->memory_bytes;
    return PP_QUEUE_WAITING;
}

uint64_t pp_queue_due_ms(const struct pp_queue *queue)
{
    return queue->first ? queue->first->due_ms : PP_QUEUE_NEVER_MS;
}

/* Whether the next request stays for the next batch, and if not, how much of it fits (0: all). */
static bool leaves_next(const struct pp_batch_config *batch, uint64_t weight, const struct pp_request *next, uint64_t *ret_room)
{
    uint64_t max = (uint64_t)batch->max_size, room;

    *ret_room = 0;
    if (!max || weight + next->weight <= max)
        return false;
    room = max - weight;
    if (weight && room < max / ROOM_SHARE)
        return true;
    *ret_room = room;
    return false;
}

static struct pp_request *partition_take(struct pp_queue *queue, struct pp_partition *p, uint64_t *ret_room)
{
    const struct pp_batch_config *batch = queue->batch;
    struct pp_request *list = p->head, *last = NULL;
    uint64_t weight = 0;

    *ret_room = 0;
    while (p->head && (!last || (batch && weight < (uint64_t)batch->min_size))) {
        if (batch && leaves_next(batch, weight, p->head, ret_room))
            break;
        last = p->head;
        p->head = last->next;
        p->weight -= last->weight;
        weight += last->weight;
        queue->pending--;
        if (*ret_room)
            break;
    }
    if (!p->head)
        p->tail = &p->head;
    last->next = NULL;
    return list;
}

struct pp_request *pp_queue_take(struct pp_queue *queue, uint64_t now_ms, bool flush, uint64_t *ret_room)
{
    struct pp_partition *p = queue->first;
    struct pp_request *list;

    if (!p || (!flush && p->due_ms > now_ms))
        return NULL;
    list = partition_take(queue, p, ret_room);
    if (p->head) {
        partition_schedule(queue, p, true);
        return list;
    }
    partition_unlink(queue, p);
    partition_free(queue, p);
    return list;
}

bool pp_queue_put_back(struct pp_queue *queue, struct pp_request *pieces, uint64_t now_ms)
{
    struct pp_request **end = &pieces;
    bool is_new;
    struct pp_partition *p = partition_get(queue, pp_batch_context(pieces->batch), &is_new);

    if (!p)
        return false;
    for (; *end; end = &(*end)->next) {
        (*end)->arrived_ms = now_ms;
        p->weight += (*end)->weight;
        queue->pending++;
    }
    if (!p->head)
        p->tail = end;
    *end = p->head;
    p->head = pieces;
    partition_schedule(queue, p, !is_new);
    return true;
}

struct pp_request *pp_queue_take_all(struct pp_queue *queue)
{
    struct pp_request *list = NULL, **tail = &list;

    while (queue->first) {
        struct pp_partition *p = queue->first;

        *tail = p->head;
        tail = p->tail;
        partition_unlink(queue, p);
        partition_free(queue, p);
    }
    queue->pending = 0;
    return list;
}

void pp_queue_release(struct pp_queue *queue, const struct pp_request *request)
{
    queue->size -= request->size;
    queue->memory_bytes -= request->memory_bytes;
    queue->admitted--;
}

struct pp_request *pp_queue_admit(struct pp_queue *queue, uint64_t now_ms)
{
    struct pp_request *request = queue->waiting, *next;

    if (!request || !has_room(queue, request))
        return NULL;
    next = request->next;
    if (!admit(queue, request, now_ms)) {
        request->next = next;
        return NULL;
    }
    queue->waiting = next;
    if (!next)
        queue->waiting_tail = &queue->waiting;
    queue->waiting_n--;
    queue->waiting_bytes -= request->memory_bytes;
    return request;
}

struct pp_request *pp_queue_take_waiting(struct pp_queue *queue)
{
    struct pp_request *list = queue->waiting;

    queue->waiting = NULL;
    queue->waiting_tail = &queue->waiting;
    queue->waiting_n = 0;
    queue->waiting_bytes = 0;
    return list;
}

/* The order and the limits of what waits to be sent: admission, waiting list, partitions for batching. Plain data without threads: whoever owns
 * it holds a lock around every call and passes the time in, so that tests drive it directly. */
#ifndef PP_PIPELINE_QUEUE_H
#define PP_PIPELINE_QUEUE_H

#include "config/groups/sending_queue.h"
#include "pipeline/component.h"

/* Requests parked by block_on_overflow; beyond it (or beyond max_bytes of memory once more) they are refused like without it. */
#define PP_QUEUE_WAITING_MAX 10000u
/* Power of two. */
#define PP_QUEUE_BUCKETS 256u
#define PP_QUEUE_NEVER_MS UINT64_MAX

/* One batch on its way out. */
struct pp_request {
    struct pp_request *next;
    struct pp_batch *batch;    /* one reference; NULL once sent or cut into pieces */
    struct pp_done *done;      /* who still waits for an answer; NULL: has been answered */
    struct pp_request *parent; /* of a piece that pp_request_cut made; accounting and `done` are the parent's */
    uint64_t size;             /* in the queue's sizer; 0 for pieces */
    uint64_t weight;           /* in the batcher's sizer */
    size_t memory_bytes;       /* when it was admitted; 0 for pieces */
    uint64_t samples;
    uint64_t arrived_ms;
    unsigned pieces;         /* parents: pieces not finished yet */
    enum pp_outcome outcome; /* parents: the worst of the pieces' */
    bool was_accepted;       /* the sender has been told "accepted": from now on losing it is a loss */
    uint64_t record;         /* of a stored queue: where it is kept; 0: nowhere */
    bool keep;               /* of a stored queue: not delivered before the shutdown, it stays there */
};

struct pp_partition; /* requests that may be merged with each other */

struct pp_queue {
    /* set by pp_queue_init */
    int sizer;
    uint64_t size_max;
    size_t memory_bytes_max; /* 0: none */
    bool block_on_overflow;
    bool stored; /* what is admitted is written down before it may be taken: it waits for pp_queue_enter */
    const struct pp_batch_config *batch; /* NULL: one request at a time */
    /* state */
    uint64_t size;          /* admitted and not released, in `sizer` */
    size_t memory_bytes;    /* the same in bytes of memory */
    size_t admitted;        /* requests, the same */
    size_t pending;         /* requests and pieces that can be taken */
    struct pp_request *waiting, **waiting_tail;
    size_t waiting_n, waiting_bytes;
    struct pp_partition *first, *last; /* by the time their first request must go */
    struct pp_partition *buckets[PP_QUEUE_BUCKETS];
};

/* `config` outlives the queue. An empty queue owns no memory. */
void pp_queue_init(struct pp_queue *queue, const struct pp_sending_queue_config *config);

enum pp_queue_verdict {
    PP_QUEUE_TAKEN,
    PP_QUEUE_WAITING, /* comes back from pp_queue_admit when there is room */
    PP_QUEUE_FULL,
    PP_QUEUE_TOO_LARGE, /* alone larger than the whole queue */
    PP_QUEUE_NOMEM,
};

/* Fills in the request's sizes and offers it. It stays the caller's on the last three. A batch above the memory limit alone is taken when nothing else is
 * there, since it could never be delivered otherwise. */
enum pp_queue_verdict pp_queue_push(struct pp_queue *queue, struct pp_request *request, uint64_t now_ms);

/* Stored queues: an admitted request may be taken from now on. False when memory is out. */
bool pp_queue_enter(struct pp_queue *queue, struct pp_request *request, uint64_t now_ms);
/* Stored queues: fills in the sizes of a request that was read back. Its place in the queue it has kept; the memory counts again. */
void pp_queue_load(struct pp_queue *queue, struct pp_request *request);
/* Stored queues: the batch is no longer in memory. */
void pp_queue_unload(struct pp_queue *queue, struct pp_request *request);

/* What can be sent now as one message, linked; NULL when nothing is due. With batching: requests of one partition until min_size is reached, or what is there
 * once flush_timeout has passed or with `flush`. A request that makes them exceed max_size is the last one, to be cut at *ret_room (of weight); else
 * *ret_room is 0. */
struct pp_request *pp_queue_take(struct pp_queue *queue, uint64_t now_ms, bool flush, uint64_t *ret_room);
/* When pp_queue_take may give something without a push; PP_QUEUE_NEVER_MS when nothing is there. */
uint64_t pp_queue_due_ms(const struct pp_queue *queue);

/* Puts pieces (linked, in order) before what their partition holds. False when memory is out; they stay the caller's. */
bool pp_queue_put_back(struct pp_queue *queue, struct pp_request *pieces, uint64_t now_ms);

/* Everything there is, linked. For the end of a drain. */
struct pp_request *pp_queue_take_all(struct pp_queue *queue);

/* The request (not a piece) is finished: frees its room. Call pp_queue_admit until it gives NULL afterwards. */
void pp_queue_release(struct pp_queue *queue, const struct pp_request *request);
/* Admits the first of the waiting if there is room for it now, and returns it. It can be taken from now on (unless the queue is stored): whoever wants to
 * answer its `done` takes that pointer before he lets the lock go. */
struct pp_request *pp_queue_admit(struct pp_queue *queue, uint64_t now_ms);
/* The whole waiting list, to be refused. */
struct pp_request *pp_queue_take_waiting(struct pp_queue *queue);

/* Weight of a batch for a sizer. */
uint64_t pp_queue_weigh(int sizer, const struct pp_batch *batch);

#endif

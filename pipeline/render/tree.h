/* Call trees merged from any number of batches, one tree a sample type: what a flame graph or a folded file shows.
 *
 * Frames are told apart by the name they are shown with, so a function is one box wherever its addresses lie. Memory is bounded: past a
 * limit no new node is made, and the value goes to `cut` of the last node that has room, which writers show as a child "[other]". */
#ifndef PP_RENDER_TREE_H
#define PP_RENDER_TREE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/index.h"
#include "base/vec.h"
#include "profiles/tables.h"

#define PP_TREE_NODES_DEFAULT (1u << 20) /* 56 MiB of nodes and their index, at most */
#define PP_TREE_NODES_LIMIT (1u << 30)   /* no configuration may ask for more */
#define PP_TREE_NAME_BYTES_MAX 4096u     /* one name; longer ones are cut */
#define PP_TREE_NAMES_BYTES_MAX (256u << 20)
#define PP_TREE_DEPTH_MAX 2048u /* frames of one stack, inlined ones too; what is deeper counts as cut */
#define PP_TREE_TYPES_MAX 64u   /* different sample types; samples of further ones are counted in `samples_dropped` */

#define PP_TREE_ROOT 0u
#define PP_TREE_OTHER "[other]"

struct pp_tree_node {
    uint32_t parent; /* of the root: itself */
    uint32_t frame;  /* in pp_tree.frames; of the root: unused */
    int64_t self;    /* value of the samples that end here */
    int64_t cut;     /* value of the samples that go on below, where no node could be made */
};

/* One sample type. Node 0 is the root; a parent stands before its children. */
struct pp_tree_type {
    struct pp_str type, unit;
    PP_VEC(struct pp_tree_node) nodes;
    struct pp_index children; /* by (parent, frame) */
};

struct pp_tree_frame {
    struct pp_str name;
    struct pp_str origin; /* source file, or the module of a frame without symbols, where it was seen first; may be empty */
};

struct pp_tree {
    uint32_t nodes_max; /* over all types */
    bool by_service;    /* the outermost frame is the resource's service.name, else its process.executable.name, where there is one */
    struct pp_arena text;
    PP_VEC(struct pp_tree_frame) frames;
    struct pp_index frame_index;
    PP_VEC(struct pp_tree_type) types;
    uint32_t nodes_n;
    uint32_t type_default; /* what a viewer shows first: the scope's pprof.scope.default_sample_type, else the last type of what was a pprof
                              (pprof's rule), else the first type of all (the OTLP rule) */
    bool type_default_set;
    uint64_t samples, samples_dropped;
    uint64_t time_first_ns, time_last_ns; /* Unix; 0: no profile had a time */
};

/* `nodes_max` 0: PP_TREE_NODES_DEFAULT. Allocates nothing. */
void pp_tree_init(struct pp_tree *tree, uint32_t nodes_max, bool by_service);
void pp_tree_done(struct pp_tree *tree);

/* Adds every sample of a batch. The tables are only read. On failure (PP_ERR_NOMEM) the tree stays usable, with part of the batch in it. */
bool pp_tree_add(struct pp_tree *tree, const struct pp_tables *tables, struct pp_error *err);

/* Totals (self, cut and all that is below) by node of `type`; pp_free'd by the caller; NULL when memory is out. */
int64_t *pp_tree_totals(const struct pp_tree_type *type);

/* The type's number by its name ("cpu", or "cpu:nanoseconds"), or PP_INDEX_NONE. */
uint32_t pp_tree_type_find(const struct pp_tree *tree, struct pp_str name);

/* a + b, held at the ends of the range: values are a peer's. */
int64_t pp_tree_sum(int64_t a, int64_t b);

#endif

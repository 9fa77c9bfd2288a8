/* The batch: what travels through the pipeline. Immutable once published and reference-counted; fan-out shares it. A batch keeps the
 * bytes it came as (also as they were compressed); nobody who does not look inside pays for decoding, and what was not changed is
 * copied out as it came. */
#ifndef PP_PROFILES_BATCH_H
#define PP_PROFILES_BATCH_H

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/error.h"
#include "profiles/tables.h"
#include "proto/otlp/otlp_layout.h"

struct pp_batch;

/* Where a batch came from; immutable, reference-counted, shared by all that derives from the batch. */
struct pp_context;

struct pp_metadata {
    struct pp_str key; /* lower case */
    struct pp_str value;
};

/* Copies everything. `peer` is the address as text, "" when there is none; NULL when memory is out. */
struct pp_context *pp_context_new(struct pp_str peer, const struct pp_metadata *metadata, size_t metadata_n);
/* The same with what the receiver's authenticator found out about the sender ("username", ...), which may be secret: it is never written anywhere. */
struct pp_context *pp_context_new_auth(struct pp_str peer, const struct pp_metadata *metadata, size_t metadata_n, const struct pp_metadata *auth,
                                       size_t auth_n);
struct pp_context *pp_context_ref(struct pp_context *context);
void pp_context_unref(struct pp_context *context);
struct pp_str pp_context_peer(const struct pp_context *context);
/* The i-th value sent under `key`, in any case; false when there are fewer. */
bool pp_context_metadata(const struct pp_context *context, struct pp_str key, size_t i, struct pp_str *ret_value);
/* The i-th of all metadata entries; false when there are fewer. */
bool pp_context_metadata_at(const struct pp_context *context, size_t i, struct pp_metadata *ret);
/* What authentication found out under `name`. */
bool pp_context_auth(const struct pp_context *context, struct pp_str name, struct pp_str *ret_value);
/* What is true of both: the peer, and each metadata key and auth name with the same values in both. One reference, NULL when there is nothing in
 * common; false when memory is out. Either may be NULL. */
bool pp_context_common(struct pp_context *a, struct pp_context *b, struct pp_context **ret);

struct pp_batch_source {
    struct pp_bytes *wire; /* ExportProfilesServiceRequest or ProfilesData, uncompressed; the batch takes its own reference */
    struct pp_bytes *packed; /* the same as it was received, compressed; NULL when it was not */
    enum pp_encoding packed_encoding;
    enum pp_layout layout; /* AUTO unless the receiver was told otherwise */
    struct pp_context *context; /* may be NULL; the batch takes its own reference */
};

/* Checks the message against the data-format rules (well-formed, indices in range, zero entries, shapes, ids) and counts it.
 * PP_ERR_INVALID names the offending path ("resource_profiles[0].scope_profiles[0].profiles[2].samples[17].stack_index: 9 is not below 5").
 * One reference on success. */
bool pp_batch_from_otlp(const struct pp_batch_source *source, struct pp_batch **ret, struct pp_error *err);

/* Converters (pprof, eBPF, JSON) make batches with profiles/builder.h. */

struct pp_batch *pp_batch_ref(struct pp_batch *batch);
void pp_batch_unref(struct pp_batch *batch);

uint64_t pp_batch_samples(const struct pp_batch *batch); /* "items" of the Collector's metrics */
uint32_t pp_batch_profiles(const struct pp_batch *batch);
uint32_t pp_batch_resources(const struct pp_batch *batch);
/* Size of the batch encoded as OTLP without compression, in bytes; exact when it is unchanged since it came, else an estimate from above. */
size_t pp_batch_wire_bytes(const struct pp_batch *batch);
/* Memory that the batch holds now, in bytes, for the limits of queues. */
size_t pp_batch_memory_bytes(const struct pp_batch *batch);
struct pp_context *pp_batch_context(const struct pp_batch *batch); /* borrowed; NULL when there is none */

/* The decoded tables, made on first use (any thread; once). The pointer lives as long as the batch; NULL with PP_ERR_NOMEM. */
const struct pp_tables *pp_batch_tables(struct pp_batch *batch, struct pp_error *err);

/* Of the tables only `resources` and their attributes (key_values): what says where the profiles come from. Everything else is empty, or NULL
 * where it is a pointer, and the resources' scopes have no meaning, unless the batch is decoded already. Made on first use for a small part of
 * what all tables cost; the pointer lives as long as the batch. */
const struct pp_tables *pp_batch_origins(struct pp_batch *batch, struct pp_error *err);

/* Tables by bit, to say what an edit writes. */
enum pp_table_set {
    PP_EDIT_STRINGS = 1 << 0,
    PP_EDIT_FUNCTIONS = 1 << 1,
    PP_EDIT_MAPPINGS = 1 << 2,
    PP_EDIT_LOCATIONS = 1 << 3, /* with lines */
    PP_EDIT_STACKS = 1 << 4,    /* with location_indices */
    PP_EDIT_LINKS = 1 << 5,
    PP_EDIT_ATTRIBUTES = 1 << 6,
    PP_EDIT_RESOURCES = 1 << 7, /* with key_values */
    PP_EDIT_SCOPES = 1 << 8,    /* with key_values */
    PP_EDIT_PROFILES = 1 << 9,
    PP_EDIT_SAMPLES = 1 << 10, /* with values and timestamps */
};

/* The one door to mutation. Makes *batch exclusively the caller's (the same object when he holds the only reference, else a derived
 * one that shares every table not named in `tables`; the old reference is given up) and returns its tables, of which those named, and
 * the index arrays beside them, may be written until the batch is passed on. NULL on failure, *batch untouched. */
struct pp_tables *pp_batch_edit(struct pp_batch **batch, unsigned tables, struct pp_error *err);

/* pp_batch_edit for somebody who only changes resources and their attributes: the tables are those of pp_batch_origins, of which these two may
 * be written; resources may not be added. The rest of the message is passed on as it came. */
struct pp_tables *pp_batch_edit_origins(struct pp_batch **batch, struct pp_error *err);

struct pp_encode_options {
    bool references; /* write key_strindex / string_value_strindex; default: inline, which every peer reads */
};

/* Encodes as ExportProfilesServiceRequest in the current layout. An unchanged batch gives the very bytes it came as. One reference. */
bool pp_batch_encode(struct pp_batch *batch, const struct pp_encode_options *options, struct pp_bytes **ret, struct pp_error *err);
/* Whether pp_batch_encode would hand out the bytes as they came, which costs nothing. */
bool pp_batch_is_as_received(const struct pp_batch *batch, const struct pp_encode_options *options);
/* Whether it came compressed like that. */
bool pp_batch_has_packed(const struct pp_batch *batch, enum pp_encoding encoding);
/* The compressed bytes as received, when the batch is unchanged, they have this encoding, and need no re-encoding for `options`;
 * else NULL. One reference. */
struct pp_bytes *pp_batch_packed(struct pp_batch *batch, enum pp_encoding encoding, const struct pp_encode_options *options);

/* The bytes it came as, compressed or not, and the rest of what pp_batch_from_otlp needs to make the same batch of them again; NULL when it has been changed
 * or never was bytes. One reference. */
struct pp_bytes *pp_batch_received(const struct pp_batch *batch, enum pp_encoding *ret_encoding, enum pp_layout *ret_layout);

/* One batch out of several with a common dictionary, linear in their size; resources and scopes that are equal are joined, profiles are kept apart.
 * Inputs stay the caller's. The context says what is true of all of them (pp_context_common), so that no sender's data goes out under another's name. */
bool pp_batch_merge(struct pp_batch *const *batches, size_t n, struct pp_batch **ret, struct pp_error *err);

struct pp_batch_limits {
    uint64_t samples_max; /* 0: none */
    size_t bytes_max;     /* encoded, uncompressed; 0: none */
};

/* Called for each part in order; owns the reference it is given. False stops the split. */
typedef bool pp_batch_part(void *arg, struct pp_batch *part);

/* Cuts a batch so that each part is within the limits, also inside one profile; each part carries only the dictionary entries it uses. A single sample
 * above bytes_max is a part of its own. The input stays the caller's. */
bool pp_batch_split(struct pp_batch *batch, const struct pp_batch_limits *limits, pp_batch_part *part, void *arg, struct pp_error *err);

/* A part that keeps the resources for which `keep` says so, with only the dictionary entries in use; *ret is NULL when none is kept,
 * the same batch with one more reference when all are. `tables` are those of pp_batch_origins. */
typedef bool pp_batch_keep(void *arg, const struct pp_tables *tables, uint32_t resource);
bool pp_batch_filter_resources(struct pp_batch *batch, pp_batch_keep *keep, void *arg, struct pp_batch **ret, struct pp_error *err);

/* Garbage collection: a batch of the same content with only the dictionary entries in use, equal ones joined. Edits leave entries behind that
 * nothing refers to any more; splitting, filtering and merging never carry those along, so that this is for what is kept or measured. */
bool pp_batch_compact(struct pp_batch *batch, struct pp_batch **ret, struct pp_error *err);

#endif

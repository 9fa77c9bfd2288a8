/* A configuration from anywhere: YAML, expansion (of variables only), document with every shared
 * group, printing. What is printed of a document must read back as the same document. */
#include <assert.h>
#include <stdlib.h>

#include "config/document.h"
#include "config/expand.h"
#include "config/groups/grpc_client.h"
#include "config/groups/grpc_server.h"
#include "config/groups/http_client.h"
#include "config/groups/http_server.h"
#include "config/groups/retry_on_failure.h"
#include "config/groups/sending_queue.h"
#include "config/merge.h"
#include "config/print.h"

#define TEXT_BYTES_MAX (64u << 20)
#define ARENA_BYTES_MAX (256u << 20)

/* All types of all sections are one component with every group. */
struct everything {
    struct pp_grpc_server_config *grpc;
    struct pp_http_server_config *http;
    struct pp_http_client_config *client;
    struct pp_sending_queue_config sending_queue;
    struct pp_group_list retries;
    struct pp_group_map clients;
    const struct pp_node *node;
};

static const struct pp_field everything_fields[] = {
    PP_ROW_OPTIONAL(struct everything, grpc, &pp_grpc_server_group, ""),
    PP_ROW_OPTIONAL(struct everything, http, &pp_http_server_group, ""),
    PP_ROW_OPTIONAL(struct everything, client, &pp_http_client_group, ""),
    PP_ROW_GROUP(struct everything, sending_queue, &pp_sending_queue_group, ""),
    PP_ROW_LIST(struct everything, retries, 0, &pp_retry_group, ""),
    PP_ROW_MAP(struct everything, clients, 0, &pp_grpc_client_group, ""),
    PP_ROW_NODE(struct everything, node, 0, ""),
    PP_ROW_END,
};

static const struct pp_group everything_group = {
    .name = "everything",
    .size = sizeof(struct everything),
    .defaults = &(const struct everything){.sending_queue = PP_SENDING_QUEUE_DEFAULTS},
    .fields = everything_fields,
};

static bool find(void *ctx, enum pp_section section, struct pp_str type, struct pp_doc_type *ret)
{
    (void)ctx;
    (void)section;
    if (type.n > 2)
        return false;
    *ret = (struct pp_doc_type){
        .factory = &everything_group,
        .config = &everything_group,
        .signals = 1u << PP_PIPELINE_PROFILES,
        .signals_out = 1u << PP_PIPELINE_PROFILES,
    };
    return true;
}

static const char *const *names(void *ctx, enum pp_section section)
{
    static const char *const all[] = {"x", "ab", NULL};

    (void)ctx;
    (void)section;
    return all;
}

static const char *get_env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "A") == 0   ? "{a: ['${env:B}', '${A}']}"
           : strcmp(name, "B") == 0 ? "1${env:C:-2}"
                                    : NULL;
}

static const struct pp_document *read_text(struct pp_arena *arena, struct pp_diags *diags,
                                           struct pp_str text)
{
    static const struct pp_doc_types types = {NULL, find, names};
    static const struct pp_config_io io = {.get_env = get_env};
    const struct pp_document_options options = {0};
    struct pp_yaml_source source = {text, {.file = "fuzz"}};
    const struct pp_node *root = pp_yaml_read(arena, &source, diags);

    if (root && root->kind == PP_NODE_MAP)
        root = pp_node_unflatten(arena, root, diags);
    if (root)
        root = pp_node_expand(arena, root, &io, diags);
    return root ? pp_document_read(arena, root, &types, &options, diags) : NULL;
}

static void check_round_trip(const struct pp_document *doc, enum pp_emit_format format)
{
    const struct pp_print_options options = {.format = format, .as_source = true};
    struct pp_arena arena = {.bytes_limit = ARENA_BYTES_MAX};
    struct pp_diags diags = {0};
    const struct pp_document *again;
    struct pp_buf first, second;

    pp_buf_init(&first, TEXT_BYTES_MAX);
    pp_buf_init(&second, TEXT_BYTES_MAX);
    if (pp_print_document(doc, &options, &first)) {
        again = read_text(&arena, &diags, pp_buf_str(&first));
        assert(again);
        assert(pp_print_document(again, &options, &second));
        assert(pp_str_eq(pp_buf_str(&first), pp_buf_str(&second)));
    }
    pp_buf_done(&second);
    pp_buf_done(&first);
    pp_diags_done(&diags);
    pp_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pp_arena arena = {.bytes_limit = ARENA_BYTES_MAX};
    struct pp_diags diags = {0};
    const struct pp_document *doc =
        read_text(&arena, &diags, (struct pp_str){(const char *)data, size});
    struct pp_buf problems;

    assert(doc || pp_diags_failed(&diags));
    pp_buf_init(&problems, TEXT_BYTES_MAX);
    pp_diags_sort(&diags);
    pp_diags_print(&diags, &problems);
    if (doc) {
        check_round_trip(doc, PP_EMIT_YAML);
        check_round_trip(doc, PP_EMIT_JSON);
    }
    pp_buf_done(&problems);
    pp_diags_done(&diags);
    pp_arena_done(&arena);
    return 0;
}

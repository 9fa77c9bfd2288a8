/* What the calls of one exporter share on all loops: where to, by which certificates, with which headers. */
#ifndef PP_EXPORTERS_GRPC_CLIENT_H
#define PP_EXPORTERS_GRPC_CLIENT_H

#include "base/encoding.h"
#include "config/groups/grpc_client.h"
#include "grpc_channel.h"

struct pp_grpc_client;

/* `config` (validated) and `log_id` are borrowed until pp_grpc_client_free. Messages will come in `encoding`. No connection is made. NULL on failure:
 * certificates that cannot be read, an endpoint or headers that cannot be sent. */
struct pp_grpc_client *pp_grpc_client_new(const char *log_id, const struct pp_grpc_client_config *config, enum pp_encoding encoding,
                                          struct pp_error *err);
/* After all its channels. Accepts NULL. */
void pp_grpc_client_free(struct pp_grpc_client *client);

/* For pp_grpc_channel_new. */
const struct pp_grpc_channel_config *pp_grpc_client_channel_config(const struct pp_grpc_client *client);

#endif

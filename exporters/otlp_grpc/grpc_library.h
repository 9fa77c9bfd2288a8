/* grpc core is started with its first user and stopped with its last: a daemon without a gRPC
 * exporter has none of its threads. Its own log goes to ours. Main thread only. */
#ifndef PP_EXPORTERS_GRPC_LIBRARY_H
#define PP_EXPORTERS_GRPC_LIBRARY_H

void pp_grpc_library_ref(void);
void pp_grpc_library_unref(void);

#endif

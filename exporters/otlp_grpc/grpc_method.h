/* The one method that is called. */
#ifndef PP_EXPORTERS_GRPC_METHOD_H
#define PP_EXPORTERS_GRPC_METHOD_H

#define PP_GRPC_METHOD                                                                             \
    "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"

#endif

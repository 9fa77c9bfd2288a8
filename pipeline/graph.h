/* The running graph: making, wiring and ending the instances of a plan. Private to the engine. */
#ifndef PP_PIPELINE_GRAPH_H
#define PP_PIPELINE_GRAPH_H

#include "pipeline/service_state.h"

/* `plan` NULL gives an empty graph. Takes no reference. False when memory is out. */
bool pp_graph_init(struct pp_graph *graph, struct pp_plan *plan);
/* Frees the arrays and unused target sets, not the instances. */
void pp_graph_done(struct pp_graph *graph);

/* An instance of a node, with the graph's instances of the extensions that it uses, which come before it. Does not put it into the graph. */
bool pp_graph_make(struct pp_graph *graph, struct pp_service *service, size_t node, struct pp_instance **ret, struct pp_error *err);
/* Allocates all target sets, so that wiring cannot fail later. Targets without an instance or not started are left out when `started_only`. */
bool pp_graph_prepare(struct pp_graph *graph, bool started_only);
/* Gives one instance the targets prepared for it; does nothing when it has them already. */
void pp_graph_wire_node(struct pp_graph *graph, size_t node);
/* Gives every instance its targets, those that are fed first. */
void pp_graph_wire(struct pp_graph *graph);
/* What the node's instance emits from now on is answered with "retry". */
void pp_graph_cut(struct pp_graph *graph, size_t node);

/* Ends the instances for which `ends` says so (NULL: all), receivers first, extensions last. Receivers get half of the time at most, so that exporters
 * have the rest. pp_graph_drain leaves the extensions running; what has ended is not ended again. */
void pp_graph_drain(struct pp_graph *graph, const bool *ends, uint64_t deadline_mono_ms);
void pp_graph_shutdown(struct pp_graph *graph, const bool *ends, uint64_t deadline_mono_ms);
void pp_graph_free_instances(struct pp_graph *graph, const bool *ends);

#endif

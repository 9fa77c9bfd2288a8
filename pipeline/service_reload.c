/* Replacing the running graph without losing what is in it.
 *
 * Instances that did not change are carried over. The others of the new graph are made and started beside the old ones where that can be done
 * (servers take listening sockets over, clients own nothing), so that a failure leaves the old graph as it is. What cannot start beside its
 * predecessor, or did not because the old graph holds what it needs (a port, a file), is started after the old ones in its way have been
 * drained; if it still fails, those are made and started again. Only then are the connections switched, and the rest of the old graph drained, beside the
 * new one (pipeline/service_retire.c). */
#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph.h"
#include "pipeline/metrics_server.h"
#include "pipeline/service_retire.h"

struct reload {
    struct pp_service *service;
    struct pp_graph old; /* the running one; its arrays stay the service's */
    struct pp_graph new;
    bool *carried; /* by node of the new graph: the instance is the old graph's */
    bool *late;    /* by node of the new graph: starts after old ones have been drained */
    bool *leaves;  /* by node of the old graph: not carried over */
    bool *drained; /* by node of the old graph: ended to make way */
};

static bool *flags(size_t n)
{
    return pp_calloc(n + 1, sizeof(bool));
}

static bool reload_init(struct reload *reload, struct pp_service *service, struct pp_plan *plan)
{
    size_t n = plan->nodes.n, old_n = service->graph.plan ? service->graph.plan->nodes.n : 0;

    *reload = (struct reload){
        .service = service,
        .old = service->graph,
        .carried = flags(n),
        .late = flags(n),
        .leaves = flags(old_n),
        .drained = flags(old_n),
    };
    return pp_graph_init(&reload->new, plan) && reload->carried && reload->late && reload->leaves && reload->drained;
}

static void reload_done(struct reload *reload)
{
    pp_free(reload->carried);
    pp_free(reload->late);
    pp_free(reload->leaves);
    pp_free(reload->drained);
}

static uint64_t deadline(const struct reload *reload)
{
    return pp_clock_mono_ms() + reload->service->shutdown_timeout_ms;
}

static size_t old_n(const struct reload *reload)
{
    return reload->old.plan ? reload->old.plan->nodes.n : 0;
}

/* The old node that node `i` of the new graph succeeds, or old_n. */
static size_t predecessor(const struct reload *reload, size_t i)
{
    size_t k = 0;

    while (k < old_n(reload) && !pp_plan_node_is(&reload->old.plan->nodes.v[k], &reload->new.plan->nodes.v[i]))
        k++;
    return k;
}

/* Whether all extensions that node `i` of the new graph uses go on: they come before it. */
static bool uses_carried(const struct reload *reload, size_t i)
{
    const struct pp_plan_node *node = &reload->new.plan->nodes.v[i];

    for (size_t u = 0; u < node->uses.n; u++)
        if (!reload->carried[node->uses.v[u].node])
            return false;
    return true;
}

static void carry_over(struct reload *reload)
{
    for (size_t k = 0; k < old_n(reload); k++)
        reload->leaves[k] = true;
    for (size_t i = 0; i < reload->new.plan->nodes.n; i++) {
        size_t k = predecessor(reload, i);

        if (k == old_n(reload) || !reload->old.instances[k] || !reload->old.instances[k]->started ||
            !pp_plan_node_same(&reload->old.plan->nodes.v[k], &reload->new.plan->nodes.v[i]) || !uses_carried(reload, i))
            continue;
        reload->new.instances[i] = reload->old.instances[k];
        reload->carried[i] = true;
        reload->leaves[k] = false;
    }
}

static bool make_new(struct reload *reload, struct pp_error *err)
{
    for (size_t i = 0; i < reload->new.plan->nodes.n; i++)
        if (!reload->carried[i] && !pp_graph_make(&reload->new, reload->service, i, &reload->new.instances[i], err))
            return false;
    return pp_graph_prepare(&reload->new, false) || pp_error_nomem(err);
}

/* Processors and connectors own nothing outside the process. */
static bool owns_nothing(enum pp_component_kind kind)
{
    return kind == PP_PROCESSOR || kind == PP_CONNECTOR;
}

/* Whether the old graph has something that ends and could be in the way of a component of this kind. */
static bool may_be_in_the_way(const struct reload *reload, enum pp_component_kind kind)
{
    if (owns_nothing(kind))
        return false;
    for (size_t k = 0; k < old_n(reload); k++)
        if (reload->leaves[k] && reload->old.plan->nodes.v[k].spec.factory->kind == kind)
            return true;
    return false;
}

/* A new instance is wired before it starts: a receiver takes data from its first moment on, and what it feeds comes earlier in the plan. */
static bool start_new(struct reload *reload, size_t i, struct pp_error *err)
{
    pp_graph_wire_node(&reload->new, i);
    return pp_instance_start(reload->new.instances[i], err);
}

/* Whether an extension that node `i` of the new graph uses starts only after old ones have been drained. */
static bool uses_late(const struct reload *reload, size_t i)
{
    const struct pp_plan_node *node = &reload->new.plan->nodes.v[i];

    for (size_t u = 0; u < node->uses.n; u++)
        if (reload->late[node->uses.v[u].node])
            return true;
    return false;
}

/* What uses an extension of the old graph that is drained goes with it, before it. None of it is carried over. */
static void drain_users(struct reload *reload)
{
    for (size_t k = 0; k < old_n(reload); k++) {
        const struct pp_plan_node *node = &reload->old.plan->nodes.v[k];

        for (size_t u = 0; u < node->uses.n; u++)
            reload->drained[k] = reload->drained[k] || reload->drained[node->uses.v[u].node];
    }
}

/* Starts what can run beside the old graph, notes what has to wait. False: something failed for which nothing old can be to blame. */
static bool start_beside(struct reload *reload, struct pp_error *err)
{
    for (size_t i = 0; i < reload->new.plan->nodes.n; i++) {
        const struct pp_factory *factory = reload->new.plan->nodes.v[i].spec.factory;
        size_t k = predecessor(reload, i);

        if (reload->carried[i])
            continue;
        if (uses_late(reload, i) || (k < old_n(reload) && !factory->starts_beside_old && !owns_nothing(factory->kind))) {
            reload->late[i] = true;
            if (k < old_n(reload))
                reload->drained[k] = true;
        } else if (!start_new(reload, i, err)) {
            if (!may_be_in_the_way(reload, factory->kind))
                return false;
            reload->late[i] = true;
            for (size_t old = 0; old < old_n(reload); old++)
                if (reload->leaves[old] && reload->old.plan->nodes.v[old].spec.factory->kind == factory->kind)
                    reload->drained[old] = true;
        }
    }
    return true;
}

/* Ends old instances that are in the way; those who feed them ask their senders to retry meanwhile. */
static void make_way(struct reload *reload)
{
    for (size_t k = 0; k < old_n(reload); k++) {
        const struct pp_plan_node *node = &reload->old.plan->nodes.v[k];

        for (size_t e = 0; e < node->edges.n; e++) {
            if (reload->drained[node->edges.v[e].to]) {
                pp_graph_cut(&reload->old, k);
                break;
            }
        }
    }
    pp_graph_shutdown(&reload->old, reload->drained, deadline(reload));
}

static bool start_late(struct reload *reload, struct pp_error *err)
{
    for (size_t i = 0; i < reload->new.plan->nodes.n; i++)
        if (reload->late[i] && !start_new(reload, i, err))
            return false;
    return true;
}

static void end_new(struct reload *reload)
{
    for (size_t i = 0; i < reload->new.plan->nodes.n; i++)
        reload->carried[i] = !reload->carried[i]; /* from here on: what ends */
    pp_graph_shutdown(&reload->new, reload->carried, deadline(reload));
    pp_graph_free_instances(&reload->new, reload->carried);
}

/* Makes and starts again what was drained. What cannot be is left out of the old graph's connections and says so in its status and the log. */
static void put_back(struct reload *reload)
{
    for (size_t k = 0; k < old_n(reload); k++) {
        struct pp_error err = {0};
        struct pp_instance *again = NULL;

        if (!reload->drained[k])
            continue;
        if (!pp_graph_make(&reload->old, reload->service, k, &again, &err) ||
            !pp_instance_start(again, &err))
            pp_log(PP_LOG_ERROR, NULL, "reload: could not be put back: %s", err.message);
        if (!again)
            continue;
        pthread_mutex_lock(&reload->service->lock);
        struct pp_instance *gone = reload->old.instances[k];
        reload->old.instances[k] = again;
        pthread_mutex_unlock(&reload->service->lock);
        pp_instance_free(gone);
    }
    if (pp_graph_prepare(&reload->old, true))
        pp_graph_wire(&reload->old);
    else
        pp_log(PP_LOG_ERROR, NULL, "reload: out of memory while the old graph was put back");
}

static void switch_over(struct reload *reload)
{
    pp_graph_wire(&reload->new);
    pp_plan_ref(reload->new.plan);
    pp_service_publish(reload->service, &reload->new);
    /* reload->new is the old graph now, with the arrays and the reference to its plan that go. */
    pp_service_retire(reload->service, &reload->new, reload->leaves);
    reload->leaves = NULL;
}

bool pp_service_reload(struct pp_service *service, struct pp_plan *plan, struct pp_error *err)
{
    struct reload reload;
    bool ok, way_made = false;

    pp_service_settle(service);
    if (!reload_init(&reload, service, plan)) {
        reload_done(&reload);
        pp_graph_done(&reload.new);
        return pp_error_nomem(err);
    }
    carry_over(&reload);
    ok = make_new(&reload, err) && start_beside(&reload, err);
    if (ok && memchr(reload.late, true, plan->nodes.n)) {
        way_made = true;
        drain_users(&reload);
        make_way(&reload);
        ok = start_late(&reload, err);
    }
    ok = ok && pp_metrics_server_configure(service, plan->document->telemetry, err);
    if (ok) {
        switch_over(&reload);
    } else {
        end_new(&reload);
        if (way_made)
            put_back(&reload);
        pp_graph_done(&reload.new);
    }
    reload_done(&reload);
    return ok;
}

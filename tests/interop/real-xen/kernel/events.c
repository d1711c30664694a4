/* au bi bv ip cl se um bc pr rs st: event channels. */
#include "operations.h"

#include "kernel.h"

static int done(word rc, struct answer* answer) {
    print(" rc=%d", rc);
    answer->failed = rc;
    return 1;
}

static int opened(word rc, evtchn_port_t port, struct answer* answer) {
    done(rc, answer);
    answer->number = port;
    if (rc == 0) print(" port=%d", (word)port);
    return 1;
}

static int status(const word* a, struct answer* answer) {
    struct evtchn_status op = {.dom = a[0], .port = a[1]};
    const word rc = event_channel_op(EVTCHNOP_status, &op);
    done(rc, answer);
    if (rc != 0) return 1;
    print(" status=%d vcpu=%d", (word)op.status, (word)op.vcpu);
    if (op.status == EVTCHNSTAT_unbound) print(" dom=%d", (word)op.u.unbound.dom);
    if (op.status == EVTCHNSTAT_interdomain)
        print(" dom=%d port=%d", (word)op.u.interdomain.dom, (word)op.u.interdomain.port);
    if (op.status == EVTCHNSTAT_virq) print(" virq=%d", (word)op.u.virq);
    return 1;
}

int event_operation(const char* name, const word* a, struct answer* answer) {
    if (is(name, "au")) {
        struct evtchn_alloc_unbound op = {.dom = a[0], .remote_dom = a[1]};
        const word rc = event_channel_op(EVTCHNOP_alloc_unbound, &op);
        return opened(rc, op.port, answer);
    }
    if (is(name, "bi")) {
        struct evtchn_bind_interdomain op = {.remote_dom = a[0], .remote_port = a[1]};
        const word rc = event_channel_op(EVTCHNOP_bind_interdomain, &op);
        return opened(rc, op.local_port, answer);
    }
    if (is(name, "bv")) {
        struct evtchn_bind_virq op = {.virq = a[0], .vcpu = a[1]};
        const word rc = event_channel_op(EVTCHNOP_bind_virq, &op);
        return opened(rc, op.port, answer);
    }
    if (is(name, "ip")) {
        struct evtchn_bind_ipi op = {.vcpu = a[0]};
        const word rc = event_channel_op(EVTCHNOP_bind_ipi, &op);
        return opened(rc, op.port, answer);
    }
    if (is(name, "cl")) return done(event_channel_op(EVTCHNOP_close, &(struct evtchn_close){a[0]}), answer);
    if (is(name, "se")) return done(event_channel_op(EVTCHNOP_send, &(struct evtchn_send){a[0]}), answer);
    if (is(name, "um")) return done(event_channel_op(EVTCHNOP_unmask, &(struct evtchn_unmask){a[0]}), answer);
    if (is(name, "bc"))
        return done(event_channel_op(EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){a[0], a[1]}), answer);
    if (is(name, "pr"))
        return done(event_channel_op(EVTCHNOP_set_priority, &(struct evtchn_set_priority){a[0], a[1]}), answer);
    if (is(name, "rs")) return done(event_channel_op(EVTCHNOP_reset, &(struct evtchn_reset){a[0]}), answer);
    return is(name, "st") && status(a, answer);
}

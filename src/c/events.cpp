// events.h.
#include "home.h"

namespace xenrig::c {

namespace {

struct ChannelHandle final : Handle, xenrig_channel {
    explicit ChannelHandle(Channel c) : xenrig_channel{c.port().value}, channel(std::move(c)) {}
    static Channel& of(xenrig_channel* c) { return static_cast<ChannelHandle*>(c)->channel; }
    Channel channel;
};

int keep(const xenrig_platform* xen, Result<Channel> channel, xenrig_channel** out) {
    if (!channel) return answer(channel);
    *out = Home::of(xen).keep(std::make_unique<ChannelHandle>(std::move(*channel)));
    return 0;
}

EventHandler handler_of(xenrig_handler handler, void* context) {
    return [handler, context] { handler(context); };
}

int alloc_unbound(const xenrig_platform* xen, std::uint16_t remote, xenrig_handler handler, void* context,
                  xenrig_channel** out) {
    Events& events = Home::of(xen).platform().events();
    return keep(xen, events.alloc_unbound(DomId{remote}, handler_of(handler, context)), out);
}

int bind_interdomain(const xenrig_platform* xen, std::uint16_t remote, std::uint32_t remote_port,
                     xenrig_handler handler, void* context, xenrig_channel** out) {
    Events& events = Home::of(xen).platform().events();
    return keep(xen, events.bind_interdomain(DomId{remote}, Port{remote_port}, handler_of(handler, context)), out);
}

int notify(const xenrig_platform*, xenrig_channel* channel) { return answer(ChannelHandle::of(channel).notify()); }
void mask(const xenrig_platform*, xenrig_channel* channel) { ChannelHandle::of(channel).mask(); }
void unmask(const xenrig_platform*, xenrig_channel* channel) { ChannelHandle::of(channel).unmask(); }
void close(const xenrig_platform* xen, xenrig_channel* channel) { end<ChannelHandle>(xen, channel); }

}  // namespace

const xenrig_events event_calls = {.size = sizeof(xenrig_events),
                                   .alloc_unbound = alloc_unbound,
                                   .bind_interdomain = bind_interdomain,
                                   .notify = notify,
                                   .mask = mask,
                                   .unmask = unmask,
                                   .close = close};

}  // namespace xenrig::c

#include "transport.h"

#include <bit>

#include "xenrig/xenbus/nodes.h"

#include <xen/io/protocols.h>

namespace xenrig::blk {

namespace {

Result<Layout> read_layout(const xenbus::Endpoint& device, Layout native) {
    const auto protocol = device.store().read(StoreTx::none, device.peer_node("protocol"));
    if (!protocol && protocol.error().code != Errno::noent) return std::unexpected(protocol.error());
    if (!protocol) return native;
    if (*protocol == XEN_IO_PROTO_ABI_X86_64) return Layout::x86_64;
    if (*protocol == XEN_IO_PROTO_ABI_X86_32) return Layout::x86_32;
    return fail(Errno::inval, "the frontend's protocol '" + *protocol +
                                  "' is neither " XEN_IO_PROTO_ABI_X86_64 " nor " XEN_IO_PROTO_ABI_X86_32);
}

/// A number with a default; garbled is an error here, for a wrong ring is worse than none.
Result<std::uint32_t> read_limited(const xenbus::Endpoint& device, const char* name, std::uint32_t absent,
                                   std::uint32_t least, std::uint32_t most) {
    const std::string path = device.peer_node(name);
    const auto value = xenbus::read_number<std::uint32_t>(device.store(), path);
    if (!value && value.error().code == Errno::noent) return absent;
    if (!value) return std::unexpected(value.error());
    if (*value < least || *value > most)
        return fail(Errno::inval, path + " is " + std::to_string(*value) + ", not from " + std::to_string(least) +
                                      " to " + std::to_string(most));
    return *value;
}

/// Of a ring; 0 for the one page that `ring-ref` without a number names.
Result<std::uint32_t> read_pages(const xenbus::Endpoint& device, const BlkbackOptions& offered) {
    constexpr std::uint32_t kAbsent = ~0u;
    const auto order = read_limited(device, "ring-page-order", kAbsent, 0, offered.ring_page_order);
    if (!order) return std::unexpected(order.error());
    if (*order != kAbsent) return 1u << *order;
    const auto pages = read_limited(device, "num-ring-pages", 1, 1, 1u << offered.ring_page_order);
    if (!pages) return std::unexpected(pages.error());
    if (!std::has_single_bit(*pages))
        return fail(Errno::inval,
                    device.peer_node("num-ring-pages") + " is " + std::to_string(*pages) + ", no power of two");
    return *pages;
}

Result<FrontendTransport::Queue> read_queue(const xenbus::Endpoint& device, const std::string& below,
                                            std::uint32_t pages) {
    Store& store = device.store();
    FrontendTransport::Queue queue;
    for (std::uint32_t i = 0; i < pages; ++i) {
        auto ref = xenbus::read_number<std::uint32_t>(
            store, device.peer_node(below + (pages == 1 ? "ring-ref" : "ring-ref" + std::to_string(i))));
        // A ring of one page may be named in either way where its order is given.
        if (!ref && pages == 1 && ref.error().code == Errno::noent)
            if (const auto numbered = xenbus::read_number<std::uint32_t>(store, device.peer_node(below + "ring-ref0")))
                ref = numbered;
        if (!ref) return std::unexpected(ref.error());
        queue.refs.emplace_back(*ref);
    }
    const auto port = xenbus::read_number<std::uint32_t>(store, device.peer_node(below + "event-channel"));
    if (!port) return std::unexpected(port.error());
    queue.port = Port(*port);
    return queue;
}

}  // namespace

Result<FrontendTransport> read_transport(const xenbus::Endpoint& device, const BlkbackOptions& offered) {
    FrontendTransport transport;
    const auto pages = read_pages(device, offered);
    if (!pages) return std::unexpected(pages.error());
    const auto queues = read_limited(device, "multi-queue-num-queues", 1, 1, offered.queues);
    if (!queues) return std::unexpected(queues.error());
    for (std::uint32_t i = 0; i < *queues; ++i) {
        const auto queue = read_queue(device, *queues == 1 ? "" : "queue-" + std::to_string(i) + "/", *pages);
        if (!queue) return std::unexpected(queue.error());
        transport.queues.push_back(*queue);
    }
    const auto layout = read_layout(device, offered.layout);
    if (!layout) return std::unexpected(layout.error());
    transport.layout = *layout;
    transport.persistent =
        offered.persistent_grants != 0 && xenbus::read_feature(device.store(), device.peer_node("feature-persistent"));
    return transport;
}

}  // namespace xenrig::blk

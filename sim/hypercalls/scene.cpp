#include "sim/hypercalls/scene.h"

#include <string>

#include "sim/hypercalls/still_machine.h"

namespace xenrig::hypercalls {

namespace {
/// What a machine of 256 MiB has below its firmware's tables.
constexpr std::uint64_t kMachineEnd = 0xffe0;
/// dom0_mem=64M, and what domain.c gives to the domain that it builds.
constexpr std::uint64_t kControlFrames = 64ull << 20 >> 12, kBuiltFrames = 8ull << 20 >> 12;

hypervisor::HostConfig machine_config() {
    hypervisor::HostConfig config;
    config.frames = kMachineEnd - config.first_mfn.value;
    return config;
}
}  // namespace

Scene::Scene(const KernelKind& kind)
    : machine_(std::make_unique<StillMachine>()),
      host_(std::make_unique<hypervisor::Hypervisor>(*machine_, machine_config())),
      control_(start(kind.privileged ? kind : kernel_kinds().front(), kControlFrames)),
      built_(kind.privileged ? nullptr : start(kind, kBuiltFrames)) {}

Scene::~Scene() = default;

std::unique_ptr<BareKernel> Scene::start(const KernelKind& kind, std::uint64_t frames) {
    const auto dom = host_->create_domain({.name = std::string(kind.name),
                                           .type = kind.type,
                                           .bits = kind.bits,
                                           .max_frames = frames,
                                           .privileged = kind.privileged});
    check(dom.has_value() && host_->populate(*dom, Gfn{0}, frames).has_value(),
          "a fresh host has room for its domains");
    check(host_->unpause(*dom).has_value(), "a domain is built paused");
    return std::make_unique<BareKernel>(*host_, *dom, kind);
}

}  // namespace xenrig::hypercalls

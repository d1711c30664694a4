// How a drive's medium is changed, and how a guest asks for it to be taken out (libxl_disk.c, libxl_event.c).

#include "sim/toolstack/toolstack.h"

namespace xenrig::toolstack {

Result<> Toolstack::change_medium(DomId domain, unsigned number, const std::string& params) {
    const auto backend = backend_of(domain, std::to_string(number));
    if (!backend) return std::unexpected(backend.error());
    return store_.transaction([&](StoreTx tx) -> Result<> {
        const auto type = store_.read(tx, *backend + "/device-type");
        if (!type) return std::unexpected(type.error());
        if (*type != "cdrom") return fail(Errno::inval, "device " + std::to_string(number) + " is no drive");
        if (auto done = store_.write(tx, *backend + "/type", "phy"); !done) return done;
        return store_.write(tx, *backend + "/params", params);
    });
}

Result<> Toolstack::wait_for_eject(DomId domain, unsigned number) {
    const std::string node =
        "/local/domain/" + std::to_string(domain.value) + "/device/vbd/" + std::to_string(number) + "/eject";
    if (auto asked =
            wait_for(node, [&]() -> Result<bool> { return store_.read(StoreTx::none, node).value_or("") == "eject"; });
        !asked)
        return asked;
    return store_.write(StoreTx::none, node, "");
}

}  // namespace xenrig::toolstack

// __HYPERVISOR_physdev_op (x86/physdev.c: do_physdev_op): interrupts, I/O ports, the I/O APIC and the list of PCI
// devices, for the kernel that drives the machine's hardware.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/with_answer.h"
#include "sim/hypervisor/xen_abi.h"

#include <xen/physdev.h>

namespace xenrig::hypervisor {

namespace {

std::int64_t map_pirq(Call& call, physdev_map_pirq_t& op) {
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (op.domid == DOMID_SELF && d->translated()) {
        return op.type == MAP_PIRQ_TYPE_GSI ? d->pirqs.map_virtual(op.index, op.pirq) : -error(Errno::inval);
    }
    if (!d) return -error(Errno::srch);
    if (!call.domain.privileged()) return -error(Errno::perm);
    switch (op.type) {
        case MAP_PIRQ_TYPE_GSI:
            return d->pirqs.map_gsi(call.domain, op.index, op.pirq);
        case MAP_PIRQ_TYPE_MULTI_MSI:
            return d->pirqs.map_messages(op.entry_nr, op.pirq);
        case MAP_PIRQ_TYPE_MSI:
            return d->pirqs.map_message(op.index, op.pirq);
        default:
            return -error(Errno::inval);
    }
}

std::int64_t unmap_pirq(Call& call, const physdev_unmap_pirq_t& op) {
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (d->translated() && d->pirqs.is_virtual(op.pirq)) {
        const std::int64_t result = d->pirqs.unmap_virtual(op.pirq);
        if (op.domid == DOMID_SELF || result != 0) return result;
    }
    return call.domain.privileged() ? d->pirqs.unmap(op.pirq) : -error(Errno::perm);
}

std::int64_t get_free_pirq(Call& call, physdev_get_free_pirq_t& op) {
    const std::int64_t pirq = call.domain.pirqs.allocate(op.type == MAP_PIRQ_TYPE_GSI);
    if (pirq < 0) return pirq;
    op.pirq = static_cast<std::uint32_t>(pirq);
    return 0;
}

std::int64_t setup_gsi(Call& call, const physdev_setup_gsi_t& op) {
    if (!MachineInterrupts::is_line(op.gsi)) return -error(Errno::inval);
    if (!call.domain.privileged()) return -error(Errno::perm);
    return call.host.interrupts.set_up(op.gsi, op.triggering != 0) ? 0 : -error(Errno::exist);
}

/// The vCPU's level is checked and forgotten: no guest of this machine executes a port instruction.
std::int64_t set_iopl(const physdev_set_iopl_t& op) {
    constexpr std::uint32_t kLevelMax = 3;
    return op.iopl <= kLevelMax ? 0 : -error(Errno::inval);
}

std::int64_t set_iobitmap(const Call& call, const physdev_set_iobitmap_t& op) {
    constexpr std::uint32_t kPorts = 65536;
    const auto at = reinterpret_cast<std::uint64_t>(op.bitmap.p);
    return may_be_guests(call.domain, at) && op.nr_ports <= kPorts ? 0 : -error(Errno::inval);
}

/// One I/O APIC, whose entries are all masked: the hypervisor keeps the true ones to itself.
bool apic_at(std::uint64_t base) { return base == 0xfec0'0000; }

std::int64_t apic_read(const Call& call, physdev_apic_t& op) {
    constexpr std::uint32_t kVersion = 1, kFirstEntry = 0x10, kMasked = 0x1'0000;
    if (!call.domain.privileged()) return -error(Errno::perm);
    if (!apic_at(op.apic_physbase)) return -error(Errno::inval);
    // The highest entry, and the chip's version.
    constexpr std::uint32_t kVersionWord = (MachineInterrupts::kLines - 1) << 16 | 0x20;
    op.value = op.reg == kVersion ? kVersionWord : op.reg >= kFirstEntry && op.reg % 2 == 0 ? kMasked : 0;
    return 0;
}

std::int64_t apic_write(const Call& call, const physdev_apic_t& op) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    return apic_at(op.apic_physbase) ? 0 : -error(Errno::inval);
}

/// Vectors are the hypervisor's business; the guest gets back what it has.
std::int64_t alloc_irq_vector(const Call& call, physdev_irq_t& op) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    op.vector = op.irq;
    return 0;
}

constexpr std::uint32_t address(std::uint16_t segment, std::uint8_t bus, std::uint8_t devfn) {
    return std::uint32_t{segment} << 16 | std::uint32_t{bus} << 8 | devfn;
}

std::int64_t add_device(Call& call, std::uint32_t device) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    call.host.pci_devices.insert(device);
    return 0;
}

std::int64_t remove_device(Call& call, std::uint32_t device) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    return call.host.pci_devices.erase(device) != 0 ? 0 : -error(Errno::nodev);
}

std::int64_t restore_messages(const Call& call, std::uint32_t device) {
    if (!call.host.pci_devices.contains(device)) return -error(Errno::nodev);
    return call.domain.privileged() ? 0 : -error(Errno::perm);
}

/// MSI-X: no device here has it.
std::int64_t msix(const Call& call) { return call.domain.privileged() ? -error(Errno::nodev) : -error(Errno::perm); }

std::int64_t add_device_ext(Call& call, const physdev_manage_pci_ext_t& op) {
    if (op.is_extfn > 1 || op.is_virtfn > 1) return -error(Errno::inval);
    return add_device(call, address(0, op.bus, op.devfn));
}

std::int64_t pci_op(Call& call, std::uint32_t operation) {
    const auto of = [](const auto& op) { return address(0, op.bus, op.devfn); };
    const auto in_segment = [](const auto& op) { return address(op.seg, op.bus, op.devfn); };
    switch (operation) {
        case PHYSDEVOP_manage_pci_add:
            return without_answer<physdev_manage_pci_t>(call, [&](auto& op) { return add_device(call, of(op)); });
        case PHYSDEVOP_manage_pci_remove:
            return without_answer<physdev_manage_pci_t>(call, [&](auto& op) { return remove_device(call, of(op)); });
        case PHYSDEVOP_manage_pci_add_ext:
            return without_answer<physdev_manage_pci_ext_t>(call, [&](auto& op) { return add_device_ext(call, op); });
        case PHYSDEVOP_restore_msi:
            return without_answer<physdev_restore_msi_t>(call,
                                                         [&](auto& op) { return restore_messages(call, of(op)); });
        case PHYSDEVOP_restore_msi_ext:
            return without_answer<physdev_pci_device_t>(
                call, [&](auto& op) { return restore_messages(call, in_segment(op)); });
        case PHYSDEVOP_pci_device_add:
            return without_answer<physdev_pci_device_add_t>(call,
                                                            [&](auto& op) { return add_device(call, in_segment(op)); });
        case PHYSDEVOP_pci_device_remove:
            return without_answer<physdev_pci_device_t>(call,
                                                        [&](auto& op) { return remove_device(call, in_segment(op)); });
        case PHYSDEVOP_prepare_msix:
        case PHYSDEVOP_release_msix:
            return without_answer<physdev_pci_device_t>(call, [&](auto&) { return msix(call); });
        case PHYSDEVOP_pci_mmcfg_reserved: {
            // Nobody said that the machine has a memory-mapped configuration space.
            if (!call.domain.privileged()) return -error(Errno::perm);
            return without_answer<physdev_pci_mmcfg_reserved_t>(call, [](auto& op) {
                return (op.flags & ~XEN_PCI_MMCFG_RESERVED) != 0 ? -error(Errno::inval) : -error(Errno::nodev);
            });
        }
        case PHYSDEVOP_dbgp_op:
            // There is no debug port to keep away from.
            if (!call.domain.privileged()) return -error(Errno::perm);
            return without_answer<physdev_dbgp_op_t>(call, [](auto&) { return std::int64_t{0}; });
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace

std::int64_t physdev_op(Call& call) {
    Pirqs& pirqs = call.domain.pirqs;
    const auto operation = static_cast<std::uint32_t>(call.arg(0));
    switch (operation) {
        case PHYSDEVOP_eoi:
            return without_answer<physdev_eoi_t>(call, [&](auto& op) { return pirqs.eoi(op.irq); });
        case PHYSDEVOP_irq_status_query:
            return with_answer<physdev_irq_status_query_t>(call,
                                                           [&](auto& op) { return pirqs.status(op.irq, op.flags); });
        case PHYSDEVOP_pirq_eoi_gmfn_v1:
        case PHYSDEVOP_pirq_eoi_gmfn_v2:
            return without_answer<physdev_pirq_eoi_gmfn_t>(call, [&](auto& op) {
                return pirqs.register_eoi_page(op.gmfn, operation == PHYSDEVOP_pirq_eoi_gmfn_v1);
            });
        case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
            pirqs.end_unmasked();
            return 0;
        case PHYSDEVOP_map_pirq: {
            // It goes back whatever became of it.
            physdev_map_pirq_t op;
            if (!call.fetch(op)) return -error(Errno::fault);
            if (op.type == MAP_PIRQ_TYPE_MULTI_MSI && op.table_base != 0) return -error(Errno::inval);
            // Which segment the device is on matters to nobody here.
            if (op.type == MAP_PIRQ_TYPE_MSI_SEG) op.type = MAP_PIRQ_TYPE_MSI;
            const std::int64_t result = map_pirq(call, op);
            return call.put(op) ? result : -error(Errno::fault);
        }
        case PHYSDEVOP_unmap_pirq:
            return without_answer<physdev_unmap_pirq_t>(call, [&](auto& op) { return unmap_pirq(call, op); });
        case PHYSDEVOP_get_free_pirq:
            return with_answer<physdev_get_free_pirq_t>(call, [&](auto& op) { return get_free_pirq(call, op); });
        case PHYSDEVOP_setup_gsi:
            return without_answer<physdev_setup_gsi_t>(call, [&](auto& op) { return setup_gsi(call, op); });
        case PHYSDEVOP_set_iopl:
            return without_answer<physdev_set_iopl_t>(call, [](auto& op) { return set_iopl(op); });
        case PHYSDEVOP_set_iobitmap:
            return without_answer<physdev_set_iobitmap_t>(call, [&](auto& op) { return set_iobitmap(call, op); });
        case PHYSDEVOP_apic_read:
            return with_answer<physdev_apic_t>(call, [&](auto& op) { return apic_read(call, op); });
        case PHYSDEVOP_apic_write:
            return without_answer<physdev_apic_t>(call, [&](auto& op) { return apic_write(call, op); });
        case PHYSDEVOP_alloc_irq_vector:
            return with_answer<physdev_irq_t>(call, [&](auto& op) { return alloc_irq_vector(call, op); });
        default:
            return pci_op(call, operation);
    }
}

}  // namespace xenrig::hypervisor

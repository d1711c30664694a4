// blkif.h's clauses on the bits of `info` that say what kind of disk it is, for both ends.
#include <charconv>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

/// As the toolstack says before the backend looks; then the bits that the backend tells.
std::uint64_t told_of(Stage& s, const char* removable, const char* device_type) {
    s.as_toolstack([&](Store& store) {
        (void)store.write(StoreTx::none, s.backend_path() + "/removable", removable);
        (void)store.write(StoreTx::none, s.backend_path() + "/device-type", device_type);
        (void)store.write(StoreTx::none, s.frontend_path() + "/device-type", device_type);
    });
    return s.connect_frontend() ? offered(s, "info") : ~0ull;
}

void tells(Stage& s, std::uint64_t info, unsigned wrong, const char* what) {
    if (info == ~0ull) return;
    s.expect((info & wrong) == 0, "a disk is not called what it is not",
             [&] { return std::string(what) + ": " + number("info", static_cast<std::int64_t>(info)); });
    s.expect(info <= (VDISK_CDROM | VDISK_REMOVABLE | VDISK_READONLY), "info has no other bits",
             [&] { return number("info", static_cast<std::int64_t>(info)); });
}

void fixed_disk(Stage& s) { tells(s, told_of(s, "0", "disk"), VDISK_CDROM | VDISK_REMOVABLE, "a fixed disk"); }
void removable_disk(Stage& s) { tells(s, told_of(s, "1", "disk"), VDISK_CDROM, "a removable disk"); }

/// Nobody can write to it, whatever the toolstack says of the mode.
void cdrom(Stage& s) {
    const std::uint64_t info = told_of(s, "1", "cdrom");
    tells(s, info, 0, "a CD-ROM");
    if (info == ~0ull || (info & VDISK_CDROM) == 0 || (info & VDISK_READONLY) == 0) return;
    const auto write = s.frontend().write(10, blk::sector_pattern(900));
    s.expect(send(s, write.request).has_value(), "a write to a CD-ROM is answered");
    s.expect(s.disk_untouched(), "a write to a CD-ROM changes nothing");
}

void takes(Stage& s, unsigned info) {
    if (!s.connect_backend({}, usual_properties(Stage::kSectors, info))) return;
    const auto what = [info] { return number("info", info); };
    s.expect(user_read_works(s), "a disk of any kind can be read", what);
    const auto write = s.write(3, blk::sector_pattern(900));
    serve(s, write);
    s.expect(write->well(), "and written, if it is not read-only", what);
}

void takes_removable(Stage& s) { takes(s, VDISK_REMOVABLE); }
void takes_cdrom(Stage& s) { takes(s, VDISK_CDROM | VDISK_REMOVABLE); }

}  // namespace

const std::vector<Clause>& blkif_info_clauses() {
    static const std::vector<Clause> all = {
        {"blkif.backend-info-tells-kind",
         699,
         Role::backend,
         "Bits of info for CD-ROMs and removable disks.",
         {fixed_disk, removable_disk, cdrom}},
        {"blkif.frontend-takes-any-kind",
         699,
         Role::frontend,
         "Bits of info for CD-ROMs and removable disks.",
         {takes_removable, takes_cdrom}},
    };
    return all;
}

}  // namespace xenrig::conformance

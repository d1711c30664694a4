#include "sim/world/block_features.h"

namespace xenrig::world {

namespace {

constexpr blk::BlkfrontOptions kPlainFrontend{
    .persistent_grants = false, .indirect_segments = 0, .ring_page_order = 0, .queues = 1};
constexpr blk::BlkbackOptions kPlainBackend{.barrier = false,
                                            .discard = false,
                                            .indirect_segments = 0,
                                            .ring_page_order = 0,
                                            .queues = 1,
                                            .persistent_grants = 0};

}  // namespace

BlockFeatures BlockFeatures::counting(BlockUnits units) const {
    static constexpr blk::SectorUnits kUnits[] = {blk::kHeadUnits, blk::kXen417Units, blk::kFreeBsdUnits,
                                                  blk::kMiniOsUnits, blk::kTapdiskUnits};
    BlockFeatures made = *this;
    made.units_ = kUnits[static_cast<std::size_t>(units)];
    return made;
}

BlockFeatures BlockFeatures::with_queues(std::uint32_t queues) const {
    BlockFeatures made = *this;
    made.queues_ = queues;
    return made;
}

BlockFeatures BlockFeatures::with_word(unsigned bits) const {
    BlockFeatures made = *this;
    made.layout_ = bits == 32 ? blk::Layout::x86_32 : blk::Layout::x86_64;
    return made;
}

blk::BlkfrontOptions BlockFeatures::frontend() const {
    blk::BlkfrontOptions o = draw_frontend();
    o.units = units_;
    o.layout = layout_;
    o.queues = queues_.value_or(o.queues);
    return o;
}

blk::BlkbackOptions BlockFeatures::backend() const {
    blk::BlkbackOptions o = draw_backend();
    o.units = units_;
    o.layout = layout_;
    return o;
}

blk::BlkfrontOptions BlockFeatures::draw_frontend() const {
    if (choice_ == FeatureChoice::all)
        return {.persistent_grants = true, .indirect_segments = 32, .ring_page_order = 1, .queues = 2};
    blk::BlkfrontOptions o = kPlainFrontend;
    if (choice_ == FeatureChoice::plain) return o;
    o.persistent_grants = pick_(2) == 1;
    o.indirect_segments = pick_(2) * 32;
    o.ring_page_order = pick_(3);
    o.queues = 1 + pick_(3);
    return o;
}

blk::BlkbackOptions BlockFeatures::draw_backend() const {
    if (choice_ == FeatureChoice::all) return {};
    blk::BlkbackOptions o = kPlainBackend;
    if (choice_ == FeatureChoice::plain) return o;
    o.barrier = pick_(2) == 1;
    // A backend with neither would fail every flush.
    o.flush = pick_(4) != 3 || !o.barrier;
    o.discard = pick_(2) == 1;
    o.indirect_segments = pick_(2) * 64;
    o.ring_page_order = pick_(3);
    o.queues = 1 + pick_(3);
    // Few, so that a backend that can keep no more is met, too.
    constexpr std::uint32_t kKept[] = {0, 1056, 4};
    const std::uint32_t kept = pick_(3);
    o.persistent_grants = kKept[kept];
    return o;
}

xenbus::BackendFactory BlockFeatures::backends(Platform& platform, blk::StorageFactory storage) const {
    return
        [&platform, storage = std::move(storage), features = *this](const std::string& path, xenbus::DeviceLink link) {
            return std::make_shared<blk::Blkback>(platform, path, std::move(link), storage, features.backend());
        };
}

}  // namespace xenrig::world

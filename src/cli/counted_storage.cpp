#include "counted_storage.h"

namespace xenrig::cli {

void CountedStorage::submit(blk::StorageOpPtr op) {
    using Kind = blk::StorageOp::Kind;
    switch (op->kind) {
        case Kind::read:
            ++counts_.reads;
            counts_.read_bytes += op->data.size();
            break;
        case Kind::write:
            ++counts_.writes;
            counts_.written_bytes += op->data.size();
            break;
        case Kind::flush:
            ++counts_.flushes;
            break;
        case Kind::discard:
            ++counts_.discards;
            break;
    }
    op->done = [&counts = counts_, done = std::move(op->done)](blk::StorageOpPtr finished) {
        if (!finished->result) ++counts.failures;
        done(std::move(finished));
    };
    storage_->submit(std::move(op));
}

std::string CountedStorage::Counts::describe() const {
    const auto kib = [](std::uint64_t bytes) { return " (" + std::to_string(bytes / 1024) + " KiB), "; };
    return std::to_string(reads) + " reads" + kib(read_bytes) + std::to_string(writes) + " writes" +
           kib(written_bytes) + std::to_string(flushes) + " flushes, " + std::to_string(discards) + " discards, " +
           std::to_string(failures) + " failures";
}

}  // namespace xenrig::cli

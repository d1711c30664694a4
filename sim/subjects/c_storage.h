// Storage as a backend in C sees it: calls that block, over operations that complete when they like.
//
// Whatever the library opens and does not close ends with the subject.
#pragma once

#include <memory>
#include <vector>

#include "xenrig/c/blk.h"
#include "xenrig/drivers/blk/storage.h"

namespace xenrig::subjects {

class COpenStorage;

class CDisks final : public xenrig_disks {
public:
    explicit CDisks(blk::StorageFactory open);
    ~CDisks();
    CDisks(const CDisks&) = delete;
    CDisks& operator=(const CDisks&) = delete;

private:
    friend class COpenStorage;
    static int open_one(const xenrig_disks* disks, const char* params, const char* type, int read_only,
                        xenrig_storage** out);

    blk::StorageFactory open_;
    std::vector<std::unique_ptr<COpenStorage>> opened_;
};

}  // namespace xenrig::subjects

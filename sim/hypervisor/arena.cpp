#include "sim/hypervisor/arena.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <mutex>

#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kPooledMax = 8;
/// A pooled arena keeps no more than this.
constexpr std::uint64_t kKeptPagesMax = 16384;

struct Pool {
    std::mutex lock;
    bool keeps = true;
    std::vector<std::unique_ptr<Arena>> arenas;
};

Pool& pool() {
    static Pool the;
    return the;
}

}  // namespace

std::unique_ptr<Arena> Arena::take(std::uint64_t pages) {
    Pool& p = pool();
    {
        const std::scoped_lock guard(p.lock);
        for (auto& arena : p.arenas) {
            if (arena->pages_ < pages || arena->pages_ > 4 * pages) continue;
            std::swap(arena, p.arenas.back());
            auto found = std::move(p.arenas.back());
            p.arenas.pop_back();
            return found;
        }
    }
    return make(pages);
}

void Arena::give_back(std::unique_ptr<Arena> arena) {
    if (arena->used_count_ > kKeptPagesMax) return;
    Pool& p = pool();
    const std::scoped_lock guard(p.lock);
    if (p.keeps && p.arenas.size() < kPooledMax) p.arenas.push_back(std::move(arena));
}

void Arena::pool_none() {
    Pool& p = pool();
    const std::scoped_lock guard(p.lock);
    p.keeps = false;
    p.arenas.clear();
}

std::unique_ptr<Arena> Arena::make(std::uint64_t pages) {
    const auto bytes = static_cast<std::size_t>(pages * kPageBytes);
    const int fd = memfd_create("xenrig-memory", MFD_CLOEXEC);
    check(fd >= 0, "the system gives a memfd for machine memory");
    check(ftruncate(fd, static_cast<off_t>(bytes)) == 0, "the system makes room for machine memory");
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    check(base != MAP_FAILED, "the system maps machine memory");
    void* infos = mmap(nullptr, pages * sizeof(FrameInfo), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(infos != MAP_FAILED, "the system gives memory for the frame table");
    return std::unique_ptr<Arena>(new Arena(fd, static_cast<std::byte*>(base), static_cast<FrameInfo*>(infos), pages));
}

Arena::~Arena() {
    munmap(base_, static_cast<std::size_t>(pages_ * kPageBytes));
    munmap(infos_, static_cast<std::size_t>(pages_ * sizeof(FrameInfo)));
    close(fd_);
}

void Arena::zero(std::uint64_t index) {
    if (index >= used_.size()) used_.resize(static_cast<std::size_t>(index) + 1);
    const auto at = static_cast<std::size_t>(index);
    if (used_[at]) {
        std::memset(page(index), 0, kPageBytes);
    } else {
        used_[at] = true;
        ++used_count_;
    }
}

}  // namespace xenrig::hypervisor

// A hostile peer's writes between two of the victim's loads: each takes effect right after the victim has next read the
// bytes that it changes (XSA-155).
//
// Stands before the world's watcher while there are any. Threads: the world's.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "xenrig/shared/watcher.h"
#include "xenrig/shared/window.h"

namespace xenrig::fuzz {

class LateWrites final : public shared::Watcher {
public:
    /// `theirs` says whether the access under way is the victim's.
    explicit LateWrites(std::function<bool()> theirs) : theirs_(std::move(theirs)) {}
    ~LateWrites() override { clear(); }
    LateWrites(const LateWrites&) = delete;
    LateWrites& operator=(const LateWrites&) = delete;

    /// Up to eight bytes, inside one page; the window's pages must stay until clear().
    void add(const shared::Window& page, std::size_t offset, std::uint64_t value, unsigned width);
    void clear();
    /// How many have taken effect.
    unsigned done() const { return done_; }

    void load(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
              std::source_location where) override;
    void store(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
               std::source_location where) override {
        inner_->store(w, offset, in, length, where);
    }
    void store_now(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                   std::source_location where) override {
        inner_->store_now(w, offset, in, length, where);
    }
    std::uint64_t rmw(const shared::Window& w, std::size_t offset, unsigned width, shared::Rmw op,
                      std::uint64_t operand, std::uint64_t expected, std::source_location where) override {
        return inner_->rmw(w, offset, width, op, operand, expected, where);
    }
    void barrier(shared::Barrier b, std::source_location where) override { inner_->barrier(b, where); }
    void new_decision() override { inner_->new_decision(); }

private:
    struct Late {
        std::byte* at;
        std::uint64_t value;
        unsigned width;
    };

    const std::function<bool()> theirs_;
    shared::Watcher* inner_ = nullptr;
    std::vector<Late> late_;
    unsigned done_ = 0;
};

}  // namespace xenrig::fuzz

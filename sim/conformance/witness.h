// How a check watches the subject's own accesses: to the store, and to a slot of the ring.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/conformance/forwarding_store.h"
#include "xenrig/platform/platform.h"
#include "xenrig/shared/watcher.h"
#include "xenrig/shared/window.h"

namespace xenrig::conformance {

/// A store that keeps the paths that are read through it.
class WitnessStore final : public ForwardingStore {
public:
    using ForwardingStore::ForwardingStore;

    const std::vector<std::string>& read_paths() const { return read_paths_; }

    Result<std::string> read(StoreTx tx, const std::string& path) override {
        read_paths_.push_back(path);
        return ForwardingStore::read(tx, path);
    }

private:
    std::vector<std::string> read_paths_;
};

/// A platform with such a store.
class WitnessPlatform final : public Platform {
public:
    explicit WitnessPlatform(Platform& inner) : inner_(inner), store_(inner.store()) {}
    Grants& grants() override { return inner_.grants(); }
    Events& events() override { return inner_.events(); }
    WitnessStore& store() override { return store_; }
    Memory& memory() override { return inner_.memory(); }
    Clock& clock() override { return inner_.clock(); }
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override {
        return inner_.spawn(std::move(name), role, std::move(body));
    }

private:
    Platform& inner_;
    WitnessStore store_;
};

/// Stands before the world's watcher while it lives. After each of the subject's reads that touches the given bytes,
/// other bytes are there.
class SlotRewriter final : public shared::Watcher {
public:
    /// `theirs` says whether the access under way is the subject's.
    SlotRewriter(const shared::Window& page, std::size_t offset, std::vector<std::byte> bytes,
                 std::function<bool()> theirs);
    ~SlotRewriter() override;
    SlotRewriter(const SlotRewriter&) = delete;
    SlotRewriter& operator=(const SlotRewriter&) = delete;

    unsigned reads() const { return reads_; }

    void load(const shared::Window&, std::size_t offset, void* out, std::size_t length, shared::Fetch,
              std::source_location) override;
    void store(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
               std::source_location where) override {
        inner_.store(w, offset, in, length, where);
    }
    void store_now(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                   std::source_location where) override {
        inner_.store_now(w, offset, in, length, where);
    }
    std::uint64_t rmw(const shared::Window& w, std::size_t offset, unsigned width, shared::Rmw op,
                      std::uint64_t operand, std::uint64_t expected, std::source_location where) override {
        return inner_.rmw(w, offset, width, op, operand, expected, where);
    }
    void barrier(shared::Barrier b, std::source_location where) override { inner_.barrier(b, where); }
    void new_decision() override { inner_.new_decision(); }

private:
    shared::Watcher& inner_;
    std::byte* const at_;
    const std::vector<std::byte> bytes_;
    const std::function<bool()> theirs_;
    unsigned reads_ = 0;
};

}  // namespace xenrig::conformance

// Stands between a subject that is made wrong (tamper.h) and the world's watcher: each load, store and barrier of its
// ring and of its pages of requests may be changed on the way.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "tamper.h"
#include "xenrig/platform/scheduler.h"
#include "xenrig/shared/watcher.h"

namespace xenrig::conformance {

/// What the parts of one subject's platform know of each other.
struct TamperCase {
    const Tamper& how;
    const Role role;
    /// Where a task of the subject's has run.
    std::set<const Cpu*> cpus = {};
    /// Its ring is made, and what it shares or maps now is data.
    bool past_ring = false;

    bool subjects_own() const { return scheduler && cpus.contains(scheduler->current_cpu()); }
    Of now() const { return past_ring ? Of::data : Of::ring; }
};

class TamperWatcher final : public shared::Watcher {
public:
    using Where = std::source_location;

    explicit TamperWatcher(TamperCase& c);
    ~TamperWatcher() override;
    TamperWatcher(const TamperWatcher&) = delete;
    TamperWatcher& operator=(const TamperWatcher&) = delete;

    /// A window that the subject has made: a ring, or pages of requests, as the case says now.
    void add(const shared::Window& w);

    void load(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
              Where where) override;
    void store(const shared::Window& w, std::size_t offset, const void* in, std::size_t length, Where where) override;
    void store_now(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                   Where where) override {
        inner_.store_now(w, offset, in, length, where);
    }
    std::uint64_t rmw(const shared::Window& w, std::size_t offset, unsigned width, shared::Rmw op,
                      std::uint64_t operand, std::uint64_t expected, Where where) override {
        return inner_.rmw(w, offset, width, op, operand, expected, where);
    }
    void barrier(shared::Barrier b, Where where) override;
    void new_decision() override { inner_.new_decision(); }

private:
    using Word = blk::RawRing::Word;

    Of what(const shared::Window& w, std::size_t offset) const;
    Word asks_by() const { return case_.role == Role::backend ? Word::req_event : Word::rsp_event; }
    void note_word(Of of, std::size_t offset, std::size_t length);
    void store_held(Where where);
    void load_message(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                      Where where);
    /// By the outermost watcher, which may change the bytes after it. The world's own watch for double fetches, which
    /// would end every run, is told of a new decision between two of them: what is wrong shows in what is done.
    void load_again(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                    Where where);

    shared::Watcher& inner_;
    TamperCase& case_;
    std::map<const std::byte*, Words> rings_;
    /// Messages that wait for their index.
    struct Held {
        shared::Window window;
        std::size_t offset;
        std::vector<std::byte> bytes;
    };
    std::vector<Held> held_;
    std::uint8_t scribble_ = 0;
    /// Looked up alone, never gone through.
    std::map<const std::byte*, Of> pages_;
    bool deep_ = false;
    /// Of the subject's last access.
    std::optional<Word> last_word_;
};

}  // namespace xenrig::conformance

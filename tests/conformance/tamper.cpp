#include "tamper.h"

#include <cstring>
#include <map>
#include <vector>

#include "xenrig/platform/scheduler.h"
#include "xenrig/shared/watcher.h"

namespace xenrig::conformance {

namespace {

using blk::RawRing;

/// What the parts of one subject's platform know of each other.
struct Case {
    const Tamper& how;
    const Role role;
    /// Where a task of the subject's has run.
    std::set<const Cpu*> cpus = {};
    /// Its ring is made, and what it shares or maps now is data.
    bool past_ring = false;

    bool subjects_own() const { return scheduler && cpus.contains(scheduler->current_cpu()); }
    Of now() const { return past_ring ? Of::data : Of::ring; }
};

/// "queue-0/ring-ref" of ".../51712/queue-0/ring-ref".
std::string name_of(const std::string& path) {
    static const std::string kDevice = "51712/";
    const auto at = path.rfind(kDevice);
    return at == std::string::npos ? "" : path.substr(at + kDevice.size());
}

class TamperStore final : public Store {
public:
    TamperStore(Store& inner, Case& c) : inner_(inner), case_(c) {}

    Result<std::string> read(StoreTx tx, const std::string& path) override {
        auto value = inner_.read(tx, path);
        const std::string name = name_of(path);
        if (name.empty()) return value;
        const bool own = (path.find("backend/vbd") != std::string::npos) == (case_.role == Role::backend);
        if (!case_.how.also_reads.empty() && !own)
            (void)inner_.read(tx, path.substr(0, path.size() - name.size()) + case_.how.also_reads);
        if (!case_.how.reads) return value;
        const auto seen = case_.how.reads(name, value ? std::optional(*value) : std::nullopt, own);
        if (!seen) return value ? fail(Errno::noent, "no " + name) : std::move(value);
        return *seen;
    }

    Result<> write(StoreTx tx, const std::string& path, std::string_view value) override {
        const std::string name = name_of(path);
        if (name == "state") case_.past_ring = value == "4" || (value == "3" && case_.role == Role::frontend);
        if (name.empty()) return inner_.write(tx, path, value);
        Tamper::Text text{std::string(value)};
        if (case_.how.writes) text = case_.how.writes(name, *std::move(text));
        if (!text) return {};
        if (!case_.how.late.contains(name)) return inner_.write(tx, path, *text);
        late_.emplace_back(path, *text);
        return {};
    }

    Result<> mkdir(StoreTx tx, const std::string& path) override { return inner_.mkdir(tx, path); }
    Result<> rm(StoreTx tx, const std::string& path) override { return inner_.rm(tx, path); }
    Result<std::vector<std::string>> directory(StoreTx tx, const std::string& path) override {
        return inner_.directory(tx, path);
    }
    Result<std::vector<StorePerm>> get_perms(StoreTx tx, const std::string& path) override {
        return inner_.get_perms(tx, path);
    }
    Result<> set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& perms) override {
        return inner_.set_perms(tx, path, perms);
    }
    Result<StoreTx> start() override {
        late_.clear();
        return inner_.start();
    }
    Result<> end(StoreTx tx, bool commit) override {
        auto ended = inner_.end(tx, commit);
        if (ended && commit)
            for (const auto& [path, value] : std::exchange(late_, {})) (void)inner_.write(StoreTx::none, path, value);
        return ended;
    }
    Result<Watch> watch(const std::string& path, WatchHandler handler) override {
        return inner_.watch(path, std::move(handler));
    }

protected:
    /// Watches are the inner store's own.
    void unwatch(std::uint64_t) override {}

private:
    Store& inner_;
    Case& case_;
    std::vector<std::pair<std::string, std::string>> late_;
};

/// Knows which windows are rings and which are pages of requests, and stands between them and the world.
class TamperWatcher final : public shared::Watcher {
public:
    using Where = std::source_location;

    explicit TamperWatcher(Case& c) : inner_(*shared::watcher), case_(c) { shared::watcher = this; }
    ~TamperWatcher() override { shared::watcher = &inner_; }
    TamperWatcher(const TamperWatcher&) = delete;
    TamperWatcher& operator=(const TamperWatcher&) = delete;

    void add(const shared::Window& w) {
        if (case_.now() == Of::ring) {
            const auto number = static_cast<unsigned>(rings_.size());
            rings_[w.host_address(0)] = {.number = number, .size = RawRing(w).size()};
        }
        for (std::size_t at = 0; at < w.size(); at += kPageSize) pages_[w.host_address(at)] = case_.now();
    }

    void load(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
              Where where) override {
        const bool tampers = !deep_ && case_.subjects_own();
        const Of of = tampers ? what(w, offset) : Of::neither;
        if (tampers) note_word(of, offset, length);
        if (of == Of::ring && is_message(offset, length)) return load_message(w, offset, out, length, fetch, where);
        if (of == Of::data && case_.how.fetches_lists_twice && is_list(length)) {
            load_again(w, offset, out, length, fetch, where);
            inner_.new_decision();
        }
        inner_.load(w, offset, out, length, fetch, where);
        if (of == Of::ring && is_word(offset, length)) {
            Words& words = rings_[w.host_address(0)];
            const auto word = static_cast<RawRing::Word>(offset);
            auto value = get<std::uint32_t>(out);
            word_of(words, word) = value;
            if (case_.how.loads_word) value = case_.how.loads_word(words, word, value);
            std::memcpy(out, &value, sizeof value);
            words.asked = false;
        }
        if (of == Of::data && case_.how.loads_data) case_.how.loads_data({static_cast<std::byte*>(out), length});
    }

    void store(const shared::Window& w, std::size_t offset, const void* in, std::size_t length, Where where) override {
        const Of of = case_.subjects_own() ? what(w, offset) : Of::neither;
        if (case_.subjects_own()) note_word(of, offset, length);
        std::vector<std::byte> bytes(static_cast<const std::byte*>(in), static_cast<const std::byte*>(in) + length);
        if (of == Of::ring && is_word(offset, length)) {
            Words& words = rings_[w.host_address(0)];
            const auto word = static_cast<RawRing::Word>(offset);
            word_of(words, word) = get<std::uint32_t>(in);
            words.asked = word == asks_by();
            if (case_.how.stores_word) {
                const auto value = case_.how.stores_word(words, word, get<std::uint32_t>(in));
                if (!value) return;
                std::memcpy(bytes.data(), &*value, sizeof *value);
            }
            ++scribble_;
            if (case_.how.scribbles) inner_.store(w, kPadding, &scribble_, 1, where);
        }
        if (of == Of::ring && is_message(offset, length)) {
            change(bytes, case_.how.puts_request);
            change(bytes, case_.how.puts_response);
            if (case_.how.index_first || case_.how.without_write_barrier) return held_.push_back({w, offset, bytes});
        }
        if (of == Of::data && case_.how.stores_data) case_.how.stores_data(bytes);
        const bool word = of == Of::ring && is_word(offset, length);
        if (word && case_.how.without_write_barrier) store_held(where);
        inner_.store(w, offset, bytes.data(), length, where);
        if (!word || held_.empty()) return;
        // Long enough for the peer to look.
        for (unsigned i = 0; i < 8; ++i) scheduler->yield();
        store_held(where);
    }

    void store_now(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                   Where where) override {
        inner_.store_now(w, offset, in, length, where);
    }
    std::uint64_t rmw(const shared::Window& w, std::size_t offset, unsigned width, shared::Rmw op,
                      std::uint64_t operand, std::uint64_t expected, Where where) override {
        return inner_.rmw(w, offset, width, op, operand, expected, where);
    }
    void barrier(shared::Barrier b, Where where) override {
        const bool left_out = last_word_ && case_.subjects_own() &&
                              (b == shared::Barrier::read ? case_.how.without_read_barrier
                                                          : b == shared::Barrier::full &&
                                                                case_.how.without_barrier_after.contains(*last_word_));
        if (!left_out) inner_.barrier(b, where);
    }
    void new_decision() override { inner_.new_decision(); }

private:
    static constexpr std::size_t kPadding = 40;

    template <class T>
    static T get(const void* from) {
        T value;
        std::memcpy(&value, from, sizeof value);
        return value;
    }
    static bool is_word(std::size_t offset, std::size_t length) { return offset < 16 && length == 4; }
    bool is_message(std::size_t offset, std::size_t length) const {
        return offset >= RawRing::kFirst && (length == RawRing::kSlot || length == sizeof(blkif_response_t));
    }
    static bool is_list(std::size_t length) { return length % sizeof(blkif_request_segment) == 0 && length % 512 != 0; }
    RawRing::Word asks_by() const {
        return case_.role == Role::backend ? RawRing::Word::req_event : RawRing::Word::rsp_event;
    }
    static std::uint32_t& word_of(Words& words, RawRing::Word word) {
        switch (word) {
            case RawRing::Word::req_prod:
                return words.req_prod;
            case RawRing::Word::req_event:
                return words.req_event;
            case RawRing::Word::rsp_prod:
                return words.rsp_prod;
            case RawRing::Word::rsp_event:
                break;
        }
        return words.rsp_event;
    }
    Of what(const shared::Window& w, std::size_t offset) const {
        const auto found = pages_.find(w.host_address(offset / kPageSize * kPageSize));
        return found == pages_.end() ? Of::neither : found->second;
    }

    void note_word(Of of, std::size_t offset, std::size_t length) {
        last_word_.reset();
        if (of == Of::ring && is_word(offset, length)) last_word_ = static_cast<RawRing::Word>(offset);
    }

    void store_held(Where where) {
        for (const Held& held : std::exchange(held_, {}))
            inner_.store(held.window, held.offset, held.bytes.data(), held.bytes.size(), where);
    }

    template <class Message>
    static void change(std::span<std::byte> bytes, const std::function<void(Message&)>& hook) {
        if (!hook || bytes.size() != sizeof(Message)) return;
        auto message = get<Message>(bytes.data());
        hook(message);
        std::memcpy(bytes.data(), &message, sizeof message);
    }

    void load_message(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                      Where where) {
        const std::span<std::byte> bytes(static_cast<std::byte*>(out), length);
        if (!case_.how.fetches_twice) {
            inner_.load(w, offset, out, length, fetch, where);
        } else {
            const std::size_t id_at = length == RawRing::kSlot ? offsetof(blkif_request_t, id) : 0;
            std::vector<std::byte> first(length);
            load_again(w, offset, first.data(), length, fetch, where);
            inner_.new_decision();
            load_again(w, offset, out, length, fetch, where);
            std::memcpy(&bytes[id_at], &first[id_at], sizeof(std::uint64_t));
        }
        change(bytes, case_.how.takes_request);
        change(bytes, case_.how.takes_response);
    }

    /// By the outermost watcher, which may change the bytes after it. The world's own watch for double fetches, which
    /// would end every run, is told of a new decision between two of them: what is wrong shows in what is done.
    void load_again(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                    Where where) {
        deep_ = true;
        shared::watcher->load(w, offset, out, length, fetch, where);
        deep_ = false;
    }

    shared::Watcher& inner_;
    Case& case_;
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
    std::optional<RawRing::Word> last_word_;
};

class TamperGrants final : public Grants {
public:
    TamperGrants(Grants& inner, Case& c, TamperWatcher& watcher) : inner_(inner), case_(c), watcher_(watcher) {}

    Result<Grant> grant(DomId peer, Gfn frame, Access access) override {
        const Of of = case_.now();
        auto made = inner_.grant(peer, frame, case_.how.grants ? case_.how.grants(of, access) : access);
        if (!made || !case_.how.never_ends.contains(of)) return made;
        kept_grants_.push_back(std::move(*made));
        return Grant(*this, kept_grants_.back().ref(), 0);
    }

    Result<Mapping> map(DomId owner, std::span<const GrantRef> refs, Access access) override {
        const Of of = case_.now();
        auto made = inner_.map(owner, refs, case_.how.maps ? case_.how.maps(of, access) : access);
        if (!made) return made;
        watcher_.add(made->window());
        if (!case_.how.never_unmaps.contains(of)) return made;
        const shared::Window window = made->window();
        kept_mappings_.push_back(std::move(*made));
        return Mapping(*this, {}, window, 0);
    }

    Result<> copy(std::span<GrantCopy> copies) override { return inner_.copy(copies); }
    std::size_t grants_in_use() const override { return inner_.grants_in_use(); }

protected:
    void end_grant(GrantRef, std::uint64_t, std::shared_ptr<Frame> frame) override {
        kept_frames_.push_back(std::move(frame));
    }
    void unmap(std::span<const GrantHandle>, const shared::Window&, std::uint64_t) override {}

private:
    Grants& inner_;
    Case& case_;
    TamperWatcher& watcher_;
    std::vector<std::shared_ptr<Frame>> kept_frames_;
    std::vector<Grant> kept_grants_;
    std::vector<Mapping> kept_mappings_;
};

class TamperEvents final : public Events {
public:
    TamperEvents(Events& inner, Case& c) : inner_(inner), case_(c) {}

    Result<Channel> alloc_unbound(DomId remote, EventHandler handler) override {
        return keep(inner_.alloc_unbound(remote, heard(std::move(handler))));
    }
    Result<Channel> bind_interdomain(DomId remote, Port remote_port, EventHandler handler) override {
        return keep(inner_.bind_interdomain(remote, remote_port, heard(std::move(handler))));
    }
    std::size_t ports_in_use() const override { return inner_.ports_in_use(); }

protected:
    Result<> notify(Port port, std::uint64_t) override {
        if (case_.how.without_event && case_.how.without_event()) return {};
        return channels_.at(port).notify();
    }
    void set_masked(Port port, std::uint64_t, bool masked) override {
        masked ? channels_.at(port).mask() : channels_.at(port).unmask();
    }
    void close(Port port, std::uint64_t) override {
        if (!case_.how.never_closes_port) channels_.erase(port);
    }

private:
    EventHandler heard(EventHandler handler) const {
        if (!case_.how.deaf) return handler;
        return [this, handler = std::move(handler)] {
            if (!case_.how.deaf()) handler();
        };
    }
    Result<Channel> keep(Result<Channel> made) {
        if (!made) return made;
        const Port port = made->port();
        channels_[port] = std::move(*made);
        return Channel(*this, port, 0);
    }

    Events& inner_;
    Case& case_;
    std::map<Port, Channel> channels_;
};

class TamperMemory final : public Memory {
public:
    TamperMemory(Memory& inner, TamperWatcher& watcher) : inner_(inner), watcher_(watcher) {}
    Result<FramePtr> allocate() override { return inner_.allocate(); }
    shared::Window window(std::span<const Gfn> frames) override {
        auto made = inner_.window(frames);
        watcher_.add(made);
        return made;
    }
    void read(Gfn frame, std::size_t offset, std::span<std::byte> out) override { inner_.read(frame, offset, out); }
    void write(Gfn frame, std::size_t offset, std::span<const std::byte> in) override {
        inner_.write(frame, offset, in);
    }
    std::uint64_t epoch() const override { return inner_.epoch(); }
    std::size_t frames_in_use() const override { return inner_.frames_in_use(); }

protected:
    /// Frames are the inner memory's own.
    void release(Gfn) override {}

private:
    Memory& inner_;
    TamperWatcher& watcher_;
};

class TamperPlatform final : public Platform {
public:
    TamperPlatform(Platform& inner, const Tamper& how, Role role) : how_(how), case_{how_, role}, inner_(inner) {}
    Grants& grants() override { return grants_; }
    Events& events() override { return events_; }
    Store& store() override { return store_; }
    Memory& memory() override { return memory_; }
    Clock& clock() override { return inner_.clock(); }
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override {
        return inner_.spawn(std::move(name), role, [this, body = std::move(body)] {
            begins_here();
            body();
        });
    }
    void begins_here() { case_.cpus.insert(scheduler->current_cpu()); }
    const Tamper& how() const { return how_; }

private:
    const Tamper how_;
    Case case_;
    Platform& inner_;
    TamperWatcher watcher_{case_};
    TamperStore store_{inner_.store(), case_};
    TamperGrants grants_{inner_.grants(), case_, watcher_};
    TamperEvents events_{inner_.events(), case_};
    TamperMemory memory_{inner_.memory(), watcher_};
};

class TamperDisk final : public blk::Storage {
public:
    TamperDisk(std::shared_ptr<blk::Storage> inner, const Tamper& how) : inner_(std::move(inner)), how_(how) {}
    blk::StorageInfo info() const override {
        blk::StorageInfo info = inner_->info();
        if (how_.disk) how_.disk(info);
        return info;
    }
    void submit(blk::StorageOpPtr op) override {
        if (how_.storage && how_.storage(*op)) return blk::complete(std::move(op), {});
        inner_->submit(std::move(op));
    }

private:
    const std::shared_ptr<blk::Storage> inner_;
    const Tamper how_;
};

class TamperedFrontend final : public FrontendSubject {
public:
    TamperedFrontend(Platform& platform, unsigned device, const Subjects& inner, const Tamper& how)
        : platform_(platform, how, Role::frontend), inner_(inner.frontend(platform_, device)) {}
    Result<> start() override {
        platform_.begins_here();
        return inner_->start();
    }
    Result<DiskSeen> wait_connected() override {
        auto seen = inner_->wait_connected();
        if (seen && platform_.how().seen) platform_.how().seen(*seen);
        return seen;
    }
    Result<> transfer(const UserTransfer& t) override {
        UserTransfer asked = t;
        if (platform_.how().asked) platform_.how().asked(asked);
        return told(inner_->transfer(asked));
    }
    Result<> flush() override { return told(inner_->flush()); }
    Result<> discard(std::uint64_t sector, std::uint64_t sectors, bool secure) override {
        return told(inner_->discard(sector, sectors, secure));
    }

private:
    Result<> told(Result<> result) const {
        return platform_.how().told ? platform_.how().told(std::move(result)) : std::move(result);
    }

    TamperPlatform platform_;
    const std::unique_ptr<FrontendSubject> inner_;
};

class TamperedBackend final : public BackendSubject {
public:
    TamperedBackend(Platform& platform, blk::StorageFactory storage, const Subjects& inner, const Tamper& how)
        : platform_(platform, how, Role::backend),
          inner_(inner.backend(platform_,
                               [storage = std::move(storage),
                                how](const blk::StorageRequest& request) -> Result<std::shared_ptr<blk::Storage>> {
                                   auto disk = storage(request);
                                   if (!disk) return disk;
                                   return std::make_shared<TamperDisk>(*disk, how);
                               })) {}
    Result<> start() override {
        platform_.begins_here();
        return inner_->start();
    }

private:
    TamperPlatform platform_;
    const std::unique_ptr<BackendSubject> inner_;
};

}  // namespace

Subjects tampered(const Subjects& inner, Tamper (*tamper)()) {
    return {.frontend =
                [inner, tamper](Platform& platform, unsigned device) {
                    return std::make_unique<TamperedFrontend>(platform, device, inner, tamper());
                },
            .backend =
                [inner, tamper](Platform& platform, blk::StorageFactory storage) {
                    return std::make_unique<TamperedBackend>(platform, std::move(storage), inner, tamper());
                }};
}

}  // namespace xenrig::conformance

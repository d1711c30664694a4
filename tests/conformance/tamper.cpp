#include "tamper.h"

#include <map>
#include <vector>

#include "sim/conformance/forwarding_store.h"
#include "tamper_watcher.h"

namespace xenrig::conformance {

namespace {

/// "queue-0/ring-ref" of ".../51712/queue-0/ring-ref".
std::string name_of(const std::string& path) {
    static const std::string kDevice = "51712/";
    const auto at = path.rfind(kDevice);
    return at == std::string::npos ? "" : path.substr(at + kDevice.size());
}

class TamperStore final : public ForwardingStore {
public:
    TamperStore(Store& inner, TamperCase& c) : ForwardingStore(inner), case_(c) {}

    Result<std::string> read(StoreTx tx, const std::string& path) override {
        auto value = inner().read(tx, path);
        const std::string name = name_of(path);
        if (name.empty()) return value;
        const bool own = (path.find("backend/vbd") != std::string::npos) == (case_.role == Role::backend);
        if (!case_.how.also_reads.empty() && !own)
            (void)inner().read(tx, path.substr(0, path.size() - name.size()) + case_.how.also_reads);
        if (!case_.how.reads) return value;
        const auto seen = case_.how.reads(name, value ? std::optional(*value) : std::nullopt, own);
        if (!seen) return value ? fail(Errno::noent, "no " + name) : std::move(value);
        return *seen;
    }

    Result<> write(StoreTx tx, const std::string& path, std::string_view value) override {
        const std::string name = name_of(path);
        if (name == "state") case_.past_ring = value == "4" || (value == "3" && case_.role == Role::frontend);
        if (name.empty()) return inner().write(tx, path, value);
        Tamper::Text text{std::string(value)};
        if (case_.how.writes) text = case_.how.writes(name, *std::move(text));
        if (!text) return {};
        if (!case_.how.late.contains(name)) return inner().write(tx, path, *text);
        late_.emplace_back(path, *text);
        return {};
    }

    Result<StoreTx> start() override {
        late_.clear();
        return inner().start();
    }
    Result<> end(StoreTx tx, bool commit) override {
        auto ended = inner().end(tx, commit);
        if (ended && commit)
            for (const auto& [path, value] : std::exchange(late_, {})) (void)inner().write(StoreTx::none, path, value);
        return ended;
    }

private:
    TamperCase& case_;
    std::vector<std::pair<std::string, std::string>> late_;
};

class TamperGrants final : public Grants {
public:
    TamperGrants(Grants& inner, TamperCase& c, TamperWatcher& watcher) : inner_(inner), case_(c), watcher_(watcher) {}

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
    TamperCase& case_;
    TamperWatcher& watcher_;
    std::vector<std::shared_ptr<Frame>> kept_frames_;
    std::vector<Grant> kept_grants_;
    std::vector<Mapping> kept_mappings_;
};

class TamperEvents final : public Events {
public:
    TamperEvents(Events& inner, TamperCase& c) : inner_(inner), case_(c) {}

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
    TamperCase& case_;
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
    TamperCase case_;
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

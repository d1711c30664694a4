// A second disk of the same guest, whose scripted end keeps every rule: what a hostile end of the first disk must not
// hurt. And what the toolstack reads of a device that closed.
#pragma once

#include <map>

#include "stage.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::blk::test {

/// The honest frontend of the second disk, where the subject is the backend of both.
class OtherFrontend {
public:
    explicit OtherFrontend(Stage& stage)
        : stage_(stage), raw_(stage.frontend().platform(), DomId{0}, Stage::kNeighbour) {}

    bool connect() {
        stage_.start_subject();
        stage_.settle();
        raw_.make_ring();
        raw_.publish();
        raw_.state(3);
        stage_.settle();
        raw_.state(4);
        stage_.settle();
        return works();
    }
    bool works() {
        const auto t = raw_.read(11, 2);
        const auto response = conformance::send(stage_, raw_, t.request);
        return conformance::is_okay(response) && raw_.data(t) == sector_pattern(11, 2);
    }

private:
    Stage& stage_;
    RawFrontend raw_;
};

/// Our own frontends, of both disks.
class BothFrontends final : public conformance::FrontendSubject {
public:
    using Disks = std::map<std::string, std::shared_ptr<Blkfront>>;

    BothFrontends(Platform& platform, Disks& disks)
        : disks_(disks),
          bus_(platform,
               {{"vbd", blkfront_factory(platform, [&disks](auto d) { disks[d->path()] = d; }, {.queues = 2})}}) {}

    Result<> start() override { return bus_.start(); }
    Result<conformance::DiskSeen> wait_connected() override {
        const auto info = first().wait_connected();
        if (!info) return std::unexpected(info.error());
        return conformance::DiskSeen{info->sectors * 512, info->sector_bytes, info->physical_sector_bytes,
                                     info->read_only};
    }
    Result<> transfer(const conformance::UserTransfer& t) override {
        return t.write ? first().write(t.sector, t.data) : first().read(t.sector, t.data);
    }
    Result<> flush() override { return first().flush(); }

private:
    Blkfront& first() { return *disks_.at("device/vbd/" + std::to_string(Stage::kDevice)); }

    Disks& disks_;
    xenbus::Bus bus_;
};

/// The honest backend of the second disk, and a user of it, where the subject is the frontend of both.
class OtherBackend {
public:
    OtherBackend(Stage& stage, BothFrontends::Disks& disks)
        : stage_(stage), disks_(disks), raw_(stage.backend().platform(), stage.guest(), Stage::kNeighbour) {}

    bool connect() {
        stage_.start_subject();
        stage_.settle();
        raw_.state(2);
        stage_.settle();
        if (!raw_.join()) return false;
        raw_.ask_for_event();
        raw_.write_properties();
        raw_.state(4);
        stage_.settle();
        return works();
    }
    bool works() {
        const auto data = std::make_shared<std::vector<std::byte>>(1024);
        const auto call = stage_.as_user([disk = disks_.at("device/vbd/" + std::to_string(Stage::kNeighbour)), data] {
            return disk->read(11, *data);
        });
        stage_.settle();
        raw_.serve_all();
        stage_.settle();
        return call->well() && *data == sector_pattern(11, 2);
    }

private:
    Stage& stage_;
    BothFrontends::Disks& disks_;
    RawBackend raw_;
};

/// A script against our own backend, and against our own frontends, with a neighbour that is connected.
void play_beside(const std::function<void(Stage&, OtherFrontend&)>& script);
void play_beside(const std::function<void(Stage&, OtherBackend&)>& script);

/// What the subject's end wrote into its error node, as the toolstack reads it.
std::string error_of(Stage& s);

}  // namespace xenrig::blk::test

// One ring of a block backend: takes requests, does them on storage, puts responses, all in one service task.
//
// A request's life: taken (copied out), validated, mapped; a write's data is copied into private memory and unmapped at
// once, a read stays mapped until its data is there; storage completes it, wherever that is; the service copies,
// unmaps, answers. Any failure on the way is an answer, too: one for each request, unless the ring itself is broken.
#pragma once

#include <memory>
#include <vector>

#include "xenrig/drivers/blk/storage.h"
#include "xenrig/drivers/blk/validate.h"
#include "xenrig/platform/platform.h"
#include "xenrig/ring/back_ring.h"
#include "xenrig/xenbus/device.h"
#include "xenrig/xenbus/doorbell.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::blk {

class BlkbackRing {
public:
    struct Transport {
        DomId frontend;
        std::vector<GrantRef> refs;
        Port port;
    };

    /// Maps the ring, binds the port and begins to serve. Nothing is left behind when it fails.
    static Result<std::unique_ptr<BlkbackRing>> connect(Platform& platform, const std::string& name,
                                                        const Transport& transport, std::shared_ptr<Storage> storage,
                                                        const Extent& extent, xenbus::DeviceLink link);
    /// drain(), then gives ring and port back.
    ~BlkbackRing();
    BlkbackRing(const BlkbackRing&) = delete;
    BlkbackRing& operator=(const BlkbackRing&) = delete;

    /// Takes no more requests; on return all that were taken are done with storage.
    void drain();

    xenbus::Service& service() { return service_; }

private:
    struct Job;
    struct Finished;
    using JobPtr = std::shared_ptr<Job>;

    BlkbackRing(Platform& platform, const std::string& name, DomId frontend, Mapping mapping,
                ring::BackRing<Request, Response> ring, std::shared_ptr<Storage> storage, const Extent& extent,
                xenbus::DeviceLink link);

    void serve();
    bool take();
    void begin(const Request& request);
    Result<Mapping> map(const Request& request) const;
    void finish(Job& job);
    void answer(const Request& request, Status status);

    Platform& platform_;
    const DomId frontend_;
    const std::shared_ptr<Storage> storage_;
    const Extent extent_;
    const xenbus::DeviceLink link_;
    /// Where storage leaves what it has done; shared with operations that may outlive us.
    const std::shared_ptr<Finished> finished_;

    // The service's, or under its pause.
    Mapping mapping_;
    ring::BackRing<Request, Response> ring_;
    std::vector<JobPtr> in_progress_;
    bool answers_staged_ = false;
    bool stopped_ = false;

    xenbus::Service service_;
    xenbus::Doorbell doorbell_;
};

}  // namespace xenrig::blk

// One ring of a block backend: takes requests, does them on storage, puts responses, all in one service task.
//
// A request's life: taken (copied out), validated, mapped; a write's data is copied into private memory, and its pages
// are let go at once, a read keeps them until its data is there; storage completes it, wherever that is; the service
// copies, lets go, answers. Any failure on the way is an answer, too: one for each request, unless the ring itself is
// broken.
//
// A barrier is done alone: nothing is taken behind it before it is answered, and it begins when all that was taken
// before it is done (io/blkif.h, BLKIF_OP_WRITE_BARRIER).
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "abi_ring.h"
#include "segment_pages.h"
#include "xenrig/drivers/blk/sector_units.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/drivers/blk/validate.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/device.h"
#include "xenrig/xenbus/doorbell.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::blk {

class BlkbackRing {
public:
    struct Transport {
        DomId frontend;
        Layout layout = Layout::x86_64;
        std::vector<GrantRef> refs;
        Port port;
        /// Pages of the frontend's that stay mapped; 0 when it does not reuse its grants.
        std::size_t persistent_max = 0;
    };
    /// What stands behind the ring.
    struct Device {
        std::shared_ptr<Storage> storage;
        /// But for the size.
        Extent extent;
        /// Of 512 bytes; may change meanwhile.
        std::shared_ptr<const std::atomic<std::uint64_t>> units;
        Offer offer;
        WireUnits wire;
        xenbus::DeviceLink link;
    };

    /// Maps the ring, binds the port and begins to serve. Nothing is left behind when it fails.
    static Result<std::unique_ptr<BlkbackRing>> connect(Platform& platform, const std::string& name,
                                                        const Transport& transport, Device device);
    /// drain(), then gives ring and port back.
    ~BlkbackRing();
    BlkbackRing(const BlkbackRing&) = delete;
    BlkbackRing& operator=(const BlkbackRing&) = delete;

    /// Another medium: on return what was taken is done with the old one, and what comes is asked of this.
    void change_storage(std::shared_ptr<Storage> storage, const Extent& extent);

    /// Takes no more requests; on return all that were taken are done with storage.
    void drain();

    xenbus::Service& service() { return service_; }

private:
    struct Job;
    struct Finished;
    using JobPtr = std::shared_ptr<Job>;

    BlkbackRing(Platform& platform, const std::string& name, const Transport& transport, Mapping mapping, AbiRing ring,
                Device device);

    void serve();
    bool take();
    void begin(const JobPtr& job);
    Verdict read_indirect(Command& command);
    Result<SegmentPages> map(const Command& command);
    void submit(const JobPtr& job);
    void finish(const JobPtr& job);
    void continue_barrier();
    void answer(const Command& command, Status status);

    Platform& platform_;
    Device device_;
    /// Where storage leaves what it has done; shared with operations that may outlive us.
    const std::shared_ptr<Finished> finished_;

    // The service's, or under its pause.
    Mapping mapping_;
    AbiRing ring_;
    PersistentGrants persistent_;
    std::vector<JobPtr> in_progress_;
    JobPtr barrier_;
    bool answers_staged_ = false;
    bool stopped_ = false;

    xenbus::Service service_;
    xenbus::Doorbell doorbell_;
};

}  // namespace xenrig::blk

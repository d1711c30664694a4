#include "upcall_queue.h"

#include "xenrig/platform/scheduler.h"

namespace xenrig::host {

UpcallQueue& UpcallQueues::here() {
    Cpu* const cpu = scheduler ? scheduler->current_cpu() : nullptr;
    for (UpcallQueue& queue : queues_)
        if (&queue.cpu() == cpu) return queue;
    return queues_.front();
}

}  // namespace xenrig::host

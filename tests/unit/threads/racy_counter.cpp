// A lock removed on purpose: two vCPUs add to one counter. Under ThreadSanitizer this program must be reported.
#include <cstdio>

#include "sim/threads/thread_machine.h"

int main() {
    std::uint64_t counter = 0;
    {
        xenrig::threads::ThreadMachine machine;
        for (const char* name : {"v0", "v1"}) {
            machine.add_cpu(name).spawn("adder", xenrig::TaskRole::work, [&counter] {
                for (int i = 0; i < 5000; ++i) ++counter;
            });
        }
        machine.wait_for_work(xenrig::Nanoseconds{60'000'000'000});
    }
    std::printf("%llu\n", static_cast<unsigned long long>(counter));
}

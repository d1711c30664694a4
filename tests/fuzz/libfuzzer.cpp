// libFuzzer's entry: XENRIG_FUZZ_TARGET names the target of this program.
#include "tests/fuzz/target.h"
#include "xenrig/abi/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const xenrig::fuzz::Target* const target = xenrig::fuzz::find_target(XENRIG_FUZZ_TARGET);
    xenrig::check(target != nullptr, "the program's target is one of the list");
    (void)target->run(std::as_bytes(std::span(data, size)));
    return 0;
}

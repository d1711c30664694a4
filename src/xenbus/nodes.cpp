#include "xenrig/xenbus/nodes.h"

#include <charconv>

namespace xenrig::xenbus {

Result<std::uint64_t> read_number(Store& store, const std::string& path, std::uint64_t max) {
    auto text = store.read(StoreTx::none, path);
    if (!text) return fail(text.error().code, "reading " + path);

    std::uint64_t value = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc{} || stop != end || value > max)
        return fail(Errno::inval, path + " is '" + *text + "', not a number up to " + std::to_string(max));
    return value;
}

}  // namespace xenrig::xenbus

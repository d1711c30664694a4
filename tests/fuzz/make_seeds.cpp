// Writes the named seeds:  make_seeds fixtures/fuzz
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/blk_seeds.h"
#include "tests/fuzz/hypercall_seeds.h"

namespace {

template <class Seed>
bool write(const std::filesystem::path& folder, const std::vector<Seed>& seeds) {
    std::filesystem::create_directories(folder);
    for (const auto& seed : seeds) {
        std::ofstream out(folder / seed.name, std::ios::binary);
        if (!(out << seed.input) || !out.flush()) return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    const bool written = write(folder / "blkback", xenrig::fuzz::blkback_seeds()) &&
                         write(folder / "blkfront", xenrig::fuzz::blkfront_seeds()) &&
                         write(folder / "hypercall", xenrig::fuzz::hypercall_seeds());
    if (!written) std::fprintf(stderr, "%s: can't be written\n", argv[1]);
    return written ? 0 : 1;
}

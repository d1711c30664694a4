// Plays inputs and says what they cost; no fuzzer.
//
//   play_corpus TARGET FILE|FOLDER...     each input once; "-" is standard input
//   play_corpus TARGET --check-reset N    N inputs in two orders (check_reset.h)
//
// A rule that is broken ends the process, with the input's token where it has one.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/check_reset.h"
#include "tests/fuzz/target.h"

namespace {

namespace fs = std::filesystem;

void play(const xenrig::fuzz::Target& target, const std::string& input) {
    ++xenrig::fuzz::totals().runs;
    (void)target.run(std::as_bytes(std::span(input)));
}

std::string standard_input() {
    std::string all;
    char piece[4096];
    for (ssize_t n; (n = read(STDIN_FILENO, piece, sizeof piece)) > 0;) all.append(piece, static_cast<std::size_t>(n));
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    const xenrig::fuzz::Target* target = argc > 2 ? xenrig::fuzz::find_target(argv[1]) : nullptr;
    if (!target) {
        std::fprintf(stderr, "usage: %s TARGET FILE|FOLDER... | TARGET --check-reset N\n", argv[0]);
        return 2;
    }
    if (argc == 4 && argv[2] == std::string_view("--check-reset"))
        return xenrig::fuzz::check_reset_command(*target, std::strtoul(argv[3], nullptr, 10));
    std::vector<fs::path> files;
    for (int i = 2; i < argc; ++i) {
        if (std::string(argv[i]) == "-") {
            play(*target, standard_input());
        } else if (fs::is_directory(argv[i])) {
            for (const auto& entry : fs::directory_iterator(argv[i])) files.push_back(entry.path());
        } else {
            files.emplace_back(argv[i]);
        }
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
        std::ifstream in(file, std::ios::binary);
        play(*target, {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()});
    }
    const xenrig::fuzz::Totals& t = xenrig::fuzz::totals();
    std::printf("%s: %llu inputs, %llu door accesses\n", argv[1], static_cast<unsigned long long>(t.runs),
                static_cast<unsigned long long>(t.accesses));
    return 0;
}

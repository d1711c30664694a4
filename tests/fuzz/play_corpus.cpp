// Plays inputs and says what they cost; no fuzzer.
//
//   play_corpus TARGET FILE|FOLDER...     each input once; "-" is standard input
//   play_corpus TARGET --check-reset N    N inputs in two orders (check_reset.h)
//
// A rule that is broken ends the process, with the input's token where it has one.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/fuzz/check_reset.h"
#include "tests/fuzz/inputs.h"
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
    for (int i = 2; i < argc; ++i) {
        if (argv[i] == std::string_view("-"))
            play(*target, standard_input());
        else if (fs::is_directory(argv[i]))
            for (const std::string& input : xenrig::fuzz::read_inputs(argv[i])) play(*target, input);
        else
            play(*target, xenrig::fuzz::read_input(argv[i]));
    }
    const xenrig::fuzz::Totals& t = xenrig::fuzz::totals();
    std::printf("%s: %llu inputs, %llu door accesses\n", argv[1], static_cast<unsigned long long>(t.runs),
                static_cast<unsigned long long>(t.accesses));
    return 0;
}

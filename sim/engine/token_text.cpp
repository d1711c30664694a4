#include "sim/engine/token_text.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "sim/engine/choices.h"

namespace xenrig::engine {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShown = 200;
constexpr const char* kFolder = "xenrig-tokens";

}  // namespace

std::string show_token(const std::string& token) {
    if (token.size() <= kShown) return token;
    char name[24];
    std::snprintf(name, sizeof name, "%08x.token", stream_key(token));
    const fs::path file = fs::path(kFolder) / name;
    std::error_code error;
    fs::create_directories(kFolder, error);
    std::ofstream out(file);
    if (!(out << token << '\n') || !out.flush()) {
        std::fprintf(stderr, "xenrig: %s: can't be written, so here is the whole token\n", file.c_str());
        return token;
    }
    return "@" + file.string();
}

Result<std::string> read_shown_token(const std::string& shown) {
    if (shown.empty() || shown.front() != '@') return shown;
    const std::string file = shown.substr(1);
    std::ifstream in(file);
    std::string token;
    if (!(in >> token)) return fail(Errno::noent, file + ": no token can be read from this file");
    return token;
}

}  // namespace xenrig::engine

#include "whole_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace xenrig::cli {

Result<std::string> read_whole_file(const std::string& path) {
    const auto failed = [&] { return fail(Errno::noent, path + ": can't be read: " + std::strerror(errno)); };
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) return failed();
    std::string text;
    char buffer[65536];
    while (const std::size_t length = std::fread(buffer, 1, sizeof buffer, file.get())) text.append(buffer, length);
    if (std::ferror(file.get()) != 0) return failed();
    return text;
}

}  // namespace xenrig::cli

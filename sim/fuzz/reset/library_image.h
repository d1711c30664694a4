// A loaded shared library as it lies in memory (ELF): what it imports and where those addresses stand, and its writable
// data.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xenrig::fuzz {

class LibraryImage {
public:
    /// Of a library that is loaded; nothing is found of one that is not.
    explicit LibraryImage(const std::string& path);

    bool found() const { return dynamic_ != nullptr; }
    struct Import {
        std::string_view name;
        /// Where its address stands; null for what is no address (thread-local data).
        void** place;
    };
    const std::vector<Import>& imports() const { return imports_; }
    /// Writable segments, whole pages.
    const std::vector<std::span<std::byte>>& data() const { return data_; }
    /// By the file's table of sections; empty when there is none of that name.
    std::span<std::byte> section(std::string_view name) const;

    /// Addresses are read-only once they are found (RELRO).
    void make_imports_writable() const;

private:
    void read_imports();

    std::string path_;
    std::byte* base_ = nullptr;
    const void* dynamic_ = nullptr;
    std::vector<Import> imports_;
    std::vector<std::span<std::byte>> data_;
    std::span<std::byte> relro_;
};

}  // namespace xenrig::fuzz

// A saved image as a file: it appears whole under its name, or not at all.
//
//   auto file = File::create(path);   Writer writer(file->sink()) …;   file->commit();
//
// The bytes go to a temporary beside it, which is synced and then renamed; without commit() it is removed and an older
// image stays. What is saved is a guest's memory, so only its owner may read the file.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "xenrig/abi/error.h"

namespace xenrig::image {

class Reader;

class File {
public:
    /// ENOENT, EACCES and so on, with the file's name and what to do.
    static Result<File> create(std::string path);
    File(File&&) noexcept;
    File& operator=(File&&) noexcept;
    ~File();

    /// After an error nothing more is written; commit() tells it.
    void write(std::span<const std::byte> bytes);
    /// Writes to this file, which must stay where it is.
    std::function<void(std::span<const std::byte>)> sink();
    /// ENOSPC when the disk is full (or a quota or limit reached), EIO otherwise; the file of that name is as before.
    Result<> commit();

    /// Feeds a whole file to a reader and finishes it. Errors begin with the path.
    static Result<> load(const std::string& path, Reader& reader);

private:
    struct Open;
    explicit File(std::unique_ptr<Open> open);

    std::unique_ptr<Open> open_;
};

}  // namespace xenrig::image

#include "xenrig/asio/file_storage.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/random_access_file.hpp>
#include <boost/asio/read_at.hpp>
#include <boost/asio/write_at.hpp>
#include <boost/system/system_error.hpp>
#include <thread>

#include "xenrig/drivers/blk/file_disk.h"

#if !defined(BOOST_ASIO_HAS_FILE)
#error "Asio has files on Linux only where it was given io_uring"
#endif

namespace xenrig::asio {

namespace net = boost::asio;

struct FileStorage::Io {
    Io(std::string name, std::shared_ptr<blk::FileDisk> opened) : path(std::move(name)), disk(std::move(opened)) {}

    const std::string path;
    std::shared_ptr<blk::FileDisk> disk;
    net::io_context context{1};
    net::executor_work_guard<net::io_context::executor_type> work{context.get_executor()};
    /// Nothing where the kernel has no io_uring for us.
    std::optional<net::random_access_file> file;
    std::thread thread;

    /// False, with the kernel's word, where there is none.
    Result<> try_io_uring(bool read_only) {
        try {
            file.emplace(context, path, read_only ? net::file_base::read_only : net::file_base::read_write);
            return {};
        } catch (const boost::system::system_error& e) {
            file.reset();
            return fail(Errno::opnotsupp, path + ": no io_uring: " + e.code().message());
        }
    }

    void begin(blk::StorageOpPtr op) {
        using Kind = blk::StorageOp::Kind;
        const bool inside = op->offset + op->data.size() + op->length <= disk->info().bytes;
        // What is refused, and what Asio has no asynchronous form of, is the disk's own to do.
        if (!file || !inside || (op->kind != Kind::read && op->kind != Kind::write) ||
            (op->kind == Kind::write && disk->info().read_only))
            return disk->submit(std::move(op));
        const auto buffer = net::buffer(op->data.data(), op->data.size());
        const std::uint64_t offset = op->offset;
        const bool reads = op->kind == Kind::read;
        auto over = [this, reads, op = std::move(op)](const boost::system::error_code& error, std::size_t) mutable {
            if (!error) return blk::complete(std::move(op), {});
            const Errno code = error == boost::system::errc::no_space_on_device ? Errno::nospc : Errno::io;
            blk::complete(std::move(op),
                          fail(code, path + (reads ? ": can't read: " : ": can't write: ") + error.message()));
        };
        if (reads)
            net::async_read_at(*file, offset, buffer, std::move(over));
        else
            net::async_write_at(*file, offset, buffer, std::move(over));
    }
};

Result<std::shared_ptr<FileStorage>> FileStorage::open(const std::string& path, bool read_only,
                                                       std::optional<FileWay> way, std::function<void()> on_thread) {
    auto disk = blk::FileDisk::open(path, read_only);
    if (!disk) return std::unexpected(disk.error());
    auto io = std::make_unique<Io>(path, *disk);
    if (way != FileWay::thread) {
        const auto uring = io->try_io_uring(read_only);
        if (!uring && way == FileWay::io_uring) return std::unexpected(uring.error());
    }
    io->thread = std::thread([&context = io->context, on_thread = std::move(on_thread)] {
        if (on_thread) on_thread();
        context.run();
    });
    return std::shared_ptr<FileStorage>(new FileStorage(std::move(io)));
}

FileStorage::FileStorage(std::unique_ptr<Io> io) : io_(std::move(io)) {}

FileStorage::~FileStorage() {
    io_->work.reset();
    io_->thread.join();
}

FileWay FileStorage::way() const { return io_->file ? FileWay::io_uring : FileWay::thread; }

blk::StorageInfo FileStorage::info() const { return io_->disk->info(); }

void FileStorage::submit(blk::StorageOpPtr op) {
    net::post(io_->context, [this, op = std::move(op)]() mutable { io_->begin(std::move(op)); });
}

void FileStorage::watch_size(blk::SizeWatch changed) { io_->disk->watch_size(std::move(changed)); }

Result<> FileStorage::resize(std::uint64_t bytes) { return io_->disk->resize(bytes); }

Result<> FileStorage::take_size() { return io_->disk->take_size(); }

}  // namespace xenrig::asio

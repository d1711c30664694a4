#include "sim/serve/recorder.h"

#include <bit>
#include <cerrno>
#include <cstring>

#include "sim/serve/recording.h"

namespace xenrig::serve {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

namespace {

RecordKind kind_of(Request::Kind kind) {
    switch (kind) {
        case Request::Kind::read:
            return RecordKind::read;
        case Request::Kind::write:
            return RecordKind::write;
        case Request::Kind::flush:
            return RecordKind::flush;
    }
    return RecordKind::flush;
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::create(const std::string& path, const RecordingHeader& header) {
    FilePtr file(std::fopen(path.c_str(), "wbe"));
    if (!file) return fail(Errno::io, path + ": can't write a recording here: " + std::strerror(errno));
    std::unique_ptr<Recorder> made(new Recorder(path, std::move(file)));
    const std::string line = header_line(header);
    made->put(line.data(), line.size());
    made->flush();
    if (!made->state_) return std::unexpected(made->state_.error());
    return made;
}

void Recorder::put(const void* bytes, std::size_t length) {
    if (state_ && length != 0 && std::fwrite(bytes, 1, length, file_.get()) != length)
        state_ = fail(Errno::io, path_ + ": can't be written, so the recording ends here: " + std::strerror(errno));
}

void Recorder::flush() {
    if (state_ && std::fflush(file_.get()) != 0)
        state_ = fail(Errno::io, path_ + ": can't be written, so the recording ends here: " + std::strerror(errno));
}

void Recorder::asked(std::uint64_t step, std::span<Request* const> batch) {
    for (const Request* r : batch) {
        put(RecordHead{.kind = kind_of(r->kind),
                       .durable = r->durable,
                       .length = static_cast<std::uint32_t>(r->length()),
                       .step = step,
                       .offset = r->offset});
        put(r->bytes.data(), r->bytes.size());
    }
    flush();
}

void Recorder::storage_failed(std::uint64_t step, std::uint64_t ordinal, Errno why) {
    put(RecordHead{.kind = RecordKind::storage_failed,
                   .length = static_cast<std::uint32_t>(why),
                   .step = step,
                   .offset = ordinal});
    flush();
}

void Recorder::end(std::uint64_t step, std::uint64_t trace_hash) {
    put(RecordHead{.kind = RecordKind::end, .step = step, .offset = trace_hash});
    flush();
}

}  // namespace xenrig::serve

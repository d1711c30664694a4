// The signals that tell `xenrig backend` what to do, as something to wait for, and the end of its work as another.
//
// Blocked in every thread, so they are made before any thread begins.
#pragma once

#include <cstdint>

namespace xenrig::cli {

class BackendSignals {
public:
    /// SIGINT and SIGTERM; SIGHUP; tell_over().
    enum class Signal : std::uint8_t { end, look_again, over };

    BackendSignals();
    ~BackendSignals();
    BackendSignals(const BackendSignals&) = delete;
    BackendSignals& operator=(const BackendSignals&) = delete;

    /// From any thread.
    void tell_over() const;
    Signal wait() const;

private:
    int signal_, over_;
};

}  // namespace xenrig::cli

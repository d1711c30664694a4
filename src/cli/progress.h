// A line on the terminal that is written over, for whatever takes long.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace xenrig::cli {

class Progress {
public:
    explicit Progress(const char* what) : what_(what), on_(isatty(STDERR_FILENO) != 0) {}
    ~Progress() {
        if (shown_) std::fprintf(stderr, "\r%*s\r", 60, "");
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void operator()(std::uint64_t done, std::uint64_t all) {
        const std::uint64_t percent = done * 100 / all;
        if (!on_ || percent == percent_) return;
        percent_ = percent;
        shown_ = true;
        std::fprintf(stderr, "\r%s %llu of %llu (%llu %%)", what_, static_cast<unsigned long long>(done),
                     static_cast<unsigned long long>(all), static_cast<unsigned long long>(percent));
    }

private:
    const char* what_;
    bool on_, shown_ = false;
    std::uint64_t percent_ = 101;
};

}  // namespace xenrig::cli

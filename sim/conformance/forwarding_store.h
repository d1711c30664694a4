// A store that asks another one: what stands between a subject and its store overrides what it is interested in.
#pragma once

#include <string>
#include <vector>

#include "xenrig/platform/store.h"

namespace xenrig::conformance {

class ForwardingStore : public Store {
public:
    explicit ForwardingStore(Store& inner) : inner_(inner) {}

    Result<std::string> read(StoreTx tx, const std::string& path) override { return inner_.read(tx, path); }
    Result<> write(StoreTx tx, const std::string& path, std::string_view value) override {
        return inner_.write(tx, path, value);
    }
    Result<> mkdir(StoreTx tx, const std::string& path) override { return inner_.mkdir(tx, path); }
    Result<> rm(StoreTx tx, const std::string& path) override { return inner_.rm(tx, path); }
    Result<std::vector<std::string>> directory(StoreTx tx, const std::string& path) override {
        return inner_.directory(tx, path);
    }
    Result<std::vector<StorePerm>> get_perms(StoreTx tx, const std::string& path) override {
        return inner_.get_perms(tx, path);
    }
    Result<> set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& perms) override {
        return inner_.set_perms(tx, path, perms);
    }
    Result<StoreTx> start() override { return inner_.start(); }
    Result<> end(StoreTx tx, bool commit) override { return inner_.end(tx, commit); }
    Result<Watch> watch(const std::string& path, WatchHandler handler) override {
        return inner_.watch(path, std::move(handler));
    }

protected:
    Store& inner() { return inner_; }
    /// Watches are the inner store's own.
    void unwatch(std::uint64_t) override {}

private:
    Store& inner_;
};

}  // namespace xenrig::conformance

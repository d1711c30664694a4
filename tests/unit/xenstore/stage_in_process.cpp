// The stage in process: sockets of the recording are streams, guests are ring pages.
#include <map>
#include <memory>
#include <span>

#include "tests/unit/xenstore/conversation.h"

namespace xenrig::xenstore::test {
namespace {

struct End {
    std::unique_ptr<StreamDoor> stream;
    std::unique_ptr<GuestEnd> guest;
    std::string received;
};

class InProcess final : public Stage {
public:
    explicit InProcess(Personality personality) : daemon_(host_, {personality}) {}

    void open(const std::string& name) override {
        End& end = ends_[name];
        if (name.front() == 'd')
            end.guest = std::make_unique<GuestEnd>(host_.exist(static_cast<std::uint16_t>(std::stoi(name.substr(1)))));
        else
            end.stream = std::make_unique<StreamDoor>(daemon_);
    }
    void close(const std::string& name) override { ends_.erase(name); }

    void send(const std::string& name, const std::string& bytes) override {
        End& end = ends_.at(name);
        if (end.guest)
            end.guest->send(bytes);
        else
            end.stream->feed(std::as_bytes(std::span(bytes)));
    }

    void set_state(std::uint16_t domain, DomainState state) override {
        if (state == DomainState::alive) {
            host_.exist(domain);
        } else {
            host_.states[domain] = state;
            daemon_.check_domains();
        }
    }

    void settle() override {
        for (bool moved = true; moved;) {
            moved = daemon_.service();
            for (auto& [name, end] : ends_) {
                if (end.guest) {
                    moved |= end.guest->move();
                } else {
                    const auto out = end.stream->output();
                    end.received.append(reinterpret_cast<const char*>(out.data()), out.size());
                    end.stream->discard_output(out.size());
                }
            }
        }
    }

    std::vector<Seen> take(const std::string& name) override {
        End& end = ends_.at(name);
        return end.guest ? end.guest->messages() : take_messages(end.received);
    }
    bool has_hung_up(const std::string& name) override {
        const End& end = ends_.at(name);
        return end.stream && end.stream->closed();
    }

private:
    Host host_;
    Daemon daemon_;
    std::map<std::string, End> ends_;
};

}  // namespace

std::unique_ptr<Stage> stage_in_process(Personality personality) { return std::make_unique<InProcess>(personality); }

}  // namespace xenrig::xenstore::test

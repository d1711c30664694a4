#include "tests/model/generate.h"

#include <algorithm>
#include <array>
#include <cstdint>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "sim/engine/choices.h"
#include "sim/engine/sources.h"

namespace xenrig::model {
namespace {

using namespace std::string_literals;

constexpr std::uint16_t kGuests = 3;

class Generator {
public:
    Generator(std::uint64_t seed, const Kinds& kinds) : source_(seed), kinds_(kinds) {}

    Conversation run() {
        // Swarms: a conversation has its own taste, so that some go deep where others go wide.
        calm_ = 1 + below(6);
        inside_ = below(4);
        crowded_ = below(10) == 0;
        requests_to("A", {op(XS_MKDIR, z("/a")), op(XS_WRITE, z("/shared") + "s")});
        if (kinds_.guests) bring_guests();
        for (unsigned i = 0; crowded_ && i < 24; ++i) requests_to("A", {op(XS_MKDIR, z(in_big(i)))});
        while (all_.size() < kinds_.steps) step();
        return all_;
    }

private:
    unsigned below(unsigned n) { return choices_.pick(stream_, n); }
    template <std::size_t N>
    std::string one_of(const std::array<const char*, N>& list) {
        return list[below(N)];
    }
    static std::string z(const std::string& text) { return text + '\0'; }
    static Request op(std::uint32_t type, std::string payload) { return {type, std::move(payload), "", ""}; }

    void requests_to(const std::string& connection, std::vector<Request> requests) {
        all_.push_back({Step::Kind::requests, connection, 0, std::move(requests)});
    }
    void happens(Step::Kind kind, const std::string& connection, std::uint16_t domain = 0) {
        all_.push_back({kind, connection, domain, {}});
    }

    void bring_guests() {
        for (std::uint16_t id = 1; id <= kGuests; ++id) {
            const std::string number = std::to_string(id);
            happens(Step::Kind::exist, "", id);
            requests_to("A", {op(XS_WRITE, z("/local/domain/" + number + "/data"))});
            requests_to("A", {op(XS_SET_PERMS, z("/local/domain/" + number) + z("n0") + z("r" + number))});
            requests_to("A", {op(XS_SET_PERMS, z("/local/domain/" + number + "/data") + z("n" + number))});
            if (id < kGuests) requests_to("A", {op(XS_INTRODUCE, z(number) + z("1") + z("7"))});
        }
        requests_to("A", {op(XS_SET_PERMS, z("/shared") + z("b0"))});
    }

    void step() {
        const unsigned what = below(100);
        if (what < 3) {
            const Step::Kind kind = below(2) == 0 ? Step::Kind::close : Step::Kind::open;
            happens(kind, below(2) == 0 ? "A2" : "A3");
        } else if (what < 5 && kinds_.guests) {
            constexpr std::array kStates{Step::Kind::exist, Step::Kind::exist, Step::Kind::shutdown, Step::Kind::dying};
            const Step::Kind kind = kStates[below(4)];
            happens(kind, "", id());
        } else if (what < 9 && kinds_.guests) {
            requests_to("A", {domain_request()});
        } else {
            std::vector<Request> requests;
            const std::string connection = somebody();
            const bool pipelined = kinds_.pipelines && below(8) == 0;
            const unsigned together = pipelined ? 2 + below(4) : 1;
            while (requests.size() < together) requests.push_back(request(connection));
            requests_to(connection, std::move(requests));
        }
    }

    std::string somebody() {
        const unsigned who = below(kinds_.guests ? 8 : 3);
        if (who >= 3) return "d" + std::to_string(1 + (who - 3) % kGuests);
        return who == 0 ? "A" : "A" + std::to_string(who + 1);
    }
    std::uint16_t id() {
        const unsigned n = below(kGuests);
        return static_cast<std::uint16_t>(1 + n);
    }
    std::string domain() {
        if (below(12) == 0) return one_of(std::array{"0", "", "x", "65536", "9", "-1", "32752"});
        return std::to_string(id());
    }

    Request domain_request() {
        switch (below(9)) {
            case 0:
            case 1:
            case 2: {
                const std::string number = domain();
                return op(XS_INTRODUCE, z(number) + z("1") + (below(12) == 0 ? z("0") : z("7")));
            }
            case 3:
            case 4:
                return op(XS_RELEASE, z(domain()));
            case 5:
                return op(XS_RESUME, z(domain()));
            case 6: {
                const std::string number = domain();
                return op(XS_SET_TARGET, z(number) + z(domain()));
            }
            case 7: {
                const std::string number = domain();
                const std::string features = std::to_string(2 * below(9));
                return op(kSetFeature, z(number) + z(features));
            }
            default: {
                const std::string number = below(8) == 0 ? "" : z(domain());
                const std::string quota = one_of(std::array{"nodes", "watches", "transactions", "node-permissions",
                                                            "node-size", "path-max", "other"});
                return op(kSetQuota, number + z(quota) + z(std::to_string(3 + below(40))));
            }
        }
    }

    /// A directory that outgrows a message.
    static std::string in_big(unsigned i) { return "/big/" + std::string(200, 'n') + std::to_string(i); }

    std::string path() {
        if (below(40) == 0)
            return one_of(std::array{"", "/", "//", "/a/", "/a//b", "/a b", "/a.b", "@releaseDomain",
                                     "@introduceDomain", "@x", "/@releaseDomain", "@releaseDomain/1"});
        if (below(60) == 0) {
            const std::string root = below(2) == 0 ? "/" : "data/";
            return root + std::string(2030 + below(30), 'p');
        }
        if (below(crowded_ ? 2 : 14) == 0) return in_big(below(60));
        std::string path;
        switch (below(kinds_.guests ? 6 : 3)) {
            case 0:
                path = "/shared";
                break;
            case 1:
            case 2:
                break;
            case 3:
                path = "/local/domain/" + std::to_string(id());
                break;
            case 4:
                path = "/local/domain/" + std::to_string(id()) + "/data";
                break;
            default: {
                const std::string relative = below(3) == 0 ? "" : "data/";
                return relative + one_of(std::array{"a", "b", "a/b", "data"});
            }
        }
        for (unsigned depth = below(4) + (path.empty() ? 1 : 0); depth != 0; --depth)
            path += one_of(std::array{"/a", "/b", "/c"});
        return path;
    }

    std::string perms() {
        std::string all;
        for (unsigned n = 1 + below(calm_ < 3 ? 6 : 3); n != 0; --n) {
            if (below(30) == 0) {
                all +=
                    z(one_of(std::array{"x0", "n", "", "n-1", "r65536", "b 1", "w0x2", "r+3", "R1", "r1x", "b32757"}));
                continue;
            }
            const std::string letter = one_of(std::array{"n", "r", "w", "b"});
            all += z(letter + std::to_string(below(kGuests + 1)));
        }
        return all;
    }

    std::string token() { return one_of(std::array{"t", "u", ""}); }

    Request request(const std::string& connection) {
        Request r = sound_request(connection);
        auto& open = open_[connection];
        const bool ends = r.type == XS_TRANSACTION_END;
        if (!open.empty() && (ends || below(4) < inside_)) {
            r.transaction = open[below(static_cast<unsigned>(open.size()))];
            if (ends) std::erase(open, r.transaction);
        } else if (below(40) == 0) {
            r.transaction = "none";
        }
        if (r.type == XS_TRANSACTION_START && kinds_.transactions) {
            r.save = "t" + std::to_string(++transactions_);
            open.push_back(r.save);
        }
        if (kinds_.malformed && below(50) == 0) spoil(r);
        if (!kinds_.transactions && r.type == XS_TRANSACTION_START) return op(XS_READ, z("/a"));
        // Features, quotas and the depth of a watch came later.
        if (kinds_.only_4_17 && (r.type >= kGetFeature || (r.type == XS_WATCH && watch_has_depth(r.payload))))
            return op(XS_READ, z("/a"));
        // Oxenstored waits for more bytes before it answers a request without any.
        if (kinds_.only_4_17 && r.payload.empty()) r.payload = "x";
        return r;
    }

    static bool watch_has_depth(const std::string& payload) {
        return std::count(payload.begin(), payload.end(), '\0') > 2;
    }

    /// The payload is not what it should be.
    void spoil(Request& r) {
        // Operations that it does not know end Xen 4.17's C xenstored.
        switch (below(kinds_.only_4_17 ? 4 : 5)) {
            case 0:
                if (!r.payload.empty()) r.payload.pop_back();
                break;
            case 1:
                r.payload += '\0';
                break;
            case 2:
                r.payload.clear();
                break;
            case 3:
                r.payload += "x";
                break;
            default:
                r.type = std::array<std::uint32_t, 5>{15, 16, 20, 27, 0x8000'0000}[below(5)];
        }
    }

    Request sound_request(const std::string& connection) {
        switch (below(28)) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4:
            case 5: {
                const std::string where = path();
                const unsigned kind = below(40);
                const std::size_t size = kind == 0 ? 2000 + below(40) : kind == 1 ? 4000 : 1;
                return op(XS_WRITE,
                          z(where) + std::string(std::min(size, 4090 - where.size()), 'v') + std::to_string(below(9)));
            }
            case 6:
                return op(XS_MKDIR, z(path()));
            case 7:
            case 8:
                return op(XS_RM, z(path()));
            case 9:
            case 10:
            case 11:
                return op(XS_READ, z(path()));
            case 12:
            case 13:
                return op(XS_DIRECTORY, z(crowded_ ? "/big" : path()));
            case 14: {
                const std::string where = below(2) == 0 ? path() : "/big";
                const unsigned step = below(3);
                return op(XS_DIRECTORY_PART, z(where) + z(std::to_string(step * below(3000))));
            }
            case 15:
                return op(XS_GET_PERMS, z(path()));
            case 16:
            case 17: {
                const std::string where = path();
                return op(XS_SET_PERMS, z(where) + perms());
            }
            case 18:
            case 19:
            case 20: {
                std::string payload = z(path());
                payload += z(token());
                if (below(6) == 0) payload += z(one_of(std::array{"0", "1", "2", "-1", "x"}));
                return op(XS_WATCH, payload);
            }
            case 21: {
                const std::string where = path();
                return op(XS_UNWATCH, z(where) + z(token()));
            }
            case 22:
            case 23:
                return op(XS_TRANSACTION_START, z(""));
            case 24:
            case 25:
                return op(XS_TRANSACTION_END, below(4) == 0 ? z("F") : z("T"));
            case 26:
                if (below(4) != 0) return op(XS_READ, z(path()));
                return op(XS_RESET_WATCHES, z(""));
            default:
                return rare_request(connection);
        }
    }

    Request rare_request(const std::string& connection) {
        switch (below(5)) {
            case 0:
                return op(XS_GET_DOMAIN_PATH, z(domain()));
            case 1:
                return op(XS_IS_DOMAIN_INTRODUCED, z(domain()));
            case 2:
                return op(kGetFeature, below(2) == 0 ? "" : z(domain()));
            case 3: {
                const std::string number = z(domain());
                return op(kGetQuota, number + z(one_of(std::array{"nodes", "soft-memory", "path-max", "x"})));
            }
            default:
                // A guest may not; dom0 does so in steps of its own.
                return is_ring(connection) ? domain_request() : op(kGetQuota, "");
        }
    }

    engine::SeededSource source_;
    engine::Choices choices_{source_};
    engine::StreamId stream_ = choices_.add_stream("model.conversation", engine::StreamKind::data);
    Kinds kinds_;
    Conversation all_;
    std::map<std::string, std::vector<std::string>> open_;
    unsigned transactions_ = 0;
    unsigned calm_ = 1, inside_ = 2;
    bool crowded_ = false;
};

}  // namespace

Conversation generate(std::uint64_t seed, const Kinds& kinds) { return Generator(seed, kinds).run(); }

}  // namespace xenrig::model

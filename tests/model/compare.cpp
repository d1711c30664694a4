#include "tests/model/compare.h"

#include <algorithm>
#include <cstdint>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/reference.h"

namespace xenrig::model {
namespace {

/// Whether `heard` may be what came of requests that went out together: each event, unless an equal one came before it
/// in the same step and may have been waiting still.
bool may_be_merged(const std::vector<Message>& all, const std::vector<Message>& heard) {
    std::size_t at = 0;
    for (const Message& m : all) {
        if (at < heard.size() && heard[at] == m) {
            ++at;
            continue;
        }
        const auto end = heard.begin() + static_cast<std::ptrdiff_t>(at);
        const bool merged =
            m.type == XS_WATCH_EVENT && m.payload.front() != '@' && std::find(heard.begin(), end, m) != end;
        if (!merged) return false;
    }
    return at == heard.size();
}

Heard without_silence(Heard heard) {
    std::erase_if(heard, [](const auto& entry) { return entry.second.empty(); });
    return heard;
}

/// Each daemon counts its generations as it likes.
Heard without_generations(Heard heard) {
    for (auto& [connection, messages] : heard)
        for (Message& m : messages)
            if (m.type == XS_DIRECTORY_PART) m.payload.erase(0, m.payload.find('\0'));
    return heard;
}

bool agree(const Step& step, const Heard& expected, const Heard& heard) {
    if (step.requests.size() < 2) return expected == heard;
    if (expected.size() != heard.size()) return false;
    return std::all_of(expected.begin(), expected.end(), [&](const auto& entry) {
        const auto found = heard.find(entry.first);
        return found != heard.end() && may_be_merged(entry.second, found->second);
    });
}

bool can_be_played(const Step& step, const Reference& model) {
    switch (step.kind) {
        case Step::Kind::requests:
            return model.connected(step.connection);
        case Step::Kind::open:
            return !model.connected(step.connection);
        case Step::Kind::dying:
        case Step::Kind::shutdown:
            return model.exists(step.domain);
        default:
            return true;
    }
}

class Shrinker {
public:
    Shrinker(Conversation failing, const Fails& fails) : best_(std::move(failing)), fails_(fails) {}

    Conversation run() {
        for (bool smaller = true; smaller;) {
            smaller = leave_out_steps();
            smaller |= leave_out_requests();
            smaller |= simplify_requests();
        }
        return best_;
    }

private:
    bool keep_if_fails(Conversation candidate) {
        if (!fails_(candidate)) return false;
        best_ = std::move(candidate);
        return true;
    }

    bool leave_out_steps() {
        bool smaller = false;
        for (std::size_t piece = std::max<std::size_t>(best_.size() / 2, 1); piece != 0; piece /= 2) {
            for (std::size_t at = 0; at < best_.size();) {
                Conversation candidate = best_;
                const auto from = candidate.begin() + static_cast<std::ptrdiff_t>(at);
                const std::size_t n = std::min(piece, candidate.size() - at);
                candidate.erase(from, from + static_cast<std::ptrdiff_t>(n));
                if (keep_if_fails(std::move(candidate)))
                    smaller = true;
                else
                    at += piece;
            }
        }
        return smaller;
    }

    bool leave_out_requests() {
        bool smaller = false;
        for (std::size_t step = 0; step < best_.size(); ++step) {
            for (std::size_t at = 0; at < best_[step].requests.size() && best_[step].requests.size() > 1;) {
                Conversation candidate = best_;
                auto& requests = candidate[step].requests;
                requests.erase(requests.begin() + static_cast<std::ptrdiff_t>(at));
                if (keep_if_fails(std::move(candidate)))
                    smaller = true;
                else
                    ++at;
            }
        }
        return smaller;
    }

    bool simplify_requests() {
        bool smaller = false;
        for (std::size_t step = 0; step < best_.size(); ++step) {
            for (std::size_t at = 0; at < best_[step].requests.size(); ++at) {
                if (!best_[step].requests[at].transaction.empty()) {
                    Conversation candidate = best_;
                    candidate[step].requests[at].transaction.clear();
                    smaller |= keep_if_fails(std::move(candidate));
                }
                smaller |= shorten(step, at);
            }
        }
        return smaller;
    }

    bool shorten(std::size_t step, std::size_t request) {
        bool smaller = false;
        const auto payload = [&](Conversation& c) -> std::string& { return c[step].requests[request].payload; };
        for (std::size_t piece = std::max<std::size_t>(payload(best_).size() / 2, 1); piece != 0; piece /= 2) {
            for (std::size_t at = 0; at < payload(best_).size();) {
                Conversation candidate = best_;
                payload(candidate).erase(at, piece);
                if (keep_if_fails(std::move(candidate)))
                    smaller = true;
                else
                    at += piece;
            }
        }
        return smaller;
    }

    Conversation best_;
    const Fails& fails_;
};

}  // namespace

std::optional<Difference> differs_from_model(const Conversation& conversation, Player& player, bool same_generations) {
    Reference model;
    // A guest's requests are read once its domain is introduced; before that they would wait in its ring.
    const Step first{Step::Kind::open, "A", 0, {}};
    model.run(first);
    player.run(first);
    for (std::size_t i = 0; i < conversation.size(); ++i) {
        const Step& step = conversation[i];
        if (!can_be_played(step, model)) continue;
        Heard expected = without_silence(model.run(step));
        Heard heard = without_silence(player.run(step));
        if (!same_generations) {
            expected = without_generations(std::move(expected));
            heard = without_generations(std::move(heard));
        }
        if (!agree(step, expected, heard)) return Difference{i, std::move(expected), std::move(heard)};
    }
    return std::nullopt;
}

std::optional<Difference> differ(const Conversation& conversation, Player& reference, Player& player) {
    std::map<std::string, bool> open;
    const auto play = [&](std::size_t i, const Step& step) -> std::optional<Difference> {
        Heard expected = without_generations(without_silence(reference.run(step)));
        Heard heard = without_generations(without_silence(player.run(step)));
        if (agree(step, expected, heard)) return std::nullopt;
        return Difference{i, std::move(expected), std::move(heard)};
    };
    open["A"] = true;
    sweep(reference);
    sweep(player);
    (void)play(0, {Step::Kind::open, "A", 0, {}});
    for (std::size_t i = 0; i < conversation.size(); ++i) {
        const Step& step = conversation[i];
        bool& is_open = open[step.connection];
        const bool opens = step.kind == Step::Kind::open;
        if (is_open == opens) continue;
        if (opens || step.kind == Step::Kind::close) is_open = opens;
        if (auto difference = play(i, step)) return difference;
    }
    return std::nullopt;
}

Conversation shrink(Conversation failing, const Fails& fails) { return Shrinker(std::move(failing), fails).run(); }

std::string report(const Conversation& conversation, const Difference& difference) {
    const auto end = conversation.begin() + static_cast<std::ptrdiff_t>(difference.step) + 1;
    return show(Conversation(conversation.begin(), end)) + "expected:\n" + show(difference.expected) + "heard:\n" +
           show(difference.heard);
}

}  // namespace xenrig::model

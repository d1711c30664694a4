#include "tests/model/campaign.h"

#include "tests/model/compare.h"
#include "tests/model/recording.h"
#include "tests/model/reference.h"

namespace xenrig::model {

std::optional<Found> try_seed(std::uint64_t seed, const Kinds& kinds) {
    const auto play = [&](const Conversation& conversation) {
        const auto store = store_in_process(Daemon::c, kinds.live_updates);
        return differs_from_model(conversation, *store, !kinds.live_updates);
    };
    Conversation conversation = generate(seed, kinds);
    const auto first = play(conversation);
    if (!first) return std::nullopt;
    conversation.resize(first->step + 1);
    Found found;
    found.smallest = shrink(conversation, [&](const Conversation& c) { return play(c).has_value(); });
    Reference model;
    found.text = "seed " + std::to_string(seed) + ", " + std::to_string(found.smallest.size()) + " of " +
                 std::to_string(conversation.size()) + " steps\n" + report(found.smallest, *play(found.smallest)) +
                 "as a fixture:\n" + to_json(found.smallest, model, "seed-" + std::to_string(seed), "h") + "\n";
    return found;
}

}  // namespace xenrig::model

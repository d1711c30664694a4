// What QEMU holds its own immutable tree against (tests/unit/test-xs-node.c): seven conversations of a guest, in which
// versions of the tree live side by side. Here they are held against both personalities.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "sim/xenstore/store.h"
#include "tests/unit/xenstore/host.h"

namespace xenrig::xenstore::test {
namespace {

using Events = std::vector<std::string>;

bool contains(const Events& events, std::string_view one) {
    return std::find(events.begin(), events.end(), one) != events.end();
}

std::string z(std::string_view s) { return std::string(s) + '\0'; }

/// Guest 1 with a home that it may read and, below it, `some`, which is its own.
class XenstoreTreeVersions : public testing::TestWithParam<Personality> {
protected:
    XenstoreTreeVersions() {
        host.exist(1);
        dom0(XS_WRITE, z("/local/domain/1"));
        dom0(XS_SET_PERMS, z("/local/domain/1") + z("n0") + z("r1"));
        dom0(XS_WRITE, z("/local/domain/1/some"));
        dom0(XS_SET_PERMS, z("/local/domain/1/some") + z("n1"));
        dom0(XS_INTRODUCE, z("1") + z("0") + z("7"));
    }

    /// Dom0's request and its answer; events go to heard_by_dom0.
    std::string dom0(std::uint32_t type, const std::string& payload) {
        const std::string bytes = message(type, 1, 0, payload);
        door.feed(std::as_bytes(std::span(bytes)));
        settle();
        return std::exchange(answer_to_dom0, "no answer");
    }
    /// The guest's.
    std::string ask(std::uint32_t type, const std::string& payload, std::uint32_t tx = 0) {
        guest.send(message(type, 1, tx, payload));
        settle();
        return std::exchange(answer, "no answer");
    }
    std::string read(std::string_view path, std::uint32_t tx = 0) { return ask(XS_READ, z(path), tx); }
    std::string write(std::string_view path, std::string_view value, std::uint32_t tx = 0) {
        return ask(XS_WRITE, z(path) + std::string(value), tx);
    }
    std::uint32_t start() { return static_cast<std::uint32_t>(std::stoul(ask(XS_TRANSACTION_START, z("")))); }
    std::string end(std::uint32_t tx, bool commits) { return ask(XS_TRANSACTION_END, z(commits ? "T" : "F"), tx); }
    Events take() { return std::exchange(heard, {}); }
    Events take_dom0s() { return std::exchange(heard_by_dom0, {}); }

    /// Nodes without the special ones.
    std::size_t nodes() {
        std::size_t n = 0;
        const std::function<void(const Node&)> count = [&](const Node& node) {
            n += node.name().starts_with('@') ? 0 : 1;
            node.children.for_each([&](const Node& child) {
                count(child);
                return true;
            });
        };
        count(daemon.store().tree().root());
        return n;
    }

    void settle() {
        const auto keep = [](const Seen& m, std::string& reply, Events& events) {
            const auto nul = m.payload.find('\0');
            if (m.type == XS_WATCH_EVENT)
                events.push_back(m.payload.substr(0, nul) + " " +
                                 m.payload.substr(nul + 1, m.payload.size() - nul - 2));
            else
                reply = m.payload;
        };
        while (daemon.service() || guest.move()) {
        }
        for (const Seen& m : guest.messages()) keep(m, answer, heard);
        std::string out(door.output().size(), '\0');
        door.take_output(std::as_writable_bytes(std::span(out)));
        for (const Seen& m : take_messages(out)) keep(m, answer_to_dom0, heard_by_dom0);
    }

    Host host;
    Daemon daemon{host, {GetParam()}};
    StreamDoor door{daemon};
    GuestEnd guest{host.exist(1)};
    std::string answer = "no answer", answer_to_dom0 = "no answer";
    Events heard, heard_by_dom0;
    const std::string ok = z("OK");
};

TEST_P(XenstoreTreeVersions, AreNotSeenByRequestsOutsideOfTransactions) {
    const std::size_t at_first = nodes();
    EXPECT_EQ(ask(XS_WATCH, z("some") + z("g")), ok);
    EXPECT_EQ(take(), Events{"some g"});
    EXPECT_EQ(dom0(XS_WATCH, z("/local/domain/1/some") + z("q")), ok);
    EXPECT_EQ(take_dom0s(), Events{"/local/domain/1/some q"});

    EXPECT_EQ(read("foo"), z("ENOENT"));
    EXPECT_EQ(write("some/relative/path", "something"), ok);
    EXPECT_EQ(nodes(), at_first + 2);
    EXPECT_EQ(take(), Events{"some/relative/path g"});
    EXPECT_EQ(take_dom0s(), Events{"/local/domain/1/some/relative/path q"});
    EXPECT_EQ(dom0(XS_RESET_WATCHES, z("")), ok);

    EXPECT_EQ(read("some/relative/path"), "something");
    EXPECT_EQ(read("/local/domain/1/some/relative/path"), "something");

    // While a version is held, a change leaves it as it is.
    const Tree held = daemon.store().tree();
    EXPECT_EQ(write("/local/domain/badplace", "moredata"), z("EACCES"));
    EXPECT_EQ(nodes(), at_first + 2);
    EXPECT_EQ(write("/local/domain/1/some/relative/path2", "something else"), ok);
    EXPECT_EQ(nodes(), at_first + 3);
    EXPECT_EQ(take(), Events{"some/relative/path2 g"});
    EXPECT_EQ(write("some/relative/path", "another thing"), ok);
    EXPECT_EQ(take(), Events{"some/relative/path g"});
    EXPECT_TRUE(take_dom0s().empty());
    EXPECT_EQ(ask(XS_DIRECTORY, z("some/relative")), z("path") + z("path2"));
    EXPECT_EQ(held.find("/local/domain/1/some/relative/path")->value(), "something");
    EXPECT_EQ(held.find("/local/domain/1/some/relative/path2"), nullptr);

    EXPECT_EQ(ask(XS_UNWATCH, z("some") + z("g")), ok);
    EXPECT_EQ(ask(XS_UNWATCH, z("some") + z("g")), z("ENOENT"));
    EXPECT_EQ(ask(XS_WATCH, z("some/relative/path2") + z("p")), ok);
    EXPECT_EQ(ask(XS_WATCH, z("/local/domain/1/some/relative") + z("r")), ok);
    EXPECT_EQ(take(), (Events{"some/relative/path2 p", "/local/domain/1/some/relative r"}));

    EXPECT_EQ(write("some/relative", "moredata"), ok);
    EXPECT_EQ(take(), Events{"/local/domain/1/some/relative r"});
    EXPECT_EQ(read("some/relative"), "moredata");
    EXPECT_EQ(write("some/relative", "otherdata"), ok);
    EXPECT_EQ(read("some/relative"), "otherdata");
    take();

    EXPECT_EQ(ask(XS_RM, z("some/relative")), ok);
    EXPECT_EQ(nodes(), at_first);
    const Events gone = take();
    EXPECT_TRUE(contains(gone, "some/relative/path2 p"));
    EXPECT_TRUE(contains(gone, "/local/domain/1/some/relative r"));
    EXPECT_EQ(read("some/relative"), z("ENOENT"));
    EXPECT_EQ(held.find("/local/domain/1/some/relative/path")->value(), "something");
}

/// A write in a transaction, with or without another write to the same node outside.
class XenstoreTransactionVersions : public XenstoreTreeVersions {
protected:
    void write_in_a_transaction(bool conflicts, bool commits) {
        EXPECT_EQ(ask(XS_WATCH, z("some") + z("w")), ok);
        EXPECT_EQ(write("some/relative/path", "something"), ok);
        take();
        const std::size_t at_first = nodes();
        const std::uint32_t tx = start();
        if (conflicts) {
            // QEMU asks only whether the tree has changed; here the transaction must have looked at what changes.
            EXPECT_EQ(read("some/relative/path", tx), "something");
            EXPECT_EQ(write("some/relative/path", "another thing"), ok);
            EXPECT_EQ(take(), Events{"some/relative/path w"});
        }
        EXPECT_EQ(write("some/relative/path", "something else", tx), ok);
        EXPECT_TRUE(take().empty());
        const std::string outside = conflicts ? "another thing" : "something";
        EXPECT_EQ(read("some/relative/path"), outside);
        EXPECT_EQ(read("some/relative/path", tx), "something else");

        const bool fails = conflicts && commits;
        EXPECT_EQ(end(tx, commits), fails ? z("EAGAIN") : ok);
        const bool done = commits && !fails;
        EXPECT_EQ(take(), done ? Events{"some/relative/path w"} : Events{});
        EXPECT_EQ(nodes(), at_first);
        EXPECT_EQ(read("some/relative/path"), done ? "something else" : outside);
    }
};

TEST_P(XenstoreTransactionVersions, GoWithoutATraceWhenTheyAreAborted) { write_in_a_transaction(false, false); }

TEST_P(XenstoreTransactionVersions, GoWithoutATraceWhenTheyAreAbortedAfterAConflict) {
    write_in_a_transaction(true, false);
}

TEST_P(XenstoreTransactionVersions, AreNothingAfterAConflict) { write_in_a_transaction(true, true); }

TEST_P(XenstoreTransactionVersions, AreSeenByEverybodyAtTheEnd) { write_in_a_transaction(false, true); }

TEST_P(XenstoreTreeVersions, OfATransactionMayLoseASubtreeThatIsStillThereOutside) {
    EXPECT_EQ(ask(XS_WATCH, z("some") + z("w")), ok);
    EXPECT_EQ(write("some/deep/dark/relative/path", "something"), ok);
    take();
    const std::size_t at_first = nodes();
    const std::uint32_t tx = start();
    EXPECT_EQ(ask(XS_RM, z("some/deep/dark"), tx), ok);
    EXPECT_EQ(nodes(), at_first);
    EXPECT_TRUE(take().empty());
    EXPECT_EQ(read("some/deep/dark/relative/path"), "something");
    EXPECT_EQ(end(tx, true), ok);
    EXPECT_EQ(nodes(), at_first - 3);
    EXPECT_EQ(take(), Events{"some/deep/dark w"});
    EXPECT_EQ(read("some/deep/dark/relative/path"), z("ENOENT"));
}

/// A subtree is removed in a transaction and part of it made anew, beside a node that nobody touches.
class XenstoreResurrection : public XenstoreTreeVersions {
protected:
    void make_anew(std::string_view path) {
        EXPECT_EQ(write("some/deep/dark/relative/path", "something"), ok);
        EXPECT_EQ(write("some/place/safe", "keepme"), ok);
        EXPECT_EQ(write("some/deep/dark", "foo"), ok);
        EXPECT_EQ(ask(XS_WATCH, z("some") + z("w")), ok);
        take();
        const std::size_t at_first = nodes();
        const std::uint32_t tx = start();
        EXPECT_EQ(ask(XS_RM, z("some/deep"), tx), ok);
        EXPECT_EQ(write(path, "something", tx), ok);
        EXPECT_EQ(read("some/deep/dark", tx), "");
        EXPECT_EQ(nodes(), at_first);
        EXPECT_EQ(read("some/deep/dark"), "foo");
        EXPECT_TRUE(take().empty());

        EXPECT_EQ(end(tx, true), ok);
        EXPECT_EQ(nodes(), at_first);
        EXPECT_EQ(read("some/deep/dark"), "");
        EXPECT_EQ(read("some/place/safe"), "keepme");
        events = take();
        EXPECT_TRUE(contains(events, std::string(path) + " w"));
        EXPECT_TRUE(contains(events, "some/deep w"));
    }
    Events events;
};

TEST_P(XenstoreResurrection, OfAnotherChildLosesWhatWasThereBefore) {
    make_anew("some/deep/dark/different/path");
    EXPECT_EQ(read("some/deep/dark/relative/path"), z("ENOENT"));
    EXPECT_EQ(read("some/deep/dark/different/path"), "something");
}

TEST_P(XenstoreResurrection, OfTheSameChildKeepsItsNewValue) {
    make_anew("some/deep/dark/relative/path");
    EXPECT_EQ(read("some/deep/dark/relative/path"), "something");
}

const auto kPersonalities = testing::Values(Personality::c, Personality::o);
std::string name(const testing::TestParamInfo<Personality>& personality) {
    return personality.param == Personality::c ? "c" : "o";
}

INSTANTIATE_TEST_SUITE_P(Of, XenstoreTreeVersions, kPersonalities, name);
INSTANTIATE_TEST_SUITE_P(Of, XenstoreTransactionVersions, kPersonalities, name);
INSTANTIATE_TEST_SUITE_P(Of, XenstoreResurrection, kPersonalities, name);

}  // namespace
}  // namespace xenrig::xenstore::test

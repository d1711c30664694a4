// Scripts of hypercalls from a seed, made by somebody who knows what is there: each line is run in the simulator before
// the next is drawn, so that most of them name live ports, entries, versions and handles.
//
// About one step in eight is wild: any operation on any number. Where there are two domains both act, each on what the
// other left for it. The same seed, length and kind give the same script as long as the simulator answers the same;
// what is compared with real Xen is a script's text, not its seed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/engine/choices.h"
#include "sim/engine/sources.h"
#include "sim/hypercalls/interpreter.h"

namespace xenrig::hypercalls {

/// A number and a variable as a script writes them.
inline std::string text(std::int64_t v) { return std::to_string(v); }
inline std::string variable(std::uint32_t v) { return '$' + std::to_string(v); }

class Generator {
public:
    explicit Generator(std::uint64_t seed, const KernelKind& kind = kernel_kinds().front());

    /// One step: a line, or the few that make a hypercall's struct, ask, and look; each with its newline.
    std::string next();
    const Tally& tally() const { return interpreter_.tally(); }

private:
    struct Channel {
        std::uint32_t variable = 0;
        std::int64_t port = 0;
        /// Unbound, and for the party of this number; none when it can't be bound.
        static constexpr unsigned kNobody = 9;
        unsigned bindable_by = kNobody;
    };
    struct Entry {
        std::uint32_t ref = 0;
        unsigned to = 0;  ///< the party that may use it
        bool read_only = false;
        bool whole = true;
        unsigned page = 0;
    };
    struct Mapping {
        std::uint32_t variable = 0;
        unsigned window = 0;
    };
    /// One of the domains that act.
    struct Party {
        const char* prefix;
        std::int64_t domid;
        bool translated, narrow;
        std::vector<Channel> channels;
        std::vector<Entry> entries;
        std::vector<Mapping> mappings;
        unsigned version = 1;
        /// Pages of the FIFO's array that were given; none before init_control.
        unsigned fifo_pages = 0;
        bool fifo = false;
        /// Windows with a mapping, as bits.
        unsigned occupied = 0;
        /// Pages from kMovable on that have no memory now.
        unsigned absent = 0;
    };
    /// A field of a struct: a value as the script writes it, and how wide it is; 0 for the caller's word.
    struct Field {
        unsigned bytes;
        std::string value;
    };

    std::uint32_t pick(std::uint32_t n) { return choices_.pick(stream_, n); }
    bool one_in(std::uint32_t n) { return pick(n) == 0; }
    template <class T>
    const T& any_of(const std::vector<T>& values) {
        return values[pick(static_cast<std::uint32_t>(values.size()))];
    }
    std::int64_t any_number(std::initializer_list<std::int64_t> values);
    /// Runs the line for the party that acts and adds it to the step.
    Answered say(const char* name, std::initializer_list<std::string> words);
    Answered perform(const std::string& line);
    std::string free_variable();
    Party& me() { return parties_[actor_]; }
    /// The party's number as the other may name it, or as it may name itself.
    std::string domain_of(unsigned party);
    std::string own_domain();

    // generator.cpp
    void wild();
    std::string wild_word(char kind);
    void channels();
    void new_channel();
    std::string port();
    void fifo();

    // generator_grants.cpp
    void grants();
    void new_entry();
    void map_entry();
    void unmap();
    void copy_entries();
    void copy_batch();
    void swap_entries();
    void change_version();
    /// Entries of whatever party that the actor may use: the party and the entry.
    struct Usable {
        unsigned granter;
        const Entry* entry;
    };
    std::vector<Usable> usable();
    std::optional<unsigned> window_for_map();
    Answered map_at(unsigned window, std::initializer_list<std::string> words);
    Answered unmap_at(unsigned window, const std::string& handle);

    // generator_calls.cpp
    void calls();
    /// Writes a struct at `offset` of page 15 in the actor's own layout; where its last field lies.
    unsigned put_struct(unsigned offset, std::initializer_list<Field> fields);
    Answered ask(unsigned number, std::initializer_list<std::string> words);
    void about_memory();
    void move_memory();
    void about_vcpu();
    void about_version();
    void parameters();
    void several();
    void poll();

    engine::SeededSource source_;
    engine::Choices choices_{source_};
    engine::StreamId stream_;
    Interpreter interpreter_;
    std::vector<Party> parties_;
    unsigned actor_ = 0;
    std::uint32_t next_variable_ = 0;
    std::string step_;
};

/// A script of at least `length` lines; a step is not cut.
std::string generate(std::uint64_t seed, std::uint64_t length, Tally* tally = nullptr,
                     const KernelKind& kind = kernel_kinds().front());

}  // namespace xenrig::hypercalls

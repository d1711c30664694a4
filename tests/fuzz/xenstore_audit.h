// What must hold in the store at any time, counted anew from the tree: the rules end the process that breaks them.
//
// Of C xenstored: each domain is charged for just the nodes, watches, transactions and bytes that it has. Where domains
// end, some of their nodes may outlast them (the root, or what a transaction gave away), and a later domain of that
// number owns nodes that it is not charged for. Of both: a directory knows its children, and every watch is found where
// the index looks for it.
#pragma once

#include <cstdint>

namespace xenrig::xenstore {
class Daemon;
enum class Personality : std::uint8_t;
}  // namespace xenrig::xenstore

namespace xenrig::fuzz {

void audit(xenstore::Daemon& daemon, xenstore::Personality personality, bool domains_ended);

}  // namespace xenrig::fuzz

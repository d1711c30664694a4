// Inputs of the block targets in words: each function appends an act of the peer (sim/fuzz/hostile_frontend.h,
// hostile_backend.h) as the target will read it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/hostile_backend.h"
#include "sim/fuzz/hostile_frontend.h"
#include "sim/fuzz/peer_values.h"

namespace xenrig::fuzz {

/// Bytes of one input; what both ends can do. `S` is the script itself.
template <class S, class Act>
class Script {
    friend S;
    Script() = default;

public:
    S& device(std::uint8_t which) {
        options_ = static_cast<std::uint8_t>((options_ & ~kDeviceMask) | which);
        return self();
    }
    /// The other device is not asked to serve.
    S& unwitnessed() {
        options_ |= kUnwitnessed;
        return self();
    }
    /// And nothing may be left.
    S& then_destroyed() {
        options_ |= kDestroyed;
        return self();
    }
    /// Of the schedule: sim/fuzz/byte_source.h.
    S& choices(std::initializer_list<int> bytes) {
        for (const int b : bytes) choices_ += static_cast<char>(b);
        return self();
    }

    S& claim(int further) { return act(Act::push).byte(further); }
    S& claim_and_event() { return act(Act::push_and_notify); }
    S& event() { return act(Act::notify); }
    S& poke_slot(int which, int offset, int width, std::uint64_t value) {
        return poke(Act::poke_slot, which, offset, width, value);
    }
    S& late_slot(int which, int offset, int width, std::uint64_t value) {
        return poke(Act::late_slot, which, offset, width, value);
    }
    /// 0 req_prod, 1 req_event, 2 rsp_prod, 3 rsp_event.
    S& move_index(int which, int by) { return act(Act::poke_index).byte(which).byte(by); }
    S& set_index(int which, std::uint64_t value) { return act(Act::poke_index).byte(which | 4).number(value); }
    /// By its place in the table of the peer's nodes.
    S& write_node(int node, const std::string& value) { return act(Act::write_node).byte(node).text(value); }
    S& remove_node(int node) { return act(Act::remove_node).byte(node); }
    S& state(const std::string& value) { return act(Act::state).text(value); }
    S& close_port() { return act(Act::close_port); }
    S& handshake(int how) { return act(Act::handshake).byte(how); }
    S& detach() { return act(Act::detach); }
    S& select_queue(int which) { return act(Act::select_queue).byte(which); }
    S& step_aside(int times) { return act(Act::step_aside).byte(times - 1); }
    S& settle() { return act(Act::settle); }
    S& fail_hypercall(int after) { return act(Act::fail_hypercall).byte(after); }
    S& storm(int times) { return act(Act::storm).byte(times); }
    /// What was appended since the script began, once more.
    S& twice() {
        acts_ += acts_;
        return self();
    }

    std::string bytes() const {
        std::string all;
        all += static_cast<char>(options_);
        all += static_cast<char>(choices_.size());
        return all + choices_ + acts_;
    }

protected:
    S& self() { return static_cast<S&>(*this); }
    S& act(Act a) { return byte(static_cast<int>(a)); }
    S& byte(int value) {
        acts_ += static_cast<char>(value);
        return self();
    }
    S& number(std::uint64_t value) {
        if (value < kFirstEdge) return byte(static_cast<int>(value));
        const std::uint8_t edge = edge_byte(value);
        byte(edge);
        for (unsigned i = 0; edge == 0xff && i < 8; ++i) byte(static_cast<int>(value >> 8 * i & 0xff));
        return self();
    }
    /// A text of the table, or a small number.
    S& text(const std::string& value) {
        const bool digits =
            !value.empty() && value.size() < 3 && value.find_first_not_of("0123456789") == std::string::npos;
        if (digits && value != "00") return byte(kTexts + std::stoi(value));
        return byte(text_byte(value));
    }
    S& poke(Act how, int which, int offset, int width, std::uint64_t value) {
        const int log = width == 8 ? 3 : width == 4 ? 2 : width == 2 ? 1 : 0;
        return act(how).byte(which).byte(offset).byte(log).number(value);
    }

private:
    std::uint8_t options_ = 0;
    std::string choices_, acts_;
};

struct ScriptSegment {
    /// 0 to 3 may be read and written, 4 read, 5 is a stranger's; 6 is the ring itself, 7 no grant at all; from 8 on
    /// the reference is eight less.
    int page = 0;
    int first = 0, last = 7;
};

class FrontendScript : public Script<FrontendScript, HostileFrontend::Act> {
public:
    FrontendScript() = default;
    using Act = HostileFrontend::Act;

    FrontendScript& request(int operation, std::uint64_t sector, std::initializer_list<ScriptSegment> segments) {
        return act(Act::request).transfer(operation, sector, static_cast<int>(segments.size()), segments);
    }
    /// Claims another number of segments than it has; at most eleven are there.
    FrontendScript& claims(int operation, std::uint64_t sector, int count,
                           std::initializer_list<ScriptSegment> segments) {
        return act(Act::request).transfer(operation, sector, count, segments);
    }
    FrontendScript& read(std::uint64_t sector, int page = 0) { return request(0, sector, {{page}}); }
    FrontendScript& write(std::uint64_t sector, int page = 1) { return request(1, sector, {{page}}); }
    FrontendScript& flush() { return request(3, 0, {}); }
    FrontendScript& discard(std::uint64_t sector, std::uint64_t units, int flag = 0) {
        return act(Act::request).byte(5).number(sector).byte(flag).number(units);
    }
    /// Its segments are what indirect_segment() has put into the pages.
    FrontendScript& indirect(int operation, std::uint64_t sector, std::uint64_t count,
                             std::initializer_list<int> pages) {
        act(Act::request).byte(6).number(sector).byte(operation).number(count).byte(static_cast<int>(pages.size()) - 1);
        for (const int page : pages) byte(page);
        return *this;
    }
    FrontendScript& indirect_segment(int page, int index, std::uint64_t gref, int first, int last) {
        poke_page(page, index * 8, 4, gref);
        return poke_page(page, index * 8 + 4, 2, static_cast<std::uint64_t>(first | last << 8));
    }
    /// Offsets are multiples of four.
    FrontendScript& poke_page(int page, int offset, int width, std::uint64_t value) {
        return poke(Act::poke_page, page, offset / 4, width, value);
    }
    FrontendScript& late_page(int page, int offset, int width, std::uint64_t value) {
        return poke(Act::late_page, page, offset / 4, width, value);
    }
    FrontendScript& many(int times, int operation, std::uint64_t sector,
                         std::initializer_list<ScriptSegment> segments) {
        return act(Act::many).byte(times).transfer(operation, sector, static_cast<int>(segments.size()), segments);
    }
    FrontendScript& go() { return claim_and_event().settle(); }
    FrontendScript& take_answers() { return act(Act::take_answers); }
    FrontendScript& end_grant(int which) { return act(Act::end_grant).byte(which); }
    FrontendScript& regrant(int page, bool stranger, bool read_only) {
        return act(Act::regrant).byte(page).byte((stranger ? 1 : 0) | (read_only ? 2 : 0));
    }
    FrontendScript& new_port() { return act(Act::new_port); }
    FrontendScript& new_ring() { return act(Act::new_ring); }
    FrontendScript& name_ring() { return act(Act::publish); }
    FrontendScript& reconnect() { return act(Act::reconnect); }
    FrontendScript& map(int page) { return act(Act::map).byte(page); }
    /// By its place in the table of the toolstack's nodes.
    FrontendScript& toolstack_node(int node, const std::string& value) {
        return act(Act::toolstack_node).byte(node).byte(0).text(value);
    }
    FrontendScript& toolstack_removes(int node) { return act(Act::toolstack_node).byte(node).byte(1); }
    /// 0 none, 1 a disk, 2 one that is not there, 3 another disk.
    FrontendScript& medium(int which) { return act(Act::medium).byte(which).settle(); }
    FrontendScript& resize(int sectors) { return act(Act::resize).byte(sectors).settle(); }

private:
    FrontendScript& transfer(int operation, std::uint64_t sector, int count,
                             std::initializer_list<ScriptSegment> segments) {
        byte(operation).number(sector).byte(count);
        std::size_t left = std::min<std::size_t>(static_cast<std::size_t>(count), 11);
        for (const ScriptSegment& s : segments) {
            if (left-- == 0) break;
            byte(s.page).byte(s.first | s.last << 4);
        }
        return *this;
    }
};

class BackendScript : public Script<BackendScript, HostileBackend::Act> {
public:
    BackendScript() = default;
    using Act = HostileBackend::Act;

    /// Whole pages; of more than there is room for on the disk, their first sectors.
    BackendScript& user_read(std::uint64_t sector, int pages = 1) { return user(0, sector, size(pages)); }
    BackendScript& user_write(std::uint64_t sector, int pages = 1) { return user(1, sector, size(pages)); }
    BackendScript& user_flush() { return user(2, 0, 0); }
    BackendScript& user_discard(std::uint64_t sector, int units) { return user(3, sector, units); }
    BackendScript& user_barrier(std::uint64_t sector) { return user(4, sector, 0); }
    BackendScript& user_discard_securely(std::uint64_t sector, int units) { return user(5, sector, units); }
    /// Opens the disk, or closes it again.
    BackendScript& user_holds() { return act(Act::hold); }
    BackendScript& user_ejects() { return act(Act::eject); }
    BackendScript& serve() { return act(Act::serve); }
    BackendScript& fetch(int most = 32) { return act(Act::take).byte(most - 1); }
    BackendScript& answer(int which = 0) { return act(Act::answer).byte(which).byte(0); }
    /// It stays taken, and may be answered again.
    BackendScript& answer_and_keep(int which = 0) { return act(Act::answer).byte(which).byte(1); }
    BackendScript& answer_with_id(int which, std::uint64_t further) {
        return act(Act::answer).byte(which).byte(2).number(further);
    }
    BackendScript& answer_with_operation(int which, int operation) {
        return act(Act::answer).byte(which).byte(4).byte(operation);
    }
    BackendScript& answer_with_status(int which, std::uint64_t status) {
        return act(Act::answer).byte(which).byte(8).number(status);
    }
    BackendScript& answer_any(std::uint64_t id, int operation, std::uint64_t status) {
        return act(Act::answer_any).number(id).byte(operation).number(status);
    }
    BackendScript& keep_page(int which, int segment) { return act(Act::keep_page).byte(which).byte(segment); }
    BackendScript& poke_kept(int which, int offset, std::uint64_t value) {
        return act(Act::poke_page).byte(which).byte(offset / 8).number(value);
    }
    BackendScript& let_go() { return act(Act::let_go); }
    BackendScript& leave() { return act(Act::leave); }
    BackendScript& join() { return act(Act::join); }
    BackendScript& replug() { return act(Act::replug); }
    BackendScript& connect() { return act(Act::connect); }
    BackendScript& go() { return claim_and_event().settle(); }

private:
    static int size(int pages) { return (pages > 8 ? 160 : 0) + pages - 1; }
    BackendScript& user(int kind, std::uint64_t sector, int size) {
        return act(Act::user).byte(kind).number(sector).byte(size);
    }
};

}  // namespace xenrig::fuzz

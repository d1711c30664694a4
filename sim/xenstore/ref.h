// A counted pointer to a part of the tree that several versions may share.
//
// The count lies in the part. It is a plain number: a store never leaves its thread. Whoever holds the only reference
// may change the part in place; everybody else clones it first.
#pragma once

#include <utility>

namespace xenrig::xenstore {

/// T has `unsigned refs`, 1 when it is made, and `static void destroy(T*)`.
template <class T>
class Ref {
public:
    Ref() = default;
    /// Takes over the reference that the maker of `part` holds.
    static Ref adopt(T* part) {
        Ref r;
        r.part_ = part;
        return r;
    }
    Ref(const Ref& other) : part_(other.part_) {
        if (part_ != nullptr) ++part_->refs;
    }
    Ref(Ref&& other) noexcept : part_(std::exchange(other.part_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(part_, other.part_);
        return *this;
    }
    ~Ref() {
        if (part_ != nullptr && --part_->refs == 0) T::destroy(part_);
    }

    T* get() const { return part_; }
    T& operator*() const { return *part_; }
    T* operator->() const { return part_; }
    explicit operator bool() const { return part_ != nullptr; }
    bool unique() const { return part_->refs == 1; }
    /// Gives the reference up to the caller.
    T* release() { return std::exchange(part_, nullptr); }

private:
    T* part_ = nullptr;
};

}  // namespace xenrig::xenstore

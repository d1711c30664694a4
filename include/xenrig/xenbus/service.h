// A task that sleeps until somebody pokes it, then runs its body once: where a driver does what an upcall or a watch
// only noted.
//
// What a service's body alone touches needs no lock. Who must touch it from outside (a handshake, a suspend) pauses the
// service first. Pokes are level-triggered: any number of them before the body begins is one run, and one that comes
// while it runs makes it run again.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace xenrig {
class IrqLock;
class Platform;
class WaitQueue;
}  // namespace xenrig

namespace xenrig::xenbus {

class Service {
    struct Shared;

public:
    /// Wakes a service, from any context; does nothing when the service is gone. Copyable: what handlers capture.
    class Poke {
    public:
        Poke() = default;
        void operator()() const;

    private:
        friend class Service;
        explicit Poke(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
        std::shared_ptr<Shared> shared_;
    };

    Service(Platform& platform, std::string name, std::function<void()> body);
    /// stop()
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    void poke() const { poker()(); }
    Poke poker() const { return Poke(shared_); }

    /// On return the body is not running, and won't before as many unpause() calls. From a task, never from the body.
    void pause();
    /// What was poked meanwhile is done now.
    void unpause();

    /// On return the body is not running and will not run again. Never from the body.
    void stop();

private:
    static void run(const std::shared_ptr<Shared>& shared);
    void wait_until_idle();

    std::shared_ptr<Shared> shared_;
};

/// In a task of a domain that lives. What ends otherwise ends as in a crash: without a goodbye to anybody.
bool alive();

/// Waits until `over()`, which is evaluated under the lock. Not outside any task, where there is nobody to wait for:
/// tasks were unwound, or are not switched to any more.
void wait_while_alive(IrqLock& lock, WaitQueue& queue, const std::function<bool()>& over);

/// For a destructor that waits: when the domain dies meanwhile, the wait ends after some turns for the others, and no
/// unwinding passes out of it.
///
/// Then a task on another vCPU may still be in the middle of what is being destroyed. So what a task of the same domain
/// takes apart, it stops first, outside a destructor, where its own unwinding leaves everything standing.
class DeferUnwinding {
public:
    DeferUnwinding();
    ~DeferUnwinding();
    DeferUnwinding(const DeferUnwinding&) = delete;
    DeferUnwinding& operator=(const DeferUnwinding&) = delete;
};

/// pause() for a scope.
class Paused {
public:
    explicit Paused(Service& service) : service_(service) { service_.pause(); }
    ~Paused() { service_.unpause(); }
    Paused(const Paused&) = delete;
    Paused& operator=(const Paused&) = delete;

private:
    Service& service_;
};

}  // namespace xenrig::xenbus

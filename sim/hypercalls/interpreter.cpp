#include "sim/hypercalls/interpreter.h"

namespace xenrig::hypercalls {

Interpreter::Interpreter(const KernelKind& kind) : scene_(kind), subject_(scene_.subject()) {
    if (scene_.has_two()) control_.emplace(scene_.control());
}

std::string Interpreter::opening() {
    return (scene_.has_two() ? scene_.control().opening() : "") + scene_.subject().opening();
}

std::string Interpreter::run_line(std::string_view line) {
    ++line_;
    const auto op = parse_line(line);
    if (!op || faulted_) return {};
    const Answered answered = run(*op);
    if (const auto info = scene_.host().info(scene_.subject().domid()); !info || info->shut_down) {
        // dom0 sees it while the line is not answered yet; a dom0 that ends takes the machine along.
        faulted_ = true;
        return "@@FAULT the domain ended at line " + std::to_string(line_) + '\n';
    }
    std::string text = std::to_string(line_) + (op->by_control ? " 0: " : " ") + op->name + answered.line + '\n';
    faulted_ = faulted_ || !scene_.subject().can_go_on() || !scene_.control().can_go_on();
    if (faulted_) text += "@@FAULT line " + std::to_string(line_) + ": the kernel's own memory is not mapped\n";
    return text;
}

std::int64_t Interpreter::value_of(const Argument& given, BareKernel& kernel) const {
    switch (given.kind) {
        case ArgumentKind::variable:
            return variables_[static_cast<std::uint64_t>(given.number) % kVariables];
        case ArgumentKind::page:
            return static_cast<std::int64_t>(kernel.page_address(given.number));
        case ArgumentKind::window:
            return static_cast<std::int64_t>(kernel.window_address(given.number));
        case ArgumentKind::frame:
            return static_cast<std::int64_t>(kernel.frame_of(kernel.page_address(given.number)));
        case ArgumentKind::number:
            break;
    }
    return given.number;
}

Answered Interpreter::run(const Operation& op) {
    Operations& who = op.by_control && control_ ? *control_ : subject_;
    Arguments a{};
    for (std::size_t i = 0; i < op.arguments_given; ++i) a[i] = value_of(op.arguments[i], who.kernel());
    Answered out = who.run(op.name, a);
    faulted_ = out.faulted;
    if (op.keep && out.keeps) variables_[*op.keep] = out.number;
    ++tally_.operations;
    if (out.asked_xen) ++tally_.hypercalls;
    if (out.asked_xen && out.well) ++tally_.successes;
    return out;
}

std::string run_script(std::string_view script, Tally* tally, const KernelKind& kind) {
    Interpreter interpreter(kind);
    std::string answers = interpreter.opening();
    while (!script.empty()) {
        const std::size_t end = script.find('\n');
        answers += interpreter.run_line(script.substr(0, end));
        script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
    }
    if (tally) *tally = interpreter.tally();
    return answers + interpreter.closing();
}

}  // namespace xenrig::hypercalls

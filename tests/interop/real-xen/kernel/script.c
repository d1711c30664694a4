/* The script language, line by line: "op arg arg ... [=var]", an argument a number (decimal, 0x, negative), $var, or
 * @page, &window, %page for a page's address, a window's address, a page's frame. "0: op ..." is dom0's to answer.
 *
 * sim/hypercalls/script.h and interpreter.h are its description, and the same in the simulator. */
#include "memory.h"
#include "operations.h"
#ifdef XENRIG_DOM0
#include "domain.h"
#endif

enum { ARGUMENTS = 10, NAME = 16 };

static const char *at, *end;
static word own_variables[VARIABLES];
static word* variables = own_variables;

static int more(void) { return at < end && *at != 0; }
static int in_line(void) { return more() && *at != '\n'; }
static void skip_spaces(void) {
    while (at < end && *at == ' ') at++;
}
static void skip_word(void) {
    while (at < end && *at > ' ') at++;
}

static word read_number(void) {
    int negative = 0;
    uint64_t base = 10, value = 0;
    if (at < end && *at == '-') negative = 1, at++;
    if (at + 1 < end && at[0] == '0' && at[1] == 'x') base = 16, at += 2;
    for (; at < end; at++) {
        const char c = *at;
        const uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                               : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a') + 10
                                                      : 16;
        if (digit >= base) break;
        value = value * base + digit;
    }
    return (word)(negative ? 0 - value : value);
}

static word value_of(char kind, word number) {
    switch (kind) {
        case '$':
            return variables[number & (VARIABLES - 1)];
        case '@':
            return (uintptr_t)pages[number & (PAGES - 1)];
        case '&':
            return (uintptr_t)windows[number & (PAGES - 1)];
        case '%':
            return frame_of(pages[number & (PAGES - 1)]);
        default:
            return number;
    }
}

/* "0:" in front of the operation. */
static enum role read_role(void) {
    skip_spaces();
    if (at + 1 >= end || at[0] != '0' || at[1] != ':') return SUBJECT;
    at += 2;
    return BUILDER;
}

static void run_operation(word line, enum role role) {
    char name[NAME] = {0};
    word args[ARGUMENTS] = {0};
    int given = 0, keep = -1;

    skip_spaces();
    for (int n = 0; at < end && *at > ' '; at++)
        if (n < NAME - 1) name[n++] = *at;
    for (skip_spaces(); in_line(); skip_spaces()) {
        const char kind = *at;
        if (kind == '=' || kind == '$' || kind == '@' || kind == '&' || kind == '%') at++;
        const word number = read_number();
        if (kind == '=')
            keep = (int)(number & (VARIABLES - 1));
        else if (given < ARGUMENTS)
            args[given++] = value_of(kind, number);
        skip_word();
        if (at < end && *at < ' ' && *at != '\n') at++;
    }
    if (name[0] == 0 || name[0] == '#') return;

    print("%d %s%s", line, role == BUILDER ? "0: " : "", name);
    struct answer answer = {0, 0};
    if (!event_operation(name, args, &answer) && !memory_operation(name, args, &answer) &&
        !grant_operation(name, args, &answer) && !entry_operation(name, args, &answer) &&
        !fifo_operation(name, args, &answer))
        print(" ?");
    if (keep >= 0 && answer.failed == 0) variables[keep] = answer.number;
    print("\n");
}

/* False when the other domain won't come to that any more. */
static int wait_for_turn(const struct exchange* shared, word line) {
    while (shared->line != (uint32_t)line) {
#ifdef XENRIG_DOM0
        if (domain_ended()) return 0;
#endif
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
    }
    return 1;
}

void run_script(const char* text, unsigned long length, enum role role, struct exchange* shared) {
    at = text;
    end = text + length;
    if (shared) variables = shared->variables;
    /* The one that was built begins: it has said who it is. */
    if (shared && role == SUBJECT) shared->line = 1;
    word line = 1;
    for (; more(); line++) {
        const enum role owner = read_role();
        /* A domain alone answers for dom0, which it is. */
        if (!shared || owner == role) {
            if (shared && !wait_for_turn(shared, line)) return;
            run_operation(line, owner);
            if (shared) shared->line = (uint32_t)line + 1;
        }
        while (in_line()) at++;
        if (at < end) at++;
    }
    /* Who ends first takes the other's answers along. */
    if (shared) wait_for_turn(shared, line);
}

/* The script language, line by line: "op arg arg ... [=var]", an argument a number (decimal, 0x, negative) or $var.
 *
 * sim/hypercalls/script.h and interpreter.h are its description, and the same in the simulator. */
#include "kernel.h"
#include "operations.h"

enum { VARIABLES = 1024, ARGUMENTS = 10, NAME = 16 };

static const char *at, *end;
static long variables[VARIABLES];

static int more(void) { return at < end && *at != 0; }
static int in_line(void) { return more() && *at != '\n'; }
static void skip_spaces(void) {
    while (at < end && *at == ' ') at++;
}
static void skip_word(void) {
    while (at < end && *at > ' ') at++;
}

static long read_number(void) {
    int negative = 0;
    unsigned long base = 10, value = 0;
    if (at < end && *at == '-') negative = 1, at++;
    if (at + 1 < end && at[0] == '0' && at[1] == 'x') base = 16, at += 2;
    for (; at < end; at++) {
        const char c = *at;
        const unsigned long digit = c >= '0' && c <= '9' ? (unsigned long)(c - '0')
                                    : c >= 'a' && c <= 'f' ? (unsigned long)(c - 'a') + 10
                                                           : 16;
        if (digit >= base) break;
        value = value * base + digit;
    }
    return (long)(negative ? 0 - value : value);
}

static void run_line(long line) {
    char name[NAME] = {0};
    long args[ARGUMENTS] = {0};
    int given = 0, keep = -1;

    skip_spaces();
    for (int n = 0; at < end && *at > ' '; at++)
        if (n < NAME - 1) name[n++] = *at;
    for (skip_spaces(); in_line(); skip_spaces()) {
        const char kind = *at;
        if (kind == '=' || kind == '$') at++;
        const long value = read_number();
        if (kind == '=')
            keep = (int)(value & (VARIABLES - 1));
        else if (given < ARGUMENTS)
            args[given++] = kind == '$' ? variables[value & (VARIABLES - 1)] : value;
        skip_word();
        if (at < end && *at < ' ' && *at != '\n') at++;
    }
    if (name[0] == 0 || name[0] == '#') return;

    print("%d %s", line, name);
    struct answer answer = {0, 0};
    if (!event_operation(name, args, &answer) && !memory_operation(name, args, &answer) &&
        !grant_operation(name, args, &answer))
        print(" ?");
    if (keep >= 0 && answer.failed == 0) variables[keep] = answer.number;
    print("\n");
}

void run_script(const char *text, unsigned long length) {
    at = text;
    end = text + length;
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    for (int i = 0; i < 64; i++) shared_info->evtchn_mask[i] = ~0ul;
    for (long line = 1; more(); line++) {
        run_line(line);
        while (in_line()) at++;
        if (at < end) at++;
    }
}

/* Lines of text: to the console, which only dom0 has, or into the text that dom0 prints in the end. */
#include <stdarg.h>

#include "kernel.h"

static char line[512];
static unsigned length;
static struct exchange* shared;
static char* shared_text;

void share_console(struct exchange* with, void* text) {
    shared = with;
    shared_text = text;
}

static void put(char c) {
    if (length < sizeof line) line[length++] = c;
    if (c != '\n') return;
    if (!shared) {
        write_console(line, length);
    } else if (length <= shared->text_room - shared->text_length) {
        for (unsigned i = 0; i < length; i++) shared_text[shared->text_length + i] = line[i];
        shared->text_length += length;
    }
    length = 0;
}

/* Long division by a small base: a 32-bit kernel has no library that divides 64 bits. */
static unsigned divide(uint64_t* value, unsigned base) {
    if (*value >> 32 == 0) {
        const uint32_t small = (uint32_t)*value;
        *value = small / base;
        return small % base;
    }
    uint64_t quotient = 0, rest = 0;
    for (int bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (*value >> bit & 1);
        quotient <<= 1;
        if (rest >= base) rest -= base, quotient |= 1;
    }
    *value = quotient;
    return (unsigned)rest;
}

static void put_number(uint64_t value, unsigned base) {
    char digits[24];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[divide(&value, base)];
    } while (value != 0);
    while (n != 0) put(digits[--n]);
}

void print(const char* format, ...) {
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        if (*++format == 's') {
            for (const char* s = va_arg(args, const char*); *s; s++) put(*s);
            continue;
        }
        const word value = va_arg(args, word);
        if (*format == 'x') {
            put_number((uint64_t)value, 16);
        } else {
            if (value < 0) put('-');
            put_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
        }
    }
    va_end(args);
}

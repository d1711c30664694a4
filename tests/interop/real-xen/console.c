/* Lines of text for dom0's console: Xen's own, by console_io. */
#include <stdarg.h>

#include "kernel.h"

static char line[512];
static unsigned length;

static void put(char c) {
    if (length < sizeof line) line[length++] = c;
    if (c != '\n') return;
    hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, length, (uintptr_t)line, 0);
    length = 0;
}

static void put_number(unsigned long value, unsigned base) {
    char digits[24];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n != 0) put(digits[--n]);
}

void print(const char *format, ...) {
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        if (*++format == 's') {
            for (const char *s = va_arg(args, const char *); *s; s++) put(*s);
            continue;
        }
        const long value = va_arg(args, long);
        if (*format == 'x') {
            put_number((unsigned long)value, 16);
        } else {
            if (value < 0) put('-');
            put_number(value < 0 ? 0 - (unsigned long)value : (unsigned long)value, 10);
        }
    }
    va_end(args);
}

/* From a module, "@@KERNEL pv|pvh 64|32 <bytes>", the kernel's ELF file and the script, to a domain that runs it. */
#include "domain.h"

#include <elf.h>

char domain_memory[DOMAIN_BYTES] __attribute__((aligned(PAGE)));
static struct domain domain;

static const char* expect(const char* at, const char* words) {
    if (!at) return at;
    for (; *words; words++, at++)
        if (*at != *words) return 0;
    return at;
}

/* Puts the parts of the file where they say; both sizes of ELF are alike in what is read here but for the widths. */
static uint32_t load64(const char* file) {
    const Elf64_Ehdr* header = (const Elf64_Ehdr*)file;
    const Elf64_Phdr* part = (const Elf64_Phdr*)(file + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (part[i].p_type == PT_LOAD)
            __builtin_memcpy(domain_memory + part[i].p_paddr, file + part[i].p_offset, part[i].p_filesz);
    return header->e_entry;
}
static uint32_t load32(const char* file) {
    const Elf32_Ehdr* header = (const Elf32_Ehdr*)file;
    const Elf32_Phdr* part = (const Elf32_Phdr*)(file + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (part[i].p_type == PT_LOAD)
            __builtin_memcpy(domain_memory + part[i].p_paddr, file + part[i].p_offset, part[i].p_filesz);
    return header->e_entry;
}

static struct exchange* share(const char* script, unsigned long length) {
    struct exchange* shared = (struct exchange*)(domain_memory + AT_EXCHANGE);
    shared->script = AT_SCRIPT;
    shared->script_length = length;
    shared->text = AT_TEXT;
    shared->text_room = AT_PAGE_TABLES - AT_TEXT;
    __builtin_memcpy(domain_memory + AT_SCRIPT, script, length);
    return shared;
}

/* What has been said by both, in pieces that Xen's console takes. */
static void print_text(const struct exchange* shared) {
    const char* text = domain_memory + AT_TEXT;
    for (unsigned at = 0; at < shared->text_length;) {
        enum { PIECE = 1000 };
        unsigned length = shared->text_length - at;
        if (length > PIECE)
            for (length = PIECE; text[at + length - 1] != '\n';) length--;
        write_console(text + at, length);
        at += length;
    }
}

static word build(const char* file) {
    word rc = create(&domain);
    if (rc == 0) rc = populate(&domain);
    if (rc == 0) rc = map_memory(&domain);
    if (rc != 0) return rc;
    domain.entry = domain.bits == 64 ? load64(file) : load32(file);
    return fill_hypercall_page(&domain);
}

int build_and_run(const struct start* start) {
    const char* at = expect(start->script, "@@KERNEL pv");
    if (!at) return 0;
    domain.pvh = *at == 'h';
    if (domain.pvh) at++;
    domain.bits = *at == '6' ? 64 : 32;
    at += 3;
    unsigned long bytes = 0;
    for (; *at != '\n'; at++) bytes = bytes * 10 + (unsigned)(*at - '0');
    const char* file = at + 1;
    const char* script = file + bytes;

    word rc = build(file);
    struct exchange* shared = share(script, start->script_length - (unsigned long)(script - start->script));
    if (rc == 0) rc = domain.pvh ? prepare_pvh(&domain) : prepare_pv(&domain);
    if (rc == 0) {
        share_console(shared, domain_memory + AT_TEXT);
        open_tables(start);
        rc = start_running();
    }
    if (rc == 0) {
        run_script(domain_memory + AT_SCRIPT, shared->script_length, BUILDER, shared);
        while (!shared->done && !domain_ended()) hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
        share_console(0, 0);
        print_text(shared);
        print(shared->done ? "" : "@@FAULT the domain ended at line %d\n", (word)shared->line);
    } else {
        print("@@FAULT the domain can't be built: %d\n", rc);
    }
    shut_down(SHUTDOWN_reboot);
    return 1;
}

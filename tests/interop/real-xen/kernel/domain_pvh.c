/* A PVH domain's hvm_start_info and first vCPU, as docs/misc/pvh.pandoc has it. */
#define __XEN_TOOLS__
#include "domain.h"

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/domctl.h>
#include <xen/hvm/save.h>

enum { PROTECTED_MODE = 1, EXTENSION_TYPE = 1 << 4 };
enum { CODE_SEGMENT = 0xc9b, DATA_SEGMENT = 0xc93, TASK_SEGMENT = 0x8b };

/* A saved state with one vCPU in it: all else is as at a reset. */
struct state {
    struct hvm_save_descriptor header_descriptor;
    HVM_SAVE_TYPE(HEADER) header;
    struct hvm_save_descriptor cpu_descriptor;
    HVM_SAVE_TYPE(CPU) cpu;
    struct hvm_save_descriptor end_descriptor;
    HVM_SAVE_TYPE(END) end;
} __attribute__((packed));

word prepare_pvh(const struct domain* d) {
    struct hvm_start_info* info = (struct hvm_start_info*)(domain_memory + AT_START_INFO);
    struct hvm_modlist_entry* module = (struct hvm_modlist_entry*)(info + 1);
    *info = (struct hvm_start_info){
        .magic = XEN_HVM_START_MAGIC_VALUE, .nr_modules = 1, .modlist_paddr = AT_START_INFO + sizeof *info};
    *module = (struct hvm_modlist_entry){.paddr = AT_EXCHANGE, .size = sizeof(struct exchange)};

    static struct state state;
    state.header_descriptor =
        (struct hvm_save_descriptor){.typecode = HVM_SAVE_CODE(HEADER), .length = HVM_SAVE_LENGTH(HEADER)};
    state.header = (struct hvm_save_header){.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION};
    state.cpu_descriptor = (struct hvm_save_descriptor){.typecode = HVM_SAVE_CODE(CPU), .length = HVM_SAVE_LENGTH(CPU)};
    state.end_descriptor = (struct hvm_save_descriptor){.typecode = HVM_SAVE_CODE(END), .length = HVM_SAVE_LENGTH(END)};
    state.cpu.rip = d->entry;
    state.cpu.rbx = AT_START_INFO;
    state.cpu.cr0 = PROTECTED_MODE | EXTENSION_TYPE;
    state.cpu.rflags = 2;
    state.cpu.cs_limit = state.cpu.ds_limit = state.cpu.es_limit = state.cpu.ss_limit = ~0u;
    state.cpu.cs_arbytes = CODE_SEGMENT;
    state.cpu.ds_arbytes = state.cpu.es_arbytes = state.cpu.ss_arbytes = DATA_SEGMENT;
    state.cpu.tr_limit = 0x67;
    state.cpu.tr_arbytes = TASK_SEGMENT;

    struct xen_domctl op = {.u.hvmcontext.size = sizeof state};
    set_xen_guest_handle(op.u.hvmcontext.buffer, (uint8_t*)&state);
    return domctl(XEN_DOMCTL_sethvmcontext, &op);
}

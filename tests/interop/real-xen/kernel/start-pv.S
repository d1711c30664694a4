/* What Xen reads before it starts a PV kernel (elfnote.h), and the first instructions. */
#include <xen/elfnote.h>

#define NOTE(type, ...)                 \
	.pushsection .note.Xen, "a", @note; \
	.p2align 2;                         \
	.long 4, 9f - 8f, type;             \
	.asciz "Xen";                       \
8:	__VA_ARGS__;                        \
9:	.p2align 2;                         \
	.popsection

#ifdef __x86_64__
#define ADDRESS .quad
#else
#define ADDRESS .long
NOTE(XEN_ELFNOTE_PAE_MODE, .asciz "yes")
#endif
NOTE(XEN_ELFNOTE_GUEST_OS, .asciz "xenrig")
NOTE(XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0")
NOTE(XEN_ELFNOTE_LOADER, .asciz "generic")
/* An address is the pseudo-physical one. */
NOTE(XEN_ELFNOTE_VIRT_BASE, ADDRESS 0)
NOTE(XEN_ELFNOTE_PADDR_OFFSET, ADDRESS 0)
NOTE(XEN_ELFNOTE_ENTRY, ADDRESS _start)
NOTE(XEN_ELFNOTE_HYPERCALL_PAGE, ADDRESS hypercall_page)

	.section .text.start, "ax"
	.globl _start
_start:
	cld
#ifdef __x86_64__
	lea stack_top(%rip), %rsp
	mov %rsi, %rdi		/* start_info */
	xor %ebp, %ebp
#else
	mov $stack_top, %esp
	xor %ebp, %ebp
	sub $12, %esp
	push %esi		/* start_info */
#endif
	call kernel
1:	jmp 1b

	.section .text.hypercalls, "ax"
	.globl hypercall_page
	.p2align 12
hypercall_page:
	.fill 4096, 1, 0xcc

	.bss
	.p2align 12
	.skip 65536
stack_top:

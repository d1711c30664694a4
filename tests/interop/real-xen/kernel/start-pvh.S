/* The first instructions of a PVH kernel: 32-bit protected mode, flat segments, no paging, hvm_start_info in ebx
 * (docs/misc/pvh.pandoc). A 64-bit one maps its first GiB one to one and goes on in long mode. */
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CR0_PG (1 << 31)

	.section .text.start, "ax"
	.code32
	.globl _start
_start:
	cld
	mov $stack_top, %esp
	xor %ebp, %ebp
#ifdef __x86_64__
	movl $(level3 + 3), level4
	movl $(level2 + 3), level3
	mov $level2, %edi
	mov $0x83, %eax		/* present, writable, 2 MiB */
	mov $512, %ecx
1:	mov %eax, (%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b

	mov %cr4, %eax
	or $CR4_PAE, %eax
	mov %eax, %cr4
	mov $level4, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov %cr0, %eax
	or $CR0_PG, %eax
	mov %eax, %cr0
	lgdt descriptor_table
	ljmp $8, $2f
	.code64
2:	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %ebx, %edi		/* hvm_start_info */
#else
	sub $12, %esp
	push %ebx		/* hvm_start_info */
#endif
	call kernel
3:	jmp 3b

	.data
	.p2align 3
descriptors:
	.quad 0
	.quad 0x00af9b000000ffff	/* code, long */
	.quad 0x00cf93000000ffff	/* data */
descriptor_table:
	.word . - descriptors - 1
	.long descriptors

	.section .text.hypercalls, "ax"
	.globl hypercall_page
	.p2align 12
hypercall_page:
	.fill 4096, 1, 0xcc

	.bss
	.p2align 12
#ifdef __x86_64__
level4:	.skip 4096
level3:	.skip 4096
level2:	.skip 4096
#endif
	.skip 65536
stack_top:

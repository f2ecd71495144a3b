// The saved frame, from the stack pointer up:
//   0 mxcsr   4 x87 control word   8 r15   16 r14   24 r13   32 r12   40 rbx   48 rbp   56 rip

    .text

// void fiber_switch (fiber_context_t *from, const fiber_context_t *to)
    .globl fiber_switch
    .type fiber_switch, @function
    .p2align 4
fiber_switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq (%rsi), %rdx
    movq %rsp, (%rdi)
    // Loading control words is slow and they hardly ever differ.
    movl (%rsp), %eax
    movzwl 4(%rsp), %ecx
    movq %rdx, %rsp
    cmpl (%rdx), %eax
    jne 2f
    cmpw 4(%rdx), %cx
    jne 2f
1:
    movq 8(%rdx), %r15
    movq 16(%rdx), %r14
    movq 24(%rdx), %r13
    movq 32(%rdx), %r12
    movq 40(%rdx), %rbx
    movq 48(%rdx), %rbp
    addq $56, %rsp
    // Not a jump: nearly all switches leave from and arrive at one and the same call, so the
    // prediction of returns is right, and stays in step with the calls below.
    ret
2:
    ldmxcsr (%rdx)
    fldcw 4(%rdx)
    jmp 1b
    .cfi_endproc
    .size fiber_switch, .-fiber_switch

// First code on a new stack: calls r13 (r12). The zero return address ends back traces.
    .globl fiber_switch_entry
    .hidden fiber_switch_entry
    .type fiber_switch_entry, @function
    .p2align 4
fiber_switch_entry:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    xorl %ebp, %ebp
    movq %r12, %rdi
    call *%r13
    ud2
    .cfi_endproc
    .size fiber_switch_entry, .-fiber_switch_entry

// int fiber_switch_shadow_stack (void): rdsspq leaves the register alone where there is none.
    .globl fiber_switch_shadow_stack
    .type fiber_switch_shadow_stack, @function
    .p2align 4
fiber_switch_shadow_stack:
    .cfi_startproc
    endbr64
    xorl %eax, %eax
    rdsspq %rax
    testq %rax, %rax
    setne %al
    movzbl %al, %eax
    ret
    .cfi_endproc
    .size fiber_switch_shadow_stack, .-fiber_switch_shadow_stack

    .section .note.GNU-stack, "", @progbits

// The saved frame, from the stack pointer up:
//   0 d8 .. d15   64 x19 .. x28   144 x29   152 x30 (where to go on)   160 fpcr   168 unused

    .text

// void fiber_switch (fiber_context_t *from, const fiber_context_t *to)
    .globl fiber_switch
    .type fiber_switch, %function
    .p2align 4
fiber_switch:
    .cfi_startproc
    hint #34                    // bti c
    sub sp, sp, #176
    stp d8, d9, [sp, #0]
    stp d10, d11, [sp, #16]
    stp d12, d13, [sp, #32]
    stp d14, d15, [sp, #48]
    stp x19, x20, [sp, #64]
    stp x21, x22, [sp, #80]
    stp x23, x24, [sp, #96]
    stp x25, x26, [sp, #112]
    stp x27, x28, [sp, #128]
    stp x29, x30, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    ldr x10, [x1]
    mov x11, sp
    str x11, [x0]
    mov sp, x10
    ldr x12, [sp, #160]
    cmp x9, x12
    b.eq 1f
    msr fpcr, x12               // slow, and hardly ever needed
1:
    ldp d8, d9, [sp, #0]
    ldp d10, d11, [sp, #16]
    ldp d12, d13, [sp, #32]
    ldp d14, d15, [sp, #48]
    ldp x19, x20, [sp, #64]
    ldp x21, x22, [sp, #80]
    ldp x23, x24, [sp, #96]
    ldp x25, x26, [sp, #112]
    ldp x27, x28, [sp, #128]
    ldp x29, x30, [sp, #144]
    add sp, sp, #176
    ret x30
    .cfi_endproc
    .size fiber_switch, .-fiber_switch

// First code on a new stack: calls x20 (x19). The zero link register ends back traces.
    .globl fiber_switch_entry
    .hidden fiber_switch_entry
    .type fiber_switch_entry, %function
    .p2align 4
fiber_switch_entry:
    .cfi_startproc
    .cfi_undefined x30
    hint #34                    // bti c
    mov x29, xzr
    mov x30, xzr
    mov x0, x19
    blr x20
    brk #1
    .cfi_endproc
    .size fiber_switch_entry, .-fiber_switch_entry

// int fiber_switch_shadow_stack (void): chkfeat clears bit 0 of x16 where a guarded control stack
// is enabled, and is a no-op elsewhere.
    .globl fiber_switch_shadow_stack
    .type fiber_switch_shadow_stack, %function
    .p2align 4
fiber_switch_shadow_stack:
    .cfi_startproc
    hint #34                    // bti c
    mov x16, #1
    hint #40                    // chkfeat x16
    eor x0, x16, #1
    ret
    .cfi_endproc
    .size fiber_switch_shadow_stack, .-fiber_switch_shadow_stack

    .section .note.GNU-stack, "", %progbits

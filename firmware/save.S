/* Where functions save what they must give back, the return address, s0 and s1, and where they end: zig's compiler calls
   these (-msave-restore) in place of as many instructions in each function. Names and registers are the RISC-V toolchains'
   convention; as many as are saved, all three have a place. */
    .section .text.save, "ax", @progbits
    .globl __riscv_save_0
    .globl __riscv_save_1
    .globl __riscv_save_2
    .type __riscv_save_0, @function
__riscv_save_0:
__riscv_save_1:
__riscv_save_2:
    addi sp, sp, -12
    sw s1, 0(sp)
    sw s0, 4(sp)
    sw ra, 8(sp)
    jr t0
    .size __riscv_save_0, . - __riscv_save_0

    .globl __riscv_restore_0
    .globl __riscv_restore_1
    .globl __riscv_restore_2
    .type __riscv_restore_0, @function
__riscv_restore_0:
__riscv_restore_1:
__riscv_restore_2:
    lw s1, 0(sp)
    lw s0, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 12
    ret
    .size __riscv_restore_0, . - __riscv_restore_0

/* From reset to main: stack, .data, .bss. Linked at 0, where the CH32V003 maps its flash at reset. Chapter 11. */
    .section .init, "ax", @progbits
    .globl reset
    .type reset, @function
reset:
    la sp, stack_top
    la a0, data_image
    la a1, data_start
    la a2, data_end
copy:
    bgeu a1, a2, copied
    lw a3, 0(a0)
    sw a3, 0(a1)
    addi a0, a0, 4
    addi a1, a1, 4
    j copy
copied:
    la a1, bss_start
    la a2, bss_end
clear:
    bgeu a1, a2, cleared
    sw zero, 0(a1)
    addi a1, a1, 4
    j clear
cleared:
    jal main
halt:
    j halt
    .size reset, . - reset

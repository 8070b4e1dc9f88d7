/* multiply, square, kernel_requantise, kernel_sigmoid and kernel_weighed_scores for RV32EC, by hand: the same integers as multiply.c,
   kernels.c and requantise.c. Chapter 9. */
#include "sigmoid.h"

    /* a0 x, a1 m; product in a0. Changes a1, a2, a3 and nothing else: kernel_requantise relies on it. */
    .section .text.multiply, "ax", @progbits
    .globl multiply
    .type multiply, @function
multiply:
    mv a2, a0
    li a0, 0
    slli a1, a1, 1
    addi a1, a1, 1              # a 1 below the bits of m: behind the last one, it is all that is left
    slli a1, a1, 23
four_bits:
    .rept 4
    slli a0, a0, 1
    srai a3, a1, 31
    and a3, a3, a2
    add a0, a0, a3
    slli a1, a1, 1
    .endr
    slli a3, a1, 1
    bnez a3, four_bits
    ret
    .size multiply, . - multiply

    /* a0 x; the product of |x| with itself, sixteen bits of it, in a0. */
    .globl square
    .type square, @function
square:
    bgez a0, 1f
    neg a0, a0
1:  mv a2, a0
    slli a1, a0, 1
    addi a1, a1, 1
    slli a1, a1, 15
    li a0, 0
    j four_bits
    .size square, . - square

    /* a1 lane, which is ((sum + t0) << tp) >> t2. */
    .section .text.kernel_requantise, "ax", @progbits
    .type lane_shifts, @function
lane_shifts:
    li t0, 0
    li tp, 16
    li t2, 16
    beqz a1, 1f                 # the first
    lui t0, 8                   # the second: a first below 0 has taken 1 from it
    li tp, 0
    addi a1, a1, -1
    beqz a1, 1f
    li t0, 0                    # the whole
    li t2, 0
1:  ret
    .size lane_shifts, . - lane_shifts

    /* a0 accumulator: int32 [outputs]; a1 lane; a2 table: uint16 [outputs], then uint8 [outputs]; a3 outputs; a4 low;
       a5 out: int8 [outputs]. tp is scratch: nothing uses it for anything else. */
    .globl kernel_requantise
    .type kernel_requantise, @function
kernel_requantise:
    addi sp, sp, -20
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
    jal lane_shifts
    sw t0, 16(sp)
    add t0, a5, a3              # end of out
    slli a3, a3, 1
    add t1, a3, a2              # multipliers
    mv s0, a0                   # accumulator
    sw a2, 12(sp)               # table
output:
    lw a0, 0(s0)
    addi s0, s0, 4
    lw a1, 16(sp)
    add a0, a0, a1
    sll a0, a0, tp
    sra a0, a0, t2
    lw a1, 12(sp)
    lh s1, 0(a1)
    addi a1, a1, 2
    sw a1, 12(sp)
    srai a1, s1, 4
    add a0, a0, a1              # sum + bias
    lbu a1, 0(t1)
    addi t1, t1, 1
    jal multiply
    andi s1, s1, 15             # shift
    li a1, 1
    sll a1, a1, s1
    srli a1, a1, 1              # half of what is shifted out
    add a0, a0, a1
    sra a0, a0, s1
    bge a0, a4, 1f
    mv a0, a4
1:  li a1, 127
    bge a1, a0, 2f
    mv a0, a1
2:  sb a0, 0(a5)
    addi a5, a5, 1
    bne a5, t0, output

    lw s0, 0(sp)
    lw s1, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 20
    ret
    .size kernel_requantise, . - kernel_requantise

    /* a0 in and out. Changes a1, a2, a3 and t1 and nothing else: kernel_weighed_scores relies on it. */
    .section .rodata.sigmoid_steps, "a", @progbits
    .balign 4
    .type sigmoid_steps, @object
sigmoid_steps:
    .word SIGMOID_STEPS
    .size sigmoid_steps, . - sigmoid_steps

    .section .text.kernel_sigmoid, "ax", @progbits
    .globl kernel_sigmoid
    .type kernel_sigmoid, @function
kernel_sigmoid:
    mv a3, a0
    bgez a0, 1f
    neg a0, a0
1:  li a1, SIGMOID_ONE
    blt a0, a1, 2f
    mv a0, a1
2:  li t1, 64
    slli a0, a0, 1              # of the steps before this bit
    lui a1, %hi(sigmoid_steps)
    addi a1, a1, %lo(sigmoid_steps)
    beqz a0, 4f
3:  addi a0, a0, -2
    srli a2, a0, 5              # the word; a shift takes the five bits below
    slli a2, a2, 2
    add a2, a2, a1
    lw a2, 0(a2)
    srl a2, a2, a0
    andi a2, a2, 3
    add t1, t1, a2
    bnez a0, 3b
4:  mv a0, t1
    bgez a3, 5f
    li a0, 128
    sub a0, a0, t1
5:  ret
    .size kernel_sigmoid, . - kernel_sigmoid

    /* a0 accumulator: int32 [12]; a1 lane; a2 table; a3 argument; a4 sums: int32 [13]; a5 leaks. */
    .section .text.kernel_weighed_scores, "ax", @progbits
    .globl kernel_weighed_scores
    .type kernel_weighed_scores, @function
kernel_weighed_scores:
    jal t0, __riscv_save_0
    addi sp, sp, -8
    sw a5, 4(sp)
    mv s0, a0
    mv s1, a2
    jal lane_shifts
    mv a0, a3
    jal kernel_sigmoid
    addi a0, a0, 1
    sw a0, 0(sp)                # the weight
    addi a5, s1, 24             # multipliers
    mv t1, a5
score:
    lw a0, 0(s0)
    addi s0, s0, 4
    add a0, a0, t0
    sll a0, a0, tp
    sra a0, a0, t2
    lh a1, 0(s1)
    addi s1, s1, 2
    srai a1, a1, 4
    add a0, a0, a1              # sum + bias
    lbu a1, 0(a5)
    addi a5, a5, 1
    jal multiply
    addi a0, a0, 128
    srai a0, a0, 8
    lw a1, 0(sp)
    jal multiply
add:
    lw a1, 0(a4)
    add a0, a0, a1
    srai a1, a1, 3              # DECISION_LEAK_BITS
    lw a2, 4(sp)
    and a1, a1, a2
    sub a0, a0, a1
    sw a0, 0(a4)
    addi a4, a4, 4
    blt s1, t1, score
    bne s1, t1, 1f
    addi s1, s1, 2              # at last the weight
    lw a0, 0(sp)
    j add
1:  addi sp, sp, 8
    j __riscv_restore_0
    .size kernel_weighed_scores, . - kernel_weighed_scores

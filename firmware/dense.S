/* kernel_dense_pair for RV32EC, by hand: the same integers as dense.c, 5 cycles a multiply-accumulate. Chapter 9.

   a0 first, a1 second: int8 [inputs]; a2 inputs, a multiple of 4; a3 weights: uint16 [inputs / 4][outputs]; a4 outputs;
   a5 accumulator: int32 [outputs]; on the stack, table: 16 words, the sums of the subsets of four activations. */
    .text
    .globl kernel_dense_pair
    .type kernel_dense_pair, @function
kernel_dense_pair:
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
    add a2, a2, a0              # a2: end of first
    slli a4, a4, 2
    add t2, a4, a5
    sw t2, 12(sp)               # end of accumulator
    lw a4, 16(sp)               # a4: table
    mv t0, a5
clear:
    sw zero, 0(t0)
    addi t0, t0, 4
    bne t0, t2, clear

    /* Both vectors' activation j in one word: t0, t1, t2, ra for j = 0 .. 3. */
group:
    lb t0, 0(a0)
    lb s0, 0(a1)
    lb t1, 1(a0)
    lb s1, 1(a1)
    slli s0, s0, 16
    slli s1, s1, 16
    add t0, t0, s0
    add t1, t1, s1
    lb t2, 2(a0)
    lb s0, 2(a1)
    lb ra, 3(a0)
    lb s1, 3(a1)
    slli s0, s0, 16
    slli s1, s1, 16
    add t2, t2, s0
    add ra, ra, s1
    addi a0, a0, 4
    addi a1, a1, 4

    /* The subsets in Gray's order: from one to the next, one activation comes or goes. */
    sw zero, 0(a4)
    mv s0, t0
    sw s0, 4(a4)                # 0001
    add s0, s0, t1
    sw s0, 12(a4)               # 0011
    sub s0, s0, t0
    sw s0, 8(a4)                # 0010
    add s0, s0, t2
    sw s0, 24(a4)               # 0110
    add s0, s0, t0
    sw s0, 28(a4)               # 0111
    sub s0, s0, t1
    sw s0, 20(a4)               # 0101
    sub s0, s0, t0
    sw s0, 16(a4)               # 0100
    add s0, s0, ra
    sw s0, 48(a4)               # 1100
    add s0, s0, t0
    sw s0, 52(a4)               # 1101
    add s0, s0, t1
    sw s0, 60(a4)               # 1111
    sub s0, s0, t0
    sw s0, 56(a4)               # 1110
    sub s0, s0, t2
    sw s0, 40(a4)               # 1010
    add s0, s0, t0
    sw s0, 44(a4)               # 1011
    sub s0, s0, t1
    sw s0, 36(a4)               # 1001
    sub s0, s0, t0
    sw s0, 32(a4)               # 1000

    /* One output: four nibbles, the sign's first, each times 4 as an offset into the table. */
    mv t0, a5
    lw t2, 12(sp)
    .balign 4
output:
    lhu s1, 0(a3)
    addi a3, a3, 2
    srli s0, s1, 10
    andi s0, s0, 60
    add s0, s0, a4
    lw s0, 0(s0)
    slli s0, s0, 1
    srli t1, s1, 6
    andi t1, t1, 60
    add t1, t1, a4
    lw t1, 0(t1)
    sub s0, t1, s0              # the sign's bit counts -8
    slli s0, s0, 1
    srli t1, s1, 2
    andi t1, t1, 60
    add t1, t1, a4
    lw t1, 0(t1)
    add s0, s0, t1
    slli s0, s0, 1
    slli s1, s1, 2
    andi s1, s1, 60
    add s1, s1, a4
    lw s1, 0(s1)
    add s0, s0, s1
    lw s1, 0(t0)
    add s0, s0, s1
    sw s0, 0(t0)
    addi t0, t0, 4
    bne t0, t2, output
    bne a0, a2, group

    lw s0, 0(sp)
    lw s1, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 16
    ret
    .size kernel_dense_pair, . - kernel_dense_pair

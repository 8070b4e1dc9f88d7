/* multiply, square and kernel_requantise for RV32EC, by hand: the same integers as multiply.c and requantise.c.
   Chapter 9. */

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

    /* a0 accumulator: int32 [outputs]; a1 lane; a2 table: uint16 [outputs], then uint8 [outputs]; a3 outputs; a4 low;
       a5 out: int8 [outputs]. tp is scratch: nothing uses it for anything else. */
    .section .text.kernel_requantise, "ax", @progbits
    .globl kernel_requantise
    .type kernel_requantise, @function
kernel_requantise:
    addi sp, sp, -20
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
    /* a lane is ((sum + t0) << tp) >> t2 */
    li t0, 0
    li tp, 16
    li t2, 16
    beqz a1, begin              # the first
    lui t0, 8                   # the second: a first below 0 has taken 1 from it
    li tp, 0
    addi a1, a1, -1
    beqz a1, begin
    li t0, 0                    # the whole
    li t2, 0
begin:
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

/* kernel_depthwise_pair for RV32EC, by hand: the same integers as depthwise.c. Chapter 9.

   a0 past: int8 [kernel - 1][channels]; a1 first, a2 second: int8 [channels]; a3 channels; a4 kernel; a5 weights:
   nibbles [channels][kernel]; on the stack, accumulator: int32 [channels]. tp is scratch: nothing uses it for anything
   else. */
    .macro bit mask, op         # of the weight in t2: the shifted pair comes to the sums or not
    andi a2, t2, \mask
    beqz a2, 2f
    \op tp, tp, s0
2:
    .endm

    .text
    .globl kernel_depthwise_pair
    .type kernel_depthwise_pair, @function
kernel_depthwise_pair:
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
    mv ra, a2                   # second; a2 is scratch, which shorter instructions reach
    lw t0, 16(sp)               # accumulator
    slli t1, a3, 2
    add t0, t0, t1
    sw t0, 12(sp)               # its end
    li t2, 1                    # weights to go, a nibble each, and a 1 above them
channel:
    mv t0, a0                   # a frame of the past
    mv t1, a4                   # taps to go
    li tp, 0                    # the sum
    mv a2, a0
    addi s0, t1, -1
    bnez s0, 1f
    mv a2, a1
1:  lb s0, 0(a2)                # the tap's value for the first frame

tap:
    add t0, t0, a3
    mv s1, t0
    li a2, 2
    blt a2, t1, 1f
    mv s1, a1
    beq a2, t1, 1f
    mv s1, ra
1:  lb s1, 0(s1)                # and for the second, which is the next tap's for the first
    slli a2, s1, 16
    add s0, s0, a2
    addi a2, t2, -1
    bnez a2, 1f
    lbu t2, 0(a5)
    addi a5, a5, 1
    addi t2, t2, 256
1:  bit 1, add
    slli s0, s0, 1
    bit 2, add
    slli s0, s0, 1
    bit 4, add
    slli s0, s0, 1
    bit 8, sub                  # the sign's
    srli t2, t2, 4
    mv s0, s1
    addi t1, t1, -1
    bnez t1, tap

    lw t0, 16(sp)
    sw tp, 0(t0)
    addi t0, t0, 4
    sw t0, 16(sp)
    addi a0, a0, 1
    addi a1, a1, 1
    addi ra, ra, 1
    lw a2, 12(sp)
    bne t0, a2, channel
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 16
    ret
    .size kernel_depthwise_pair, . - kernel_depthwise_pair

/* The kernels of two neighbouring bands for RV32EC, by hand: the same integers as lanes.c. Chapter 9.

   kernel_depthwise_lanes: a0 first, a1 second: int8 [taps][channels]; a2 channels; a3 taps; a4 weights: nibbles
   [channels][(taps + 1) / 2 bytes]; a5 accumulator: int32 [channels]. 23 cycles for a weight and its two values. */
    .text
    .globl kernel_depthwise_lanes
    .type kernel_depthwise_lanes, @function
kernel_depthwise_lanes:
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
    slli t2, a2, 2
    add t2, t2, a5
    sw t2, 12(sp)               # end of accumulator
    li t0, -1
span:
    add t0, t0, a2
    addi a3, a3, -1
    bnez a3, span               # t0: from a channel's last value to the next one's first, and back
    lla t1, products

channel:
    li s0, 0                    # s0: the sums
    addi a3, a0, 1
    add a3, a3, t0              # a3: end of this channel's values

    /* Both bands' value in one word, and on to the product with the weight in bits 4 .. 7 of t2. */
    .macro tap
    lb s1, 0(a0)
    lb ra, 0(a1)
    add a0, a0, a2
    add a1, a1, a2
    slli ra, ra, 16
    add s1, s1, ra
    andi ra, t2, 240
    add ra, ra, t1
    jalr ra
    .endm

two_taps:
    lbu t2, 0(a4)
    addi a4, a4, 1
    slli t2, t2, 4
    tap
    beq a0, a3, stored
    srli t2, t2, 4
    tap
    bne a0, a3, two_taps
stored:
    sw s0, 0(a5)
    addi a5, a5, 4
    sub a0, a0, t0
    sub a1, a1, t0
    lw t2, 12(sp)
    bne a5, t2, channel
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 16
    ret

    /* s0 += weight * s1, for the weights 0 .. 7 and -8 .. -1: 16 bytes for each, so that a nibble is an address. */
    .macro end_product
    ret
    .balign 16
    .endm
    .macro once op              # s1
    \op s0, s0, s1
    .endm
    .macro shifted op, bits     # s1 << bits, which is what s1 then holds
    slli s1, s1, \bits
    \op s0, s0, s1
    .endm
    .balign 16
products:
    end_product                 # 0
    once add                    # 1
    end_product
    shifted add, 1              # 2
    end_product
    once add                    # 3 = 1 + 2
    shifted add, 1
    end_product
    shifted add, 2              # 4
    end_product
    once add                    # 5 = 1 + 4
    shifted add, 2
    end_product
    shifted sub, 1              # 6 = 8 - 2
    shifted add, 2
    end_product
    once sub                    # 7 = 8 - 1
    shifted add, 3
    end_product
    shifted sub, 3              # -8
    end_product
    once add                    # -7
    shifted sub, 3
    end_product
    shifted add, 1              # -6
    shifted sub, 2
    end_product
    once sub                    # -5
    shifted sub, 2
    end_product
    shifted sub, 2              # -4
    end_product
    once sub                    # -3
    shifted sub, 1
    end_product
    shifted sub, 1              # -2
    end_product
    once sub                    # -1
    ret
    .size kernel_depthwise_lanes, . - kernel_depthwise_lanes

/* kernel_requantise_lanes: a0 accumulator: int32 [outputs]; a1 table: uint16 [outputs], then uint8 [outputs];
   a2 outputs; a3 low; a4 first, a5 second: int8 [outputs]. About 46 cycles a value. tp is scratch, as in requantise.S. */
    .globl kernel_requantise_lanes
    .type kernel_requantise_lanes, @function
kernel_requantise_lanes:
    addi sp, sp, -12
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
    li ra, 127
    slli a2, a2, 1
    add a2, a2, a1              # end of biases and shifts
    mv tp, a2                   # multipliers
output:
    lw s0, 0(a0)
    lh t0, 0(a1)
    srai t0, t0, 4              # bias
    lui t1, 8
    add s1, s0, t1              # a first below 0 has taken 1 from second
    slli s0, s0, 16
    srai s0, s0, 16
    srai s1, s1, 16
    add s0, s0, t0              # s0, s1: the lanes, with their bias
    add s1, s1, t0
    lbu t0, 0(tp)               # multiplier, its next bit on top
    addi tp, tp, 1
    slli t0, t0, 24
    li t1, 0                    # t1, t2: the products
    li t2, 0
    .rept 7
    bgez t0, 1f
    add t1, t1, s0
    add t2, t2, s1
1:  slli t0, t0, 1
    slli t1, t1, 1
    slli t2, t2, 1
    .endr
    bgez t0, 1f
    add t1, t1, s0
    add t2, t2, s1
1:  lh t0, 0(a1)                # half up: one bit more than is wanted, plus one, and away with the bit
    andi t0, t0, 15
    addi t0, t0, -1
    sra t1, t1, t0
    sra t2, t2, t0
    addi t1, t1, 1
    addi t2, t2, 1
    srai t1, t1, 1
    srai t2, t2, 1
    bge t1, a3, 1f
    mv t1, a3
1:  bge ra, t1, 1f
    mv t1, ra
1:  bge t2, a3, 1f
    mv t2, a3
1:  bge ra, t2, 1f
    mv t2, ra
1:  sb t1, 0(a4)
    sb t2, 0(a5)
    addi a0, a0, 4
    addi a1, a1, 2
    addi a4, a4, 1
    addi a5, a5, 1
    bne a1, a2, output
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 12
    ret
    .size kernel_requantise_lanes, . - kernel_requantise_lanes

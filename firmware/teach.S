/* teach_frame, teach_add and teach_word for RV32EC, by hand: the same integers as teach.c. Chapter "Your own words". What
   the network says of a take that it hears again, matching.S takes. */
#include "model.h"
#include "teach.h"
#include "words.h"

#if MODEL_TEACHES
    /* a0 take; a1 words; verdict in a0. */
    .section .text.teach_frame, "ax", @progbits
    .globl teach_frame
    .type teach_frame, @function
teach_frame:
    jal t0, __riscv_save_0
    addi s1, a0, TAKE_REST
    mv a0, a1
    addi a1, s1, TAKE_FEATURES
    lw a5, WORDS_HISTORY(a0)
    slli a5, a5, 32 - 3 * WORD_QUIET
    bnez a5, 1f                 # something stands, and so all is kept
    lbu a4, TAKE_KEPT(s1)
    addi a4, a4, -TEACH_LEAD
    blez a4, 1f
    slli a5, a4, 3
    sub a5, a5, a4
    addi a3, s1, TAKE_FRAME - TAKE_REST
    add a5, a5, a3              # the last frames, to the first
    addi a2, a3, TEACH_LEAD * TEACH_FRAME_BYTES
2:  lbu a4, 0(a5)
    sb a4, 0(a3)
    addi a5, a5, 1
    addi a3, a3, 1
    bne a3, a2, 2b
    li a4, TEACH_LEAD
    sb a4, TAKE_KEPT(s1)
1:  jal words_frame             # a0 stays; a1 goes on; t2: loudness
    lbu a4, TAKE_KEPT(s1)
    addi a5, a4, -TEACH_FRAMES
    bgez a5, 4f                 # no room
    slli a5, a4, 3
    sub a5, a5, a4
    add a5, a5, s1
    addi a4, a4, 1
    sb a4, TAKE_KEPT(s1)
    addi a3, a1, -12
    addi a1, a1, -24
3:  lb a2, 0(a1)
    lb a4, 12(a1)
    add a2, a2, a4
    srai a2, a2, 5
    andi a2, a2, 15
    lb a4, 1(a1)
    lb s0, 13(a1)
    add a4, a4, s0
    srai a4, a4, 5
    slli a4, a4, 4
    add a4, a4, a2
    sb a4, TAKE_FRAME - TAKE_REST(a5)
    addi a5, a5, 1
    addi a1, a1, 2
    bne a1, a3, 3b
    lw a4, WORDS_HISTORY(a0)
    andi a4, a4, 7
    sb a4, TAKE_FRAME - TAKE_REST(a5)
4:  addi a2, t2, 128
    lhu a4, TAKE_FRAMES(s1)
    bnez a4, 5f
    sb a2, TAKE_FIRST(s1)
5:  addi a4, a4, 1
    sh a4, TAKE_FRAMES(s1)
    lbu a5, TAKE_LOUDEST(s1)
    bge a5, a2, 6f
    sb a2, TAKE_LOUDEST(s1)
6:  xori a2, a2, 255
    lbu a5, TAKE_SOFTEST(s1)
    bge a5, a2, 7f
    sb a2, TAKE_SOFTEST(s1)
7:  lw a5, WORDS_HISTORY(a0)
    slli a5, a5, 32 - 3 * WORD_QUIET
    lbu a3, WORDS_LENGTH(a0)
    beqz a5, 8f
    addi a3, a3, -255           # it stands for too long
    li a0, TEACH_LONG
    beqz a3, verdict
more:
    li a0, TEACH_MORE
verdict:
    j __riscv_restore_0
8:  lbu a5, WORDS_OVER(a0)
    sb zero, WORDS_OVER(a0)
    bnez a5, 9f
    sltiu a4, a4, TEACH_PATIENCE
    li a0, TEACH_EMPTY
    bnez a4, more
    j verdict
9:  lw a4, TAKE_CLIPPED(s1)     # it is over
    li a0, TEACH_HARD
    addi a4, a4, -TEACH_CLIPPED
    bgez a4, verdict
    lbu a4, TAKE_LOUDEST(s1)
    lbu a2, TAKE_SOFTEST(s1)
    li a0, TEACH_CUT
    addi a2, a2, -255           # - softest loudness
    add a1, a4, a2
    sub a4, a4, a2
    srai a4, a4, 1
    addi a1, a1, -WORD_SPAN
    bltz a1, 1f
    lbu a1, TAKE_FIRST(s1)
    blt a4, a1, verdict
1:  li a0, TEACH_LONG
    li a4, WORD_LONGEST + WORD_QUIET
    blt a4, a3, verdict
    lbu a4, TAKE_KEPT(s1)
    addi a3, s1, TAKE_FRAME - TAKE_REST + TEACH_FRAME_BYTES - 1
    li a1, TEACH_SHORTEST       # frames with weight that are missing
    li a2, 0                    # their weights, twice
    li a0, TEACH_OK
2:  lbu a5, 0(a3)
    addi a3, a3, TEACH_FRAME_BYTES
    beqz a5, 3f
    addi a1, a1, -1
    sll a5, a0, a5
    add a2, a2, a5
3:  addi a4, a4, -1
    bnez a4, 2b
    bgtz a1, more
    sh a2, TAKE_ALL(s1)
    j verdict
    .size teach_frame, . - teach_frame

    /* a0 take, which is at `listening`; a1 scratch, which is at `work`; verdict in a0. */
    .section .text.teach_add, "ax", @progbits
    .globl teach_add
    .type teach_add, @function
teach_add:
    jal t0, __riscv_save_0
    li s0, 0                    # no verdict
hear:
    li a0, 0
    call network_reset
    lui a3, %hi(listening + TAKE_REST)
    addi a3, a3, %lo(listening + TAKE_REST)
    sb s0, TAKE_VERDICT(a3)
    lbu a4, TAKE_KEPT(a3)
    addi a4, a4, 2
    slli a4, a4, 1
    sb a4, TAKE_LEFT(a3)
    addi a4, a3, TAKE_BYTES - TAKE_REST
    addi a5, a3, TAKE_FILLED
1:  sh zero, 0(a5)
    addi a5, a5, 2
    bne a5, a4, 1b
    lui a4, %hi(network + NETWORK_WORDS)
    li a5, TAKE_SUMS
    sb a5, %lo(network + NETWORK_WORDS + WORDS_SUM)(a4)
    addi s0, a3, TAKE_FRAME - TAKE_REST
    li s1, 0                    # history of the frames before, whose are the vectors that the network has now
feed:
    lui a0, %hi(network + NETWORK_WORDS)
    sw s1, %lo(network + NETWORK_WORDS + WORDS_HISTORY)(a0)
    lui a1, %hi(work)
    addi a1, a1, %lo(work)
    addi a0, a1, 512 - 12
    mv a5, a0
    addi a4, a0, 12
2:  lbu a2, 0(s0)
    addi s0, s0, 1
    slli a3, a2, 4
    addi a3, a3, 8
    sb a3, 0(a5)
    andi a2, a2, -16
    addi a2, a2, 8
    sb a2, 1(a5)
    addi a5, a5, 2
    bne a5, a4, 2b
    call network_frame
    lui a3, %hi(listening + TAKE_REST)
    addi a3, a3, %lo(listening + TAKE_REST)
    lbu a4, TAKE_LEFT(a3)
    addi a4, a4, -1
    sb a4, TAKE_LEFT(a3)
    andi a5, a4, 1
    beqz a5, 3f
    addi s0, s0, -TEACH_FRAME_BYTES + 1
    j feed
3:  lbu a5, 0(s0)
    addi s0, s0, 1
    slli s1, s1, 3
    add s1, s1, a5
    bnez a4, feed

    addi a2, a3, -TAKE_REST
    lbu a4, TAKE_COUNT(a2)
    lbu a0, TAKE_VERDICT(a3)
    bnez a0, 5f
    li s0, TEACH_OK
    beqz a4, hear
    lhu a5, TAKE_UNLIKE(a3)
    li a1, WORD_PARTS * TEACH_UNLIKE
    mv a0, a4
4:  sub a5, a5, a1
    addi a0, a0, -1
    bnez a0, 4b
    blez a5, hear
    li s0, TEACH_UNLIKE_OTHERS
    mv a0, s0
    addi a4, a4, -1
    bnez a4, 6f
    sb a4, TAKE_COUNT(a2)       # it takes the place of the only one
    j hear
5:  addi a4, a4, 1
    sb a4, TAKE_COUNT(a2)
6:  j __riscv_restore_0
    .size teach_add, . - teach_add

    /* a0 take; a1 word, to which its parts come. */
    .section .text.teach_parts, "ax", @progbits
    .globl teach_parts
    .type teach_parts, @function
teach_parts:
    jal t0, __riscv_save_0
    addi a5, a1, WORD_NAME_BYTES + 2
    addi t2, a0, TAKE_SUMS + WORD_PARTS * WORD_VALUES
    addi a0, a0, TAKE_SUMS
1:  addi t1, a0, WORD_COEFFICIENTS
    addi t0, a0, WORD_VALUES
2:  li s0, 0x100                # bits of the next byte, above a 1
3:  lbu a2, 0(a0)
    addi a2, a2, TEACH_TAKES / 2
    li a4, -1                   # their quotient
4:  addi a4, a4, 1
    addi a2, a2, -TEACH_TAKES
    bgez a2, 4b
    li a1, 4                    # bits
    bltu a0, t1, 5f
    slti a2, a4, 2
    slti a3, a4, 5
    slti a4, a4, 9
    add a2, a2, a3
    add a2, a2, a4
    li a4, 3
    sub a4, a4, a2
    li a1, 2
5:  slli a4, a4, 12
    add s0, s0, a4
    srl s0, s0, a1
    addi a0, a0, 1
    andi a4, s0, 1
    beqz a4, 3b
    srli s0, s0, 4
    sb s0, 0(a5)
    addi a5, a5, 1
    bne a0, t0, 2b
    bne a0, t2, 1b
    j __riscv_restore_0
    .size teach_parts, . - teach_parts
#endif

/* words_batch and words_compare for RV32EC, by hand: the same integers as matching.c. Chapter "Your own words". */
#include "decision.h"
#include "model.h"
#include "teach.h"
#include "words.h"

    /* A frame of 40 ms. a0 words; a1 features: int8 [2][12], and then behind them. Where words are taught, t2: loudness. */
    .macro one_frame
    lb a2, 0(a1)                # e: the mean of two, in sixteenths
    lb a3, 12(a1)
    add a2, a2, a3
    srai a2, a2, 1
#if MODEL_TEACHES
    mv t2, a2
#endif
    slli a2, a2, 4
    lw s0, WORDS_HISTORY(a0)
    slli s0, s0, 32 - 3 * WORD_QUIET # not 0: something stood
    lw a3, WORDS_FLOOR(a0)
    lw a4, WORDS_PEAK(a0)
    bne a3, a4, 1f
    mv a3, a2                   # the first frame
    mv a4, a2
1:  sub a5, a2, a3
    srai a5, a5, 1
    bltz a5, 2f                 # the floor falls, or rises
    li a5, 2
    beqz s0, 2f
    lbu s1, WORDS_LENGTH(a0)
    slti s1, s1, WORD_LONGEST
    bnez s1, 2f
    li a5, 16
2:  add a3, a3, a5
    addi a4, a4, -1
    bge a4, a2, 3f
    mv a4, a2
3:  addi a5, a3, WORD_SPAN * 16
    bge a4, a5, 4f
    mv a4, a5
4:  sw a3, WORDS_FLOOR(a0)
    sw a4, WORDS_PEAK(a0)
    sub a5, a4, a3              # floor + 3/8 (peak - floor)
    mv s1, a5
    add a5, a5, a5
    add a5, a5, s1
    srai a5, a5, 3
    add a3, a3, a5
    addi a4, a4, -WORD_STEEPEST * 16
    bge a3, a4, 5f
    mv a3, a4
5:  sub a2, a2, a3
    srai a2, a2, 4              # c
    li a3, 0                    # the weight's code
    blez a2, 7f
    srai a2, a2, 1
    li a4, WORD_LARGEST_CODE
6:  addi a3, a3, 1
    beq a3, a4, 7f
    srai a2, a2, 1
    bnez a2, 6b
7:  lw a2, WORDS_HISTORY(a0)
    slli a2, a2, 3
    or a2, a2, a3
    sw a2, WORDS_HISTORY(a0)
    lbu a4, WORDS_LENGTH(a0)
    bnez s0, 8f
    beqz a3, 9f
    li a4, 0                    # it begins
8:  addi a4, a4, 1
    srli a5, a4, 8              # 255 stays
    sub a4, a4, a5
    sb a4, WORDS_LENGTH(a0)
    slli a2, a2, 32 - 3 * WORD_QUIET
    bnez a2, 9f
    sb a4, WORDS_OVER(a0)       # it stood, and stands no more
9:  addi a1, a1, 24
    .endm

#if MODEL_TEACHES
    .section .text.words_frame, "ax", @progbits
    .globl words_frame
    .type words_frame, @function
words_frame:
    jal t0, __riscv_save_0
    one_frame
    j __riscv_restore_0
    .size words_frame, . - words_frame
#endif

    /* a0 words; a1 features: int8 [4][12]. */
    .section .text.words_batch, "ax", @progbits
    .globl words_batch
    .type words_batch, @function
words_batch:
    jal t0, __riscv_save_0
#if MODEL_TEACHES
    jal words_frame
    jal words_frame
#else
    addi t2, a1, 48             # their end
frame:
    one_frame
    bne a1, t2, frame
#endif

    addi a4, a0, WORDS_LINE
    addi a1, a1, -48            # as decision_listen: loudness, its mean, peak and fall
    jal t0, sum_of_four
    srai a2, a2, 2
    addi a2, a2, DECISION_LOUDNESS
    lhu a3, WORDS_MEAN - WORDS_LINE(a4)
    bnez a3, 1f
    slli a3, a2, DECISION_MEAN_BITS
1:  srli a5, a3, DECISION_MEAN_BITS
    sub a2, a2, a5
    add a3, a3, a2
    sh a3, WORDS_MEAN - WORDS_LINE(a4)
    lbu a3, WORDS_ABOVE - WORDS_LINE(a4)
    bge a3, a2, 1f
    mv a3, a2
1:  li a5, DECISION_STANDS_OUT
    blt a3, a5, 1f
    addi a3, a3, -1
    sb a3, WORDS_ABOVE - WORDS_LINE(a4)
    addi a3, a3, 1 - DECISION_FALLS
    bge a3, a2, 2f
1:  lbu a5, NETWORK_REST - NETWORK_WORDS(a0)
    bnez a5, 2f
    li a5, 1
    sb a5, NETWORK_REST - NETWORK_WORDS(a0)
2:
    addi a1, a1, 1              # the coefficients behind the loudness
    addi a5, a4, WORD_LINE_BYTES * (WORD_LINE - 1)
1:  lbu a2, WORD_LINE_BYTES(a4)
    sb a2, 0(a4)
    addi a4, a4, 1
    bne a4, a5, 1b
    addi a5, a5, WORD_LINE_BYTES
2:  jal coefficient
    mv s0, a2
    jal coefficient
    slli a2, a2, 4
    or a2, a2, s0
    sb a2, 0(a4)
    addi a4, a4, 1
    bne a4, a5, 2b
    j __riscv_restore_0

sum_of_four:                    # a coefficient of the batch's frames, in a2
    lb a2, 0(a1)
    lb a3, 12(a1)
    add a2, a2, a3
    lb a3, 24(a1)
    add a2, a2, a3
    lb a3, 36(a1)
    add a2, a2, a3
    jr t0

coefficient:                    # the next one, 0 .. 15, in a2
    jal t0, sum_of_four
    addi a2, a2, 272
    srai a2, a2, 5
    bgez a2, 1f
    li a2, 0
1:  li a3, 15
    bge a3, a2, 2f
    mv a2, a3
2:  addi a1, a1, 1
    ret
    .size words_batch, . - words_batch

    .section .rodata.words_usual, "a", @progbits
    .type words_usual, @object
words_usual:
    .byte WORD_USUAL
    .size words_usual, . - words_usual

    /* a0 words; a1 block: uint8 [32], twice; a2 how far apart; a3 work: uint8 [42]. */
    .equ WORDS_AT, 0            # on the stack: the arguments,
    .equ APART, 4
    .equ SHIFT, 8               # what brings the frame's code down,
    .equ BLOCK, 12
    .equ NEXT, 16               # the line's next frame,
    .equ FIRST, 20              # the merit that a word's first part may follow,
    .equ EXPECTED, 24           # the distance of usual speech, and of that and the threshold the sum
    .equ LESS, 28
    .section .text.words_compare, "ax", @progbits
    .globl words_compare
    .type words_compare, @function
words_compare:
    jal t0, __riscv_save_0
    addi sp, sp, -32
    sw a0, WORDS_AT(sp)
    sw a2, APART(sp)
    mv a2, a3
    addi a5, a0, WORDS_LINE
    li a4, 3 * (WORD_LAG + 1)
both:
    sw a4, SHIFT(sp)
    sw a1, BLOCK(sp)
    lw a0, WORDS_AT(sp)
    lw a3, WORDS_HISTORY(a0)
    srl a3, a3, a4
    andi a3, a3, 7
    mv tp, a3                   # the code of its weight
    addi s1, a5, WORD_LINE_BYTES
    sw s1, NEXT(sp)
    beqz a3, next
1:  lbu a4, 0(a5)
    andi s0, a4, 15
    sb s0, 0(a2)
    srli a4, a4, 4
    sb a4, 1(a2)
    addi a2, a2, 2
    addi a5, a5, 1
    bne a5, s1, 1b
    addi s1, a1, WORD_BLOCK
2:  lbu a4, 0(a1)
    srli a4, a4, 3
    sb a4, 0(a2)
    addi a1, a1, 1
    addi a2, a2, 1
    bne a1, s1, 2b
    addi a2, a2, -WORD_VALUES   # the vector
#if MODEL_TEACHES
    lbu s0, WORDS_SUM(a0)
    bnez s0, share
#endif
    lbu a4, WORDS_STARTED(a0)
    li a5, 0
    bnez a4, 3f
    li a5, WORD_START
3:  sw a5, FIRST(sp)
    sb a3, WORDS_STARTED(a0)    # the code, which is not 0
    lui a3, %hi(words_usual)
    addi a3, a3, %lo(words_usual)
    jal distance
    srli a1, a1, WORD_USUAL_SHIFT
    sw a1, EXPECTED(sp)
    addi a0, a0, WORDS_MERIT
    lui a3, %hi(words_pages + 10)
    addi a3, a3, %lo(words_pages + 10)
word:
    lb a4, -10(a3)              # a letter of its name; of an erased page, which is passed over, -1
    bgez a4, 4f
    addi a0, a0, WORD_PARTS
    addi a3, a3, WORD_PARTS * WORD_PART_BYTES
    j last
4:  lbu a4, -1(a3)              # the threshold
    lw a5, EXPECTED(sp)
    add a4, a4, a5
    sw a4, LESS(sp)
    lw t1, FIRST(sp)            # merit that this part may follow
part:
    jal distance
    lw a4, LESS(sp)
    sub a1, a1, a4
    sll a1, a1, tp
    addi a1, a1, 1 << WORD_COST_SHIFT
    srai a1, a1, WORD_COST_SHIFT + 1
    lbu a4, 0(a0)
    mv a5, a4
    bge a4, t1, 4f
    mv a4, t1
4:  mv t1, a5
    sub a4, a4, a1
    bgez a4, 5f
    li a4, 0
5:  li a5, 255
    bge a5, a4, 6f
    mv a4, a5
6:  sb a4, 0(a0)
    addi a0, a0, 1
    andi a5, a0, WORD_PARTS - 1
    bnez a5, part
last:
    addi a3, a3, WORD_BYTES - WORD_PARTS * WORD_PART_BYTES
    lui a5, %hi(words_pages + 10 + WORDS * WORD_BYTES)
    addi a5, a5, %lo(words_pages + 10 + WORDS * WORD_BYTES)
    bne a3, a5, word
#if MODEL_TEACHES
    j next

    /* A take is heard again: 4 << code times the vector to the part, which may be complete before all are. */
share:
    lui s1, %hi(listening + TAKE_REST)
    addi s1, s1, %lo(listening + TAKE_REST)
    add s0, s0, s1
    addi s0, s0, -TAKE_REST     # the next sum
    lbu a0, TAKE_COUNT - TAKE_REST(s1)
    lhu a5, TAKE_ALL(s1)
    li t1, 4
    sll t1, t1, a3
    addi ra, a2, WORD_DOUBLE    # the last that counts twice
    addi t0, a2, WORD_VALUES
1:  lhu tp, TAKE_FILLED(s1)
    addi tp, tp, 1
    mv a3, s1                   # whose part is TAKE_PART on
2:  lbu a4, 0(a2)
    addi a2, a2, 1
    lhu a1, TAKE_PART(a3)
    add a1, a1, a4
    bne tp, a5, 8f
    srli a4, a5, 1              # it is complete
    add a1, a1, a4
    lbu a4, 0(s0)               # sum - count * mean
    li tp, -1                   # mean
4:  addi tp, tp, 1
    sub a4, a4, a0
    sub a1, a1, a5
    bgez a1, 4b
    add a4, a4, a0
    bgez a4, 5f
    neg a4, a4
5:  bltu ra, a2, 6f
    add a4, a4, a4
6:  lhu a1, TAKE_UNLIKE(s1)
    add a1, a1, a4
    sh a1, TAKE_UNLIKE(s1)
    lbu a4, TAKE_VERDICT(s1)
    beqz a4, 7f
    beqz a0, 3f
    lbu a4, 0(s0)
    add tp, tp, a4
3:  sb tp, 0(s0)
7:  addi s0, s0, 1
    mv tp, a5
    li a1, 0
8:  sh a1, TAKE_PART(a3)
    addi a3, a3, 2
    bne a2, t0, 2b
    addi a2, a2, -WORD_VALUES
    bne tp, a5, 9f
    li tp, 0
9:  sh tp, TAKE_FILLED(s1)
    addi t1, t1, -1
    bnez t1, 1b
    sub s0, s0, s1
    addi s0, s0, TAKE_REST
    lw a0, WORDS_AT(sp)
    sb s0, WORDS_SUM(a0)
#endif
next:
    lw a1, BLOCK(sp)
    lw a4, APART(sp)
    add a1, a1, a4
    lw a5, NEXT(sp)
    lw a4, SHIFT(sp)
    addi a4, a4, -3
    li a3, 3 * (WORD_LAG - 1)
    bne a3, a4, both
    addi sp, sp, 32
    j __riscv_restore_0

distance:                       # of the vector at a2 and the part at a3, which goes on to the next, in a1
    li a1, 0
    li s1, WORD_VALUES
    li s0, 1                    # what is left of a byte, and a 1 above it
    li t0, WORD_LEVELS
1:  addi a5, s0, -1
    bnez a5, 2f
    lbu s0, 0(a3)
    addi a3, a3, 1
    addi s0, s0, 256
2:  lbu a4, 0(a2)
    addi a2, a2, 1
    andi a5, s0, 15
    srli s0, s0, 2
    addi t2, s1, -WORD_BLOCK - 1
    bltz t2, 3f
    srli s0, s0, 2              # a coefficient: a nibble
    j 4f
3:  andi a5, a5, 3              # the block's: two bits
    slli a5, a5, 2
    srl a5, t0, a5
    andi a5, a5, 15
4:  sub a4, a4, a5
    bgez a4, 5f
    neg a4, a4
5:  add a1, a1, a4
    addi t2, t2, WORD_DOUBLE - WORD_COEFFICIENTS
    bltz t2, 6f
    add a1, a1, a4
6:  addi s1, s1, -1
    bnez s1, 1b
    addi a2, a2, -WORD_VALUES
    ret
    .size words_compare, . - words_compare

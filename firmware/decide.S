/* decision_step for RV32EC, by hand: as decision.c has it for every other computer, in less flash. Chapter 10. */
#include "decision.h"
#include "model.h"

    .equ REST, DECISION_REFRACTORY - 4 * DECISION_CLASSES
    .equ WINDOW, DECISION_WINDOW - 4 * DECISION_CLASSES

    /* a0 decision; a1 setting; a2 doubtful. Returns a class, or -1. */
    .section .text.decision_step, "ax", @progbits
    .globl decision_step
    .type decision_step, @function
decision_step:
    addi a0, a0, 4 * DECISION_CLASSES # behind the sums, from where all offsets are short
    lbu a3, WINDOW(a0)
    beqz a3, 1f
    addi a3, a3, -1
    sb a3, WINDOW(a0)
1:  lbu a5, REST(a0)
    addi a5, a5, -1
    bgez a5, rest
    mv t0, a2
    lui a3, 0xc0000             # most; no sum is below
    mv a4, a3                   # next
    li a5, DECISION_CLASSES
2:  addi a0, a0, -4             # from the last to the first: whose is the most, in t1
    addi a5, a5, -1
    lw a2, 0(a0)
    bge a4, a2, 3f
    mv a4, a2
    bge a3, a2, 3f
    mv a4, a3
    mv a3, a2
    mv t1, a5
3:  bnez a5, 2b
    li a2, DECISION_REJECTED
    blt t1, a2, none
    sub a3, a3, a4              # the lead
    bne t1, t0, 4f
    mv a4, a3
    srai a4, a4, 2
    sub a3, a3, a4
4:  srai a3, a3, MODEL_LEAD_BITS
    mv a2, a1
    srli a2, a2, 4              # 4 and the sensitivity
    la a4, least_leads - 4
    add a4, a4, a2
    lbu a4, 0(a4)
    blt a3, a4, none
    li a2, DECISION_CLASSES
5:  sw a5, 0(a0)
    addi a0, a0, 4
    addi a2, a2, -1
    bnez a2, 5b
    li a2, DECISION_REFRACTORY_STEPS
    sb a2, REST(a0)
    andi a1, a1, 15             # the first word; with none, or in the window, the board is open
    beqz a1, 6f
    lbu a2, WINDOW(a0)
    bnez a2, 6f
    bne t1, a1, none
    li a5, DECISION_WINDOW_STEPS + 1 # from which the next step takes one before it looks
6:  sb a5, WINDOW(a0)
    mv a0, t1
    ret
rest:
    sb a5, REST(a0)
none:
    li a0, -1
    ret
    .size decision_step, . - decision_step

    .section .rodata.least_leads, "a", @progbits
    .type least_leads, @object
least_leads:
    .byte DECISION_LEAST_LEADS
    .size least_leads, . - least_leads

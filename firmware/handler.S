/* The handler of DMA1 channel 1 (half of the buffer is new) and of USART1 (a byte is there, or was lost), and the sleep that
   it ends. Definition: integer/listening.py; chapter 13. By hand, since it runs on top of the deepest stack: 20 bytes.

   In C: if (due) lost++; else due = frontend_push(&stream, sample);
   Whoever entered it, it looks at both peripherals' own flags, so that neither's request is lost nor taken for the other's;
   a byte with an error (line noise, a cable that hangs loose) is dropped. */
#include "ch32v003.h"
#include "handler.h"

/* Sleep until the handler has run, unless a frame is due or the listening has ended. An interrupt that comes behind the
   look at them and before wfi would be slept through: the handler, where it finds that it came there, returns behind wfi. */
    .section .init.sleep, "ax", @progbits /* at a small address, which one instruction loads */
    .globl listen_sleep
    .type listen_sleep, @function
listen_sleep:
    lui a0, %hi(listening + HANDLER_DUE)
    lhu a0, %lo(listening + HANDLER_DUE)(a0) # due and ended
looked:
    c.bnez a0, awake
    wfi
awake:
    ret
    .size listen_sleep, . - listen_sleep

    .text
    .globl listen_handler
    .type listen_handler, @function
listen_handler:
    addi sp, sp, -20
    sw a0, 0(sp)
    sw a1, 4(sp)
    sw a2, 8(sp)
    sw a3, 12(sp)
    sw a4, 16(sp)
    lui a0, %hi(listening)
    addi a0, a0, %lo(listening)
    lui a1, %hi(USART1_STATR)
    lw a2, %lo(USART1_STATR)(a1)
    andi a3, a2, USART_RXNE | USART_ORE
    beqz a3, conversions
    lbu a3, HANDLER_ENDED(a0)   # what follows the byte that ended it waits for the main program
    bnez a3, conversions
    lw a3, %lo(USART1_DATAR)(a1)
    andi a2, a2, USART_RXNE | USART_NE | USART_FE
    addi a2, a2, -USART_RXNE
    bnez a2, conversions
    lbu a2, HANDLER_SERIAL(a0)
    beqz a2, ended
    li a2, HANDLER_END
    bne a3, a2, mu_law
ended:
    sb a3, HANDLER_COMMAND(a0)
    li a2, 1
    sb a2, HANDLER_ENDED(a0)
    lw a3, %lo(USART1_CTLR1)(a1)
    andi a3, a3, ~USART_RXNEIE
    sw a3, %lo(USART1_CTLR1)(a1)

conversions:                    # four of 10 bits: (sum - 4 * 512) * 16
    lui a1, DMA1_BASE >> 12
    lw a2, DMA1_INTFR - DMA1_BASE(a1)
    andi a2, a2, DMA_HTIF1 | DMA_TCIF1
    beqz a2, done
    sw a2, DMA1_INTFCR - DMA1_BASE(a1)
    andi a2, a2, DMA_TCIF1      # the second half
    slli a2, a2, 2
    add a1, a0, a2
    lhu a3, HANDLER_CONVERSIONS(a1)
    lhu a4, HANDLER_CONVERSIONS + 2(a1)
    add a3, a3, a4
    lhu a4, HANDLER_CONVERSIONS + 4(a1)
    add a3, a3, a4
    lhu a4, HANDLER_CONVERSIONS + 6(a1)
    add a3, a3, a4
    slli a3, a3, 4
    lui a4, 8
    sub a3, a3, a4

take:
    lbu a2, HANDLER_DUE(a0)
    bnez a2, lost
    lhu a2, HANDLER_AT(a0)
    add a4, a2, a2
    add a4, a4, a0
    sh a3, HANDLER_RING(a4)
    addi a2, a2, 1
    andi a2, a2, HANDLER_RING_MASK
    sh a2, HANDLER_AT(a0)
    lhu a2, HANDLER_MISSING(a0)
    addi a2, a2, -1
    bnez a2, 1f
    li a2, 1
    sb a2, HANDLER_DUE(a0)
    li a2, HANDLER_HOP
1:  sh a2, HANDLER_MISSING(a0)
done:                           # from between `looked` and wfi, go on behind it
    csrr a0, mepc
    li a1, %lo(looked)
    sub a0, a0, a1
    sltiu a0, a0, 3             # there, or at wfi
    beqz a0, 1f
    addi a1, a1, 6              # awake
    csrw mepc, a1
1:  lw a0, 0(sp)
    lw a1, 4(sp)
    lw a2, 8(sp)
    lw a3, 12(sp)
    lw a4, 16(sp)
    addi sp, sp, 20
    mret

lost:
    lhu a2, HANDLER_LOST(a0)
    addi a2, a2, 1
    sh a2, HANDLER_LOST(a0)
    j done

mu_law:                         # all bits inverted: sign, exponent, mantissa
    not a2, a3
    andi a3, a2, 15
    slli a3, a3, 3
    addi a3, a3, 132
    srli a4, a2, 4
    andi a4, a4, 7
    sll a3, a3, a4
    addi a3, a3, -132
    andi a2, a2, 128
    beqz a2, take
    neg a3, a3
    j take
    .size listen_handler, . - listen_handler

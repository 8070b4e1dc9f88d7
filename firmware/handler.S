/* The handler of DMA1 channel 1 (half of the buffer is new) and of USART1 (a byte is there): a sample into the front end's
   ring. Definition: integer/listening.py; chapter 11. By hand, since it runs on top of the deepest stack: 20 bytes.

   In C: if (due) lost++; else due = frontend_push(&stream, sample); */
    .equ AT, 512 /* struct listening: listen.c checks these */
    .equ MISSING, 514
    .equ CONVERSIONS, 516
    .equ LOST, 532
    .equ SERIAL, 534
    .equ DUE, 535
    .equ ENDED, 536
    .equ COMMAND, 537
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
    la a0, listening
    lui a1, 0x40014
    lw a2, -0x800(a1)           # USART1_STATR
    andi a2, a2, 1 << 5
    beqz a2, conversions
    lw a2, -0x7fc(a1)           # USART1_DATAR
    lbu a3, SERIAL(a0)
    beqz a3, ended
    li a3, 0x7f
    bne a2, a3, mu_law
ended:                          # what follows waits for the main program
    lw a3, -0x7f4(a1)
    andi a3, a3, ~(1 << 5)
    sw a3, -0x7f4(a1)
    sb a2, COMMAND(a0)
    li a3, 1
    sb a3, ENDED(a0)
    j done

mu_law:                         # all bits inverted: sign, exponent, mantissa
    not a2, a2
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

conversions:                    # four of 10 bits: (sum - 4 * 512) * 16
    lui a1, 0x40020
    lw a2, 0(a1)                # DMA1_INTFR
    sw a2, 4(a1)
    andi a2, a2, 2              # the second half
    slli a2, a2, 2
    add a1, a0, a2
    lhu a3, CONVERSIONS(a1)
    lhu a4, CONVERSIONS + 2(a1)
    add a3, a3, a4
    lhu a4, CONVERSIONS + 4(a1)
    add a3, a3, a4
    lhu a4, CONVERSIONS + 6(a1)
    add a3, a3, a4
    slli a3, a3, 4
    lui a4, 8
    sub a3, a3, a4

take:
    lbu a2, DUE(a0)
    bnez a2, lost
    lhu a2, AT(a0)
    add a4, a2, a2
    add a4, a4, a0
    sh a3, 0(a4)
    addi a2, a2, 1
    andi a2, a2, 255
    sh a2, AT(a0)
    lhu a2, MISSING(a0)
    addi a2, a2, -1
    bnez a2, 1f
    li a2, 1
    sb a2, DUE(a0)
    li a2, 160
1:  sh a2, MISSING(a0)
done:
    lw a0, 0(sp)
    lw a1, 4(sp)
    lw a2, 8(sp)
    lw a3, 12(sp)
    lw a4, 16(sp)
    addi sp, sp, 20
    mret

lost:
    lhu a2, LOST(a0)
    addi a2, a2, 1
    sh a2, LOST(a0)
    j done
    .size listen_handler, . - listen_handler

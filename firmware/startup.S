/* From reset to main: stack, .bss. Linked at 0, where the CH32V003 maps its flash at reset. Chapter 13.

   The first 64 bytes are the first page that is programmed, and look at the last word of the image, which is programmed
   last. Where that is missing, the power failed while the board was flashed: back to the ROM bootloader, to be flashed
   again. Only between erasing and this page is there nothing to run; then a WCH-Link is needed. */
#include "ch32v003.h"
    .equ COMPLETE, 21 /* small enough for compressed instructions: they fill the page */
    .section .init, "ax", @progbits
    .option norelax /* every instruction stays where it is */
    .globl reset
    .type reset, @function
reset:
    lui a0, %hi(image_mark)
    lw a1, %lo(image_mark)(a0)
    addi a1, a1, -COMPLETE
    beqz a1, start
    .size reset, . - reset

/* Into the ROM bootloader: unlock FLASH_STATR's MODE and set it, clear the reset causes, reset (what the ROM asks for was
   found out by Basil Hussain). Does not return. */
    .globl enter_bootloader
    .type enter_bootloader, @function
enter_bootloader:
    lui a0, FLASH_BASE >> 12
    li a1, FLASH_KEY1
    sw a1, FLASH_BOOT_MODEKEYR - FLASH_BASE(a0)
    li a1, FLASH_KEY2
    sw a1, FLASH_BOOT_MODEKEYR - FLASH_BASE(a0)
    li a1, FLASH_MODE
    sw a1, FLASH_STATR - FLASH_BASE(a0)
    lui a0, RCC_BASE >> 12
    slli a1, a1, 10 /* RCC_RMVF */
    sw a1, RCC_RSTSCKR - RCC_BASE(a0)
    lui a0, PFIC_BASE >> 12
    li a1, PFIC_RESETSYS
    sw a1, PFIC_CFGR - PFIC_BASE(a0)
halt:
    j halt
    .size enter_bootloader, . - enter_bootloader
    .org 64 /* refuses what does not fit the first page */

    /* The vector table begins at 0, where the first page is; of its 39 addresses, those of the interrupts that are used
       stand between the startup code. A fault takes a word of that code for its handler's address: it faults again, which
       resets the core, or runs astray until the watchdog does (which board_start starts: before, nothing would). */
    .weak listen_handler /* a program without it has no interrupts */
    .macro VECTOR number
    .org 4 * \number
    .type vector\number, @object
vector\number:
    .word listen_handler
    .size vector\number, 4
    .endm

    .type start, @function
start:
    la gp, __global_pointer$
    la sp, stack_top
    j clear_bss
    .size start, . - start
    VECTOR IRQ_DMA1_CHANNEL1

    .type clear_bss, @function
clear_bss:
    li a0, 3 /* the table is one of addresses, at 0 */
    csrw mtvec, a0
    la a1, bss_start
    la a2, bss_end
1:  sw zero, 0(a1) /* where there is no .bss, a word that nobody has; no .data, says the linker script */
    addi a1, a1, 4
    bltu a1, a2, 1b
    j main /* which does not return */
    .size clear_bss, . - clear_bss
    VECTOR IRQ_USART1

    .section .complete, "a", @progbits
image_mark:
    .word COMPLETE

/* The few registers of the CH32V003 that this firmware uses, and their bits by the names of the reference manual (V1.9).
   C and assembly read this file alike. */
#ifndef TINYSPEECH_CH32V003_H
#define TINYSPEECH_CH32V003_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#endif

/* Independent watchdog: counts LSI / (4 << PSCR) from RLDR down. */
#define IWDG_CTLR 0x40003000
#define IWDG_UNLOCK 0x5555 /* PSCR and RLDR may be written */
#define IWDG_START 0xcccc
#define IWDG_FEED 0xaaaa
#define IWDG_PSCR 0x40003004
#define IWDG_RLDR 0x40003008
#define IWDG_RLDR_MOST 0xfff
#define IWDG_STATR 0x4000300c /* not 0: what was written is on its way to the LSI's side */

/* Port D. CFGLR has four bits a pin: */
#define GPIOD_CFGLR 0x40011400
#define GPIO_ANALOGUE 0u
#define GPIO_PUSH_PULL 2u /* as slow as it can be: 2 MHz */
#define GPIO_FLOATING 4u
#define GPIO_PULLED 8u /* which way: OUTDR's bit */
#define GPIO_ALTERNATE 11u /* push-pull, driven by the peripheral */
#define GPIOD_INDR 0x40011408
#define GPIOD_OUTDR 0x4001140c

#define ADC_CTLR2 0x40012408
#define ADC_ADON (1 << 0)
#define ADC_CAL (1 << 2)
#define ADC_RSTCAL (1 << 3)
#define ADC_DMA (1 << 8)
#define ADC_EXTTRIG (1 << 20) /* EXTSEL 0: by TIM1's TRGO */
#define ADC_SAMPTR2 0x40012410 /* 3 bits a channel; 4: 43 clocks */
#define ADC_RSQR3 0x40012434 /* bits 4:0: the channel */
#define ADC_RDATAR 0x4001244c /* reading it clears EOC */

#define TIM1_CTLR1 0x40012c00
#define TIM1_CEN (1 << 0)
#define TIM1_CTLR2 0x40012c04
#define TIM1_MMS_UPDATE (2 << 4) /* an update is the trigger (TRGO) */
#define TIM1_CNT 0x40012c24
#define TIM1_ATRLR 0x40012c2c

#define USART1_STATR 0x40013800
#define USART_FE (1 << 1)
#define USART_NE (1 << 2)
#define USART_ORE (1 << 3)
#define USART_RXNE (1 << 5)
#define USART_TXE (1 << 7)
#define USART1_DATAR 0x40013804 /* reading it clears RXNE, and behind a reading of STATR the errors */
#define USART1_BRR 0x40013808
#define USART1_CTLR1 0x4001380c
#define USART_RE (1 << 2)
#define USART_TE (1 << 3)
#define USART_RXNEIE (1 << 5) /* interrupts on RXNE, and on ORE */
#define USART_UE (1 << 13)

/* DMA1, channel 1. */
#define DMA1_BASE 0x40020000
#define DMA1_INTFR 0x40020000
#define DMA1_INTFCR 0x40020004
#define DMA_TCIF1 (1 << 1)
#define DMA_HTIF1 (1 << 2)
#define DMA_ALL1 15 /* every flag of channel 1 */
#define DMA1_CFGR1 0x40020008
#define DMA_EN (1 << 0)
#define DMA_TCIE (1 << 1)
#define DMA_HTIE (1 << 2)
#define DMA_CIRC (1 << 5)
#define DMA_MINC (1 << 7)
#define DMA_PSIZE_16 (1 << 8)
#define DMA_MSIZE_16 (1 << 10)
#define DMA1_CNTR1 0x4002000c
#define DMA1_PADDR1 0x40020010
#define DMA1_MADDR1 0x40020014

#define RCC_BASE 0x40021000
#define RCC_CFGR0 0x40021004 /* 0: HSI, undivided, and half of it for the ADC */
#define RCC_AHBPCENR 0x40021014
#define RCC_DMA1EN (1 << 0)
#define RCC_SRAMEN (1 << 2)
#define RCC_APB2PCENR 0x40021018
#define RCC_IOPDEN (1 << 5)
#define RCC_ADC1EN (1 << 9)
#define RCC_TIM1EN (1 << 11)
#define RCC_USART1EN (1 << 14)
#define RCC_RSTSCKR 0x40021024
#define RCC_RMVF (1 << 24)

#define FLASH_BASE 0x40022000
#define FLASH_KEYR 0x40022004
#define FLASH_STATR 0x4002200c
#define FLASH_BSY (1 << 0)
#define FLASH_CTLR 0x40022010
#define FLASH_STRT (1 << 6)
#define FLASH_LOCK (1 << 7)
#define FLASH_FLOCK (1 << 15) /* of fast programming: pages of 64 bytes */
#define FLASH_FTPG (1 << 16)
#define FLASH_FTER (1 << 17)
#define FLASH_BUFLOAD (1 << 18)
#define FLASH_BUFRST (1 << 19)
#define FLASH_ADDR 0x40022014
#define FLASH_MODEKEYR 0x40022024
#define FLASH_AT_ALIAS 0x08000000 /* where flash is programmed; it is read at 0 as well */
#define FLASH_PAGE 64 /* bytes that are erased and programmed at once */
#define WORDS_PAGES 0x3dc0 /* the last nine pages are kept: eight of taught words (words.h) */
#define SETTINGS_PAGE 0x3fc0 /* and one of what the user sets (board.h); ch32v003.ld keeps the image away from them */
#define FLASH_MODE (1 << 14) /* the next reset by software enters the ROM bootloader */
#define FLASH_BOOT_MODEKEYR 0x40022028
#define FLASH_KEY1 0x45670123
#define FLASH_KEY2 0xcdef89ab

/* The core's own: interrupts, resets, SysTick. */
#define PFIC_BASE 0xe000e000
#define PFIC_CFGR 0xe000e048
#define PFIC_RESETSYS 0xbeef0080 /* with its key */
#define PFIC_IENR1 0xe000e100 /* interrupts 0 .. 31 */
#define PFIC_IENR2 0xe000e104 /* 32 .. 63 */
#define IRQ_DMA1_CHANNEL1 22
#define IRQ_USART1 32
#define MSTATUS_MIE 0x08
#define MSTATUS_MPIE 0x80 /* the core takes MIE only together with it: see listen.c */
#define SYSTICK_CTLR 0xe000f000
#define SYSTICK_STE (1 << 0)
#define SYSTICK_STCLK (1 << 2) /* HCLK, undivided */
#define SYSTICK_CNT 0xe000f008

#endif

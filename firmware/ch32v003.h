/* The few registers of the CH32V003 that this firmware uses (reference manual V1.4). */
#ifndef TINYSPEECH_CH32V003_H
#define TINYSPEECH_CH32V003_H
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

enum {
    IWDG_CTLR = 0x40003000, /* 0x5555 unlocks the other two, 0xcccc starts, 0xaaaa feeds */
    IWDG_PSCR = 0x40003004, /* LSI / (4 << PR) */
    IWDG_RLDR = 0x40003008,
    GPIOD_CFGLR = 0x40011400, /* 4 bits a pin */
    GPIOD_OUTDR = 0x4001140c, /* of an input that is pulled: which way */
    ADC_CTLR2 = 0x40012408, /* bit 0 ADON, 2 CAL, 3 RSTCAL, 8 DMA, 19:17 EXTSEL (0: TIM1's TRGO), 20 EXTTRIG */
    ADC_SAMPTR2 = 0x40012410, /* 3 bits a channel */
    ADC_RSQR3 = 0x40012434, /* bits 4:0: the channel */
    ADC_RDATAR = 0x4001244c,
    TIM1_CTLR1 = 0x40012c00, /* bit 0 CEN */
    TIM1_CTLR2 = 0x40012c04, /* bits 6:4 MMS, 2: an update is the trigger */
    TIM1_ATRLR = 0x40012c2c,
    USART1_STATR = 0x40013800, /* bit 5 RXNE, bit 7 TXE */
    USART1_DATAR = 0x40013804,
    USART1_BRR = 0x40013808,
    USART1_CTLR1 = 0x4001380c, /* bit 2 RE, bit 3 TE, bit 5 RXNEIE, bit 13 UE */
    DMA1_CFGR1 = 0x40020008, /* bit 0 EN, 1 TCIE, 2 HTIE, 5 CIRC, 7 MINC, 9:8 and 11:10 PSIZE and MSIZE (1: 16 bits) */
    DMA1_CNTR1 = 0x4002000c,
    DMA1_PADDR1 = 0x40020010,
    DMA1_MADDR1 = 0x40020014,
    RCC_CFGR0 = 0x40021004, /* bits 1:0 SW, 3:2 SWS, 7:4 HPRE, 15:11 ADCPRE (0: / 2), bit 16 PLLSRC */
    RCC_AHBPCENR = 0x40021014, /* bit 0 DMA1, bit 2 SRAM */
    RCC_APB2PCENR = 0x40021018 /* bit 5 port D, bit 9 ADC1, bit 11 TIM1, bit 14 USART1 */
};
#define PFIC_IENR1 0xe000e100u /* interrupts 0 .. 31, 22 is DMA1 channel 1; behind it 32 .. 63, 32 is USART1 */
#define PFIC_SCTLR 0xe000ed10u /* bit 3 WFITOWFE */
#define SYSTICK_CTLR 0xe000f000u /* bit 0 STE, bit 2 STCLK: HCLK */
#define SYSTICK_CNT 0xe000f008u

#endif

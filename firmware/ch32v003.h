/* The few registers of the CH32V003 that this firmware uses (reference manual V1.4; offsets in bytes). */
#ifndef TINYSPEECH_CH32V003_H
#define TINYSPEECH_CH32V003_H
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define RCC_CTLR REGISTER(0x40021000)      /* bit 24 PLLON, bit 25 PLLRDY */
#define RCC_CFGR0 REGISTER(0x40021004)     /* bits 1:0 SW, 3:2 SWS, 7:4 HPRE, bit 16 PLLSRC (0: HSI) */
#define RCC_APB2PCENR REGISTER(0x40021018) /* bit 5 port D, bit 14 USART1 */
#define FLASH_ACTLR REGISTER(0x40022000)   /* bits 1:0: wait states */
#define GPIOD_CFGLR REGISTER(0x40011400)   /* 4 bits a pin */
#define USART1_STATR REGISTER(0x40013800)  /* bit 5 RXNE, bit 7 TXE */
#define USART1_DATAR REGISTER(0x40013804)
#define USART1_BRR REGISTER(0x40013808)
#define USART1_CTLR1 REGISTER(0x4001380c) /* bit 2 RE, bit 3 TE, bit 13 UE */

#endif

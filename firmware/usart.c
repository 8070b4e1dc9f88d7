/* See usart.h. */
#include "usart.h"

#include "ch32v003.h"

enum { CLOCK_HZ = 24000000, BAUD = 115200, RXNE = 1 << 5, TXE = 1 << 7 };

void usart_start(void)
{
    RCC_CFGR0 = 0; /* the HSI undivided: 24 MHz, the most at which flash answers without a wait state */
    RCC_APB2PCENR |= 1u << 14 | 1u << 5;
    GPIOD_CFGLR = (GPIOD_CFGLR & ~0x0ff00000u) | 0x04b00000u; /* PD5 alternate push-pull, PD6 floating input */
    USART1_BRR = (CLOCK_HZ + BAUD / 2) / BAUD;                /* a constant: no division at run time */
    USART1_CTLR1 = 1u << 13 | 1u << 3 | 1u << 2;
}

uint8_t usart_get(void)
{
    while (!(USART1_STATR & RXNE)) {
    }
    return (uint8_t)USART1_DATAR;
}

void usart_put(uint8_t byte)
{
    while (!(USART1_STATR & TXE)) {
    }
    USART1_DATAR = byte;
}

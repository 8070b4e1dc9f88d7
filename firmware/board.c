/* See board.h. */
#include "board.h"

#include "ch32v003.h"

enum { BAUD = 115200, ADC_HZ = 32000, LSI_HZ = 128000, WATCHDOG_PRESCALER = 64, WATCHDOG_S = 2, CHANNEL = 3 /* PD2 */ };

/* (register, value) in 16 and 32 bits, which takes less flash than code. */
#define SET(register, value) (((register) - 0x40000000) >> 2), (value) & 0xffff, (value) >> 16
static const uint16_t settings[] = {
    SET(RCC_CFGR0, 0), /* the HSI undivided: 24 MHz, the most at which flash answers without a wait state */
    SET(RCC_AHBPCENR, 1 << 2 | 1),
    SET(RCC_APB2PCENR, 1 << 14 | 1 << 11 | 1 << 9 | 1 << 5),
    SET(ADC_CTLR2, 1),
    SET(ADC_CTLR2, 1 << 3 | 1), /* the ADC forgets its calibration */
    SET(IWDG_CTLR, 0x5555),
    SET(IWDG_PSCR, 4), /* / 64 */
    SET(IWDG_RLDR, LSI_HZ / WATCHDOG_PRESCALER * WATCHDOG_S - 1),
    SET(IWDG_CTLR, 0xcccc),
    SET(GPIOD_CFGLR, 0x48b44042u), /* PD0 push-pull, PD2 analogue, PD5 alternate push-pull, PD6 pulled, the others floating */
    SET(GPIOD_OUTDR, LED_OFF),
    SET(USART1_BRR, (CLOCK_HZ + BAUD / 2) / BAUD),
    SET(USART1_CTLR1, 1 << 13 | 1 << 3 | 1 << 2),
    SET(TIM1_ATRLR, CLOCK_HZ / ADC_HZ - 1),
    SET(TIM1_CTLR2, 2 << 4),
    SET(DMA1_PADDR1, ADC_RDATAR),
    SET(ADC_SAMPTR2, 4 << 3 * CHANNEL), /* 43 clocks and 11 for 10 bits, at 12 MHz: 4.5 us of 31 */
    SET(ADC_RSQR3, CHANNEL),
    SET(ADC_CTLR2, 1 << 2 | 1), /* and calibrates again: 7 us, long over when anything samples */
};

void board_start(void)
{
    for (const uint16_t *s = settings; s < settings + sizeof settings / sizeof *settings; s += 3)
        REGISTER(0x40000000 + 4 * (uint32_t)s[0]) = s[1] | (uint32_t)s[2] << 16;
    volatile uint32_t *pfic = &REGISTER(PFIC_IENR1);
    pfic[0] = 1 << 22;
    pfic[1] = 1;
    REGISTER(PFIC_SCTLR) = 1 << 3; /* an interrupt that came just before the sleep ends it */
    REGISTER(SYSTICK_CTLR) = 1 << 2 | 1;
}

/* The chip's clock, pins and peripherals on this board: PD0 LED, PD2 microphone, PD5 and PD6 serial port; and where words
   are taught on it, PD4 a button to ground. Chapter 13. C and assembly read this file alike. */
#ifndef TINYSPEECH_BOARD_H
#define TINYSPEECH_BOARD_H
#include "model.h"

/* Bits of port D. */
#define LED (1 << 0)
#define BUTTON (1 << 4) /* 0 while it is pressed */
#define RECEIVER (1 << 6)

#ifndef __ASSEMBLER__
#include <stdint.h>

enum {
    CLOCK_HZ = 24000000,
    SILENCE_CYCLES = (CLOCK_HZ + 4095) & -4096, /* a second, rounded up to what one instruction loads: then nothing comes */
    /* of GPIOD_OUTDR: PD6 is pulled up, or noise would be bytes where no cable is, and the button, which pulls it down */
    LED_OFF = RECEIVER | (MODEL_TEACHES ? BUTTON : 0), LED_ON = LED_OFF | LED
};

/* After a reset: everything is ready, the watchdog and SysTick run, nothing samples, no interrupt is enabled. */
void board_start(void);

/* TIM1 -> ADC -> DMA: conversions [CONVERSIONS] is filled again and again, 32,000 a second, an interrupt with each half. */
void board_sample(uint16_t *conversions);

/* Nothing samples. */
void board_stand_still(void);

/* What the user has set (decision.h): the default where nothing, or nothing whole, was kept. It stands, with its
   complement, in the first word of the last page of the flash, which the image never reaches (ch32v003.ld). */
uint8_t board_setting(void);
static inline uint32_t board_kept_word(uint32_t setting) { return ~setting << 8 | setting; }

/* Program a page of the flash with 16 words; with those of the page itself, which are gone by then, it is only erased. Takes
   some 6 ms, in which code in flash stands still: nothing may sample. A power cut leaves the old page, or no whole one. */
void board_keep(uint32_t page, const void *words);

/* The watchdog, which may outlive a reset, waits for as long as it can: 8.2 s. A session with the ROM takes 6. */
void board_long_watchdog(void);
#endif

#endif

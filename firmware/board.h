/* The chip's clock, pins and peripherals on this board: PD0 LED, PD2 microphone, PD5 and PD6 serial port. Chapter 11. */
#ifndef TINYSPEECH_BOARD_H
#define TINYSPEECH_BOARD_H

enum {
    CLOCK_HZ = 24000000,
    LED_OFF = 1 << 6, LED_ON = 1 << 6 | 1 /* of GPIOD_OUTDR: PD6 is pulled up, or noise would be bytes where no cable is */
};

/* After a reset: everything is ready, the watchdog and SysTick run, nothing samples, no interrupt is enabled. */
void board_start(void);

#endif

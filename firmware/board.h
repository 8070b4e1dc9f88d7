/* The chip's clock, pins and peripherals on this board: PD0 LED, PD2 microphone, PD5 and PD6 serial port. Chapter 11. */
#ifndef TINYSPEECH_BOARD_H
#define TINYSPEECH_BOARD_H

enum { CLOCK_HZ = 24000000 };

/* After a reset: everything is ready, the watchdog and SysTick run, nothing samples, no interrupt is enabled. */
void board_start(void);

#endif

/* Serial port: USART1, PD5 out, PD6 in, 115200 baud, 8 bits, no parity. Polled, but for bytes that come while the chip
   listens: see listen.h. */
#ifndef TINYSPEECH_USART_H
#define TINYSPEECH_USART_H
#include <stdint.h>

/* The next byte, or -1 after a second of silence. What came with a framing error or noise is dropped, an overrun is
   forgotten. Feeds the watchdog; SysTick runs, and counts anew with every call. */
int usart_get(void);
void usart_put(uint8_t byte);
void usart_bytes(const void *from, unsigned count);
void usart_text(const char *text);

/* A text, number >= 0 in digits of a base from 10 to 16, and the end of the line. */
void usart_say(const char *text, int32_t number, int base);

#endif

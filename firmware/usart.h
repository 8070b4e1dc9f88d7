/* Serial port: USART1, PD5 out, PD6 in, 115200 baud, 8 bits, no parity. Polled, but for bytes that come while the chip
   listens: see listen.h. */
#ifndef TINYSPEECH_USART_H
#define TINYSPEECH_USART_H
#include <stdint.h>

/* Whether a byte has come; feeds the watchdog. */
int usart_wait(void);
uint8_t usart_get(void);
void usart_put(uint8_t byte);
void usart_bytes(const void *from, unsigned count);
void usart_text(const char *text);

/* A text, number >= 0 in digits of a base from 10 to 16, and the end of the line. */
void usart_say(const char *text, int32_t number, int base);

#endif

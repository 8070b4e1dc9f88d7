/* Serial port: USART1, PD5 out, PD6 in, 115200 baud, 8 bits, no parity. Polled. */
#ifndef TINYSPEECH_USART_H
#define TINYSPEECH_USART_H
#include <stdint.h>

/* Clock to 24 MHz, pins and port. */
void usart_start(void);
uint8_t usart_get(void);
void usart_put(uint8_t byte);

#endif

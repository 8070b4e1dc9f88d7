/* See usart.h. */
#include "usart.h"

#include "ch32v003.h"
#include "multiply.h"

enum { RXNE = 1 << 5, TXE = 1 << 7 };

__attribute__((noinline)) int usart_wait(void)
{
    REGISTER(IWDG_CTLR) = 0xaaaa;
    return REGISTER(USART1_STATR) & RXNE;
}

uint8_t usart_get(void)
{
    while (!usart_wait()) {
    }
    return (uint8_t)REGISTER(USART1_DATAR);
}

__attribute__((noinline)) void usart_put(uint8_t byte)
{
    while (!(REGISTER(USART1_STATR) & TXE)) {
    }
    REGISTER(USART1_DATAR) = byte;
}

void usart_bytes(const void *from, unsigned count)
{
    for (const uint8_t *byte = from; count; count--) usart_put(*byte++);
}

__attribute__((noinline)) void usart_text(const char *text)
{
    while (*text) usart_put((uint8_t)*text++);
}

void usart_say(const char *text, int32_t number, int base)
{
    char digits[11], *first = digits + 10;
    usart_text(text);
    *first = 0;
    do {
        int32_t above = divide(number, base), digit = number - multiply(above, (uint32_t)base);
        *--first = (char)(digit + (digit < 10 ? '0' : 'a' - 10));
        number = above;
    } while (number);
    usart_text(first);
    usart_put('\n');
}

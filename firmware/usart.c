/* See usart.h. */
#include "usart.h"

#include "board.h"
#include "ch32v003.h"
#include "multiply.h"

int usart_get(void)
{
    REGISTER(SYSTICK_CNT) = 0;
    do {
        REGISTER(IWDG_CTLR) = IWDG_FEED;
        uint32_t status = REGISTER(USART1_STATR) & (USART_RXNE | USART_ORE | USART_NE | USART_FE);
        if (!status) continue;
        uint32_t byte = REGISTER(USART1_DATAR); /* behind the status: that clears the errors, too */
        if ((status | USART_ORE) == (USART_RXNE | USART_ORE)) return (int)byte;
    } while (REGISTER(SYSTICK_CNT) < SILENCE_CYCLES);
    return -1;
}

__attribute__((noinline)) void usart_put(uint8_t byte)
{
    while (!(REGISTER(USART1_STATR) & USART_TXE)) {
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

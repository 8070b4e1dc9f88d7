/* See listen.h. */
#include "listen.h"

#include <stddef.h>

#include "ch32v003.h"

volatile struct listening listening;

/* handler.S has these numbers, too. */
#define AT(field, offset) _Static_assert(offsetof(struct listening, field) == offset, #field)
AT(stream.ring, 0);
AT(stream.at, 512);
AT(stream.missing, 514);
AT(conversions, 516);
AT(lost, 532);
AT(serial, 534);
AT(due, 535);
AT(ended, 536);
AT(command, 537);
_Static_assert(FRONTEND_WINDOW == 256 && FRONTEND_HOP == 160 && CONVERSIONS == 8, "the handler's");

void listen_start(int serial)
{
    frontend_start((struct frontend_stream *)&listening.stream);
    listening.lost = 0, listening.due = listening.ended = 0;
    listening.serial = (uint8_t)serial;
    REGISTER(USART1_CTLR1) |= 1 << 5;
    if (!serial) {
        REGISTER(ADC_CTLR2) = 1 << 20 | 1 << 8 | 1;
        REGISTER(DMA1_MADDR1) = (uint32_t)(uintptr_t)listening.conversions;
        REGISTER(DMA1_CNTR1) = CONVERSIONS;
        REGISTER(DMA1_CFGR1) = 0x5a7; /* halfwords into memory, round and round, interrupts at half and at all */
        REGISTER(TIM1_CTLR1) = 1;
    }
    __asm__ volatile("csrsi mstatus, 8");
}

int listen_frame(int16_t *window)
{
    while (!listening.due) {
        REGISTER(IWDG_CTLR) = 0xaaaa;
        if (listening.ended) return 0;
        if (!listening.serial) __asm__ volatile("wfi"); /* a serial line may be silent for longer than the watchdog waits */
    }
    __asm__ volatile("csrci mstatus, 8"); /* the next sample is 125 us away, or 87; this takes 60 */
    frontend_window((struct frontend_stream *)&listening.stream, window);
    listening.due = 0;
    __asm__ volatile("csrsi mstatus, 8");
    return 1;
}

void listen_stop(void)
{
    __asm__ volatile("csrci mstatus, 8");
    REGISTER(TIM1_CTLR1) = 0;
    REGISTER(DMA1_CFGR1) = 0;
}

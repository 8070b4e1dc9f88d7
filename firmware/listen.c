/* See listen.h. */
#include "listen.h"

#include <stddef.h>

#include "board.h"
#include "ch32v003.h"
#include "handler.h"

struct listening listening;

#define AT(field, offset) _Static_assert(offsetof(struct listening, field) == offset, #field)
AT(conversions, HANDLER_CONVERSIONS);
AT(lost, HANDLER_LOST);
AT(due, HANDLER_DUE);
AT(ended, HANDLER_ENDED);
AT(serial, HANDLER_SERIAL);
AT(command, HANDLER_COMMAND);
AT(stream.at, HANDLER_AT);
AT(stream.missing, HANDLER_MISSING);
AT(stream.ring, HANDLER_RING);
_Static_assert(FRONTEND_WINDOW == HANDLER_RING_MASK + 1 && FRONTEND_HOP == HANDLER_HOP && CONVERSIONS == 8, "the handler's");

void listen_sleep(void); /* handler.S: until the handler has run, unless a frame is due or the listening has ended */

/* What is in memory is the handler's from here on ("memory": the compiler has stored all, and loads anew). The QingKe V2A
   takes MIE only where MPIE is written with it (jnk0le's notes on its cycles; ch32fun does the same). */
static void interrupts_on(void)
{
    __asm__ volatile("csrs mstatus, %0" : : "r"(MSTATUS_MPIE | MSTATUS_MIE) : "memory");
}

/* And from here on the main program's. The fence, because without it one may still come (reference manual V1.9, PFIC). */
static void interrupts_off(void)
{
    __asm__ volatile("csrci mstatus, %0\n fence.i" : : "i"(MSTATUS_MIE) : "memory");
}

void listen_start(int serial)
{
    frontend_start(&listening.stream);
    *(volatile uint32_t *)(volatile void *)&listening.lost = 0; /* and due and ended, in the same word */
    listening.serial = (uint8_t)serial;
    REGISTER(USART1_CTLR1) = USART_UE | USART_RXNEIE | USART_TE | USART_RE;
    if (!serial) board_sample(listening.conversions);
    interrupts_on();
}

int listen_frame(int16_t *window)
{
    REGISTER(SYSTICK_CNT) = 0;
    if (MODEL_TEACHES && !listening.serial && !(REGISTER(GPIOD_INDR) & BUTTON)) listening.command = 'M', listening.ended = 1;
    while (!listening.due) {
        REGISTER(IWDG_CTLR) = IWDG_FEED;
        if (listening.ended || REGISTER(SYSTICK_CNT) >= SILENCE_CYCLES) return 0;
        if (!listening.serial) listen_sleep(); /* the watchdog bites where no samples come; a serial line may be silent */
    }
    interrupts_off(); /* the next sample is 125 us away, or 87; this takes 60 */
    frontend_window(&listening.stream, window);
    listening.due = 0;
    interrupts_on();
    return 1;
}

void listen_stop(void)
{
    interrupts_off();
    board_stand_still();
}

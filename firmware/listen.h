/* Samples that come by themselves while the main program computes or sleeps: from the microphone (TIM1 -> ADC -> DMA) or
   over the serial port. Definition of both: tinyspeech/integer/listening.py; chapters 10 and 13. */
#ifndef TINYSPEECH_LISTEN_H
#define TINYSPEECH_LISTEN_H
#include <stdint.h>

#include "frontend.h"

enum { CONVERSIONS = 8 }; /* two samples of four; an interrupt with each, every 125 us */

/* What the interrupts' handler (handler.S, which knows the offsets: handler.h) and the main program share. When a frame is
   due, the main program takes the window and then that back; samples that come in between are lost. The stream belongs to
   the handler until then, and to the main program while nothing listens. */
struct listening {
    uint16_t conversions[CONVERSIONS]; /* the DMA's */
    volatile uint16_t lost;
    volatile uint8_t due, ended;
    uint8_t serial; /* samples come over the serial port */
    volatile uint8_t command; /* the byte that ended it */
    struct frontend_stream stream; /* last: of the others the offsets are small, and instructions short */
};

extern struct listening listening;

/* The window of the frame that is due, or of the next one: int16 [FRONTEND_WINDOW]. Returns 0 at the end: a byte came that
   ends it, or for a second not a frame. A button that is pressed, where there is one, is such a byte: 'M'. */
int listen_frame(int16_t *window);

/* Forget everything; from then on the handler runs. serial: samples come over the serial port, else the microphone's. */
void listen_start(int serial);

/* No more interrupts; timer and DMA stand still. */
void listen_stop(void);

#endif

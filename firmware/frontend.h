/* The integer front end: 256 samples -> 12 int8 coefficients. Definition: tinyspeech/integer/frontend.py; chapter 8. */
#ifndef TINYSPEECH_FRONTEND_H
#define TINYSPEECH_FRONTEND_H
#include <stdint.h>

#include "frontend_tables.h"

/* The last 256 samples and how many are missing to the next frame: 516 bytes, all the state that the front end has. */
struct frontend_stream {
    uint16_t at, missing;
    __attribute__((aligned(4))) int16_t ring[FRONTEND_WINDOW];
};

/* Forget everything. The first frame is due after 256 samples, each further one after 160. */
void frontend_start(struct frontend_stream *stream);

/* Take one sample, 8 kHz; 1 when a frame is due, else 0. While the chip listens, its handler does the same. */
int frontend_push(struct frontend_stream *stream, int16_t sample);

/* The newest 256 samples, oldest first, into window: int16 [256], 4-byte aligned. Only where a frame is due: the oldest
   sample then lies at an even place of the ring. */
void frontend_window(const struct frontend_stream *stream, int16_t window[FRONTEND_WINDOW]);

/* window: int16 [256] in, 8 kHz, destroyed (it is the transform's work buffer); coefficients: int8 [12] out,
   which may lie in the last 12 bytes of the window.
   Every window is legal: no input overflows, none reads or writes outside the two arrays. */
void frontend_frame(int16_t window[FRONTEND_WINDOW], int8_t coefficients[FRONTEND_N_COEFFICIENTS]);

#endif

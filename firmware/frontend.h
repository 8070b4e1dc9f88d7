/* The integer front end: 256 samples -> 12 int8 coefficients. Definition: tinyspeech/frontend.py; chapter 8. */
#ifndef TINYSPEECH_FRONTEND_H
#define TINYSPEECH_FRONTEND_H
#include <stdint.h>

#include "frontend_tables.h"

/* window: int16 [256] in, 8 kHz, destroyed (it is the transform's work buffer); coefficients: int8 [12] out.
   Every window is legal: no input overflows, none reads or writes outside the two arrays. */
void frontend_frame(int16_t window[FRONTEND_WINDOW], int8_t coefficients[FRONTEND_N_COEFFICIENTS]);

#endif

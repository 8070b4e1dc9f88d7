/* What the LED does with words, and nothing else: chapter 14 has a file in place of this one. */
#ifndef TINYSPEECH_LED_H
#define TINYSPEECH_LED_H

#include "board.h"
#include "ch32v003.h"

/* A word was said: `word` is its class, as model.h counts them, or -1 for a taught one. */
static inline void led_word(int word)
{
    (void)word;
    REGISTER(GPIOD_OUTDR) = LED_ON;
}

/* The rest after a word is over, and so is the time in which an armed board is open. */
static inline void led_rest(void)
{
    REGISTER(GPIOD_OUTDR) = LED_OFF;
}

#endif

/* Runs one layer in the format that is asked for, between two breakpoints: tinyspeech/bench.py counts the cycles. */
#include <stdint.h>

#include "ch32v003.h"

int8_t layer_in[64];
int32_t layer_out[64];
int layer_format;

/* Generated with the layer's tables by tinyspeech/bench.py. */
void layer_run(int format, const int8_t *in, int32_t *out);

int main(void)
{
    FLASH_ACTLR = 1; /* 48 MHz as in usart.c: the clock that the firmware runs at */
    RCC_CFGR0 = 0;
    RCC_CTLR |= 1u << 24;
    while (!(RCC_CTLR & 1u << 25)) {
    }
    RCC_CFGR0 = 2;
    while ((RCC_CFGR0 & 12) != 8) {
    }
    for (;;) {
        __asm__ volatile("c.ebreak" ::: "memory");
        layer_run(layer_format, layer_in, layer_out);
    }
}

/* Runs one layer in the way that is asked for, between two breakpoints: measure/formats.py counts the cycles. */
#include <stdint.h>

#include "ch32v003.h"

int8_t layer_in[128];
int32_t layer_out[64];
int layer_format, layer_mhz;

/* Generated with the layer's tables by tinyspeech/measure/formats.py. */
void layer_run(int format, const int8_t *in, int32_t *out);

enum { RCC_CTLR = 0x40021000 /* bit 24 PLLON, 25 PLLRDY */, FLASH_ACTLR = 0x40022000 /* bits 1:0: wait states */ };

/* 48 MHz with one wait state of the flash, or 24 MHz without. */
static void set_clock(int mhz)
{
    REGISTER(RCC_CFGR0) = 0;
    REGISTER(FLASH_ACTLR) = mhz == 48;
    if (mhz != 48) return;
    REGISTER(RCC_CTLR) |= 1u << 24;
    while (!(REGISTER(RCC_CTLR) & 1u << 25)) {
    }
    REGISTER(RCC_CFGR0) = 2;
    while ((REGISTER(RCC_CFGR0) & 12) != 8) {
    }
}

/* Code that shall run from SRAM is .data, which startup.S does not copy: the linker script looks whether this does. */
__attribute__((noinline)) void copy_data(void)
{
    extern uint32_t data_start[], data_end[];
    extern const uint32_t data_image[];
    const uint32_t *from = data_image;
    for (uint32_t *to = data_start; to < data_end; to++) *to = *from++;
}

int main(void)
{
    copy_data();
    for (;;) {
        __asm__ volatile("c.ebreak" ::: "memory");
        set_clock(layer_mhz);
        layer_run(layer_format, layer_in, layer_out);
    }
}

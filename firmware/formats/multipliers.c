/* See multipliers.h. Not part of the shipped firmware. */
#include "multipliers.h"

/* The two's-complement value of a nibble. */
static int32_t value(uint32_t nibble) { return (int32_t)(nibble << 28) >> 28; }

void kernel_product(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator)
{
    for (int o = 0; o < outputs; o++) {
        int32_t total = 0;
        for (int i = 0; i < inputs; i += 2) {
            uint32_t two = *weights++;
            total += value(two) * in[i];
            total += value(two >> 4) * in[i + 1];
        }
        accumulator[o] = total;
    }
}

#define ADD(bit, power) \
    if (two & (bit)) total += x << (power)

void kernel_shift_add(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator)
{
    for (int o = 0; o < outputs; o++) {
        uint32_t total = 0;
        for (const int8_t *at = in; at < in + inputs; at += 2) {
            uint32_t two = *weights++, x = (uint32_t)at[0];
            ADD(1, 0);
            ADD(2, 1);
            ADD(4, 2);
            if (two & 8) total -= x << 3;
            x = (uint32_t)at[1];
            ADD(16, 0);
            ADD(32, 1);
            ADD(64, 2);
            if (two & 128) total -= x << 3;
        }
        accumulator[o] = (int32_t)total;
    }
}

void kernel_halves(const int8_t *first, const int8_t *second, int inputs, const uint8_t *weights, int outputs,
                   int32_t *accumulator, uint32_t *both)
{
    for (int i = 0; i < inputs; i++) both[i] = (uint32_t)first[i] + ((uint32_t)second[i] << 16);
    for (int o = 0; o < outputs; o++) {
        uint32_t total = 0;
        for (const uint32_t *at = both; at < both + inputs; at += 2) {
            uint32_t two = *weights++, x = at[0];
            ADD(1, 0);
            ADD(2, 1);
            ADD(4, 2);
            if (two & 8) total -= x << 3;
            x = at[1];
            ADD(16, 0);
            ADD(32, 1);
            ADD(64, 2);
            if (two & 128) total -= x << 3;
        }
        accumulator[o] = (int32_t)total;
    }
}

void kernel_multiples(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator)
{
    int16_t multiple[16]; /* by nibble: 0 .. 7 times, then -8 .. -1 times */
    for (int o = 0; o < outputs; o++) accumulator[o] = 0;
    for (int i = 0; i < inputs; i++) {
        int32_t sum = 0;
        for (int w = 0; w < 16; w++, sum += in[i]) {
            if (w == 8) sum = -sum; /* from 8 times to -8 times */
            multiple[w] = (int16_t)sum;
        }
        for (int o = 0; o < outputs; o += 2) {
            uint32_t two = *weights++;
            accumulator[o] += multiple[two & 15];
            accumulator[o + 1] += multiple[two >> 4];
        }
    }
}

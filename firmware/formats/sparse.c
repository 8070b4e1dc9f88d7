/* See sparse.h for the formats. Not part of the shipped firmware. */
#include "sparse.h"

/* bucket[w & 15] has the sum of the inputs whose weight is w, and is 0 afterwards. Seven times the sum of weight 7 is that
   sum added seven times, on the way down from 7 to 1: no product is needed, and the cost is the same for any weights. */
#define DOWN(w) \
    run += bucket[w] - bucket[16 - (w)]; \
    total += run; \
    bucket[w] = bucket[16 - (w)] = 0

static int32_t emptied(int32_t bucket[16])
{
    int32_t run = 0, total = bucket[8] * -8;
    bucket[8] = 0;
    DOWN(7);
    DOWN(6);
    DOWN(5);
    DOWN(4);
    DOWN(3);
    DOWN(2);
    DOWN(1);
    return total;
}

static void empty(int32_t bucket[16])
{
    for (int w = 0; w < 16; w++) bucket[w] = 0;
}

void kernel_bitmap(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator)
{
    int32_t bucket[16];
    empty(bucket);
    for (int o = 0; o < outputs; o++) {
        const uint8_t *map = weights;
        uint32_t nibbles = 1; /* what is left of a byte of weights, below a 1 that marks its end */
        weights += (inputs + 7) >> 3;
        for (int i = 0; i < inputs; i += 8) {
            const int8_t *x = in + i;
            for (uint32_t bits = *map++; bits; bits >>= 1, x++) {
                if (!(bits & 1)) continue;
                if (nibbles == 1) nibbles = *weights++ | 0x100u;
                bucket[nibbles & 15] += *x;
                nibbles >>= 4;
            }
        }
        accumulator[o] = emptied(bucket);
    }
}

void kernel_runs(const int8_t *in, const uint8_t *weights, int outputs, int32_t *accumulator)
{
    int32_t bucket[16];
    empty(bucket);
    for (int o = 0; o < outputs; o++) {
        const int8_t *x = in;
        for (const uint8_t *end = weights + *weights + 1; ++weights != end;) {
            uint32_t entry = *weights;
            x += entry >> 4;
            bucket[entry & 15] += *x++;
        }
        accumulator[o] = emptied(bucket);
    }
}

void kernel_groups(const int8_t *in, int inputs, const uint16_t *weights, int outputs, int32_t *accumulator)
{
    int16_t sum[16]; /* as in kernel_dense */
    for (int o = 0; o < outputs; o++) accumulator[o] = 0;
    for (int i = 0; i < inputs; i += 4) {
        const uint16_t *map = weights;
        weights += (outputs + 15) >> 4;
        sum[0] = 0;
        for (int j = 0, size = 1; j < 4; j++, size <<= 1)
            for (int s = 0; s < size; s++) sum[size + s] = (int16_t)(sum[s] + in[i + j]);
        for (int first = 0; first < outputs; first += 16) {
            int32_t *to = accumulator + first;
            for (uint32_t bits = *map++; bits; bits >>= 1, to++) {
                if (!(bits & 1)) continue;
                uint32_t w = *weights++;
                int32_t total = -sum[w >> 12];
                total = total * 2 + sum[(w >> 8) & 15];
                total = total * 2 + sum[(w >> 4) & 15];
                total = total * 2 + sum[w & 15];
                *to += total;
            }
        }
    }
}

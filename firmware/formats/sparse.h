/* Dense layers whose zeros cost nothing: three formats that the firmware does not ship, raced in chapter 6.
   Shapes: in int8 [inputs], accumulator int32 [outputs]; weights -8 .. 7, packed by tinyspeech/integer/sparse.py.
   Each sets accumulator[o] = sum over i of weight[o][i] * in[i], exactly as kernel_dense does, for any in. */
#ifndef TINYSPEECH_SPARSE_H
#define TINYSPEECH_SPARSE_H
#include <stdint.h>

/* weights, row by row: (inputs + 7) / 8 bytes of bitmap, bit i % 8 of byte i / 8 set where a weight is; then these weights,
   a nibble each, low nibble first, the last byte filled up with 0. */
void kernel_bitmap(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator);

/* weights, row by row: a byte with the number of entries, then the entries, a byte each: zeros skipped (0 .. 15) in the high
   nibble, then a weight in the low one. A run of 16 or more zeros takes entries with the weight 0. */
void kernel_runs(const int8_t *in, const uint8_t *weights, int outputs, int32_t *accumulator);

/* The packed words of kernel_dense, but for those that are 0. inputs: a multiple of 4.
   weights, group by group of four inputs: (outputs + 15) / 16 words of bitmap, bit o % 16 of word o / 16 set where output o
   has a word; then these words. */
void kernel_groups(const int8_t *in, int inputs, const uint16_t *weights, int outputs, int32_t *accumulator);

#endif

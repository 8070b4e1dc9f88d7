/* Ways to multiply on a core that has no multiplier, none of which the firmware ships: raced in chapter 9 against those it does.
   Each computes one dense layer: accumulator[o] = sum over i of weight[o][i] * in[i], weights -8 .. 7, int8 inputs.
   Shapes: in int8 [inputs], accumulator int32 [outputs]; inputs and outputs even. */
#ifndef TINYSPEECH_MULTIPLIERS_H
#define TINYSPEECH_MULTIPLIERS_H
#include <stdint.h>

/* C's own product, which the compiler turns into a call of __mulsi3: bit by bit, until no bit is left.
   weights: nibbles [outputs][inputs / 2 bytes], low nibble first, two's complement. */
void kernel_product(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator);

/* For each bit of a weight that is set, a shifted input is added. weights: as for kernel_product. */
void kernel_shift_add(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator);

/* The same for two vectors in the halves of a register: accumulator as of kernel_dense_pair. weights: as for kernel_product.
   both: work space, a word for each input. */
void kernel_halves(const int8_t *first, const int8_t *second, int inputs, const uint8_t *weights, int outputs,
                   int32_t *accumulator, uint32_t *both);

/* A table of an input's sixteen multiples, looked up by every output.
   weights: nibbles [inputs][outputs / 2 bytes], low nibble first, two's complement. */
void kernel_multiples(const int8_t *in, int inputs, const uint8_t *weights, int outputs, int32_t *accumulator);

#endif

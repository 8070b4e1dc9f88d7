/* Arithmetic of the network on a core without a multiplier. 4-bit weights, int8 activations; chapter 9.
   Shapes: in int8 [inputs], out int8 [outputs]; ranges and rounding: tinyspeech/integer/network.py. */
#ifndef TINYSPEECH_KERNELS_H
#define TINYSPEECH_KERNELS_H
#include <stdint.h>

/* (accumulator + bias) * multiplier, then half up >> shift. One per output channel; a classifier does not shift. */
struct requant {
    int16_t bias;
    uint8_t multiplier, shift;
};

/* A table of them takes three bytes each: uint16 [outputs] of bias * 16 + shift, then uint8 [outputs] of multipliers.
   Low bytes come first on the chip and on every computer that compiles this. */
static inline struct requant kernel_requant(const uint16_t *table, int outputs, int o)
{
    struct requant r = {(int16_t)((int16_t)table[o] >> 4), ((const uint8_t *)(table + outputs))[o],
                        (uint8_t)(table[o] & 15)};
    return r;
}

/* What follows it, at an even address: the weights. */
static inline const void *kernel_weights(const uint16_t *table, int outputs)
{
    return table + outputs + ((outputs + 1) >> 1);
}

/* The contract, in short; IntegerModel.worst computes what each number can reach, and export refuses what does not fit.
     activation int8; at least 0 after a ReLU      weight -8 .. 7 (4 bits)
     accumulator int32: |sum|, |sum + bias| and |(sum + bias) * multiplier + 2^(shift - 1)| < 2^31
     bias -2048 .. 2047, multiplier 0 .. 255, shift 1 .. 15 (a classifier's: 0, it does not shift)
     sigmoid 0 .. 128 (Q7); gate -512 .. 508 (Q7); scale int8 (Q5)
   >> is an arithmetic shift: it rounds down, and with half a unit added before, half up. Only clamp saturates. */

/* accumulator[o] = sum over i of weight[o][i] * in[i]. inputs: a multiple of 4.
   weights: uint16 [inputs / 4][outputs]; bit j of nibble b (of 0 .. 3) is bit b of the two's-complement weight of
   input 4 g + j. On the way: sums of up to four activations, at most 512, in int16. */
void kernel_dense(const int8_t *in, int inputs, const uint16_t *weights, int outputs, int32_t *accumulator);

/* The same for two vectors at once, which costs little more than one: accumulator[o] = sum for first + 2^16 * sum for
   second, modulo 2^32. Both come out again where they fit int16, which export sees to.
   sum: work space; sum[s] is that of the activations in subset s of four, both vectors' in one word. */
void kernel_dense_pair(const int8_t *first, const int8_t *second, int inputs, const uint16_t *weights, int outputs,
                       int32_t *accumulator, uint32_t sum[16]);

/* accumulator[c] = sum over t of weight[c][t] * frame t of channel c, for one channel vector per frame. On the way up to
   7 * 128 more: the sign bit of a weight is subtracted last.
   weights: nibbles [channels][kernel], low nibble first, two's complement; a byte may have two channels'.
   past: int8 [kernel - 1][channels], oldest first; now: int8 [channels]. */
void kernel_depthwise(const int8_t *past, const int8_t *now, int channels, int kernel, const uint8_t *weights,
               int32_t *accumulator);

/* The same for two frames in a row, as a pair: first follows past, and second follows first. */
void kernel_depthwise_pair(const int8_t *past, const int8_t *first, const int8_t *second, int channels, int kernel,
                           const uint8_t *weights, int32_t *accumulator);

/* What of an accumulator is meant: one of a pair, or all of it. */
enum lane { FIRST, SECOND, WHOLE };
int32_t kernel_lane(int32_t accumulator, enum lane lane);

/* out[o] = clamp(((accumulator[o] + bias) * multiplier + 2^(shift - 1)) >> shift, low, 127), of a lane. */
void kernel_requantise(const int32_t *accumulator, enum lane lane, const uint16_t *table, int outputs, int low,
                       int8_t *out);

/* (accumulator + bias) * multiplier, of a lane; and what a sum of scores is after one more. */
int32_t kernel_score(const int32_t *accumulator, enum lane lane, const uint16_t *table, int o);
void kernel_leak(int32_t *sum, int32_t part, int32_t leaks);

/* sums[c] += (accumulator[c] + bias) * multiplier, of a lane. Where leaks has all its bits and not none, what leaks is
   first taken from a sum (decision.h). accumulator: int32 [12], sums: int32 [13].
   The second multiplies what is added, half up >> 8, by a weight, sigmoid(argument / 16) + 1, and adds that to sums[12]. */
void kernel_scores(const int32_t *accumulator, enum lane lane, const uint16_t *table, int32_t *sums, int32_t leaks);
void kernel_weighed_scores(const int32_t *accumulator, enum lane lane, const uint16_t *table, int32_t argument,
                           int32_t *sums, int32_t leaks);

/* round(128 sigmoid(a / 16)), -128 <= a <= 127: 0 .. 128. */
int32_t kernel_sigmoid(int32_t a);

/* stream[c] = clamp(stream + v, 0, 127). */
void kernel_add(int8_t *stream, const int8_t *v, int channels);

/* stream[c] = clamp(stream + v + ((v * gate + 64) >> 7), 0, 127), gate = (sigmoid(argument / 16) * scale + 16) >> 5.
   scale: int8 Q5. |v * gate| <= 2^16, |stream + v + ...| < 2^10. */
void kernel_gated_add(int8_t *stream, const int8_t *v, const int8_t *argument, const int8_t *scale, int channels);

#endif

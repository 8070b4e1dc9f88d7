/* See kernels.h for shapes, ranges and rounding. */
#include "kernels.h"

#include "decision.h"
#include "multiply.h"
#include "sigmoid.h"

void kernel_dense(const int8_t *in, int inputs, const uint16_t *weights, int outputs, int32_t *accumulator)
{
    int16_t sum[16]; /* sum[s]: of the activations in subset s of four; one look-up serves four weights' bit */
    for (int o = 0; o < outputs; o++) accumulator[o] = 0;
    for (int i = 0; i < inputs; i += 4) {
        sum[0] = 0;
        for (int j = 0, size = 1; j < 4; j++, size <<= 1)
            for (int s = 0; s < size; s++) sum[size + s] = (int16_t)(sum[s] + in[i + j]);
        for (int o = 0; o < outputs; o++) {
            uint32_t w = *weights++;
            int32_t total = -sum[w >> 12];
            total = total * 2 + sum[(w >> 8) & 15];
            total = total * 2 + sum[(w >> 4) & 15];
            total = total * 2 + sum[w & 15];
            accumulator[o] += total;
        }
    }
}

void kernel_depthwise(const int8_t *past, const int8_t *now, int channels, int kernel, const uint8_t *weights,
               int32_t *accumulator)
{
    uint32_t w = 1; /* weights to go, a nibble each, and a 1 above them */
    for (int c = 0; c < channels; c++) {
        const int8_t *x = past + c;
        int32_t total = 0;
        for (int t = 0; t < kernel; t++, x += channels, w >>= 4) {
            int32_t value = t == kernel - 1 ? now[c] : *x;
            if (w == 1) w = *weights++ | 0x100u;
            if (w & 1) total += value;
            if (w & 2) total += value * 2;
            if (w & 4) total += value * 4;
            if (w & 8) total -= value * 8;
        }
        accumulator[c] = total;
    }
}

int32_t kernel_lane(int32_t accumulator, enum lane lane)
{
    if (lane == WHOLE) return accumulator;
    uint32_t pair = (uint32_t)accumulator;
    return lane == FIRST ? (int16_t)pair : (int32_t)(pair + 0x8000) >> 16; /* a first below 0 has taken 1 from second */
}

int32_t kernel_score(const int32_t *accumulator, enum lane lane, const uint16_t *table, int o)
{
    struct requant r = kernel_requant(table, DECISION_CLASSES, o);
    return multiply(kernel_lane(accumulator[o], lane) + r.bias, r.multiplier);
}

void kernel_leak(int32_t *sum, int32_t part, int32_t leaks) { *sum += part - (decision_leak(*sum) & leaks); }

void kernel_scores(const int32_t *accumulator, enum lane lane, const uint16_t *table, int32_t *sums, int32_t leaks)
{
    for (int o = 0; o < DECISION_CLASSES; o++) kernel_leak(sums + o, kernel_score(accumulator, lane, table, o), leaks);
}

static int8_t clamp(int32_t x, int32_t low) { return (int8_t)(x < low ? low : x > 127 ? 127 : x); }

/* The chip has it by hand, in requantise.S, as kernel_scores there needs it. */
__attribute__((weak)) int32_t kernel_sigmoid(int32_t a)
{
    static const uint32_t steps[] = {SIGMOID_STEPS};
    int32_t size = a < 0 ? -a : a, s = 64;
    if (size > SIGMOID_ONE) size = SIGMOID_ONE;
    for (int32_t i = 0; i < size; i++) s += steps[i >> 4] >> 2 * (i & 15) & 3;
    return a < 0 ? 128 - s : s;
}

void kernel_add(int8_t *stream, const int8_t *v, int channels)
{
    for (int c = 0; c < channels; c++) stream[c] = clamp(stream[c] + v[c], 0);
}

void kernel_gated_add(int8_t *stream, const int8_t *v, const int8_t *argument, const int8_t *scale, int channels)
{
    for (int c = 0; c < channels; c++) {
        int32_t gate = (multiply_signed(scale[c], kernel_sigmoid(argument[c])) + 16) >> 5;
        stream[c] = clamp(stream[c] + v[c] + ((multiply_signed(gate, v[c]) + 64) >> 7), 0);
    }
}

/* kernel_requantise and kernel_weighed_scores in C, for every computer but the chip, which runs requantise.S. See kernels.h. */
#include "kernels.h"

#include "decision.h"
#include "multiply.h"

void kernel_requantise(const int32_t *accumulator, enum lane lane, const uint16_t *table, int outputs, int low,
                       int8_t *out)
{
    for (int o = 0; o < outputs; o++) {
        struct requant r = kernel_requant(table, outputs, o);
        int32_t scaled = multiply(kernel_lane(accumulator[o], lane) + r.bias, r.multiplier);
        scaled = (scaled + (1 << (r.shift - 1))) >> r.shift;
        out[o] = (int8_t)(scaled < low ? low : scaled > 127 ? 127 : scaled);
    }
}

void kernel_weighed_scores(const int32_t *accumulator, enum lane lane, const uint16_t *table, int32_t argument,
                           int32_t *sums, int32_t leaks)
{
    int32_t weight = kernel_sigmoid(argument) + 1;
    for (int o = 0; o < DECISION_CLASSES; o++) {
        int32_t score = kernel_score(accumulator, lane, table, o);
        kernel_leak(sums + o, multiply((score + 128) >> 8, (uint32_t)weight), leaks);
    }
    kernel_leak(sums + DECISION_CLASSES, weight, leaks);
}

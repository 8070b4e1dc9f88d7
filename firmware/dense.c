/* kernel_dense_pair in C, for every computer but the chip, which runs dense.S. See kernels.h for shapes and ranges. */
#include "kernels.h"

void kernel_dense_pair(const int8_t *first, const int8_t *second, int inputs, const uint16_t *weights, int outputs,
                       int32_t *accumulator, uint32_t sum[16])
{
    for (int o = 0; o < outputs; o++) accumulator[o] = 0;
    for (int i = 0; i < inputs; i += 4) {
        sum[0] = 0;
        for (int j = 0, size = 1; j < 4; j++, size <<= 1) {
            uint32_t both = (uint32_t)first[i + j] + ((uint32_t)second[i + j] << 16);
            for (int s = 0; s < size; s++) sum[size + s] = sum[s] + both;
        }
        for (int o = 0; o < outputs; o++) {
            uint32_t w = *weights++;
            uint32_t total = sum[(w >> 8) & 15] - 2 * sum[w >> 12];
            total = total * 2 + sum[(w >> 4) & 15];
            total = total * 2 + sum[w & 15];
            accumulator[o] = (int32_t)((uint32_t)accumulator[o] + total);
        }
    }
}

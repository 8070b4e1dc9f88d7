/* kernel_depthwise_pair in C, for every computer but the chip, which runs depthwise.S. See kernels.h. */
#include "kernels.h"

void kernel_depthwise_pair(const int8_t *past, const int8_t *first, const int8_t *second, int channels, int kernel,
                           const uint8_t *weights, int32_t *accumulator)
{
    uint32_t w = 1; /* weights to go, a nibble each, and a 1 above them */
    for (int c = 0; c < channels; c++) {
        const int8_t *x = past + c;
        uint32_t total = 0, value = (uint32_t)*x;
        if (kernel == 1) value = (uint32_t)first[c];
        for (int t = 1; t <= kernel; t++, w >>= 4) {
            x += channels;
            uint32_t later = (uint32_t)(t == kernel ? second[c] : t + 1 == kernel ? first[c] : *x);
            uint32_t both = value + (later << 16);
            if (w == 1) w = *weights++ | 0x100u;
            if (w & 1) total += both;
            if (w & 2) total += both << 1;
            if (w & 4) total += both << 2;
            if (w & 8) total -= both << 3;
            value = later;
        }
        accumulator[c] = (int32_t)total;
    }
}

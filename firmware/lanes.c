/* The kernels of two neighbouring bands in C, for every computer but the chip, which runs lanes.S. See kernels.h. */
#include "kernels.h"

void kernel_depthwise_lanes(const int8_t *first, const int8_t *second, int channels, int taps, const uint8_t *weights,
                            int32_t *accumulator)
{
    for (int c = 0; c < channels; c++) {
        const int8_t *x = first + c, *y = second + c;
        uint32_t total = 0, w = 0;
        for (int t = 0; t < taps; t++, x += channels, y += channels, w >>= 4) {
            uint32_t both = (uint32_t)*x + ((uint32_t)*y << 16);
            if (!(t & 1)) w = *weights++;
            total += both * (w & 7);
            if (w & 8) total -= both << 3;
        }
        accumulator[c] = (int32_t)total;
    }
}

void kernel_requantise_lanes(const int32_t *accumulator, const uint16_t *table, int outputs, int low,
                             int8_t *first, int8_t *second)
{
    kernel_requantise(accumulator, FIRST, table, outputs, low, first);
    kernel_requantise(accumulator, SECOND, table, outputs, low, second);
}

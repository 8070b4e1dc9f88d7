/* See multiply.h. Without branches or a loop: six one-cycle instructions for each of nine bits, from the top one down.
   The empty asm keeps the compiler from regrouping the sum, which would need more registers than the core has. */
#include "multiply.h"

#define BIT \
    product = (int32_t)((uint32_t)product << 1) + (x & ((int32_t)m >> 31)); \
    m <<= 1; \
    __asm__("" : "+r"(product), "+r"(m))

int32_t multiply(int32_t x, uint32_t m)
{
    int32_t product = 0;
    m <<= 23;
    BIT; BIT; BIT; BIT; BIT; BIT; BIT; BIT; BIT;
    return product;
}

int32_t multiply_signed(int32_t x, int32_t m)
{
    return m < 0 ? -multiply(x, (uint32_t)-m) : multiply(x, (uint32_t)m);
}

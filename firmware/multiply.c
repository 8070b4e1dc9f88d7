/* See multiply.h. In the same time for every product: five one-cycle instructions for each bit, from the top one down, four
   bits a turn. The chip has the first two by hand, in requantise.S. */
#include "multiply.h"

/* x times the bits that stand in m above a 1, a multiple of four. The empty asm keeps the compiler from regrouping the sum,
   which would need more registers than the core has. */
static int32_t product_of(int32_t x, uint32_t m)
{
    uint32_t product = 0;
    do {
        for (int bit = 0; bit < 4; bit++, m <<= 1) {
            product = (product << 1) + ((uint32_t)x & (uint32_t)((int32_t)m >> 31));
            __asm__("" : "+r"(product), "+r"(m));
        }
    } while (m << 1);
    return (int32_t)product;
}

__attribute__((weak)) int32_t multiply(int32_t x, uint32_t m) { return product_of(x, (m << 1 | 1) << 23); }

__attribute__((weak)) uint32_t square(int32_t x)
{
    uint32_t size = (uint32_t)(x < 0 ? -x : x);
    return (uint32_t)product_of((int32_t)size, (size << 1 | 1) << 15);
}

int32_t multiply_signed(int32_t x, int32_t m)
{
    return m < 0 ? -multiply(x, (uint32_t)-m) : multiply(x, (uint32_t)m);
}

/* The rest is below d, so that twice the rest and one fit an unsigned word. */
int32_t divide(int32_t n, int32_t d)
{
    uint32_t rest = 0, digits = n < 0 ? ~(uint32_t)n : (uint32_t)n; /* floor(n / d) = ~floor(~n / d) below zero */
    for (int i = 0; i < 32; i++) { /* a bit goes out at the top, a digit of the quotient comes in below */
        rest = rest << 1 | digits >> 31;
        digits <<= 1;
        if (rest >= (uint32_t)d) {
            rest -= (uint32_t)d;
            digits |= 1;
        }
    }
    return n < 0 ? (int32_t)~digits : (int32_t)digits;
}

/* See multiply.h. Without branches or a loop: five one-cycle instructions for each of nine bits, from the top one down.
   The empty asm keeps the compiler from regrouping the sum, which would need more registers than the core has. */
#include "multiply.h"

#define BIT \
    product = (int32_t)((uint32_t)product << 1) + (x & ((int32_t)m >> 31)); \
    m <<= 1; \
    __asm__("" : "+r"(product), "+r"(m))

__attribute__((weak)) int32_t multiply(int32_t x, uint32_t m) /* the chip has the one in requantise.S */
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

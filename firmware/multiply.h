/* Products on a core that has no multiplier; chapter 9 races eight ways. */
#ifndef TINYSPEECH_MULTIPLY_H
#define TINYSPEECH_MULTIPLY_H
#include <stdint.h>

/* x * m for 0 <= m < 256 and |x * m| < 2^31: on the way, the product of x with m's leading bits, which is no larger. */
int32_t multiply(int32_t x, uint32_t m);

/* x * x for |x| < 65536. */
uint32_t square(int32_t x);

/* x * m for -256 < m < 256 and |x * m| < 2^31. */
int32_t multiply_signed(int32_t x, int32_t m);

/* floor(n / d) for 0 < d. */
int32_t divide(int32_t n, int32_t d);

#endif

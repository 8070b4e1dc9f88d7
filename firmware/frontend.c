/* One window of speech to 12 coefficients, in integers, without a multiplier.
   The same stages as tinyspeech/integer/frontend.py, which proves the ranges; equal bytes for every input. Chapter 8. */
#include "frontend.h"

#include "multiply.h"

/* Stages are functions of their own, so that a profile can tell them apart. */
#define STAGE static __attribute__((noinline))

enum { WINDOW = FRONTEND_WINDOW, HALF = WINDOW / 2, BANDS = FRONTEND_N_BANDS, Q = FRONTEND_TWIDDLE_BITS };

struct complex {
    int32_t re, im;
};

/* A rotation by -2 pi k / 256, 0 <= k <= 64, reduced to the first octant, where cos >= sin >= 0. */
struct rotation {
    const uint16_t *digits; /* of the octant's angle */
    int swap;               /* 1 in the second octant: real and imaginary change places */
};

static __attribute__((noinline)) struct rotation rotation_by(int k)
{
    struct rotation r;
    r.swap = k > HALF / 4;
    if (r.swap) k = HALF / 2 - k;
    r.digits = frontend_turn[k];
    return r;
}

/* One digit of the cosine or the sine for both products: u and v are even, so that a shift by 31 adds nothing. The empty
   asm keeps the compiler from regrouping the sums, which would need more registers than the core has. */
#define DIGIT(re_op, u, im_op, v) \
    re = re re_op (u << (shifts & 31)); \
    im = im im_op (v << (shifts & 31)); \
    shifts >>= 5; \
    __asm__ volatile("" : "+r"(re), "+r"(im), "+r"(shifts) : : "memory")

/* 2 (x + i y) (cos - i sin), times 256; with swap, x and y change places in the answer, too, and its imaginary part has
   the other sign. cos = 256 - digits, sin = digits, all powers of two: a table of shifts takes the place of a
   multiplication. |x|, |y| < 2^17. */
static __attribute__((noinline)) struct complex rotate(struct rotation r, int32_t x, int32_t y)
{
    const uint16_t *digits = r.digits;
    uint32_t u = (uint32_t)x << 1, v = (uint32_t)y << 1, re = u << Q, im = v << Q, shifts = *digits++;
    DIGIT(-, u, -, v);
    DIGIT(-, u, -, v);
    DIGIT(+, u, +, v);
    shifts = *digits++;
    DIGIT(+, u, +, v);
    DIGIT(+, v, -, u);
    DIGIT(+, v, -, u);
    shifts = *digits;
    DIGIT(+, v, -, u);
    DIGIT(-, v, +, u);
    DIGIT(-, v, +, u);
    struct complex t = {(int32_t)re, ((int32_t)im ^ -r.swap) + r.swap};
    return t;
}

/* Scale the window so that its largest sample lies in 2^13 .. 2^14 (quieter windows: by 2^8 at most).
   Returns the exponent, -1 .. 8. */
STAGE int normalise(int16_t x[WINDOW])
{
    int32_t peak = 0;
    for (int i = 0; i < WINDOW; i++) peak |= x[i] ^ (x[i] >> 15);
    int exponent = FRONTEND_MAX_EXPONENT;
    while (exponent >= 0 && (peak << exponent) >= 1 << 14) exponent--;
    /* one place too far to the left, and back: so that -1 is a shift, too */
    for (int i = 0; i < WINDOW; i++) x[i] = (int16_t)((int32_t)((uint32_t)x[i] << (exponent + 1)) >> 1);
    return exponent;
}

/* The same of a complex value b; by 0, without a product. */
static __attribute__((noinline)) struct complex turn(struct rotation r, const int16_t *b)
{
    if (r.digits != frontend_turn[0]) return rotate(r, b[r.swap], b[1 - r.swap]);
    struct complex t = {b[0] * (2 << Q), b[1] * (2 << Q)};
    return t;
}

/* a, b -> (a + t) / 2, (a - t) / 2, half up, with t in Q9. */
static __attribute__((noinline)) void butterfly(int16_t *a, int16_t *b, int32_t t_re, int32_t t_im)
{
    int32_t a_re = ((int32_t)a[0] + 1) * (2 << Q), a_im = ((int32_t)a[1] + 1) * (2 << Q);
    a[0] = (int16_t)((a_re + t_re) >> (Q + 2)), a[1] = (int16_t)((a_im + t_im) >> (Q + 2));
    b[0] = (int16_t)((a_re - t_re) >> (Q + 2)), b[1] = (int16_t)((a_im - t_im) >> (Q + 2));
}

/* 128 complex values, z[2 n] real and z[2 n + 1] imaginary, to their spectrum / 128, in place and in order. */
STAGE void transform(int16_t z[WINDOW])
{
    for (int i = 1, j = 0; i < HALF; i++) { /* bit reversal: j counts from the other end */
        int bit = HALF >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            uint32_t *both = (uint32_t *)(void *)z, one = both[i]; /* a value's two parts in a word */
            both[i] = both[j], both[j] = one;
        }
    }
    for (int half = 1, step = HALF; half < HALF; half <<= 1, step >>= 1) {
        for (int k = 0, angle = 0; k == 0 || 2 * k < half; k++, angle += step) { /* below 90 degrees, and the same beyond */
            struct rotation r = rotation_by(angle);
            for (int16_t *a = z + 2 * k; a < z + WINDOW; a += 4 * half) {
                __asm__("" : "+r"(a)); /* as in mel_energies: one register for all four */
                int16_t *b = a + 2 * half;
                struct complex t = turn(r, b);
                butterfly(a, b, t.re, t.im);
                if (half == 1) continue;
                t = turn(r, b + half); /* 90 degrees on: the product turns by -i */
                butterfly(a + half, b + half, t.im, -t.re);
            }
        }
    }
}

/* The spectrum of the 256 real samples, from that of 128 complex ones, in place: bins 0 and 128 (both real) share
   slot 0. Scaled by 1 / 256 of the samples' transform in all. */
STAGE void untangle(int16_t z[WINDOW])
{
    const int shift = Q + 3;
    const int32_t rounding = 1 << (Q + 2);
    int32_t first = z[0], odd_sum = z[1];
    z[0] = (int16_t)((first + odd_sum + 1) >> 1);
    z[1] = (int16_t)((first - odd_sum + 1) >> 1);
    for (int k = 1; k <= HALF / 2; k++) {
        int16_t *p = z + 2 * k, *q = z + WINDOW - 2 * k;
        int32_t p_re = p[0], p_im = p[1], q_re = q[0], q_im = -(int32_t)q[1];
        int32_t even_re = (p_re + q_re) * (2 << Q) + rounding, even_im = (p_im + q_im) * (2 << Q);
        int32_t odd[2] = {p_im - q_im, q_re - p_re}; /* the odd samples' half */
        struct rotation r = rotation_by(k);
        struct complex t = rotate(r, odd[r.swap], odd[1 - r.swap]);
        /* bin 128 - k swaps p and q: the even part is conjugated, and so is the turned odd part, negated */
        q[0] = (int16_t)((even_re - t.re) >> shift);
        q[1] = (int16_t)((t.im - even_im + rounding) >> shift);
        p[0] = (int16_t)((even_re + t.re) >> shift);
        p[1] = (int16_t)((even_im + t.im + rounding) >> shift);
    }
}

/* A table of numbers 0 .. 15, two in a byte, the first in the low half. */
static uint32_t nibble(const uint8_t *table, uint32_t i) { return table[i >> 1] >> 4 * (i & 1) & 15; }

/* Hann window across bins, power, 20 trapezoids. energy: uint32 [23], slot 0 below and slots 21, 22 above the bands; it
   takes the place of the bins that have been read, which no slot is ahead of. The first steps of `place` leave slot 0
   alone: there stands bin 128, the last one's neighbour. */
STAGE void mel_energies(int16_t x[WINDOW], uint32_t *energy)
{
    int32_t before_re = x[0], before_im = 0, re = x[2], im = x[3];
    uint32_t place = 0;
    x[0] = x[1], x[1] = 0;
    energy[1] = 0;
    for (int k = 1; k < HALF; k++) {
        __asm__("" : "+r"(k)); /* addresses come from k each time, since there are few registers to keep them in */
        const int16_t *after = x + ((2 * k + 2) & (WINDOW - 1));
        int32_t after_re = after[0], after_im = after[1];
        if (k + 1 < BANDS + 3) energy[k + 1] = 0;
        uint32_t bin = square((2 * re - before_re - after_re) >> 1) +
                       square((2 * im - before_im - after_im) >> 1);
        place += nibble(frontend_mel_steps, (uint32_t)k);
        uint32_t slot = place >> FRONTEND_RAMP_BITS, ramp = place & ((1 << FRONTEND_RAMP_BITS) - 1);
        uint32_t upper = 0;
        for (uint32_t part = bin; ramp; ramp >>= 1, part <<= 1)
            if (ramp & 1) upper += part;
        upper >>= FRONTEND_RAMP_BITS;
        energy[slot + 1] += upper;
        energy[slot] += bin - upper;
        before_re = re, before_im = im, re = after_re, im = after_im;
    }
}

/* log2 in 1/64 octaves, e >= 1: the place of the top bit, the six bits below it, and what the curve is above a straight
   line. */
static int32_t log2_q6(uint32_t e)
{
    int32_t top_bit = 31;
    while (!(e & 0x80000000u)) e <<= 1, top_bit--;
    uint32_t mantissa = (e >> 25) - 64;
    return (top_bit << FRONTEND_LOG_BITS) + (int32_t)(mantissa + nibble(frontend_log2, mantissa));
}

/* The rest of the way. */
STAGE void cepstrum(uint32_t *energy, int exponent, int8_t coefficients[FRONTEND_N_COEFFICIENTS])
{
    int32_t *log_energy = (int32_t *)energy; /* logarithms overwrite the energies, both at slot b + 1 */
    uint32_t floor = ((uint32_t)FRONTEND_LOG_FLOOR << (2 * exponent + 2)) >> 16;
    for (int b = 1; b < BANDS; b++) {
        uint32_t e = energy[b + 1] + floor;
        log_energy[b + 1] = log2_q6(e ? e : 1) - exponent * (2 << FRONTEND_LOG_BITS);
    }
    log_energy[1] = log_energy[2]; /* offset and hum lie in the lowest band: its neighbour speaks for it */
    const uint8_t *size = frontend_dct_sizes[0];
    for (int k = 0; k < FRONTEND_N_COEFFICIENTS; k++) {
        int32_t row = frontend_dct_rows[k]; /* the offset, and below it a sign for each number, the first one's lowest */
        int32_t total = row >> BANDS / 2;
        for (int j = 0; j < BANDS / 2; j++, row >>= 1) {
            int32_t mirrored = log_energy[BANDS - j];
            int32_t product = multiply(log_energy[j + 1] + (k & 1 ? -mirrored : mirrored), *size++);
            total += row & 1 ? -product : product;
        }
        total >>= FRONTEND_DCT_SHIFT;
        coefficients[k] = (int8_t)(total < -128 ? -128 : total > 127 ? 127 : total);
    }
}

/* A branch to a long instruction on an odd halfword costs the chip a cycle: so this file's code begins on a word, wherever
   the files before it end. */
__attribute__((aligned(4)))
void frontend_frame(int16_t window[FRONTEND_WINDOW], int8_t coefficients[FRONTEND_N_COEFFICIENTS])
{
    int exponent = normalise(window);
    transform(window);
    untangle(window);
    uint32_t *energy = (uint32_t *)(void *)window; /* energies overwrite the spectrum */
    mel_energies(window, energy);
    cepstrum(energy, exponent, coefficients);
}

void frontend_start(struct frontend_stream *stream)
{
    stream->at = 0, stream->missing = WINDOW;
}

int frontend_push(struct frontend_stream *stream, int16_t sample)
{
    stream->ring[stream->at] = sample;
    stream->at = (uint16_t)((stream->at + 1) % WINDOW);
    if (--stream->missing) return 0;
    stream->missing = FRONTEND_HOP;
    return 1;
}

void frontend_window(const struct frontend_stream *stream, int16_t window[FRONTEND_WINDOW])
{
    const uint32_t *ring = (const uint32_t *)(const void *)stream->ring; /* two samples at once: a handler waits */
    uint32_t *to = (uint32_t *)(void *)window;
    for (unsigned i = 0, at = stream->at / 2; i < WINDOW / 2; i++) to[i] = ring[at++ % (WINDOW / 2)];
}

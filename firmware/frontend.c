/* One window of speech to 12 coefficients, in integers, without a multiplier.
   The same stages as tinyspeech/frontend.py, which proves the ranges; the bytes are equal for every input. Chapter 8. */
#include "frontend.h"

#include "multiply.h"

enum { WINDOW = FRONTEND_WINDOW, HALF = WINDOW / 2, BANDS = FRONTEND_N_BANDS, Q = FRONTEND_TWIDDLE_BITS };

struct complex {
    int32_t re, im;
};

/* (re + i im) (c - i s) in Q8: three products instead of four, none for quarter turns. |re|, |im| < 2^16. */
static struct complex turn(int32_t re, int32_t im, int32_t c, int32_t s)
{
    struct complex t;
    if (s == 0) t.re = re * (1 << Q), t.im = im * (1 << Q);
    else if (c == 0) t.re = im * (1 << Q), t.im = -re * (1 << Q);
    else {
        int32_t both = multiply_signed(re + im, c);
        t.re = both - multiply_signed(im, c - s);
        t.im = both - multiply_signed(re, c + s);
    }
    return t;
}

/* cos(2 pi k / 256) in Q8, k = 0 .. 128, from a quarter wave. */
static int32_t cosine(int k)
{
    return k <= HALF / 2 ? frontend_cosine[k] : -(int32_t)frontend_cosine[HALF - k];
}

/* sin(2 pi k / 256) in Q8, k = 0 .. 128. */
static int32_t sine(int k)
{
    return k <= HALF / 2 ? frontend_cosine[HALF / 2 - k] : frontend_cosine[k - HALF / 2];
}

/* u * u for 0 <= u < 65536, by three look-ups: (256 h + l)^2 with 2 h l = h^2 + l^2 - (h - l)^2. */
static uint32_t square(uint32_t u)
{
    uint32_t h = u >> 8, l = u & 255;
    uint32_t hh = frontend_square[h], ll = frontend_square[l];
    uint32_t difference = h > l ? h - l : l - h;
    return (hh << 16) + ((hh + ll - frontend_square[difference]) << 8) + ll;
}

static uint32_t magnitude(int32_t x) { return (uint32_t)(x < 0 ? -x : x); }

/* Scale the window so that its largest sample lies in 2^13 .. 2^14 (quieter windows: by 2^8 at most).
   Returns the exponent, -1 .. 8. */
static int normalise(int16_t x[WINDOW])
{
    int32_t peak = 0;
    for (int i = 0; i < WINDOW; i++) peak |= x[i] ^ (x[i] >> 15);
    int exponent = FRONTEND_MAX_EXPONENT;
    while (exponent > 0 && (peak << exponent) >= 1 << 14) exponent--;
    if (peak >= 1 << 14) {
        for (int i = 0; i < WINDOW; i++) x[i] = (int16_t)(x[i] >> 1);
        return -1;
    }
    for (int i = 0; i < WINDOW; i++) x[i] = (int16_t)((uint16_t)x[i] << exponent);
    return exponent;
}

/* 128 complex values, z[2 n] real and z[2 n + 1] imaginary, to their spectrum / 128, in place and in order. */
static void transform(int16_t z[WINDOW])
{
    for (int i = 1, j = 0; i < HALF; i++) { /* bit reversal: j counts from the other end */
        int bit = HALF >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            int16_t re = z[2 * i], im = z[2 * i + 1];
            z[2 * i] = z[2 * j], z[2 * i + 1] = z[2 * j + 1];
            z[2 * j] = re, z[2 * j + 1] = im;
        }
    }
    for (int half = 1, step = HALF; half < HALF; half <<= 1, step >>= 1) { /* step: twiddle index per butterfly */
        for (int k = 0, twiddle = 0; k < half; k++, twiddle += step) {
            int32_t c = cosine(twiddle), s = sine(twiddle);
            for (int16_t *a = z + 2 * k; a < z + WINDOW; a += 4 * half) {
                int16_t *b = a + 2 * half;
                int32_t a_re = ((int32_t)a[0] * (1 << Q)) + (1 << Q), a_im = ((int32_t)a[1] * (1 << Q)) + (1 << Q);
                struct complex t = turn(b[0], b[1], c, s);
                a[0] = (int16_t)((a_re + t.re) >> (Q + 1)), a[1] = (int16_t)((a_im + t.im) >> (Q + 1));
                b[0] = (int16_t)((a_re - t.re) >> (Q + 1)), b[1] = (int16_t)((a_im - t.im) >> (Q + 1));
            }
        }
    }
}

/* The spectrum of the 256 real samples, from that of 128 complex ones, in place: bins 0 and 128 (both real) share
   slot 0. Scaled by 1 / 256 of the samples' transform in all. */
static void untangle(int16_t z[WINDOW])
{
    const int shift = Q + 2;
    const int32_t rounding = 1 << (Q + 1);
    int32_t first = ((int32_t)z[0] * 2) * (1 << Q), odd = ((int32_t)z[1] * 2) * (1 << Q);
    z[0] = (int16_t)((first + odd + rounding) >> shift);
    z[1] = (int16_t)((first - odd + rounding) >> shift);
    for (int k = 1; k <= HALF / 2; k++) {
        int16_t *p = z + 2 * k, *q = z + WINDOW - 2 * k;
        int32_t p_re = p[0], p_im = p[1], q_re = q[0], q_im = -(int32_t)q[1];
        int32_t even_re = (p_re + q_re) * (1 << Q), even_im = (p_im + q_im) * (1 << Q);
        struct complex t = turn(p_im - q_im, q_re - p_re, cosine(k), sine(k)); /* the odd samples' half */
        /* bin 128 - k swaps p and q: the even part is conjugated, and so is the turned odd part, negated */
        q[0] = (int16_t)((even_re - t.re + rounding) >> shift);
        q[1] = (int16_t)((t.im - even_im + rounding) >> shift);
        p[0] = (int16_t)((even_re + t.re + rounding) >> shift);
        p[1] = (int16_t)((even_im + t.im + rounding) >> shift);
    }
}

/* Hann window across bins, power, 20 trapezoids. energy: uint32 [23], slot 0 below and slots 21, 22 above the bands. */
static void mel_energies(const int16_t x[WINDOW], uint32_t energy[BANDS + 3])
{
    int32_t before_re = x[0], before_im = 0, re = x[2], im = x[3];
    for (int b = 0; b < BANDS + 3; b++) energy[b] = 0;
    for (int k = 1; k < HALF; k++) {
        int32_t after_re = k + 1 < HALF ? x[2 * k + 2] : x[1], after_im = k + 1 < HALF ? x[2 * k + 3] : 0;
        uint32_t bin = square(magnitude((2 * re - before_re - after_re) >> 1)) +
                       square(magnitude((2 * im - before_im - after_im) >> 1));
        uint32_t slot = frontend_mel[k] >> FRONTEND_RAMP_BITS, ramp = frontend_mel[k] & ((1 << FRONTEND_RAMP_BITS) - 1);
        uint32_t upper = 0;
        if (ramp & 1) upper += bin;
        if (ramp & 2) upper += bin << 1;
        if (ramp & 4) upper += bin << 2;
        upper >>= FRONTEND_RAMP_BITS;
        energy[slot] += bin - upper;
        energy[slot + 1] += upper;
        before_re = re, before_im = im, re = after_re, im = after_im;
    }
}

/* log2 in 1/64 octaves, e >= 1. */
static int32_t log2_q6(uint32_t e)
{
    int32_t top_bit = 31;
    while (!(e & 0x80000000u)) e <<= 1, top_bit--;
    return (top_bit << FRONTEND_LOG_BITS) + frontend_log2[(e >> 25) & 63];
}

void frontend_frame(int16_t window[FRONTEND_WINDOW], int8_t coefficients[FRONTEND_N_COEFFICIENTS])
{
    uint32_t energy[BANDS + 3];
    int32_t *log_energy = (int32_t *)energy; /* the logarithms overwrite the energies; both at slot b + 1 */
    int exponent = normalise(window);
    transform(window);
    untangle(window);
    mel_energies(window, energy);
    uint32_t floor = ((uint32_t)FRONTEND_LOG_FLOOR << (2 * exponent + 2)) >> 16;
    for (int b = 0; b < BANDS; b++) {
        uint32_t e = energy[b + 1] + floor;
        log_energy[b + 1] = log2_q6(e ? e : 1) - exponent * (2 << FRONTEND_LOG_BITS);
    }
    for (int k = 0; k < FRONTEND_N_COEFFICIENTS; k++) {
        int32_t total = frontend_offset[k];
        for (int j = 0; j < BANDS / 2; j++) {
            int32_t mirrored = log_energy[BANDS - j];
            total += multiply_signed(log_energy[j + 1] + (k & 1 ? -mirrored : mirrored), frontend_dct[k][j]);
        }
        total >>= FRONTEND_DCT_SHIFT;
        coefficients[k] = (int8_t)(total < -128 ? -128 : total > 127 ? 127 : total);
    }
}

/* Words that the user taught. Definition: tinyspeech/integer/words.py; chapter "Your own words". C and assembly read this
   file alike. */
#ifndef TINYSPEECH_WORDS_H
#define TINYSPEECH_WORDS_H
#include "ch32v003.h"
#include "model.h"

#define WORDS 8
#define WORD_BYTES 64
#define WORD_NAME_BYTES 8
#define WORD_PARTS 4
#define WORD_COEFFICIENTS 10
#define WORD_DOUBLE 7 /* so many of them count twice */
#define WORD_BLOCK 32
#define WORD_VALUES (WORD_COEFFICIENTS + WORD_BLOCK)
#define WORD_PART_BYTES (WORD_COEFFICIENTS / 2 + WORD_BLOCK / 4)
#define WORD_LEVELS 0xb630 /* of a template's values of the block: a nibble each, the first lowest */
#define WORD_USUAL 0x79, 0x56, 0x76, 0x68, 0x78, 0x05, 0x19, 0x12, 0x10, 0x00, 0x80, 0x54, 0x55 /* a part: usual speech */
#define WORD_USUAL_SHIFT 2
#define WORD_LAG 7 /* frames */
#define WORD_QUIET 7
#define WORD_LONGEST 28
#define WORD_SPAN 24
#define WORD_STEEPEST 48
#define WORD_LARGEST_CODE 5
#define WORD_COST_SHIFT 6
#define WORD_START 127
#define WORD_LINE 5 /* batches */
#define WORD_LINE_BYTES (WORD_COEFFICIENTS / 2)

/* Offsets in struct words; words.c asserts each. */
#define WORDS_FLOOR 0
#define WORDS_PEAK 4
#define WORDS_HISTORY 8
#define WORDS_OVER 12 /* and with it, as the high byte of a halfword: */
#define WORDS_STARTED 13
#define WORDS_LENGTH 14
#define WORDS_SUM 15
#define WORDS_MERIT 16
#define WORDS_LINE (WORDS_MERIT + WORDS * WORD_PARTS)
/* And behind it, in struct network, what network.c asserts: */
#define WORDS_ABOVE (WORDS_LINE + WORD_LINE * WORD_LINE_BYTES)
#define WORDS_MEAN (WORDS_ABOVE + 1)

#ifndef __ASSEMBLER__
#include <stdint.h>

/* A word as it is kept, in a page of flash of its own. */
struct word {
    char name[WORD_NAME_BYTES];
    uint8_t version; /* 0, which ends the name */
    uint8_t threshold;
    uint8_t parts[WORD_PARTS][WORD_PART_BYTES]; /* coefficients from -8 on, nibbles; levels, pairs of bits; low ones first */
    uint8_t crc[2]; /* CRC-16 of what stands before it, high byte first */
};

/* What listens for them; all zero at first. */
struct __attribute__((packed)) words {
    int32_t floor, peak; /* of the loudness, in sixteenths; equal before the first frame */
    uint32_t history; /* codes of the frames' weights, three bits each, the newest's lowest */
    uint8_t over; /* the length of the word that is over, where one is */
    uint8_t started; /* not 0: a frame of it was compared */
    uint8_t length; /* frames since a word's first with weight, that one included */
    uint8_t sum; /* while a take is heard again (teach.S): where the next of its sums is */
    uint8_t merit[WORDS][WORD_PARTS]; /* WORD_START - cost */
    uint8_t line[WORD_LINE][WORD_LINE_BYTES]; /* coefficients of the last batches, the oldest first, as a part has them */
};

extern struct word words_pages[WORDS]; /* in flash: ch32v003.ld */

/* CRC-16 of so many bytes, in the upper half. */
static inline uint32_t word_crc(const void *bytes, int count)
{
    const uint8_t *byte = (const uint8_t *)bytes;
    uint32_t crc = 0xffff0000;
    for (; count; count--) {
        crc ^= (uint32_t)*byte++ << 24;
        for (int bit = 8; bit; bit--) crc = crc << 1 ^ ((uint32_t)((int32_t)crc >> 31) & 0x10210000);
    }
    return crc;
}

/* Whether this is a word, whole: an erased page is none, nor is what an interrupted write leaves. */
int word_whole(const struct word *word);

/* And whether it has a name. */
int word_named(const struct word *word);
static inline int word_kept(const struct word *word)
{
    return MODEL_TEACHES ? word_named(word) : *word->name && word_whole(word);
}

/* A frame of 40 ms, of the coefficients of two of 20 ms: int8 [2][12]. Of a batch, words_batch does it. */
void words_frame(struct words *words, const int8_t *features);

/* A batch, two frames of 40 ms: the coefficients of four of 20 ms, int8 [4][12]. */
void words_batch(struct words *words, const int8_t *features);

/* And what the last block says of its two frames, and so most of all of those WORD_LAG frames earlier: int8 [32] each,
   0 .. 127, so many bytes apart. work: uint8 [WORD_VALUES]. */
void words_compare(struct words *words, const int8_t *block, int apart, uint8_t *work);

#ifndef __riscv
/* While a take is heard again (teach.c), a frame with weight: its vector, uint8 [WORD_VALUES], and the weight's code. */
extern void (*words_taught)(const uint8_t *vector, int code);
#endif

/* The word that is over, or 0. */
const struct word *words_decide(struct words *words);
#endif

#endif

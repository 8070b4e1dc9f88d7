/* Words that the user taught. Definition: tinyspeech/integer/words.py; chapter "Your own words". */
#ifndef TINYSPEECH_WORDS_H
#define TINYSPEECH_WORDS_H
#include <stdint.h>

#include "ch32v003.h"

enum { WORDS = 8, WORD_PARTS = 4, WORD_PART_BYTES = 13, WORD_NAME_BYTES = 8, WORD_BYTES = 64 };

/* A word as it is kept, in a page of flash of its own. */
struct word {
    char name[WORD_NAME_BYTES];
    uint8_t version; /* 0, which ends the name */
    uint8_t threshold;
    uint8_t parts[WORD_PARTS][WORD_PART_BYTES]; /* 10 coefficients, a nibble each, low first, 32 levels, two bits each */
    uint8_t crc[2]; /* CRC-16 of what stands before it, high byte first */
};

static inline const struct word *word_page(uint32_t slot) { return (const struct word *)(uintptr_t)WORDS_PAGES + slot; }

/* Whether this is a word, whole: an erased page is none, nor is what an interrupted write leaves. */
int word_whole(const struct word *word);

/* And whether it has a name. */
static inline int word_kept(const struct word *word) { return *word->name && word_whole(word); }

#endif

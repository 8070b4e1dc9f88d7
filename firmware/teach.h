/* Words that are taught, take by take: for every computer but the chip, which has 0 bytes left for its 1.5 KB, and to which
   a taught word is sent. Definition: tinyspeech/integer/words.py; chapter "Your own words". */
#ifndef TINYSPEECH_TEACH_H
#define TINYSPEECH_TEACH_H
#include "words.h"

enum {
    TEACH_TAKES = 5, TEACH_LEAD = 4, TEACH_FRAMES = TEACH_LEAD + WORD_LONGEST + WORD_LAG, TEACH_FRAME_BYTES = 7,
    TEACH_PATIENCE = 200, TEACH_FULL_SCALE = 32000, TEACH_CLIPPED = 16, TEACH_SHORTEST = 4, TEACH_UNLIKE = 125,
    TEACH_THRESHOLD = 71
};

/* What is said of a take; TEACH_MORE while it goes on. */
enum verdict { TEACH_MORE, TEACH_OK, TEACH_EMPTY, TEACH_CUT, TEACH_LONG, TEACH_HARD, TEACH_UNLIKE_OTHERS };

/* 540 bytes: as much as what listens, in whose place it is while the network hears a take again. */
struct take {
    uint8_t frames; /* since the ask */
    uint8_t clipped; /* samples */
    uint8_t kept;
    int8_t first, least, largest; /* loudness */
    uint8_t count; /* of takes before */
    int8_t sums[WORD_PARTS][WORD_VALUES]; /* of their parts */
    uint8_t frame[TEACH_FRAMES][TEACH_FRAME_BYTES]; /* 12 coefficients, a nibble each, and the weight's code */
    int16_t part[WORD_VALUES];
};

/* Ask for a take. words: all zero. */
void teach_ask(struct take *take);

/* A frame of 40 ms: int8 [2][12], and how many of its samples were clipped. */
enum verdict teach_frame(struct take *take, struct words *words, const int8_t *features, int clipped);

/* After TEACH_OK: the network hears the take again; TEACH_OK or TEACH_UNLIKE_OTHERS. */
enum verdict teach_add(struct take *take, void *scratch);

#ifdef __riscv
#define TEACHING 0 /* the chip has no room left for it */
#else
#define TEACHING 1
#endif

/* Where a take is heard again: what the last block says of two frames. */
extern struct take *teach_again;
void teach_blocks(const int8_t *block, int apart);

/* After TEACH_TAKES: the word. name: WORD_NAME_BYTES. */
void teach_word(const struct take *take, const char *name, struct word *word);

#endif

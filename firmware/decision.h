/* From scores that never end to words. Definition, units, the constants' origin:
   tinyspeech/integer/decision.py; chapter 10. */
#ifndef TINYSPEECH_DECISION_H
#define TINYSPEECH_DECISION_H

#define DECISION_CLASSES 12
#define DECISION_REJECTED 2
#define DECISION_LEAK_BITS 3
#define DECISION_REFRACTORY_STEPS 8
#define DECISION_WINDOW_STEPS 38
#define DECISION_LEAST_LEADS 146, 103, 26 /* in 2^MODEL_LEAD_BITS: sensitivity low, normal, high */
#define DECISION_MEAN_BITS 7
#define DECISION_STANDS_OUT 18
#define DECISION_FALLS 8
#define DECISION_LOUDNESS 129 /* of the softest step, less its first coefficient: more than 0 */

/* Offsets in struct decision; decision.c asserts each. */
#define DECISION_REFRACTORY 52
#define DECISION_WINDOW 53

#ifndef __ASSEMBLER__
#include <stdint.h>

/* What a user can set, in one printable byte: 64 + 16 * sensitivity + the class that opens an armed board, 0 for one that
   is always open, 1 for taught words. */
enum { SETTING_TAUGHT = 1, SETTING_BASE = 64, SETTING_SENSITIVITIES = 3, SETTING_DEFAULT = SETTING_BASE + 16 };
static inline uint32_t setting_sensitivity(uint32_t setting) { return (setting >> 4) - (SETTING_BASE >> 4); }
static inline uint32_t setting_first_word(uint32_t setting) { return setting & 15; }
int setting_valid(uint32_t setting); /* or another byte, or -1 */

/* What the scores of frames, each times its frame's weight, add up to, and those weights, which only a clip's average
   needs. The network adds; while it listens, the sums leak: a sum stays below 2^3 times the largest score in size, and a
   lead below 2^4 times, and so within 32 bits where a score is below 2^27. */
struct decision {
    int32_t sums[DECISION_CLASSES];
    int32_t weight; /* behind the sums: see kernels.h */
    uint8_t refractory; /* steps of rest, in which nothing is reported */
    uint8_t window; /* steps for which an armed board is still open */
};

/* What a sum loses before a frame is added. */
static inline int32_t decision_leak(int32_t sum) { return sum >> DECISION_LEAK_BITS; }

/* Of what was heard lately. All zero at first. */
struct __attribute__((packed)) decision_loudness {
    uint8_t peak; /* of what a step's loudness was above the mean; a unit less with each step */
    uint16_t mean; /* of a step's loudness, 1 .. 256, in 2^-DECISION_MEAN_BITS; 0 before the first */
};

/* A batch, and before its step: the coefficients of four frames, int8 [4][12]. Where nothing stood out, or what did has not
   fallen yet, that step is one of rest. On the chip words_batch does it, where words can be taught. */
void decision_listen(struct decision *d, struct decision_loudness *loudness, const int8_t *features);

/* After every two frames: the class of a word that is reported, or -1. setting: a valid one. doubtful: the class of
   whose lead three quarters count, or 0. On the chip it is written by hand: decide.S. */
int decision_step(struct decision *d, uint32_t setting, int doubtful);

/* And behind it, where a taught word is over: whether that is reported. */
int decision_taught(struct decision *d, uint32_t setting);

#endif
#endif

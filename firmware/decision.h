/* From scores that never end to words. Definition, units, the constants' origin:
   tinyspeech/integer/decision.py; chapter 10. */
#ifndef TINYSPEECH_DECISION_H
#define TINYSPEECH_DECISION_H
#include <stdint.h>

enum {
    DECISION_CLASSES = 12, DECISION_REJECTED = 2, DECISION_LEAK_BITS = 3, DECISION_REFRACTORY_STEPS = 8,
    DECISION_WINDOW_STEPS = 38, DECISION_LEAD_BITS = 10
};
#define DECISION_LEAST_LEADS {146, 103, 37} /* in 2^DECISION_LEAD_BITS: sensitivity low, normal, high */

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
    uint8_t refractory; /* steps in which nothing is reported */
    uint8_t window; /* steps for which an armed board is still open */
};

/* What a sum loses before a frame is added. */
static inline int32_t decision_leak(int32_t sum) { return sum >> DECISION_LEAK_BITS; }

/* After every two frames: the class of a word that is reported, or -1. setting: a valid one. */
int decision_step(struct decision *d, uint32_t setting);

/* And behind it, where a taught word is over: whether that is reported. */
int decision_taught(struct decision *d, uint32_t setting);

#endif

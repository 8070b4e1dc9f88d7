/* From scores that never end to words. Definition, units, the constants' origin:
   tinyspeech/integer/decision.py; chapter 10. */
#ifndef TINYSPEECH_DECISION_H
#define TINYSPEECH_DECISION_H
#include <stdint.h>

enum {
    DECISION_CLASSES = 12, DECISION_REJECTED = 2, DECISION_LEAK_BITS = 2, DECISION_LEAST_LEAD = 90112,
    DECISION_REFRACTORY_STEPS = 8
};

/* What the scores of frames, each times its frame's weight, add up to, and those weights, which only a clip's average
   needs. The network adds; while it listens, the sums leak: a sum stays below 2^2 times the largest score in size, and a
   lead below 2^3 times, and so within 32 bits where a score is below 2^28. */
struct decision {
    int32_t sums[DECISION_CLASSES], weight;
    uint8_t refractory; /* steps in which nothing is reported */
};

/* What a sum loses before a frame is added. */
static inline int32_t decision_leak(int32_t sum) { return sum >> DECISION_LEAK_BITS; }

/* After every two frames: the class of a word that is reported, or -1. */
int decision_step(struct decision *d);

#endif

/* From scores that never end to words. Definition, units and where the constants come from: tinyspeech/decision.py; chapter 10. */
#ifndef TINYSPEECH_DECISION_H
#define TINYSPEECH_DECISION_H
#include <stdint.h>

enum {
    DECISION_CLASSES = 12, DECISION_REJECTED = 2, DECISION_LEAK_BITS = 4, DECISION_LEAST_WEIGHT = 256,
    DECISION_MARGIN = 200, DECISION_REFRACTORY_STEPS = 8
};

struct decision {
    int32_t sums[DECISION_CLASSES], weight;
    uint8_t refractory; /* steps in which nothing is reported */
};

/* Take a frame: scores int32 [12], each times the frame's weight, which is 1 .. 129.
   A sum stays below 2^4 times the largest score in size, and so within 32 bits where a score is below 2^27. */
void decision_add(struct decision *d, const int32_t *scores, int32_t weight);

/* After every two frames: the class of a word that is reported, or -1. */
int decision_step(struct decision *d);

#endif

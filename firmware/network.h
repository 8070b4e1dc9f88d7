/* The streamed network in integers. Definition: tinyspeech/integer.py (its contract of ranges and rounding); chapters 7, 10. */
#ifndef TINYSPEECH_NETWORK_H
#define TINYSPEECH_NETWORK_H
#include <stdint.h>

#include "model.h"

/* Forget everything: histories and logits are zero. */
void network_reset(void);

/* Feed the 12 coefficients of one 20 ms frame. scratch: MODEL_SCRATCH_BYTES, 4-byte aligned, contents lost. */
void network_frame(const int8_t features[MODEL_INPUTS], void *scratch);

/* Feed the MODEL_FLUSH frames of zeros that follow a clip: the last sounds of a word reach the classifier. */
void network_flush(void *scratch);

/* The answer to the frames since network_reset, int32 [12]: sums, or averages by the frames' weights. */
void network_logits(int32_t answer[MODEL_CLASSES]);

#endif

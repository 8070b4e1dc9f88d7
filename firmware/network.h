/* The streamed network in integers. Definition: tinyspeech/integer/network.py (contract of ranges and rounding);
   chapters 7, 10. */
#ifndef TINYSPEECH_NETWORK_H
#define TINYSPEECH_NETWORK_H
#include <stdint.h>

#include "decision.h"
#include "model.h"

/* What the frames' scores add up to. Where the network does not weigh its frames, weight stays 0. */
extern struct decision network_sums;

/* Forget everything: histories and sums are zero. leaky: see decision.h; a clip's sums do not leak. */
void network_reset(int leaky);

/* Feed the 12 coefficients of one 20 ms frame. scratch: MODEL_SCRATCH_BYTES, 4-byte aligned, contents lost;
   the coefficients may lie in its last 12 bytes. Returns how many frames' scores were added to the sums: a batch of MODEL_BATCH frames is computed with its last frame up to
   MODEL_CUT, and from there with the next frame, so that no frame takes long. */
int network_frame(const int8_t features[MODEL_INPUTS], void *scratch);

/* Feed the MODEL_FLUSH frames of zeros that follow a clip: the last sounds of a word reach the classifier. */
void network_flush(void *scratch);

/* The answer to the frames since network_reset, int32 [12]: sums, or averages by the frames' weights. */
void network_logits(int32_t answer[MODEL_CLASSES]);

#endif

/* The streamed network in integers. Definition: tinyspeech/integer/network.py (contract of ranges and rounding);
   chapters 7, 10. */
#ifndef TINYSPEECH_NETWORK_H
#define TINYSPEECH_NETWORK_H
#include <stdint.h>

#include "decision.h"
#include "model.h"
#include "words.h"

/* Whether it is known what stands out: of batches of four, as all networks here have them. */
#define NETWORK_LOUDNESS (MODEL_WEIGHED && MODEL_BATCH == 4)

/* All that the network remembers, in one place, so that one loop forgets it; the histories first, whose addresses are then
   short to compute. What is listed behind `between` belongs to the run, not to the sound. */
extern struct network {
    int8_t state[(MODEL_STATE_BYTES + 3) & ~3];
    struct decision sums; /* of the frames' scores; where the network does not weigh its frames, weight stays 0 */
    union {
        int8_t waiting[MODEL_BATCH * MODEL_INPUTS];
        int8_t held[2 * MODEL_HELD_BYTES]; /* slots of a batch that is half done: see resume */
    } between;
    __attribute__((aligned(4))) struct words words[MODEL_TAP != 0];
    struct decision_loudness loudness;
    int8_t leaks; /* all bits where sums leak, or none */
    uint8_t waiting_bytes, holds; /* how many bytes wait, and how many frames are held */
    uint8_t alone; /* the second frame has no scores: it stands behind a clip's end */
    uint8_t phase[MODEL_PHASES]; /* frames since a strided layer's last output, where frames come one by one */
} network;

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

#ifndef __riscv /* for whoever calls this on another computer (chip/native.py) */
/* What listens for taught words; 0 where nothing does. */
struct words *network_words(void);
#endif

#endif

/* Layers whose frames have bands, on one frame: the same weights for every band. Definition: integer/network.py;
   chapter 6. Nothing of this is in a firmware whose network has no bands. */
#ifndef TINYSPEECH_BANDS_H
#define TINYSPEECH_BANDS_H
#include <stdint.h>

#include "model.h"

/* A dense, depthwise or classifying layer; a classifier adds to logits, int32 [MODEL_CLASSES]. With MODEL_BAND_PAIRS,
   two neighbouring bands share each weight that is read. The numbers are those of one band at a time.
   past: int8 [kernel - 1][width]; accumulator: int32 [MODEL_WIDEST]; slots: as in network.c, with room from MODEL_WINDOW
   on for the sums of kernel_dense_pair and for the windows of all bands. */
void bands_layer(const struct layer *layer, const int8_t *past, int8_t *slots, int32_t *accumulator, int32_t *logits);

/* Of each two neighbouring bands, the larger value of each channel. in: int8 [2 bands][channels], out: int8 [bands][...]. */
void bands_pool(const struct layer *layer, const int8_t *in, int8_t *out);

/* Each band is added to two: clamp(out + in, -128, 127). in: int8 [bands][channels], out: int8 [2 bands][channels]. */
void bands_add(const struct layer *layer, const int8_t *in, int8_t *out);

#endif

/* Runs the generated program of model.h, one frame at a time. State: MODEL_STATE_BYTES of history, 52 B of sums. */
#define MODEL_WITH_LAYERS
#include "network.h"

#include "kernels.h"
#include "multiply.h"

static int8_t state[MODEL_STATE_BYTES];
static uint8_t phase[MODEL_LAYERS]; /* frames since a strided layer's last output */
static int32_t logits[MODEL_CLASSES];
static int32_t weight_sum; /* of the frames' weights; 0 where the network has none */

void network_reset(void)
{
    for (int i = 0; i < MODEL_STATE_BYTES; i++) state[i] = 0;
    for (int i = 0; i < MODEL_LAYERS; i++) phase[i] = 0;
    for (int i = 0; i < MODEL_CLASSES; i++) logits[i] = 0;
    weight_sum = 0;
}

/* floor(n / d) for 0 < d: the rest is below d, so that twice the rest and one fit an unsigned word. */
static int32_t divide(int32_t n, int32_t d)
{
    uint32_t rest = 0, digits = n < 0 ? ~(uint32_t)n : (uint32_t)n; /* floor(n / d) = ~floor(~n / d) below zero */
    for (int i = 0; i < 32; i++) { /* a bit goes out at the top, a digit of the quotient comes in below */
        rest = rest << 1 | digits >> 31;
        digits <<= 1;
        if (rest >= (uint32_t)d) {
            rest -= (uint32_t)d;
            digits |= 1;
        }
    }
    return n < 0 ? (int32_t)~digits : (int32_t)digits;
}

void network_logits(int32_t answer[MODEL_CLASSES])
{
    for (int i = 0; i < MODEL_CLASSES; i++) answer[i] = weight_sum ? divide(logits[i], weight_sum) : logits[i];
}

/* past: int8 [frames][width]; the oldest frame goes, `now` becomes the newest. */
static void remember(int8_t *past, const int8_t *now, int frames, int width)
{
    int kept = (frames - 1) * width;
    for (int i = 0; i < kept; i++) past[i] = past[i + width];
    for (int i = 0; i < width; i++) past[kept + i] = now[i];
}

void network_frame(const int8_t features[MODEL_INPUTS], void *scratch)
{
    int32_t *accumulator = scratch; /* MODEL_WIDEST sums, then the slots of activations */
    int8_t *slots = (int8_t *)(accumulator + MODEL_WIDEST);
    for (int i = 0; i < MODEL_INPUTS; i++) slots[i] = features[i];
    for (int n = 0; n < MODEL_LAYERS; n++) {
        const struct layer *layer = &model_layers[n];
        int8_t *in = slots + layer->source, *out = slots + layer->target, *past = state + layer->state;
        int history = layer->kernel - 1, width = layer->inputs;
        switch (layer->kind) {
        case LAYER_DENSE:
        case LAYER_CLASSIFIER:
        case LAYER_WEIGHED_CLASSIFIER: {
            if (history) { /* the window, oldest frame first, stands where no slot is live */
                int8_t *window = slots + MODEL_SLOT_BYTES;
                for (int i = 0; i < history * width; i++) window[i] = past[i];
                for (int i = 0; i < width; i++) window[history * width + i] = in[i];
                remember(past, in, history, width);
                in = window;
            }
            kernel_dense(in, layer->kernel * width, layer->weights, layer->outputs, accumulator);
            if (layer->kind == LAYER_DENSE) {
                kernel_requantise(accumulator, layer->requant, layer->outputs, layer->low, out);
                break;
            }
            int weighed = layer->kind == LAYER_WEIGHED_CLASSIFIER;
            uint32_t weight = (uint32_t)kernel_sigmoid(slots[MODEL_GATE_SLOT]) + 1;
            for (int o = 0; o < MODEL_CLASSES; o++) {
                int32_t score = multiply(accumulator[o] + layer->requant[o].bias, layer->requant[o].multiplier);
                logits[o] += weighed ? multiply((score + 128) >> 8, weight) : score;
            }
            if (weighed) weight_sum += (int32_t)weight;
            break;
        }
        case LAYER_DEPTHWISE: {
            uint8_t wait = phase[n];
            phase[n] = (uint8_t)(wait + 1 == layer->stride ? 0 : wait + 1);
            if (wait == 0) kernel_depthwise(past, in, width, layer->kernel, layer->weights, accumulator);
            if (history) remember(past, in, history, width);
            if (wait) return; /* a strided layer goes on with every stride-th frame, the first included */
            kernel_requantise(accumulator, layer->requant, width, layer->low, out);
            break;
        }
        case LAYER_POOL:
            for (int i = 0; i < width; i++) {
                out[i] = in[i];
                for (int t = 0; t < history; t++)
                    if (past[t * width + i] > out[i]) out[i] = past[t * width + i];
            }
            if (history) remember(past, in, history, width);
            break;
        case LAYER_GATED_ADD:
            kernel_gated_add(out, in, slots + MODEL_GATE_SLOT, layer->weights, width);
            break;
        }
    }
}

void network_flush(void *scratch)
{
    static const int8_t nothing[MODEL_INPUTS];
    for (int i = 0; i < MODEL_FLUSH; i++) network_frame(nothing, scratch);
}

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

/* Add a frame's, or a band's, scores to the sums; weight: 1 .. 129, or 0 where all count alike. */
static void add_scores(const int32_t *accumulator, const struct requant *table, uint32_t weight)
{
    for (int o = 0; o < MODEL_CLASSES; o++) {
        int32_t score = multiply(accumulator[o] + table[o].bias, table[o].multiplier);
        logits[o] += weight ? multiply((score + 128) >> 8, weight) : score;
    }
}

/* window: int8 [kernel][span * inputs], oldest frame first, of the bands around each that a layer computes, with zeros
   beyond either end and up to a multiple of four; past, in: int8 [width] a frame; out: int8 [bands][outputs]. */
static void each_band(const struct layer *layer, const int8_t *past, const int8_t *in, int width, int8_t *window,
                      int32_t *accumulator, int8_t *out)
{
    int channels = layer->inputs, span = layer->window & 15, taps = layer->kernel * span;
    int first = -(span >> 1) * channels, step = (layer->window >> 4) * channels;
    for (int band = 0; band < layer->bands; band++, first += step, out += layer->outputs) {
        int filled = 0;
        for (int t = 1; t <= layer->kernel; t++) {
            const int8_t *frame = t == layer->kernel ? in : past + (t - 1) * width;
            for (int i = first; i < first + span * channels; i++)
                window[filled++] = i < 0 || i >= width ? 0 : frame[i];
        }
        while (filled & 3) window[filled++] = 0;
        if (layer->kind == LAYER_DEPTHWISE)
            kernel_depthwise(window, window + (taps - 1) * channels, channels, taps, layer->weights, accumulator);
        else
            kernel_dense(window, filled, layer->weights, layer->outputs, accumulator);
        if (layer->kind == LAYER_CLASSIFIER)
            add_scores(accumulator, layer->requant, 0);
        else
            kernel_requantise(accumulator, layer->requant, layer->outputs, layer->low, out);
    }
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
        int banded = MODEL_BANDED && layer->bands > 1; /* a constant where no layer has bands */
        if (banded) width *= layer->bands * (layer->window >> 4);
        switch (layer->kind) {
        case LAYER_DENSE:
        case LAYER_CLASSIFIER:
        case LAYER_WEIGHED_CLASSIFIER: {
            if (banded) {
                each_band(layer, past, in, width, slots + MODEL_SLOT_BYTES, accumulator, out);
                if (history) remember(past, in, history, width);
                break;
            }
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
            uint32_t weight = 0;
            if (layer->kind == LAYER_WEIGHED_CLASSIFIER) {
                weight = (uint32_t)kernel_sigmoid(slots[MODEL_GATE_SLOT]) + 1;
                weight_sum += (int32_t)weight;
            }
            add_scores(accumulator, layer->requant, weight);
            break;
        }
        case LAYER_DEPTHWISE: {
            uint8_t wait = phase[n];
            phase[n] = (uint8_t)(wait + 1 == layer->stride ? 0 : wait + 1);
            if (wait == 0 && banded) each_band(layer, past, in, width, slots + MODEL_SLOT_BYTES, accumulator, out);
            if (wait == 0 && !banded) kernel_depthwise(past, in, width, layer->kernel, layer->weights, accumulator);
            if (history) remember(past, in, history, width);
            if (wait) return; /* a strided layer goes on with every stride-th frame, the first included */
            if (!banded) kernel_requantise(accumulator, layer->requant, width, layer->low, out);
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
        case LAYER_POOL_BANDS: /* of each two neighbouring bands, the larger value of each channel */
            if (!MODEL_BANDED) break;
            for (int band = 0; band < layer->bands; band++, in += layer->inputs)
                for (int c = 0; c < layer->inputs; c++, in++, out++)
                    *out = in[0] > in[layer->inputs] ? in[0] : in[layer->inputs];
            break;
        case LAYER_ADD_BANDS: /* each band to two */
            if (!MODEL_BANDED) break;
            for (int band = 0; band < layer->bands; band++, in += layer->inputs)
                for (int i = 0; i < 2 * layer->inputs; i++, out++) {
                    int sum = *out + in[i < layer->inputs ? i : i - layer->inputs];
                    *out = (int8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
                }
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

/* See bands.h for shapes, kernels.h for ranges and rounding. */
#include "bands.h"

#include "multiply.h"

/* Of `count` bands from the one at offset `at` in a frame, each frame's channels, the oldest frame first; zeros beyond
   either end. past, in: int8 [kernel - 1 and 1][width]; window: int8 [count][kernel][channels]. */
static void gather(const struct layer *layer, const int8_t *past, const int8_t *in, int width, int at, int count,
                   int8_t *window)
{
    static const int8_t zero;
    int channels = layer->inputs;
    for (; count; count--, at += channels) {
        int inside = at >= 0 && at < width;
        const int8_t *frame = past;
        for (int t = layer->kernel; t; t--, frame += width) {
            const int8_t *from = inside ? (t == 1 ? in : frame) + at : &zero;
            for (const int8_t *end = window + channels; window < end; from += inside) *window++ = *from;
        }
    }
}

/* A classifier's scores for one band, or for both of a pair: their sums first, then one product. */
static void add_scores(const int32_t *accumulator, int both, const struct requant *table, int32_t *logits)
{
    for (int o = 0; o < MODEL_CLASSES; o++, table++) {
        int32_t sum = kernel_lane(accumulator[o], MODEL_BAND_PAIRS ? FIRST : WHOLE) + table->bias;
        if (both) sum += kernel_lane(accumulator[o], SECOND) + table->bias;
        logits[o] += multiply(sum, table->multiplier);
    }
}

void bands_layer(const struct layer *layer, const int8_t *past, int8_t *slots, int32_t *accumulator, int32_t *logits)
{
    int channels = layer->inputs, outputs = layer->outputs, span = layer->window & 15, step = layer->window >> 4;
    int taps = layer->kernel * span, inputs = taps * channels;
    int next_at = step * channels, width = layer->bands * next_at; /* of a frame, in bytes */
    int ahead = taps > 1 ? layer->kernel * next_at : next_at; /* from a band's window to the next one's */
    const int8_t *in = slots + layer->source;
    int8_t *out = slots + layer->target, *window = slots + MODEL_WINDOW;
    uint32_t *sums = (uint32_t *)(void *)window; /* before the window, where a layer needs them */
    if (MODEL_BAND_PAIRS && layer->kind != LAYER_DEPTHWISE) window += 4 * 16;
    for (int left = layer->bands, at = -((span >> 1) * channels); left > 0; left -= 1 + MODEL_BAND_PAIRS) {
        int both = MODEL_BAND_PAIRS && left > 1;
        const int8_t *first = taps > 1 ? window : in + at; /* one band of one frame is its own window */
        const int8_t *second = both ? first + ahead : first; /* a last band alone is paired with itself */
        if (taps > 1) gather(layer, past, in, width, at, both ? span + step : span, window);
        at += next_at << both;
        if (layer->kind == LAYER_DEPTHWISE) {
            if (MODEL_BAND_PAIRS)
                kernel_depthwise_lanes(first, second, channels, taps, layer->weights, accumulator);
            else
                kernel_depthwise(first, first + inputs - channels, channels, taps, layer->weights, accumulator);
        } else { /* up to a multiple of four: weights of zero meet whatever lies behind the window */
            if (MODEL_BAND_PAIRS)
                kernel_dense_pair(first, second, (inputs + 3) & ~3, layer->weights, outputs, accumulator, sums);
            else
                kernel_dense(first, (inputs + 3) & ~3, layer->weights, outputs, accumulator);
        }
        if (layer->kind == LAYER_CLASSIFIER) {
            add_scores(accumulator, both, layer->requant, logits);
        } else if (MODEL_BAND_PAIRS) {
            int8_t *next = both ? out + outputs : out;
            kernel_requantise_lanes(accumulator, layer->requant, outputs, layer->low, out, next);
            out = next + outputs;
        } else {
            kernel_requantise(accumulator, WHOLE, layer->requant, outputs, layer->low, out);
            out += outputs;
        }
    }
}

void bands_pool(const struct layer *layer, const int8_t *in, int8_t *out)
{
    int channels = layer->inputs;
    for (int band = 0; band < layer->bands; band++, in += channels)
        for (const int8_t *end = in + channels; in < end; in++) {
            int8_t x = in[0], y = in[channels];
            *out++ = x > y ? x : y;
        }
}

void bands_add(const struct layer *layer, const int8_t *in, int8_t *out)
{
    int channels = layer->inputs;
    for (int half = 0; half < 2 * layer->bands; half++) {
        for (const int8_t *end = in + channels; in < end; in++, out++) {
            int sum = *out + *in;
            *out = (int8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
        }
        if (!(half & 1)) in -= channels;
    }
}

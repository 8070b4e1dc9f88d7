/* See bands.h for shapes, kernels.h for ranges and rounding. */
#include "bands.h"

#include "multiply.h"

/* The bands from -side on, one a column: each as it was in the oldest frame, in the next one and so on; zeros beyond
   either end. A band's window is then `span` columns in a row, and neighbours share what they both see.
   past: int8 [kernel - 1][width]; in: int8 [width]; windows: int8 [columns][kernel][channels]. */
static void gather(const struct layer *layer, const int8_t *past, const int8_t *in, int width, int side, int columns,
                   int8_t *windows)
{
    static const int8_t zero;
    int channels = layer->inputs;
    for (int at = -multiply(channels, (uint32_t)side); columns; columns--, at += channels) {
        int inside = at >= 0 && at < width;
        const int8_t *frame = past;
        for (int t = layer->kernel; t; t--, frame += width) {
            const int8_t *from = inside ? (t == 1 ? in : frame) + at : &zero;
            for (const int8_t *end = windows + channels; windows < end; from += inside) *windows++ = *from;
        }
    }
}

/* A classifier's scores for one band, or for both of a pair: their sums first, then one product. */
static void add_band_scores(const int32_t *accumulator, int both, const uint16_t *table, int32_t *logits)
{
    for (int o = 0; o < MODEL_CLASSES; o++) {
        struct requant r = kernel_requant(table, MODEL_CLASSES, o);
        int32_t sum = kernel_lane(accumulator[o], MODEL_BAND_PAIRS ? FIRST : WHOLE) + r.bias;
        if (both) sum += kernel_lane(accumulator[o], SECOND) + r.bias;
        logits[o] += multiply(sum, r.multiplier);
    }
}

void bands_layer(const struct layer *layer, const int8_t *past, int8_t *slots, int32_t *accumulator, int32_t *logits)
{
    int channels = layer->inputs, outputs = layer->outputs, span = layer->window & 15, step = layer->window >> 4;
    int taps = multiply(span, layer->kernel), inputs = multiply(taps, layer->inputs);
    int ahead = multiply(step, layer->inputs); /* to the next band's window */
    const int8_t *in = slots + layer->source; /* one band of one frame is its own window */
    const void *weights = kernel_weights(layer->table, outputs);
    int8_t *out = slots + layer->target, *windows = slots + MODEL_WINDOW;
    uint32_t *sums = (uint32_t *)(void *)windows; /* before the windows, where a layer needs them */
    if (MODEL_BAND_PAIRS && layer->kind != LAYER_DEPTHWISE) windows += 4 * 16;
    if (taps > 1) {
        int width = multiply(ahead, layer->bands), columns = multiply(step, layer->bands) - step + span;
        gather(layer, past, in, width, span >> 1, columns, windows);
        in = windows;
        ahead = multiply(ahead, layer->kernel);
    }
    for (int left = layer->bands, at = 0; left > 0; left -= 1 + MODEL_BAND_PAIRS) {
        int both = MODEL_BAND_PAIRS && left > 1;
        const int8_t *first = in + at;
        const int8_t *second = both ? first + ahead : first; /* a last band alone is paired with itself */
        if (layer->kind == LAYER_DEPTHWISE) {
            if (MODEL_BAND_PAIRS)
                kernel_depthwise_lanes(first, second, channels, taps, weights, accumulator);
            else
                kernel_depthwise(first, first + inputs - channels, channels, taps, weights, accumulator);
        } else { /* up to a multiple of four: weights of zero meet whatever lies behind */
            if (MODEL_BAND_PAIRS)
                kernel_dense_pair(first, second, (inputs + 3) & ~3, weights, outputs, accumulator, sums);
            else
                kernel_dense(first, (inputs + 3) & ~3, weights, outputs, accumulator);
        }
        at += ahead << both;
        if (layer->kind == LAYER_CLASSIFIER) {
            add_band_scores(accumulator, both, layer->table, logits);
        } else if (MODEL_BAND_PAIRS) {
            int8_t *next = both ? out + outputs : out;
            kernel_requantise_lanes(accumulator, layer->table, outputs, layer->low, out, next);
            out = next + outputs;
        } else {
            kernel_requantise(accumulator, WHOLE, layer->table, outputs, layer->low, out);
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

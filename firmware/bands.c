/* See bands.h for shapes, kernels.h for ranges and rounding. */
#include "bands.h"

#include "multiply.h"

/* Of the columns first .. first + count - 1, each frame's channels, the oldest frame first, and zeros beyond either end.
   past, in: int8 [kernel - 1 and 1][columns][channels]; window: int8 [count][kernel][channels]. */
static void gather(const struct layer *layer, const int8_t *past, const int8_t *in, int first, int count, int8_t *window)
{
    static const int8_t zero;
    int channels = layer->inputs, columns = layer->bands * (layer->window >> 4), width = columns * channels;
    int at = first * channels;
    for (; count; count--, first++, at += channels) {
        int inside = first >= 0 && first < columns;
        for (int t = 1, before = at; t <= layer->kernel; t++, before += width) {
            const int8_t *from = !inside ? &zero : t == layer->kernel ? in + at : past + before;
            for (const int8_t *end = window + channels; window < end; from += inside) *window++ = *from;
        }
    }
}

/* A classifier's scores for one band, or for the two of a pair. */
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
    int ahead = step * channels; /* from one band's first value to the next one's */
    const int8_t *first = slots + layer->source;
    int8_t *out = slots + layer->target, *window = slots + MODEL_SLOT_BYTES;
    uint32_t *sums = (uint32_t *)(void *)window;
    if (taps > 1) ahead *= layer->kernel;
    if (MODEL_BAND_PAIRS && layer->kind != LAYER_DEPTHWISE) window += sizeof(uint32_t[16]);
    for (int left = layer->bands, column = -(span >> 1); left > 0; left -= 1 + MODEL_BAND_PAIRS) {
        int both = MODEL_BAND_PAIRS && left > 1;
        if (taps > 1) { /* else a band is its own window */
            gather(layer, past, slots + layer->source, column, both ? span + step : span, window);
            column += both ? 2 * step : step;
            first = window;
        }
        const int8_t *second = both ? first + ahead : first;
        if (layer->kind == LAYER_DEPTHWISE) {
            if (MODEL_BAND_PAIRS)
                kernel_depthwise_lanes(first, second, channels, taps, layer->weights, accumulator);
            else
                kernel_depthwise(first, first + inputs - channels, channels, taps, layer->weights, accumulator);
        } else { /* up to a multiple of four: weights of zero meet whatever lies behind */
            if (MODEL_BAND_PAIRS)
                kernel_dense_pair(first, second, (inputs + 3) & ~3, layer->weights, outputs, accumulator, sums);
            else
                kernel_dense(first, (inputs + 3) & ~3, layer->weights, outputs, accumulator);
        }
        first = second + ahead;
        if (layer->kind == LAYER_CLASSIFIER) {
            add_scores(accumulator, both, layer->requant, logits);
        } else if (MODEL_BAND_PAIRS) { /* a last band alone is written twice, alike */
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

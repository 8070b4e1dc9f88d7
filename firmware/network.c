/* Runs the generated program of model.h. State: MODEL_STATE_BYTES of histories, MODEL_BATCH frames, 52 B of sums.
   Where the network allows it (MODEL_PAIRED), two frames in a row share each weight that is read: frames wait until there
   are enough that every layer has two, and each has slots of its own. The numbers are those of one frame at a time. */
#define MODEL_WITH_LAYERS
#include "network.h"

#include "bands.h"
#include "kernels.h"
#include "multiply.h"

/* How the sums of the first frame, or the only one, are read. */
#define ONE (MODEL_PAIRED ? FIRST : WHOLE)

static int8_t state[MODEL_STATE_BYTES];
static uint8_t phase[MODEL_PHASES]; /* frames since a strided layer's last output */
static int8_t waiting[MODEL_BATCH][MODEL_INPUTS];
static uint8_t waiting_count;
static int32_t logits[MODEL_CLASSES];
static int32_t weight_sum; /* of the frames' weights; 0 where the network has none */

void network_reset(void)
{
    for (int i = 0; i < MODEL_STATE_BYTES; i++) state[i] = 0;
    for (int i = 0; i < MODEL_PHASES; i++) phase[i] = 0;
    for (int i = 0; i < MODEL_CLASSES; i++) logits[i] = 0;
    weight_sum = 0;
    waiting_count = 0;
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

static void copy(int8_t *to, const int8_t *from, int count)
{
    for (int i = 0; i < count; i++) to[i] = from[i];
}

/* Bytes of history before a layer's newest frame. */
static int past_bytes(const struct layer *layer, int width) { return multiply(width, (uint32_t)layer->kernel - 1); }

/* past: int8 [bytes / width][width]; the oldest frame goes, `now` becomes the newest. A stage of its own in a profile. */
static __attribute__((noinline)) void remember(int8_t *past, const int8_t *now, int bytes, int width)
{
    copy(past, past + width, bytes - width);
    copy(past + bytes - width, now, width);
}

/* Add a frame's, or a band's, scores to the sums; weight: 1 .. 129, or 0 where all count alike. */
static void add_scores(const int32_t *accumulator, enum lane lane, const struct requant *table, uint32_t weight)
{
    for (int o = 0; o < MODEL_CLASSES; o++) {
        int32_t score = multiply(kernel_lane(accumulator[o], lane) + table[o].bias, table[o].multiplier);
        logits[o] += weight ? multiply((score + 128) >> 8, weight) : score;
    }
}

/* The end of a layer with weights: those frames that go on are requantised, and their slots move to the front. Returns
   their number. */
static int finish(int n, int frames, int8_t *slots, const int32_t *accumulator)
{
    const struct layer *layer = &model_layers[n];
    uint8_t *wait = &phase[n < MODEL_FRONT ? n : MODEL_FRONT]; /* behind the front nothing waits */
    int kept = 0;
    for (int i = 0; i < frames; i++) {
        if (*wait == 0) {
            if (kept != i) copy(slots, slots + MODEL_SLOT_BYTES, MODEL_FRONT_BYTES);
            if (!MODEL_BANDED || layer->bands == 1) /* else each band has been */
                kernel_requantise(accumulator, i ? SECOND : ONE, layer->requant, layer->outputs, layer->low,
                                  slots + kept * MODEL_SLOT_BYTES + layer->target);
            kept++;
        }
        *wait = (uint8_t)(*wait + 1 == layer->stride ? 0 : *wait + 1);
    }
    return kept;
}

/* The work memory: MODEL_WIDEST sums, MODEL_SLOT_BYTES of slots for each frame, and in the gaps between what is live a
   window of frames that stand side by side, and the table of kernel_dense_pair. */
static int8_t *slots_of(void *scratch, int frame)
{
    return (int8_t *)scratch + 4 * MODEL_WIDEST + frame * MODEL_SLOT_BYTES;
}

/* The sums of a layer with weights, for one frame or for two in a row; one frame is paired with itself. */
static __attribute__((noinline)) void add_up(int n, int frames, int8_t *slots, void *scratch)
{
    const struct layer *layer = &model_layers[n];
    const int8_t *first = slots + layer->source, *second = first + (frames == 2 ? MODEL_SLOT_BYTES : 0);
    const int8_t *past = state + layer->state;
    int8_t *window = slots_of(scratch, 0) + MODEL_WINDOW;
    int width = layer->inputs;
    if (MODEL_BANDED && layer->bands > 1) {
        if (phase[n < MODEL_FRONT ? n : MODEL_FRONT] == 0) bands_layer(layer, past, slots, scratch, logits);
    } else if (layer->kind == LAYER_DEPTHWISE) {
        if (MODEL_PAIRED)
            kernel_depthwise_pair(past, first, second, width, layer->kernel, layer->weights, scratch);
        else if (phase[n < MODEL_FRONT ? n : MODEL_FRONT] == 0)
            kernel_depthwise(past, first, width, layer->kernel, layer->weights, scratch);
    } else {
        int inputs = width;
        if (layer->kernel > 1) { /* oldest frame first */
            int before = past_bytes(layer, width);
            inputs += before;
            copy(window, past, before);
            copy(window + before, first, width);
            if (MODEL_PAIRED) copy(window + inputs, second, width);
            first = window, second = window + (MODEL_PAIRED ? width : 0);
        }
        if (MODEL_PAIRED)
            kernel_dense_pair(first, second, inputs, layer->weights, layer->outputs, scratch,
                              (uint32_t *)(void *)slots_of(scratch, n < MODEL_FRONT ? 1 : 2) +
                                  (n < MODEL_FRONT ? MODEL_FRONT_BYTES / 4 : 0));
        else
            kernel_dense(first, inputs, layer->weights, layer->outputs, scratch);
    }
}

/* What a layer does with each frame by itself, its sums being there; at last its history, before an output takes the
   input's place. */
static __attribute__((noinline)) void one_frame(const struct layer *layer, enum lane lane, int8_t *slots,
                                                const int32_t *accumulator)
{
    int8_t *in = slots + layer->source, *out = slots + layer->target, *past = state + layer->state;
    int width = layer->inputs;
    int banded = MODEL_BANDED && layer->bands > 1; /* a constant where no layer has bands */
    uint32_t weight = 0;
    if (banded && layer->kernel > 1) width *= layer->bands * (layer->window >> 4);
    switch (layer->kind) {
    case LAYER_WEIGHED_CLASSIFIER:
        weight = (uint32_t)kernel_sigmoid(slots[MODEL_GATE_SLOT]) + 1;
        weight_sum += (int32_t)weight; /* fall through */
    case LAYER_CLASSIFIER:
        if (!banded) add_scores(accumulator, lane, layer->requant, weight);
        break;
    case LAYER_POOL:
        for (int c = 0; c < width; c++) {
            const int8_t *x = past + c;
            out[c] = in[c];
            for (int t = 1; t < layer->kernel; t++, x += width)
                if (*x > out[c]) out[c] = *x;
        }
        break;
    case LAYER_GATED_ADD: /* without a scale there is no gate */
        if (MODEL_GATED && layer->weights) kernel_gated_add(out, in, slots + MODEL_GATE_SLOT, layer->weights, width);
        else kernel_add(out, in, width);
        break;
    case LAYER_POOL_BANDS:
        if (MODEL_BANDED) bands_pool(layer, in, out);
        break;
    case LAYER_ADD_BANDS:
        if (MODEL_BANDED) bands_add(layer, in, out);
        break;
    }
    if (layer->kernel > 1) remember(past, in, past_bytes(layer, width), width);
}

/* The layers from .. to - 1 on one frame, or on two in a row; returns how many frames are left: a strided layer goes on
   with every stride-th frame, the first included. */
static int run_layers(int from, int to, int frames, int8_t *slots, void *scratch)
{
    for (int n = from; n < to && frames; n++) {
        const struct layer *layer = &model_layers[n];
        if (layer->requant) add_up(n, frames, slots, scratch);
        for (int i = 0; i < frames; i++) one_frame(layer, i ? SECOND : ONE, slots + i * MODEL_SLOT_BYTES, scratch);
        if (layer->kind <= LAYER_DEPTHWISE) frames = finish(n, frames, slots, scratch);
    }
    return frames;
}

/* The frames that wait, two by two: first the layers before and at the last stride, then the others, when two frames have
   come through (or no more will). */
static void run_waiting(void *scratch)
{
    int through = 0;
    for (int at = 0; at < waiting_count; at += 1 + MODEL_PAIRED) {
        int8_t *slots = slots_of(scratch, through);
        int frames = MODEL_PAIRED && at + 1 < waiting_count ? 2 : 1;
        for (int i = 0; i < frames; i++) copy(slots + i * MODEL_SLOT_BYTES, waiting[at + i], MODEL_INPUTS);
        through += run_layers(0, MODEL_FRONT, frames, slots, scratch);
        if (through == 1 + MODEL_PAIRED || at + frames == waiting_count) {
            run_layers(MODEL_FRONT, MODEL_LAYERS, through, slots_of(scratch, 0), scratch);
            through = 0;
        }
    }
    waiting_count = 0;
}

void network_frame(const int8_t features[MODEL_INPUTS], void *scratch)
{
    copy(waiting[waiting_count++], features, MODEL_INPUTS);
    if (waiting_count == MODEL_BATCH) run_waiting(scratch);
}

void network_flush(void *scratch)
{
    static const int8_t nothing[MODEL_INPUTS];
    for (int i = 0; i < MODEL_FLUSH; i++) network_frame(nothing, scratch);
    run_waiting(scratch);
}

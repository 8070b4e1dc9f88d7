/* Runs the generated program of model.h. State: MODEL_STATE_BYTES of histories, MODEL_BATCH frames, 52 B of sums.
   Where the network allows it (MODEL_PAIRED), two frames in a row share each weight that is read: frames wait until there
   are enough that every layer has two, and each has slots of its own. The numbers are those of one frame at a time. */
#define MODEL_WITH_LAYERS
#include "network.h"

#include <stddef.h>

#include "kernels.h"
#include "multiply.h"
#include "teach.h"

/* How the sums of the first frame, or the only one, are read. */
#define ONE (MODEL_PAIRED ? FIRST : WHOLE)

struct network network;

/* Whether a batch's loudness is followed here: on the chip, words_batch does it. */
#ifdef __riscv
#define FOLLOWS (NETWORK_LOUDNESS && !MODEL_TAP)
#else
#define FOLLOWS NETWORK_LOUDNESS
#endif
#if MODEL_TAP
_Static_assert(offsetof(struct network, loudness.peak) == offsetof(struct network, words) + WORDS_ABOVE &&
               offsetof(struct network, loudness.mean) == offsetof(struct network, words) + WORDS_MEAN &&
               offsetof(struct network, sums.refractory) == NETWORK_REST, "the assembly's");
#endif

void network_reset(int leaky)
{
    for (unsigned i = 0; i < sizeof network; i++) ((int8_t *)&network)[i] = 0;
    network.leaks = (int8_t)-leaky;
}

void network_logits(int32_t answer[MODEL_CLASSES])
{
    for (int i = 0; i < MODEL_CLASSES; i++)
        answer[i] = MODEL_WEIGHED ? divide(network.sums.sums[i], network.sums.weight) : network.sums.sums[i];
}

/* Returns the end of the copy. */
static __attribute__((noinline)) int8_t *copy(int8_t *to, const int8_t *from, int count)
{
    for (const int8_t *end = to + count; to < end;) *to++ = *from++;
    return to;
}

/* Functions of their own, so that little of each is on the stack while a kernel runs. */
#define APART static __attribute__((noinline))

/* A layer's history, int8 [kernel - 1][inputs], ends where the next layer's begins. */
static int8_t *history(const struct layer *layer) { return network.state + layer->state; }

/* The oldest frame goes, `now` becomes the newest. */
APART void remember(const struct layer *layer, const int8_t *now)
{
    int width = layer->inputs;
    int8_t *past = history(layer);
    copy(copy(past, past + width, layer[1].state - layer->state - width), now, width);
}

/* The work memory: MODEL_WIDEST sums, MODEL_SLOT_BYTES of slots for each frame, and in the gaps between what is live a
   window of frames that stand side by side, and the table of kernel_dense_pair. */
static int8_t *slots_of(void *scratch, int frame)
{
    return (int8_t *)scratch + 4 * MODEL_WIDEST + frame * MODEL_SLOT_BYTES;
}

/* A dense layer's frames side by side, oldest first. Returns how many inputs they are for one frame. */
APART int line_up(const struct layer *layer, const int8_t *newest, int8_t *window)
{
    int width = layer->inputs, before = layer[1].state - layer->state;
    window = copy(copy(window, history(layer), before), newest, width);
    if (MODEL_PAIRED) copy(window, newest + MODEL_SLOT_BYTES, width);
    return before + width;
}

/* The sums of a layer with weights, for one frame or for two in a row. */
APART void add_up(const struct layer *layer, const int8_t *first, void *scratch)
{
    const void *weights = kernel_weights(model_weights + layer->table, layer->outputs);
    int inputs = layer->inputs;
    if (layer->kind == LAYER_DEPTHWISE) {
        if (MODEL_PAIRED)
            kernel_depthwise_pair(history(layer), first, first + MODEL_SLOT_BYTES, inputs, layer->kernel, weights, scratch);
        else
            kernel_depthwise(history(layer), first, inputs, layer->kernel, weights, scratch);
        return;
    }
    const int8_t *second = first + MODEL_SLOT_BYTES;
    if (layer->kernel > 1) {
        int8_t *window = slots_of(scratch, 0) + MODEL_WINDOW;
        second = window + inputs;
        inputs = line_up(layer, first, window);
        first = window;
    }
    if (MODEL_PAIRED) {
        int8_t *table = slots_of(scratch, 2);
        if (layer < model_layers + MODEL_FRONT) table += MODEL_FRONT_BYTES - MODEL_SLOT_BYTES;
        kernel_dense_pair(first, second, inputs, weights, layer->outputs, scratch, (uint32_t *)(void *)table);
    } else {
        kernel_dense(first, inputs, weights, layer->outputs, scratch);
    }
}

/* The largest of the frames that a layer sees, for one frame or for two in a row: the second first, since it sees the
   first's input, which an output may take the place of. */
APART void pool_frames(const struct layer *layer, const int8_t *in, int8_t *out)
{
    int width = layer->inputs, kernel = layer->kernel;
    for (int second = MODEL_PAIRED; second >= 0; second--) {
        for (int c = 0, slot = second ? MODEL_SLOT_BYTES : 0; c < width; c++) {
            int8_t most = in[slot + c];
            if (second && kernel > 1 && in[c] > most) most = in[c];
            const int8_t *past = history(layer) + (second ? width : 0) + c;
            for (int t = second + 1; t < kernel; t++, past += width)
                if (*past > most) most = *past;
            out[slot + c] = most;
        }
    }
}

/* in: int8 [width], then as many leaking means, which this writes. An int16 mean lies in two bytes of state, which
   therefore need not be aligned: the low byte first, then the high one, which is what is written. */
APART void leak(uint8_t *state, int8_t *in, int width)
{
    for (const int8_t *end = in + width; in < end; in++, state += 2) {
        int32_t mean = (int8_t)state[1] * 256 + state[0];
        mean += (*in * 256 - mean) >> MODEL_MEMORY;
        state[0] = (uint8_t)mean;
        state[1] = (uint8_t)(mean >> 8);
        in[width] = (int8_t)(mean >> 8);
    }
}

/* What a layer does with each frame by itself, its sums being there. Behind a clip's end stand frames that have no scores;
   what they leave behind, no frame with scores will see. */
APART void one_frame(const struct layer *layer, enum lane lane, int8_t *slots, const int32_t *accumulator)
{
    int8_t *in = slots + layer->source, *out = slots + layer->target;
    const uint16_t *table = model_weights + layer->table;
    int width = layer->inputs;
    switch (layer->kind) {
    case LAYER_DENSE:
    case LAYER_DEPTHWISE:
        if (lane != SECOND || layer->stride == 1) /* of two frames, the first goes on */
            kernel_requantise(accumulator, lane, table, layer->outputs, layer->low, out);
        break;
    case LAYER_WEIGHED_CLASSIFIER:
    case LAYER_CLASSIFIER:
        if (lane == SECOND && network.alone) break;
        if (MODEL_WEIGHED)
            kernel_weighed_scores(accumulator, lane, table, slots[MODEL_GATE_SLOT], network.sums.sums, network.leaks);
        else
            kernel_scores(accumulator, lane, table, network.sums.sums, network.leaks);
        break;
    case LAYER_GATED_ADD:
        if (MODEL_GATED) kernel_gated_add(out, in, slots + MODEL_GATE_SLOT, (const int8_t *)table, width);
        break;
    case LAYER_ADD: kernel_add(out, in, width); break;
    case LAYER_LEAK:
        if (MODEL_MEMORY) leak((uint8_t *)history(layer), in, width);
        break;
    }
}

/* Whether a strided layer leaves a frame out that comes by itself: it goes on with every stride-th, the first included. */
static int left_out(const struct layer *layer, int n)
{
    if (MODEL_PAIRED || layer->stride == 1) return 0;
    int now = network.phase[n];
    network.phase[n] = (uint8_t)(now + 1 == layer->stride ? 0 : now + 1);
    return now;
}

/* The layers from one to before another on one frame, or on two in a row. Returns 0 where one of them left the frame out. */
APART int run_layers(const struct layer *layer, const struct layer *end, int8_t *slots, void *scratch)
{
    for (int n = 0; layer < end; n++, layer++) {
        __asm__("" : "+r"(slots)); /* the second frame's come from the first's each time: nothing is kept on the stack */
        if (left_out(layer, n)) {
            if (layer->kernel > 1) remember(layer, slots + layer->source);
            return 0;
        }
        int8_t *in = slots + layer->source;
        if (layer->kind <= LAYER_WEIGHED_CLASSIFIER) add_up(layer, in, scratch); /* those with weights */
        if (MODEL_POOLED && layer->kind == LAYER_POOL) pool_frames(layer, in, slots + layer->target);
        if (layer->kernel > 1) { /* before an output takes the input's place */
            remember(layer, in);
            if (MODEL_PAIRED) remember(layer, in + MODEL_SLOT_BYTES);
        }
        one_frame(layer, ONE, slots, scratch);
        if (MODEL_PAIRED) one_frame(layer, SECOND, slots + MODEL_SLOT_BYTES, scratch);
    }
    return 1;
}

/* Two frames that stand side by side, to where the layers work. */
static void spread(int8_t *slots, const int8_t *from, int width)
{
    copy(copy(slots, from, width) + MODEL_SLOT_BYTES - width, from + width, width);
}

/* Goes on with what is held, from the cut to the scores; features, if any, begin to wait: they may lie where the layers
   work. Returns how many frames have scores. */
static __attribute__((noinline)) int resume(const int8_t *features, void *scratch)
{
    int held = network.holds;
    network.holds = 0;
    if (held) spread(slots_of(scratch, 0), network.between.held, MODEL_HELD_BYTES);
    if (features) {
        copy(network.between.waiting + network.waiting_bytes, features, MODEL_INPUTS);
        network.waiting_bytes += MODEL_INPUTS;
    }
    if (held) {
        const struct layer *layer = model_layers + MODEL_CUT;
        if (MODEL_TAP) {
            run_layers(layer, model_layers + MODEL_TAP, slots_of(scratch, 0), scratch);
            words_compare(network.words, slots_of(scratch, 0), MODEL_SLOT_BYTES, scratch);
            layer = model_layers + MODEL_TAP;
        }
        run_layers(layer, model_layers + MODEL_LAYERS, slots_of(scratch, 0), scratch);
    }
    return held;
}

/* The batch that waits, up to the cut. */
APART void begin_batch(void *scratch)
{
    network.waiting_bytes = 0;
    int8_t *slots = slots_of(scratch, 0), *waiting = network.between.waiting;
    if (MODEL_TAP) words_batch(network.words, waiting);
    if (FOLLOWS) decision_listen(&network.sums, &network.loudness, waiting);
    for (const int8_t *end = waiting + MODEL_BATCH * MODEL_INPUTS; waiting < end; waiting += 2 * MODEL_INPUTS) {
        spread(slots, waiting, MODEL_INPUTS);
        run_layers(model_layers, model_layers + MODEL_FRONT, slots, scratch);
        slots += MODEL_SLOT_BYTES; /* a stride of two leaves one frame of a pair; without, there is but one pair */
    }
    run_layers(model_layers + MODEL_FRONT, model_layers + MODEL_CUT, slots_of(scratch, 0), scratch);
    slots = slots_of(scratch, 0);
    copy(copy(network.between.held, slots, MODEL_HELD_BYTES), slots + MODEL_SLOT_BYTES, MODEL_HELD_BYTES);
    network.holds = 2;
}

int network_frame(const int8_t features[MODEL_INPUTS], void *scratch)
{
    if (!MODEL_PAIRED) {
        copy(slots_of(scratch, 0), features, MODEL_INPUTS);
        return run_layers(model_layers, model_layers + MODEL_LAYERS, slots_of(scratch, 0), scratch);
    }
    int scored = resume(features, scratch);
    if (network.waiting_bytes == MODEL_BATCH * MODEL_INPUTS) begin_batch(scratch);
    return scored;
}

void network_flush(void *scratch)
{
    static const int8_t nothing[MODEL_INPUTS];
    for (int left = MODEL_FLUSH; left > 0 || network.waiting_bytes; left--) {
        if (!left) { /* a batch that is not full is filled up */
            resume(0, scratch);
            network.alone = network.waiting_bytes <= MODEL_BATCH / 2 * MODEL_INPUTS;
        }
        network_frame(nothing, scratch);
    }
    resume(0, scratch);
}

#ifndef __riscv
struct words *network_words(void) { return MODEL_TAP ? network.words : 0; }
#endif

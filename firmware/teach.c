/* See teach.h. For every computer but the chip, which runs teach.S. */
#include "teach.h"

#include <stddef.h>

#include "network.h"

#define AT(field, offset) _Static_assert(offsetof(struct take, field) == offset, #field)
AT(count, TAKE_COUNT);
AT(place, TAKE_PLACE);
AT(sums, TAKE_SUMS);
AT(frame, TAKE_FRAME);
AT(first, TAKE_REST + TAKE_FIRST);
AT(verdict, TAKE_REST + TAKE_VERDICT);
AT(kept, TAKE_REST + TAKE_KEPT);
AT(loudest, TAKE_REST + TAKE_LOUDEST);
AT(softest, TAKE_REST + TAKE_SOFTEST);
AT(left, TAKE_REST + TAKE_LEFT);
AT(frames, TAKE_REST + TAKE_FRAMES);
AT(clipped, TAKE_REST + TAKE_CLIPPED);
AT(features, TAKE_REST + TAKE_FEATURES);
AT(all, TAKE_REST + TAKE_ALL);
AT(filled, TAKE_REST + TAKE_FILLED);
AT(unlike, TAKE_REST + TAKE_UNLIKE);
AT(part, TAKE_REST + TAKE_PART);
_Static_assert(sizeof(struct take) == TAKE_BYTES && !(MODEL_TAP && offsetof(struct network, words) != NETWORK_WORDS),
               "the assembly's");

static int stands(const struct words *words) { return words->history << (32 - 3 * WORD_QUIET) != 0; }

/* On what has just ended. */
static int ended(struct take *take, int length)
{
    int all = 0, heavy = 0;
    if (take->clipped >= TEACH_CLIPPED) return TEACH_HARD;
    int softest = 255 - take->softest;
    if (take->loudest - softest >= WORD_SPAN && take->first > (take->loudest + softest) >> 1) return TEACH_CUT;
    if (length > WORD_LONGEST + WORD_QUIET) return TEACH_LONG;
    for (int i = 0; i < take->kept / TEACH_FRAME_BYTES; i++) {
        int code = take->frame[i][TEACH_FRAME_BYTES - 1];
        if (code) heavy++, all += 1 << code;
    }
    if (heavy < TEACH_SHORTEST) return TEACH_MORE;
    take->all = (uint16_t)all;
    return TEACH_OK;
}

int teach_frame(struct take *take, struct words *words)
{
    const int8_t *f = take->features[0];
    int before = take->kept - TEACH_LEAD * TEACH_FRAME_BYTES, loudness = ((f[0] + f[12]) >> 1) + 128;
    if (!stands(words) && before > 0) {
        uint8_t *to = (uint8_t *)take->frame, *from = to + before;
        for (int n = TEACH_LEAD * TEACH_FRAME_BYTES; n; n--) *to++ = *from++;
        take->kept = TEACH_LEAD * TEACH_FRAME_BYTES;
    }
    words_frame(words, f);
    if (take->kept < sizeof take->frame) {
        uint8_t *to = (uint8_t *)take->frame + take->kept;
        take->kept = (uint16_t)(take->kept + TEACH_FRAME_BYTES);
        for (int i = 0; i < 12; i += 2)
            *to++ = (uint8_t)(((f[i] + f[i + 12]) >> 5 & 15) | ((f[i + 1] + f[i + 13]) >> 5) * 16);
        *to = words->history & 7;
    }
    if (!take->frames++) take->first = (uint8_t)loudness;
    if (take->loudest < loudness) take->loudest = (uint8_t)loudness;
    if (take->softest < 255 - loudness) take->softest = (uint8_t)(255 - loudness);
    if (stands(words)) return words->length == 255 ? TEACH_LONG : TEACH_MORE;
    int length = words->over;
    words->over = 0;
    if (length) return ended(take, length);
    return take->frames < TEACH_PATIENCE ? TEACH_MORE : TEACH_EMPTY;
}

/* Where the chip knows it. */
static struct take *again;
static uint8_t *sum; /* of the value that comes next */

/* The part is complete: its mean vector, to the sums once the verdict is there. */
static void complete(struct take *take)
{
    take->filled = 0;
    for (int i = 0; i < WORD_VALUES; i++, sum++) {
        int rest = take->part[i] + (take->all >> 1), difference = -*sum, value = 0;
        take->part[i] = 0;
        for (; rest >= take->all; rest -= take->all) difference += take->count, value++;
        if (difference < 0) difference = -difference;
        take->unlike = (uint16_t)(take->unlike + difference + (i < WORD_DOUBLE ? difference : 0));
        if (take->verdict) *sum = (uint8_t)((take->count ? *sum : 0) + value);
    }
}

static void vector_comes(const uint8_t *vector, int code)
{
    for (int shares = 4 << code; shares; shares--) {
        for (int i = 0; i < WORD_VALUES; i++) again->part[i] = (uint16_t)(again->part[i] + vector[i]);
        if (++again->filled == again->all) complete(again);
    }
}

/* What was kept, each frame twice, and two frames more, of anything: half a batch is filled up, and its end comes later. */
static void hear(struct take *take, void *scratch)
{
    const uint8_t *frame = take->frame[0];
    uint32_t history = 0;
    network_reset(0);
    take->filled = take->unlike = 0;
    for (int i = 0; i < WORD_VALUES; i++) take->part[i] = 0;
    words_taught = vector_comes;
    again = take, sum = take->sums;
    take->left = (uint16_t)(2 * (take->kept + 2 * TEACH_FRAME_BYTES));
    while (take->left) {
        int8_t features[12];
        for (int i = 0; i < 12; i++) features[i] = (int8_t)(frame[i / 2] >> 4 * (i & 1) << 4 | 8);
        network.words->history = history; /* of the frames before: theirs are the vectors that the network has now */
        network_frame(features, scratch);
        take->left = (uint16_t)(take->left - TEACH_FRAME_BYTES);
        if (take->left & 1) continue; /* the first time */
        history = history << 3 | frame[TEACH_FRAME_BYTES - 1];
        frame += TEACH_FRAME_BYTES;
    }
    words_taught = 0;
}

int teach_add(struct take *take, void *scratch)
{
    take->verdict = 0;
    hear(take, scratch);
    take->verdict = TEACH_OK;
    if (take->count && take->unlike > WORD_PARTS * TEACH_UNLIKE * take->count) {
        if (take->count > 1) return TEACH_UNLIKE_OTHERS;
        take->verdict = TEACH_UNLIKE_OTHERS; /* but it takes the place of the only one */
        take->count = 0;
    }
    hear(take, scratch);
    take->count++;
    return take->verdict;
}

void teach_parts(const struct take *take, struct word *word)
{
    uint8_t *to = word->parts[0];
    uint32_t bits = 0x100; /* of the next byte, above a 1 */
    for (int n = 0; n < WORD_PARTS * WORD_VALUES; n++) {
        int total = take->sums[n] + TEACH_TAKES / 2, mean = 0, size = 4;
        for (; total >= TEACH_TAKES; total -= TEACH_TAKES) mean++;
        if (n % WORD_VALUES >= WORD_COEFFICIENTS) mean = (int)(TEACH_LEVELS >> 2 * mean & 3), size = 2;
        bits = ((uint32_t)mean << 12 | bits) >> size;
        if (bits & 1) *to++ = (uint8_t)(bits >> 4), bits = 0x100;
    }
}

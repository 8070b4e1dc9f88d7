/* See teach.h. */
#include "teach.h"

#include "multiply.h"
#include "network.h"

void teach_ask(struct take *take)
{
    take->frames = take->clipped = take->kept = 0;
    take->least = 127, take->largest = -128;
}

static int stands(const struct words *words) { return words->history << (32 - 3 * WORD_QUIET) != 0; }

enum verdict teach_frame(struct take *take, struct words *words, const int8_t *f, int clipped)
{
    int before = take->kept - TEACH_LEAD;
    if (!stands(words) && before > 0) {
        uint8_t *to = take->frame[0], *from = take->frame[before];
        for (int n = TEACH_LEAD * TEACH_FRAME_BYTES; n; n--) *to++ = *from++;
        take->kept = TEACH_LEAD;
    }
    int loudness = (f[0] + f[12]) >> 1;
    words_frame(words, f);
    if (take->kept < TEACH_FRAMES) {
        uint8_t *to = take->frame[take->kept++];
        for (int i = 0; i < 12; i += 2)
            *to++ = (uint8_t)(((f[i] + f[i + 12]) >> 5 & 15) | ((f[i + 1] + f[i + 13]) >> 5) * 16);
        *to = words->history & 7;
    }
    if (!take->frames) take->first = (int8_t)loudness;
    if (take->frames < 255) take->frames++;
    take->clipped = (uint8_t)(take->clipped + clipped < TEACH_CLIPPED ? take->clipped + clipped : TEACH_CLIPPED);
    if (take->least > loudness) take->least = (int8_t)loudness;
    if (take->largest < loudness) take->largest = (int8_t)loudness;
    if (words->over) {
        words->over = 0;
        if (take->clipped >= TEACH_CLIPPED) return TEACH_HARD;
        if (take->largest - take->least >= WORD_SPAN && take->first > (take->least + take->largest) >> 1) return TEACH_CUT;
        if (words->length > WORD_LONGEST + WORD_QUIET) return TEACH_LONG;
        int heavy = 0;
        for (int i = 0; i < take->kept; i++) heavy += take->frame[i][6] > 0;
        return heavy < TEACH_SHORTEST ? TEACH_MORE : TEACH_OK;
    }
    if (stands(words)) return words->length == 255 ? TEACH_LONG : TEACH_MORE;
    return take->frames >= TEACH_PATIENCE ? TEACH_EMPTY : TEACH_MORE;
}

struct take *teach_again;
static uint8_t next; /* kept frame whose block's values come next, and WORD_LAG more */
static int16_t all, filled; /* weights of the take; and of those, four times, in its part that is not complete */
static uint8_t done; /* parts */
static int8_t sign; /* of what is added to the sums */
static int32_t unlike;

static void complete(struct take *take)
{
    for (int i = 0; i < WORD_VALUES; i++) {
        int8_t *sum = &take->sums[done][i];
        int value = divide(take->part[i] + (all >> 1), all);
        int difference = multiply(value, take->count) - *sum;
        if (difference < 0) difference = -difference;
        unlike += i < WORD_DOUBLE ? 2 * difference : difference;
        *sum = (int8_t)(*sum + (sign < 0 ? -value : value));
        take->part[i] = 0;
    }
    filled = 0;
    done++;
}

/* A kept frame's coefficient, -8 .. 7. */
static int kept(const struct take *take, int frame, int i)
{
    return (int8_t)(take->frame[frame][i >> 1] << (i & 1 ? 0 : 4)) >> 4;
}

void teach_blocks(const int8_t *block, int apart)
{
    struct take *take = teach_again;
    for (int n = 0; n < 2; n++, block += apart) {
        int frame = next++ - WORD_LAG, code = frame < 0 || frame >= take->kept ? 0 : take->frame[frame][6];
        int weight = 4 << code >> 1, other = frame ^ 1;
        if (other >= take->kept) other = frame;
        while (code && weight) {
            int share = weight < all - filled ? weight : all - filled;
            for (int i = 0; i < WORD_VALUES; i++) {
                int value;
                if (i < WORD_COEFFICIENTS) {
                    value = kept(take, frame, i + 1) + kept(take, other, i + 1) + 1;
                    value = value < -8 ? -8 : value > 7 ? 7 : value;
                } else {
                    value = block[i - WORD_COEFFICIENTS] >> 3;
                }
                take->part[i] = (int16_t)(take->part[i] + multiply(value, (uint32_t)share));
            }
            weight -= share;
            filled = (int16_t)(filled + share);
            if (filled == all) complete(take);
        }
    }
}

static void again(struct take *take, int8_t as, void *scratch)
{
    network_reset(0);
    next = done = 0, all = 0, filled = 0, unlike = 0, sign = as;
    for (int i = 0; i < take->kept; i++) all = (int16_t)(all + (1 << take->frame[i][6] >> 1));
    for (int i = 0; i < WORD_VALUES; i++) take->part[i] = 0;
    teach_again = take;
    for (int n = 0; n < 2 * (take->kept + 1) + 1; n++) { /* half a batch is filled up, and its end comes a frame later */
        int frame = n >> 1 < take->kept ? n >> 1 : take->kept - 1;
        int8_t features[12];
        for (int i = 0; i < 12; i++) features[i] = (int8_t)(16 * kept(take, frame, i) + 8);
        network_frame(features, scratch);
    }
    teach_again = 0;
}

enum verdict teach_add(struct take *take, void *scratch)
{
    again(take, 1, scratch);
    if (!take->count || unlike <= WORD_PARTS * TEACH_UNLIKE * take->count) {
        take->count++;
        return TEACH_OK;
    }
    if (take->count == 1) {
        for (int8_t *sum = take->sums[0]; sum < (int8_t *)take->frame; sum++) *sum = 0;
        again(take, 1, scratch);
    } else {
        again(take, -1, scratch);
    }
    return TEACH_UNLIKE_OTHERS;
}

void teach_word(const struct take *take, const char *name, struct word *word)
{
    uint8_t *to = (uint8_t *)word;
    for (int i = 0; i < WORD_BYTES; i++) to[i] = 0;
    for (int i = 0; i < WORD_NAME_BYTES; i++) word->name[i] = name[i];
    word->threshold = TEACH_THRESHOLD;
    for (int part = 0; part < WORD_PARTS; part++) {
        uint32_t bits = 0;
        to = word->parts[part];
        for (int i = 0; i < WORD_VALUES; i++) {
            int mean = divide(take->sums[part][i] + TEACH_TAKES / 2, TEACH_TAKES);
            if (i < WORD_COEFFICIENTS) {
                bits = bits >> 4 | (uint32_t)(mean + 8) << 4;
                if (i & 1) *to++ = (uint8_t)bits;
            } else {
                bits = bits >> 2 | (uint32_t)((mean >= 2) + (mean >= 5) + (mean >= 9)) << 6;
                if ((i & 3) == 1) *to++ = (uint8_t)bits;
            }
        }
    }
    uint32_t crc = word_crc(word, WORD_BYTES - 2);
    word->crc[0] = (uint8_t)(crc >> 24), word->crc[1] = (uint8_t)(crc >> 16);
}

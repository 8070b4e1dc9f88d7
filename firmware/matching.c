/* words_frames and words_compare in C, for every computer but the chip, which runs matching.S. See words.h. */
#include "words.h"

struct word words_pages[WORDS]; /* no flash is there */
void (*words_taught)(const uint8_t *vector, int code);

/* A frame's weight is 2^code / 2; 0 of code 0. hurry: the floor rises faster. */
static int weight_code(struct words *words, int loudness, int hurry)
{
    int e = loudness * 16, floor = words->floor, peak = words->peak;
    if (floor == peak) floor = peak = e; /* the first frame */
    floor += e < floor ? (e - floor) >> 1 : hurry ? 16 : 2;
    if (--peak < e) peak = e;
    if (peak < floor + WORD_SPAN * 16) peak = floor + WORD_SPAN * 16;
    words->floor = floor, words->peak = peak;
    int least = floor + (3 * (peak - floor) >> 3);
    if (least < peak - WORD_STEEPEST * 16) least = peak - WORD_STEEPEST * 16;
    int c = (e - least) >> 4, code = c > 0;
    while (code && code < WORD_LARGEST_CODE && (c >>= 1) > 1) code++;
    return code;
}

/* Whether one of the last WORD_QUIET frames has weight. */
static int stands(uint32_t history) { return (history & ((1 << 3 * WORD_QUIET) - 1)) > 0; }

/* A coefficient of a batch, 0 .. 15. */
static uint8_t coefficient(const int8_t *of)
{
    int mean = (of[0] + of[12] + of[24] + of[36] + 272) >> 5;
    return (uint8_t)(mean < 0 ? 0 : mean > 15 ? 15 : mean);
}

void words_frame(struct words *words, const int8_t *frame)
{
    int stood = stands(words->history);
    int code = weight_code(words, (frame[0] + frame[12]) >> 1, stood && words->length >= WORD_LONGEST);
    words->history = words->history << 3 | (uint32_t)code;
    if (stood) words->length = (uint8_t)(words->length < 255 ? words->length + 1 : 255);
    else if (code) words->length = 1;
    if (!stands(words->history) && words->history >> 3 * WORD_QUIET & 7) words->over = words->length;
}

void words_batch(struct words *words, const int8_t *features)
{
    words_frame(words, features);
    words_frame(words, features + 24);
    for (int n = 0; n < WORD_LINE; n++)
        for (int i = 0; i < WORD_LINE_BYTES; i++)
            words->line[n][i] = n + 1 < WORD_LINE ? words->line[n + 1][i]
                                : (uint8_t)(coefficient(features + 2 * i + 1) | coefficient(features + 2 * i + 2) << 4);
}

/* Of a vector and a word's part. */
static int distance(const uint8_t *vector, const uint8_t *part)
{
    int sum = 0;
    uint32_t bits = 1; /* what is left of a byte, and a 1 above it */
    for (int i = 0; i < WORD_VALUES; i++) {
        if (bits == 1) bits = *part++ | 256u;
        int value = i < WORD_COEFFICIENTS ? bits & 15 : WORD_LEVELS >> 4 * (bits & 3) & 15;
        bits >>= i < WORD_COEFFICIENTS ? 4 : 2;
        int difference = vector[i] < value ? value - vector[i] : vector[i] - value;
        sum += i < WORD_DOUBLE ? 2 * difference : difference;
    }
    return sum;
}

void words_compare(struct words *words, const int8_t *block, int apart, uint8_t *work)
{
    static const uint8_t usual[WORD_PART_BYTES] = {WORD_USUAL};
    for (int frame = 0; frame < 2; frame++, block += apart) {
        int code = (int)(words->history >> 3 * (WORD_LAG + 1 - frame) & 7), first = words->started ? 0 : WORD_START;
        if (!code) continue;
        for (int i = 0; i < WORD_COEFFICIENTS; i++) work[i] = words->line[frame][i / 2] >> 4 * (i & 1) & 15;
        for (int i = 0; i < WORD_BLOCK; i++) work[WORD_COEFFICIENTS + i] = (uint8_t)block[i] >> 3;
        if (words_taught) {
            words_taught(work, code);
            continue;
        }
        words->started = (uint8_t)code;
        int expected = distance(work, usual) >> WORD_USUAL_SHIFT;
        for (int n = 0; n < WORDS; n++) {
            if (words_pages[n].name[0] & 0x80) continue; /* an erased page */
            int before = first;
            for (int part = 0; part < WORD_PARTS; part++) {
                int now = words->merit[n][part], most = now < before ? before : now;
                int excess = distance(work, words_pages[n].parts[part]) - expected - words_pages[n].threshold;
                most -= (excess * (1 << code) + (1 << WORD_COST_SHIFT)) >> (WORD_COST_SHIFT + 1);
                words->merit[n][part] = (uint8_t)(most < 0 ? 0 : most > 255 ? 255 : most);
                before = now;
            }
        }
    }
}

/* The firmware's own C inside a web page, beside the chip: it classifies a clip, and teaches a word from what a board
   hears. One of each, and functions that a script (engine.js) calls without pointers. Chapters 10 and 12. */
#include <stddef.h>

#include "frontend.h"
#include "network.h"
#include "teach.h"

int16_t *engine_clip(void);
void engine_classify(void);
int32_t engine_logit(uint32_t i);
int8_t *engine_heard(void);
char *engine_name(void);
void engine_begin(void);
void engine_ask(void);
int engine_take(int clipped);
int engine_takes(void);
uint8_t *engine_word(void);

enum { CLIP_SAMPLES = FRONTEND_WINDOW + (FRONTEND_N_FRAMES - 1) * FRONTEND_HOP };
static int16_t clip[8000], window[FRONTEND_WINDOW];
_Static_assert(CLIP_SAMPLES <= sizeof clip / sizeof *clip, "a clip's frames");
static int32_t scratch[FRONTEND_WINDOW / 2], logits[MODEL_CLASSES];
static struct take take;
static struct words listens;
static struct word word;

/* Where the page puts a clip, int16 [8000] at 8 kHz; classified, its logits are there. */
int16_t *engine_clip(void) { return clip; }

void engine_classify(void)
{
    network_reset(0);
    for (int t = 0; t < FRONTEND_N_FRAMES; t++) {
        int8_t coefficients[FRONTEND_N_COEFFICIENTS];
        for (int i = 0; i < FRONTEND_WINDOW; i++) window[i] = clip[t * FRONTEND_HOP + i];
        frontend_frame(window, coefficients);
        network_frame(coefficients, scratch);
    }
    network_flush(scratch);
    network_logits(logits);
}

int32_t engine_logit(uint32_t i) { return logits[i]; }

/* Where the page puts two frames of coefficients, int8 [2][12], and a word's name, padded with zeros. */
int8_t *engine_heard(void) { return take.features[0]; }
char *engine_name(void) { return (char *)word.name; }

/* A new word; then, before each take, an ask. */
void engine_begin(void)
{
    take = (struct take){0};
    word = (struct word){.threshold = TEACH_THRESHOLD};
}

void engine_ask(void)
{
    uint8_t *byte = (uint8_t *)&take;
    for (unsigned i = offsetof(struct take, frame); i < sizeof take; i++) byte[i] = 0; /* what outlives a take is before */
    listens = (struct words){0};
}

/* Two frames of a take, and how many of their samples were clipped: the verdict. */
int engine_take(int clipped)
{
    take.clipped += (uint32_t)clipped;
    int verdict = teach_frame(&take, &listens);
    return verdict == TEACH_OK ? teach_add(&take, scratch) : verdict;
}

/* Takes that are taken; TEACH_TAKES of them are a word: its page, 64 bytes. */
int engine_takes(void) { return take.count; }

uint8_t *engine_word(void)
{
    teach_parts(&take, &word);
    uint32_t crc = word_crc(&word, WORD_BYTES - 2);
    word.crc[0] = (uint8_t)(crc >> 24), word.crc[1] = (uint8_t)(crc >> 16);
    return (uint8_t *)&word;
}

/* Words that are taught, take by take: on the chip where the network leaves room for it, on every other computer always.
   Definition: tinyspeech/integer/words.py; what the board says, tinyspeech/board/protocol.py; chapter "Your own words". C and
   assembly read this file alike. */
#ifndef TINYSPEECH_TEACH_H
#define TINYSPEECH_TEACH_H
#include "model.h"
#include "words.h"

#define TEACH_TAKES 5
#define TEACH_LEAD 4
#define TEACH_FRAMES (TEACH_LEAD + WORD_LONGEST + WORD_LAG)
#define TEACH_FRAME_BYTES 7
#define TEACH_PATIENCE 200 /* frames */
#define TEACH_FULL_SCALE 32000
#define TEACH_CLIPPED 16
#define TEACH_SHORTEST 4
#define TEACH_UNLIKE 125
#define TEACH_THRESHOLD 71
#define TEACH_LEVELS 0xfffea950 /* of a mean of 0 .. 15 the level: two bits each, of 0 the lowest */
#define TEACH_REFUSALS 8 /* and it gives up */

/* Verdicts on a take; TEACH_MORE while it goes on. */
#define TEACH_MORE 0
#define TEACH_OK 1
#define TEACH_EMPTY 2
#define TEACH_CUT 3
#define TEACH_LONG 4
#define TEACH_HARD 5
#define TEACH_UNLIKE_OTHERS 6

/* And what else is said. */
#define TEACH_TAKE 0
#define TEACH_FULL 7
#define TEACH_TAUGHT 8
#define TEACH_FORGOT 9
#define TEACH_HELD 3 /* seconds */

/* Offsets in struct take; teach.c asserts each. Those behind TAKE_REST are of what lies there. */
#define TAKE_COUNT 0
#define TAKE_PLACE 1
#define TAKE_SUMS 2
#define TAKE_FRAME 170
#define TAKE_REST 440
#define TAKE_FIRST 3
#define TAKE_VERDICT 3
#define TAKE_KEPT 4
#define TAKE_LOUDEST 6
#define TAKE_SOFTEST 7
#define TAKE_LEFT 6
#define TAKE_FRAMES 8
#define TAKE_CLIPPED 12
#define TAKE_FEATURES 16
#define TAKE_ALL 8
#define TAKE_FILLED 10
#define TAKE_UNLIKE 12
#define TAKE_PART 14
#define TAKE_BYTES 540

/* Where `words`, and the decision's rest, are in struct network (network.h). */
#if MODEL_BATCH * MODEL_INPUTS > 2 * MODEL_HELD_BYTES
#define NETWORK_BETWEEN (MODEL_BATCH * MODEL_INPUTS)
#else
#define NETWORK_BETWEEN (2 * MODEL_HELD_BYTES)
#endif
#define NETWORK_WORDS ((MODEL_STATE_BYTES + 3) / 4 * 4 + 4 * (MODEL_CLASSES + 1) + 4 + NETWORK_BETWEEN)
#define NETWORK_REST (NETWORK_WORDS - NETWORK_BETWEEN - 4)

#ifndef __ASSEMBLER__
#include <stdint.h>


/* A take, which lies where the network's state is while it is said, and where `listening` is while the network hears it
   again. All zero at first. Values of vectors are 0 .. 15 here, coefficients from -8 on. */
struct take {
    uint8_t count; /* of takes before */
    uint8_t place; /* the chip's: of the word, 1 .. WORDS, and 16 times as many refusals as are left */
    uint8_t sums[WORD_PARTS * WORD_VALUES]; /* of their parts: these three outlive the take */
    uint8_t frame[TEACH_FRAMES][TEACH_FRAME_BYTES]; /* 12 coefficients, a nibble each, and the weight's code */
    union {
        uint8_t first; /* loudness + 128 of the first frame */
        uint8_t verdict; /* while it is heard for the second time */
    };
    uint16_t kept; /* bytes of frames */
    union {
        struct {
            uint8_t loudest, softest; /* loudness + 128, 127 - loudness */
        };
        uint16_t left; /* while it is heard again: bytes of frames that the network will hear */
    };
    union {
        struct { /* while it is said */
            uint16_t frames; /* since the ask */
            uint32_t clipped; /* samples */
            int8_t features[2][12]; /* of the frame that comes next */
        };
        struct { /* while it is heard again */
            uint16_t all, filled; /* weights, twice; and how many shares the part has that is not complete */
            uint16_t unlike;
            uint16_t part[WORD_VALUES]; /* the shares' sums */
        };
    };
};

/* A frame of 40 ms has come, take->features, and how many of its samples were clipped is in take->clipped. */
int teach_frame(struct take *take, struct words *words);

/* After TEACH_OK: the network hears the take again, twice; TEACH_OK or TEACH_UNLIKE_OTHERS. */
int teach_add(struct take *take, void *scratch);

/* After TEACH_TAKES: the parts of the word. */
void teach_parts(const struct take *take, struct word *word);

/* The chip's, in teach.S. Asks for takes, which it finds in what the microphone hears, until five are alike, and keeps the word
   by the name of its place; or where the button is held, forgets all words. Returns the byte that ended it, or -1. */
int teach(void);
#endif

#endif

/* See words.h. */
#include "words.h"

#include <stddef.h>

#define AT(field, offset) _Static_assert(offsetof(struct words, field) == offset, #field)
AT(floor, WORDS_FLOOR);
AT(peak, WORDS_PEAK);
AT(history, WORDS_HISTORY);
AT(length, WORDS_LENGTH);
AT(over, WORDS_OVER);
AT(started, WORDS_STARTED);
AT(line, WORDS_LINE);
AT(merit, WORDS_MERIT);
_Static_assert(WORDS_MERIT % WORD_PARTS == 0, "the assembly's");
_Static_assert(sizeof(struct word) == WORD_BYTES && offsetof(struct word, parts) == offsetof(struct word, threshold) + 1,
               "the assembly's");

int word_whole(const struct word *word)
{
    const uint8_t *byte = (const uint8_t *)word;
    uint32_t crc = 0xffff0000;
    for (int n = WORD_BYTES; n; n--) {
        crc ^= (uint32_t)*byte++ << 24;
        for (int bit = 8; bit; bit--) crc = crc << 1 ^ ((uint32_t)((int32_t)crc >> 31) & 0x10210000);
    }
    return !(crc | word->version);
}

int words_decide(struct words *words)
{
    int best = -1, most = words->over > WORD_LONGEST + WORD_QUIET ? 255 : WORD_START;
    if (!words->over) return best;
    words->over = words->started = 0;
    for (int slot = 0; slot < WORDS; slot++) {
        int merit = words->merit[slot][WORD_PARTS - 1];
        for (int part = 0; part < WORD_PARTS; part++) words->merit[slot][part] = 0;
        if (merit > most && word_kept(words_pages + slot)) most = merit, best = slot;
    }
    return best;
}

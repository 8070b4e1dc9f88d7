/* See words.h. */
#include "words.h"

#include <stddef.h>

#include "model.h"

#define AT(field, offset) _Static_assert(offsetof(struct words, field) == offset, #field)
AT(floor, WORDS_FLOOR);
AT(peak, WORDS_PEAK);
AT(history, WORDS_HISTORY);
AT(length, WORDS_LENGTH);
AT(sum, WORDS_SUM);
AT(over, WORDS_OVER);
AT(started, WORDS_STARTED);
AT(line, WORDS_LINE);
AT(merit, WORDS_MERIT);
_Static_assert(WORDS_MERIT % WORD_PARTS == 0, "the assembly's");
_Static_assert(sizeof(struct word) == WORD_BYTES && offsetof(struct word, parts) == offsetof(struct word, threshold) + 1,
               "the assembly's");

#if !MODEL_TEACHES || !defined __riscv /* the chip then has it by hand, in teach.S, which needs the CRC, too */
int word_whole(const struct word *word) { return !(word_crc(word, WORD_BYTES) | word->version); }

int word_named(const struct word *word) { return *word->name && word_whole(word); }
#endif

const struct word *words_decide(struct words *words)
{
    const struct word *best = 0;
    int most = WORD_START, length = words->over;
    if (!length) return best;
    if (length > WORD_LONGEST + WORD_QUIET) most = 255;
    *(volatile uint16_t *)(volatile void *)&words->over = 0; /* and started */
    uint32_t *merits = (uint32_t *)(void *)words->merit; /* the last part's is the highest byte */
    for (const struct word *word = words_pages; word < words_pages + WORDS; word++) {
        int merit = (int)(*merits >> 24);
        *merits++ = 0;
        if (merit > most && word_kept(word)) most = merit, best = word;
    }
    return best;
}

/* See words.h. */
#include "words.h"

int word_whole(const struct word *word)
{
    const uint8_t *byte = (const uint8_t *)word, *end = byte + sizeof *word;
    uint32_t crc = 0xffff;
    for (; byte < end; byte++) {
        crc ^= (uint32_t)*byte << 8;
        for (int bit = 8; bit; bit--) {
            crc <<= 1;
            if (crc & 0x10000) crc ^= 0x11021;
        }
    }
    return !crc && !word->version;
}

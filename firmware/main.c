/* The firmware: samples come over the serial port, the word goes back. Chapter 11.

   Protocol, pulled by the chip so that nothing can be lost:
     'V'  -> a line: "tinyspeech NAME HASH\n"
     'C'  -> a clip: 96 samples are asked for, then 160, 49 times. To ask, the chip sends the number as one byte; a sample
             is an int16 at 8 kHz, low byte first. At the end: a zero byte, 12 logits (int32, low byte first), the class.
     'F'  -> the same, and after each 160 samples the frame's 12 coefficients (int8).
     'B'  -> the ROM bootloader takes over, to flash the board. */
#include <stdint.h>

#include "frontend.h"
#include "network.h"
#include "usart.h"

void enter_bootloader(void); /* startup.S */

static struct frontend_stream stream;
static union {
    int16_t window[FRONTEND_WINDOW]; /* the transform's work buffer */
    uint32_t scratch[FRONTEND_WINDOW / 2]; /* then the network's: one after the other, never both */
} work;

static void put_text(const char *text)
{
    while (*text) usart_put((uint8_t)*text++);
}

static void put_word(uint32_t value)
{
    for (int i = 0; i < 4; i++, value >>= 8) usart_put((uint8_t)value);
}

/* Ask for `count` samples and take them. A frame is due after 256, then after every 160. */
static void fill(unsigned count)
{
    usart_put((uint8_t)count);
    for (; count; count--) {
        unsigned low = usart_get();
        frontend_push(&stream, (int16_t)(low | (unsigned)usart_get() << 8));
    }
}

static void classify(int with_features)
{
    network_reset();
    frontend_start(&stream);
    fill(FRONTEND_WINDOW - FRONTEND_HOP);
    for (int frame = 0; frame < FRONTEND_N_FRAMES; frame++) {
        int8_t coefficients[FRONTEND_N_COEFFICIENTS];
        fill(FRONTEND_HOP);
        frontend_window(&stream, work.window);
        frontend_frame(work.window, coefficients);
        network_frame(coefficients, work.scratch);
        if (with_features)
            for (int i = 0; i < FRONTEND_N_COEFFICIENTS; i++) usart_put((uint8_t)coefficients[i]);
    }
    network_flush(work.scratch);
    int32_t *logits = (int32_t *)work.scratch;
    network_logits(logits);
    int best = 0;
    usart_put(0);
    for (int i = 0; i < MODEL_CLASSES; i++) {
        if (logits[i] > logits[best]) best = i;
        put_word((uint32_t)logits[i]);
    }
    usart_put((uint8_t)best);
}

int main(void)
{
    _Static_assert(MODEL_SCRATCH_BYTES <= sizeof work, "the network's scratch does not fit the transform's buffer");
    usart_start();
    for (;;) {
        switch (usart_get()) {
        case 'V': put_text("tinyspeech " MODEL_NAME " " MODEL_HASH "\n"); break;
        case 'C': classify(0); break;
        case 'F': classify(1); break;
        case 'B': enter_bootloader(); break;
        }
    }
}

/* The compiler may turn loops and copies into calls of these; there is no C library. */
void *memset(void *to, int value, unsigned count)
{
    for (uint8_t *p = to; count; count--) *p++ = (uint8_t)value;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, unsigned count)
{
    const uint8_t *q = from;
    for (uint8_t *p = to; count; count--) *p++ = *q++;
    return to;
}

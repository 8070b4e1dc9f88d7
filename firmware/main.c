/* The firmware: commands come over the serial port; it classifies clips, listens and says words. Chapter 13.

     'V'  -> a line: "tinyspeech NAME HASH\n"
     'C'  -> a clip, pulled by the chip so that nothing can be lost: 96 samples are asked for, then 160, 49 times. To ask,
             the chip sends the number as one byte; a sample is an int16 at 8 kHz, low byte first. At the end: a zero byte,
             12 logits (int32, low byte first), the class.
     'F'  -> the same, and after each 160 samples the frame's 12 coefficients (int8).
     'L'  -> listens to the microphone until any byte comes, which is then taken as a command: "listening\n", then lines
             "word NAME FRAME\n" (frames of 20 ms so far), should samples ever be dropped "lost COUNT\n", and at the end
             "stopped FRAME\n". PD0 is high for 0.64 s after a word, and while an armed board is open.
     'M'  -> listens so, too, but after "listening\n" come each frame's 12 coefficients (int8), and no words. But where the
             network leaves room (MODEL_TEACHES), it teaches a word, as when the button is pressed: teach.S.
     'U'  -> as 'L' with samples that come over the serial port: 8 kHz, a byte each, mu-law; 0x7f ends it.
     'T'  -> classifies a second that it makes up: "test ok\n", or "test failed CHECKSUM\n".
     'S'  -> and a byte: sensitivity and the word that opens an armed board (decision.h); and the byte's complement, for
             noise makes two bytes easily and three hardly ever. Then it is kept, across power loss (board.h). Any other
             byte, '?' by custom, or another complement changes nothing. The byte that is kept: "settings P\n".
     'W'  -> and 66 bytes: a taught word as it is kept (words.h), its slot, 0 .. 7, and the slot's complement. Where the
             word is whole, and has no name or the slot is free, it is kept, across power loss; one without a name is none,
             and so the one before is forgotten. What the slot holds then: 64 bytes. Nothing where the complement is another,
             or words cannot be taught to the network.
     'B'  -> the ROM bootloader takes over, to flash the board.
     0x7f -> nothing. Any other byte is noise, and one with a framing error is not even that.

   Nothing leaves it deaf. Samples that do not come for a second end 'C', 'F' and 'U'. When nothing has come for a second
   after a reset, noise or such an end, it listens by itself, and a minute after a command. */
#define MODEL_WITH_WORDS
#include <stdint.h>

#include "board.h"
#include "ch32v003.h"
#include "frontend.h"
#include "handler.h"
#include "led.h"
#include "listen.h"
#include "network.h"
#include "teach.h"
#include "usart.h"
#include "words.h"

void enter_bootloader(void); /* startup.S */

/* The transform's work buffer, then the network's: one after the other, never both. teach.S knows it, too. */
union {
    int16_t window[FRONTEND_WINDOW];
    uint32_t scratch[FRONTEND_WINDOW / 2];
    int32_t logits[MODEL_CLASSES];
    uint8_t bytes[WORD_BYTES + 2];
    struct word word;
    struct {
        int8_t other[2 * FRONTEND_WINDOW - FRONTEND_N_COEFFICIENTS];
        int8_t coefficients[FRONTEND_N_COEFFICIENTS]; /* where neither needs anything when it is the other's turn */
    };
} work;
static struct frontend_stream *const stream = &listening.stream;

/* A sample of a clip, as uint16: the host's, or -1 when it does not come; for 'T' one that is made up, quieter with every
   fourth frame. */
static int32_t next_sample(int command, uint32_t *noise, int frame)
{
    if (command != 'T') {
        int low = usart_get();
        return low | usart_get() * 256;
    }
    uint32_t x = *noise; /* xorshift */
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    *noise = x;
    return (uint16_t)((int16_t)x >> (frame >> 2));
}

/* A clip's logits, into the work buffer; 0 when the clip broke off. */
static int classify(int command)
{
    uint32_t noise = 1;
    int count = FRONTEND_WINDOW - FRONTEND_HOP;
    network_reset(0);
    frontend_start(stream);
    for (int n = 0; n <= FRONTEND_N_FRAMES; n++) {
        if (command != 'T') usart_put((uint8_t)count);
        for (; count; count--) {
            int32_t sample = next_sample(command, &noise, n);
            if (sample < 0) return 0;
            frontend_push(stream, (int16_t)sample);
        }
        count = FRONTEND_HOP;
        if (!n) continue;
        frontend_window(stream, work.window);
        frontend_frame(work.window, work.coefficients);
        if (command == 'F') usart_bytes(work.coefficients, FRONTEND_N_COEFFICIENTS);
        network_frame(work.coefficients, work.scratch);
    }
    network_flush(work.scratch);
    network_logits(work.logits);
    return 1;
}

static void answer(void)
{
    int best = 0;
    for (int i = 1; i < MODEL_CLASSES; i++)
        if (work.logits[i] > work.logits[best]) best = i;
    usart_put(0);
    usart_bytes(work.logits, sizeof work.logits); /* low bytes first, as they lie */
    usart_put((uint8_t)best);
}

static void self_test(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < MODEL_CLASSES; i++) sum = (sum << 5 | sum >> 27) ^ (uint32_t)work.logits[i];
    sum &= INT32_MAX;
    if (sum == MODEL_CHECKSUM) usart_text("test ok\n");
    else usart_say("test failed ", (int32_t)sum, 16);
}

/* Keeps the setting that comes with its complement; any other byte, and none, only asks. What is kept already is not
   written again. */
static void settings(void)
{
    int setting = usart_get();
    if (setting_valid((uint32_t)setting) && usart_get() == (setting ^ 0xff) && setting != board_setting()) {
        *work.scratch = board_kept_word((uint32_t)setting); /* the page's other words say nothing */
        board_keep(SETTINGS_PAGE, work.scratch);
    }
    usart_text("settings ");
    usart_put(board_setting());
    usart_put('\n');
}

/* A taught word's page, for another one that the host sends, if that is whole. Where a word is, only one without a name is
   kept, which is none: so no word is lost while the power fails. Returns 0 when the bytes broke off. */
static int words(void)
{
    for (unsigned i = 0; i < WORD_BYTES + 2; i++) {
        int byte = usart_get();
        if (byte < 0) return 0;
        work.bytes[i] = (uint8_t)byte;
    }
    int slot = work.bytes[WORD_BYTES];
    if (slot < (MODEL_TAP ? WORDS : 0) && (slot ^ work.bytes[WORD_BYTES + 1]) == 0xff) {
        const struct word *page = words_pages + slot;
        if (word_whole(&work.word) && !(*work.word.name && word_kept(page))) board_keep((uint32_t)page, &work.word);
        usart_bytes(page, WORD_BYTES);
    }
    return 1;
}

static __attribute__((noinline)) void report(const char *name, int word, int32_t frames)
{
    led_word(word);
    usart_text("word ");
    usart_text(name);
    usart_say(" ", frames, 10);
}

/* Words as they come. Returns the byte that ended it, or -1: the samples did not come. */
static int listen(int now)
{
    int32_t frames = 0;
    uint32_t lost = 0;
    listen_start(now == 'U'); /* first, since samples may come at once */
    network_reset(1);
    usart_text("listening\n");
    while (listen_frame(work.window)) {
        frontend_frame(work.window, work.coefficients);
        frames++;
        if (!MODEL_TEACHES && now == 'M') {
            usart_bytes(work.coefficients, FRONTEND_N_COEFFICIENTS);
        } else if (network_frame(work.coefficients, work.scratch)) {
            int word = decision_step(&network.sums, board_setting(), MODEL_DOUBTFUL);
            const void *rest = &network.sums.refractory; /* and window, in the same halfword */
            if (!*(const uint16_t *)rest) led_rest();
            if (word >= 0) {
                const char *name = model_words;
                for (int n = word - DECISION_REJECTED; n; n--)
                    while (*name++) {
                    }
                report(name, word, frames);
            }
            if (MODEL_TAP) {
                const struct word *taught = words_decide(network.words);
                if (taught && decision_taught(&network.sums, board_setting())) report(taught->name, -1, frames);
            }
        }
        uint32_t lost_now = listening.lost;
        if (lost_now != lost) usart_say("lost ", (uint16_t)(lost_now - lost), 10);
        lost = lost_now;
    }
    listen_stop();
    usart_say("stopped ", frames, 10);
    return listening.ended ? listening.command : -1;
}

__attribute__((noreturn)) int main(void)
{
    _Static_assert(MODEL_SCRATCH_BYTES <= sizeof work, "the network's scratch does not fit the transform's buffer");
    enum { SOON = 1, LATER = 60 };
    int command = -1, patience = SOON; /* seconds of silence after which it listens by itself */
    board_start();
    for (;;) {
        if (command < 0) command = usart_get();
        if (command < 0) {
            if (--patience || !MODEL_WEIGHED) continue;
            command = 'L';
        }
        int now = command;
        command = -1, patience = LATER;
        switch (now) {
        case 'V': usart_text("tinyspeech " MODEL_NAME " " MODEL_HASH "\n"); break;
        case 'C':
        case 'F':
        case 'T':
            if (!classify(now)) patience = SOON;
            else if (now == 'T') self_test();
            else answer();
            break;
        case 'L':
        case 'M':
        case 'U':
            if (MODEL_TEACHES && now == 'M') command = teach();
            else if (MODEL_WEIGHED) command = listen(now);
            if (command < 0) patience = SOON;
            break;
        case 'S': settings(); break;
        case 'W':
            if (!words()) patience = SOON;
            break;
        case 'B':
            board_long_watchdog();
            enter_bootloader();
            break;
        case HANDLER_END: break;
        default: patience = SOON;
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

/* The board around the chip: its ROM bootloader, its serial port's line, its microphone, and a clock that goes on whatever
   the chip does. Chapter 14. */
#ifndef TINYSPEECH_BOARD_H
#define TINYSPEECH_BOARD_H
#include "chip.h"

enum {
    PAGE_BYTES = 64,
    LINE_BYTES = 65536,      /* on their way to the board: 5.7 s of them */
    HEARD_HZ = 32000,        /* rate of the microphone's signal */
    HEARD_SILENCE = 32768,   /* half the supply */
    HEARD_SAMPLES = 1 << 17, /* of it that are kept: 4 s */
    ANSWERS = 64             /* of the ROM that may wait for one another */
};
#define LINE_BAUD 115200u
#define BYTE_TICKS (10 * TICKS_PER_SECOND / LINE_BAUD) /* rounded down: whoever looks when a byte ends finds it */
#define HEARD_TICKS (TICKS_PER_SECOND / HEARD_HZ) /* of one sample: a whole number */

enum board_stop { BOARD_TIME, BOARD_STARVED, BOARD_FULL }; /* time is over; it waits for bytes; those it sent must be fetched */

enum { ROM_IDENTIFY = 0xa1, ROM_END, ROM_KEY, ROM_ERASE, ROM_PROGRAM, ROM_VERIFY, ROM_READ_CONFIG, ROM_WRITE_CONFIG };
enum { ROM_OK = 0x00, ROM_BAD_PASSPHRASE = 0xf1, ROM_MISMATCH = 0xf5, ROM_REFUSED = 0xfe, ROM_FAMILY = 0x21 };
enum { VARIANT_AT = 0x46, UNIQUE_AT = 0x68 }; /* offsets among the vendor bytes */
#define ROM_TIMEOUT_TICKS (60 * TICKS_PER_SECOND)       /* without a valid packet it leaves into the user's code */
#define ROM_PROGRAM_TICKS (3 * TICKS_PER_SECOND / 1000) /* a page */
#define ROM_ERASE_TICKS (16 * ROM_PROGRAM_TICKS)        /* 16 sectors of 1 KB */

struct answer { /* of the ROM: 6 bytes around at most 26 */
    uint64_t at; /* when its first byte begins */
    uint8_t bytes[40];
    uint32_t count, sent;
};

/* The ROM bootloader while it has the chip; times are ticks of the board's clock. */
struct rom {
    uint32_t active, to_boot; /* to_boot: its end leads back into the boot area */
    uint32_t identified, mismatch, random, held; /* held: 1 + the byte in the receiver while it is busy, or 0 */
    uint64_t leave_at, busy_until;
    uint32_t work_at, work_bytes; /* what it erases or programs while it is busy ... */
    uint8_t before[FLASH_BYTES];  /* ... and what was there */
    uint8_t packet[6 + 255], key[8], unique[8], page[PAGE_BYTES];
    uint32_t packet_count;
    uint64_t page_at; /* behind the last byte that was gathered */
    struct answer answers[ANSWERS];
    uint32_t first, waiting; /* of the answers */
};

struct board {
    struct chip *chip;
    uint64_t base;                    /* the board's time at which the chip's began */
    uint64_t until;                   /* what board_advance was asked for */
    uint32_t stopped;                 /* STOP_FAULT or STOP_BREAK: the core stands still; power or the reset pin ends it */
    uint64_t rom_now, rom_began;      /* the time while the ROM has the chip, and since when */
    uint64_t line_free, bites_at;     /* until then the line has a byte; then the watchdog ends the ROM */
    struct rom rom;
    uint64_t heard_from;              /* the time of the first sample that is kept */
    uint32_t gaps;                    /* times that the microphone's signal came late */
    uint8_t line[LINE_BYTES];
    uint16_t heard[HEARD_SAMPLES];
};

size_t board_size(void);
void board_start(struct board *board, struct chip *chip, int blank);
uint64_t board_now(const struct board *board);
int board_advance(struct board *board, uint64_t ticks);
int board_go_on(struct board *board);
void board_power(struct board *board);
void board_reset(struct board *board);
uint32_t board_send(struct board *board, const uint8_t *bytes, uint32_t count);
uint32_t board_hear(struct board *board, const uint16_t *volts, uint32_t count);
uint64_t board_heard_until(const struct board *board);
int board_rom_busy(const struct board *board);
int board_in_rom(const struct board *board);
uint32_t board_stopped(const struct board *board);

#pragma GCC visibility push(hidden)
/* rom.c */
void rom_enter(struct rom *rom, const struct chip *chip, uint64_t now);
void rom_receive(struct rom *rom, struct chip *chip, uint8_t byte, uint64_t now);
void rom_sent(struct rom *rom, struct chip *chip, uint64_t now);
void rom_power_lost(struct rom *rom, struct chip *chip, uint64_t now);
int rom_leaves(const struct rom *rom, uint64_t now);
#pragma GCC visibility pop
#endif

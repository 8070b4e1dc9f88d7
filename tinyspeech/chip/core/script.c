/* The whole board inside a web page: one board with its buffers, and functions that a script calls without pointers.
   Compiled to WebAssembly together with the interpreter (`emulator.wasm`); pages/widgets/board.js is the other side.
   Bytes and samples go in and out through one buffer. Chapter 14. */
#include "board.h"

uint8_t *script_buffer(void);
void script_make(int32_t count);
uint32_t script_send(uint32_t count);
uint32_t script_hear(uint32_t count);
int script_advance(double seconds);
int script_go_on(void);
uint32_t script_received(void);
void script_power(void);
void script_reset(void);
int script_pin(uint32_t port, uint32_t pin);
void script_drive(uint32_t port, uint32_t pin, int to);
int script_read(uint32_t address, uint32_t count);
int script_write(uint32_t address, uint32_t count);
uint32_t script_reason(void);
double script_value(uint32_t what);

enum { BUFFER_BYTES = LINE_BYTES, SENT_BYTES = 4096 };
static struct chip chip;
static struct board board;
static _Alignas(8) uint8_t buffer[BUFFER_BYTES];
static uint8_t sent[SENT_BYTES];
static uint64_t asked; /* time that the script asked for: what a last instruction takes on top does not add up */

/* BUFFER_BYTES: what the script gives, and what it gets. */
uint8_t *script_buffer(void) { return buffer; }

/* A new board, switched on, with the first `count` bytes of the buffer in flash; -1: blank, in the ROM bootloader. */
void script_make(int32_t count)
{
    chip.analogue = 0;
    chip_reset(&chip, buffer, count < 0 ? 0 : (uint32_t)count);
    chip.timed = 1, chip.line_baud = LINE_BAUD;
    chip.transmit = sent, chip.transmit_room = SENT_BYTES, chip.transmit_count = 0;
    board_start(&board, &chip, count < 0);
    asked = 0;
}

/* Bytes of the buffer onto the line, samples of it to the microphone: how many there was room for. */
uint32_t script_send(uint32_t count) { return board_send(&board, buffer, count < BUFFER_BYTES ? count : BUFFER_BYTES); }

uint32_t script_hear(uint32_t count)
{
    enum { MOST = BUFFER_BYTES / sizeof(uint16_t) };
    return board_hear(&board, (const uint16_t *)(const void *)buffer, count < MOST ? count : MOST);
}

/* As board_advance. */
int script_advance(double seconds)
{
    uint64_t now = board_now(&board);
    asked += (uint64_t)(seconds * (double)TICKS_PER_SECOND + 0.5);
    return board_advance(&board, asked > now ? asked - now : 0);
}

int script_go_on(void) { return board_go_on(&board); }

/* Into the buffer what the board sent since the last call: how many bytes. */
uint32_t script_received(void)
{
    uint32_t count = chip.transmit_count;
    memcpy(buffer, sent, count);
    chip.transmit_count = 0;
    return count;
}

void script_power(void) { board_power(&board); }
void script_reset(void) { board_reset(&board); }

/* Pin 0 .. 7 of port 0 .. 2, as chip_pin and chip_drive. */
int script_pin(uint32_t port, uint32_t pin) { return chip_pin(&chip, port, pin); }
void script_drive(uint32_t port, uint32_t pin, int to) { chip_drive(&chip, port, pin, to); }

/* Into the buffer so many bytes of memory, or from it into flash; false where there are none. */
int script_read(uint32_t address, uint32_t count)
{
    const uint8_t *from = chip_memory(&chip, address, count);
    if (from) memcpy(buffer, from, count);
    return from != 0;
}

int script_write(uint32_t address, uint32_t count)
{
    uint8_t *to = chip_memory(&chip, address, count);
    if (!to || to < chip.flash || to >= chip.flash + FLASH_BYTES) return 0;
    memcpy(to, buffer, count);
    forget_decoded(&chip);
    return 1;
}

/* Into the buffer why the core stands still, in words: how many bytes, 0 where it does not. */
uint32_t script_reason(void)
{
    static const char *const reasons[] = {"", FAULTS(FAULT_TEXT)};
    const char *text = board_stopped(&board) == STOP_BREAK ? "breakpoint without a debugger" : reasons[chip.fault];
    uint32_t count = 0;
    if (!board_stopped(&board)) return 0;
    for (; text[count]; count++) buffer[count] = (uint8_t)text[count];
    return count;
}

/* By the order of VALUES in board.js. */
double script_value(uint32_t what)
{
    switch (what) {
    case 0: return (double)board_now(&board) / (double)TICKS_PER_SECOND;
    case 1: return (double)chip.cycles;
    case 2: return (double)chip.slept;
    case 3: return chip.clock_hz;
    case 4: return chip.resets;
    case 5: return chip.conversions;
    case 6: return chip.dropped_triggers;
    case 7: return chip_stack(&chip);
    case 8: return board.gaps;
    case 9: return board_in_rom(&board);
    case 10: return board_stopped(&board) == STOP_FAULT ? chip.fault : 0;
    case 11: return chip.pc;
    case 12: return board_stopped(&board) == STOP_FAULT ? chip.fault_address : 0;
    case 13: return (double)board_heard_until(&board) / (double)TICKS_PER_SECOND;
    case 14: return (double)chip.instructions;
    }
    return 0;
}

/* The board: chip, ROM bootloader, serial line and microphone on one clock. Time passes in board_advance only, and is
   counted in ticks, so that nothing is rounded: however it is cut into pieces, the same happens at the same cycle.

   What it is not: a debugger, a USB device, or any other part of a development board. Python's side is
   tinyspeech/board/virtual.py, a web page's script.c and pages/widgets/board.js. Chapter 14. */
#include "board.h"

/* The chip runs at most so long between two looks at what it sent: at 3 Mbaud, the most that it can, that is 1,500 bytes,
   and its owner has room for 2,048 more. */
#define SLICE_TICKS (TICKS_PER_SECOND / 200)
/* Less than this is no time: one byte's end and the next one's beginning. */
#define MOMENT_TICKS (TICKS_PER_SECOND / 10000000)

size_t board_size(void) { return sizeof(struct board); }

uint64_t board_now(const struct board *board)
{
    return board->rom.active ? board->rom_now : board->base + chip_ticks(board->chip);
}

int board_in_rom(const struct board *board) { return (int)board->rom.active; }

/* Flash is being erased or programmed by it. */
int board_rom_busy(const struct board *board) { return board->rom.active && board_now(board) < board->rom.busy_until; }

/* STOP_FAULT or STOP_BREAK where the core stands still, else 0. */
uint32_t board_stopped(const struct board *board) { return board->stopped; }

/* ------------------------------------------------------------------------------------------------ microphone ---- */

static int hears(const struct board *board) { return board->chip->analogue == board->heard; }

/* Samples whose time is over are no longer needed, nor those from before the chip's own time began; but between two of them
   the ADC sees a straight line, so the last one that is over stays. The others move up by whole samples, which is exact. */
static void forget_heard(struct board *board)
{
    struct chip *chip = board->chip;
    uint64_t now = board_now(board);
    if (!hears(board)) return;
    uint64_t over = now > board->heard_from ? (now - board->heard_from) / HEARD_TICKS : 0;
    if (board->base > board->heard_from + over * HEARD_TICKS) over++;
    if (over > chip->analogue_count) over = chip->analogue_count;
    chip->analogue_count -= (uint32_t)over;
    __builtin_memmove(board->heard, board->heard + over, chip->analogue_count * sizeof *board->heard);
    board->heard_from += over * HEARD_TICKS;
    chip->analogue_start = board->heard_from > board->base ? board->heard_from - board->base : 0;
}

/* Up to when time may pass before more of the signal must be there: a sample before its last one, since the ADC asks for
   what its voltage will be some microseconds on. */
uint64_t board_heard_until(const struct board *board)
{
    uint32_t count = hears(board) ? board->chip->analogue_count : 0;
    return count > 1 ? board->heard_from + (count - 2) * HEARD_TICKS : 0;
}

/* More of the microphone's signal, HEARD_HZ a second: behind what is there or, where that has ended, from now on, at the
   latest half a sample later than board_heard_until. Two samples of silence begin it, so that n samples last for n
   samples' time. Returns how many of the samples there was room for. */
uint32_t board_hear(struct board *board, const uint16_t *volts, uint32_t count)
{
    struct chip *chip = board->chip;
    uint64_t now = board_now(board);
    if (!count) return 0;
    if (!hears(board) || board_heard_until(board) + HEARD_TICKS / 2 < now) {
        board->gaps += hears(board) != 0;
        chip->analogue = board->heard, chip->analogue_hz = HEARD_HZ, chip->analogue_count = 2;
        board->heard[0] = board->heard[1] = HEARD_SILENCE;
        board->heard_from = now;
    }
    forget_heard(board);
    uint32_t room = HEARD_SAMPLES - chip->analogue_count;
    if (count > room) count = room;
    memcpy(board->heard + chip->analogue_count, volts, count * sizeof *volts);
    chip->analogue_count += count;
    return count;
}

/* ------------------------------------------------------------------------------------------------ serial line --- */

/* Bytes onto the board's receiving line, behind those that are still on it. Returns how many there was room for. */
uint32_t board_send(struct board *board, const uint8_t *bytes, uint32_t count)
{
    struct chip *chip = board->chip;
    uint32_t left = chip->receive_count - chip->receive_at;
    if (left) __builtin_memmove(board->line, chip->receive + chip->receive_at, left);
    if (count > LINE_BYTES - left) count = LINE_BYTES - left;
    memcpy(board->line + left, bytes, count);
    chip->receive = board->line, chip->receive_at = 0, chip->receive_count = left + count;
    if (!left && board->line_free < board->rom_now) board->line_free = board->rom_now; /* it was idle */
    return count;
}

/* What was sent fills more than half of what its owner has room for. */
static int full(const struct chip *chip) { return chip->transmit_count > chip->transmit_room / 2; }

/* ------------------------------------------------------------------------------------------------ time ---------- */

static void enter_rom(struct board *board)
{
    uint64_t now = board->base + chip_ticks(board->chip), left = chip_watchdog(board->chip);
    rom_enter(&board->rom, board->chip, now);
    board->rom_began = board->rom_now = board->line_free = now;
    board->bites_at = left == NEVER ? NEVER : now + left;
    chip_hang_up(board->chip);
}

/* The chip begins anew, and its time goes on from here. */
static void begins(struct board *board, uint64_t now)
{
    board->base = now - chip_ticks(board->chip);
    forget_heard(board);
}

/* Power on. blank: waiting in the ROM bootloader, as only a WCH-Link can make it. The chip was reset. */
void board_start(struct board *board, struct chip *chip, int blank)
{
    memset(board, 0, sizeof *board);
    board->chip = chip;
    if (blank) enter_rom(board);
}

/* The chip runs up to `until`; false where it waits for bytes that take no time. */
static int advance_chip(struct board *board, uint64_t until)
{
    struct chip *chip = board->chip;
    uint64_t left = until - board_now(board), cycles = (left < SLICE_TICKS ? left : SLICE_TICKS) / chip_ticks_per_cycle(chip);
    int stop = chip_run(chip, chip->cycles + (cycles ? cycles : 1));
    if (stop == STOP_FAULT || stop == STOP_BREAK) board->stopped = (uint32_t)stop;
    if (stop == STOP_BOOT) enter_rom(board);
    return stop != STOP_STARVED;
}

static void leave_rom(struct board *board)
{
    struct rom *rom = &board->rom;
    chip_watchdog_counts(board->chip, board->rom_now - board->rom_began);
    chip_restart(board->chip, RESET_SOFTWARE);
    rom->active = 0;
    begins(board, board->rom_now);
    if (rom->to_boot) enter_rom(board);
}

/* The bytes that arrive, or all the time that is left; false where it waits for bytes that take no time. */
static int advance_rom(struct board *board, uint64_t until)
{
    struct chip *chip = board->chip;
    struct rom *rom = &board->rom;
    uint64_t step = chip->timed ? BYTE_TICKS : 0, before = board->line_free;
    if (until > board->bites_at) until = board->bites_at;
    while (chip->receive_at < chip->receive_count && !full(chip)) {
        uint64_t at = board->line_free + step;
        if (at > until || at > rom->leave_at) break;
        board->line_free = at;
        rom_receive(rom, chip, chip->receive[chip->receive_at++], at);
        rom_sent(rom, chip, at);
    }
    if (board->line_free > before) {
        if (board->rom_now < board->line_free) board->rom_now = board->line_free;
    } else if (!full(chip)) {
        uint64_t on = board->rom_now + HZ_48M / 1000000 * (1u << TICK_BITS);
        if (on < rom->leave_at) on = rom->leave_at;
        board->rom_now = on < until ? on : until;
    }
    rom_sent(rom, chip, board->rom_now);
    if (board->rom_now >= board->bites_at) {
        rom_power_lost(rom, chip, board->rom_now);
        chip->receive_at = chip->receive_count = 0;
        chip_restart(chip, RESET_WATCHDOG);
        begins(board, board->rom_now);
    } else if (rom_leaves(rom, board->rom_now)) {
        leave_rom(board);
    }
    return chip->timed || chip->receive_at < chip->receive_count || !rom->active;
}

/* Goes on with what board_advance began. */
int board_go_on(struct board *board)
{
    for (;;) {
        uint64_t now = board_now(board);
        if (now + MOMENT_TICKS >= board->until) return BOARD_TIME;
        if (full(board->chip)) return BOARD_FULL;
        if (board->rom.active) {
            if (!advance_rom(board, board->until)) return BOARD_STARVED;
        } else if (board->stopped) {
            board->base += board->until - now;
        } else if (!advance_chip(board, board->until)) {
            return BOARD_STARVED;
        }
    }
}

/* Let time pass: see enum board_stop. After BOARD_FULL whoever fetched what was sent calls board_go_on. */
int board_advance(struct board *board, uint64_t ticks)
{
    board->until = board_now(board) + ticks;
    return board_go_on(board);
}

/* Power off and on. What the ROM was writing stays half done; bytes on the line are lost. */
void board_power(struct board *board)
{
    uint64_t now = board_now(board);
    if (board->rom.active) rom_power_lost(&board->rom, board->chip, now);
    board->stopped = 0;
    chip_power_on(board->chip);
    begins(board, now);
}

/* The reset pin. */
void board_reset(struct board *board)
{
    uint64_t now = board_now(board);
    if (board->rom.active) board->chip->receive_at = board->chip->receive_count = 0;
    board->rom.active = 0, board->stopped = 0;
    chip_restart(board->chip, RESET_PIN);
    begins(board, now);
}

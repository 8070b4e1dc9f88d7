/* The ROM bootloader, as seen from its serial port: a model of the chip's side of flashing.

   WCH's 1,920 bytes are neither ours to ship nor documented by WCH; this follows what Basil Hussain found out about them
   (github.com/basilhussain/ch32v003-bootloader-docs): packets, commands, their order, and the quirks, such as a checksum
   that skips one byte, a verification that stays failed, and an erase that always erases everything. How long erasing and
   programming take is the datasheet's typical figure. tinyspeech/board/rom.py has the packets. Chapter 14. */
#include "board.h"

enum { SEED_LEAST = 30, SEED_MOST = 60 };

static const uint8_t PASSPHRASE[16] = {'M', 'C', 'U', ' ', 'I', 'S', 'P', ' ', '&', ' ', 'W', 'C', 'H', '.', 'C', 'N'};
static const uint8_t VERSION[4] = {0, 2, 3, 0}; /* 02.30, a digit a byte */

static int same(const uint8_t *a, const uint8_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

static uint8_t sum(const uint8_t *bytes, uint32_t count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) total += bytes[i];
    return (uint8_t)total;
}

static uint32_t word(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* The boot area begins to run. Its page buffer is what RAM held. */
void rom_enter(struct rom *rom, const struct chip *chip, uint64_t now)
{
    memset(rom, 0, sizeof *rom);
    rom->active = 1, rom->leave_at = now + ROM_TIMEOUT_TICKS, rom->busy_until = now;
    memcpy(rom->page, chip->sram, sizeof rom->page);
}

static void busy(struct rom *rom, const struct chip *chip, uint64_t now, uint64_t ticks)
{
    uint64_t from = now > rom->busy_until ? now : rom->busy_until;
    rom->busy_until = chip->timed ? from + ticks : now;
}

/* Flash from here on is about to change: what power that fails half way leaves half of. */
static void remember(struct rom *rom, const struct chip *chip, uint32_t at, uint32_t count)
{
    rom->work_at = at, rom->work_bytes = count;
    memcpy(rom->before, chip->flash + at, count);
}

static void erase(struct rom *rom, struct chip *chip, uint64_t now)
{
    rom->mismatch = 0;
    if (!rom->identified) return; /* which unlocks the flash */
    remember(rom, chip, 0, FLASH_BYTES);
    memset(chip->flash, 0xff, FLASH_BYTES);
    busy(rom, chip, now, ROM_ERASE_TICKS);
}

static void program_page(struct rom *rom, struct chip *chip, uint64_t at, uint64_t now)
{
    if (at + PAGE_BYTES > FLASH_BYTES) return;
    remember(rom, chip, (uint32_t)at, PAGE_BYTES);
    for (int i = 0; i < PAGE_BYTES; i++) chip->flash[at + (uint32_t)i] &= rom->page[i];
    busy(rom, chip, now, ROM_PROGRAM_TICKS);
}

/* Bytes gather in RAM at their place within a page; its last one programs it, and so does a write of none, with what RAM
   held behind them. */
static void program(struct rom *rom, struct chip *chip, const uint8_t *data, uint32_t count, uint64_t now)
{
    rom->to_boot = 0;
    if (!rom->identified || count < 5) return;
    if (count == 5 && rom->page_at % PAGE_BYTES) {
        program_page(rom, chip, rom->page_at & ~(uint64_t)(PAGE_BYTES - 1), now);
        rom->page_at = 0;
    }
    for (uint32_t i = 5; i < count; i++) {
        uint64_t at = (uint64_t)word(data) + i - 5;
        rom->page[at % PAGE_BYTES] = data[i] ^ rom->key[(i - 5) & 7];
        rom->page_at = at + 1;
        if (rom->page_at % PAGE_BYTES == 0) program_page(rom, chip, at & ~(uint64_t)(PAGE_BYTES - 1), now);
    }
}

/* A mismatch stays until the next erasure: whatever is asked then is refused. */
static uint8_t verify(struct rom *rom, const struct chip *chip, const uint8_t *data, uint32_t count)
{
    uint32_t theirs = count < 5 ? 0 : count - 5 < PAGE_BYTES ? count - 5 : PAGE_BYTES;
    uint64_t at = count < 5 ? 1 : word(data);
    if (rom->mismatch || at % 8 || theirs % 8 || at + theirs > FLASH_BYTES) return ROM_REFUSED;
    for (uint32_t i = 0; i < theirs; i++)
        if (chip->flash[at + i] != (data[5 + i] ^ rom->key[i & 7])) rom->mismatch = 1;
    return rom->mismatch ? ROM_MISMATCH : ROM_OK;
}

/* The key that both sides make of a seed; as key_of of board/rom.py. */
static void make_key(struct rom *rom, const struct chip *chip, const uint8_t *seed, uint32_t count)
{
    uint32_t a = count / 5, b = count / 7;
    const uint32_t from[7] = {4 * b, a, b, 6 * b, 3 * b, 3 * a, 5 * b};
    for (int i = 0; i < 7; i++) rom->key[i] = seed[from[i]] ^ sum(rom->unique, sizeof rom->unique);
    rom->key[7] = (uint8_t)(rom->key[0] + chip->info[VARIANT_AT]);
}

static void read_config(struct rom *rom, const struct chip *chip, const uint8_t *data, uint32_t count, uint8_t *out)
{
    const uint8_t *option = chip->info + OPTION_AT;
    memcpy(rom->unique, chip->info + UNIQUE_AT, sizeof rom->unique);
    out[0] = count ? data[0] & 0x1f : 0, out[1] = 0;
    memcpy(out + 2, option, 8);
    for (int i = 0; i < 4; i++) out[10 + i] = option[8 + 2 * i];
    memcpy(out + 14, VERSION, sizeof VERSION);
    memcpy(out + 18, rom->unique, sizeof rom->unique);
}

/* Option bytes, all or none; inverses are the model's, as they are the ROM's. */
static uint8_t write_config(struct rom *rom, struct chip *chip, const uint8_t *data, uint32_t count, uint64_t now)
{
    uint8_t *option = chip->info + OPTION_AT;
    if (count < 14 || (data[0] & 7) != 7) return ROM_REFUSED;
    if (option[0] != 0xa5 && data[2] == 0xa5) erase(rom, chip, now);
    for (int i = 0; i < 8; i++) {
        uint8_t value = data[i < 4 ? 2 + 2 * i : 6 + i];
        option[2 * i] = value, option[2 * i + 1] = value ^ 0xff;
    }
    rom->to_boot = 1;
    return ROM_OK;
}

/* Carry out a command: the data of the reply, and how many bytes of it. */
static uint32_t execute(struct rom *rom, struct chip *chip, uint8_t command, const uint8_t *data, uint32_t count,
                        uint64_t now, uint8_t *out)
{
    out[0] = out[1] = 0;
    switch (command) {
    case ROM_IDENTIFY:
        if (count != 2 + sizeof PASSPHRASE || !same(data + 2, PASSPHRASE, sizeof PASSPHRASE)) {
            out[0] = ROM_BAD_PASSPHRASE, out[1] = (uint8_t)rom->random;
        } else {
            rom->identified = 1, out[0] = chip->info[VARIANT_AT], out[1] = ROM_FAMILY;
        }
        return 2;
    case ROM_END:
        if (count && data[0] == 1) rom->leave_at = now;
        return 2;
    case ROM_KEY:
        if (count < SEED_LEAST) {
            out[0] = ROM_REFUSED, out[1] = (uint8_t)rom->random;
        } else {
            make_key(rom, chip, data, count < SEED_MOST ? count : SEED_MOST);
            out[0] = sum(rom->key, sizeof rom->key);
        }
        return 2;
    case ROM_ERASE: erase(rom, chip, now); return 2;
    case ROM_PROGRAM: program(rom, chip, data, count, now); return 2;
    case ROM_VERIFY: out[0] = verify(rom, chip, data, count); return 2;
    case ROM_READ_CONFIG: read_config(rom, chip, data, count, out); return 26;
    case ROM_WRITE_CONFIG: out[0] = write_config(rom, chip, data, count, now); return 2;
    }
    out[0] = ROM_REFUSED, out[1] = (uint8_t)rom->random;
    return 2;
}

/* When the last byte of an answer has left. */
static uint64_t ends(const struct chip *chip, const struct answer *answer)
{
    return answer->at + (chip->timed ? answer->count * BYTE_TICKS : 0);
}

/* A command is complete: its answer waits for the end of the work, and behind the answers before it. */
static void obey(struct rom *rom, struct chip *chip, uint8_t command, const uint8_t *data, uint32_t count, uint64_t now)
{
    struct answer *last = rom->answers + (rom->first + rom->waiting - 1) % ANSWERS;
    struct answer *answer = rom->answers + (rom->first + rom->waiting) % ANSWERS;
    uint64_t free = rom->waiting ? ends(chip, last) : 0;
    uint8_t *bytes = answer->bytes;
    if (rom->waiting == ANSWERS) return; /* it would still be sending, and not hear it */
    rom->leave_at = now + ROM_TIMEOUT_TICKS;
    count = execute(rom, chip, command, data, count, now, bytes + 6);
    rom->random = (rom->random * 37 + 11) & 0xff;
    bytes[0] = 0x55, bytes[1] = 0xaa, bytes[2] = command, bytes[3] = (uint8_t)rom->random, bytes[4] = (uint8_t)count;
    bytes[5] = 0, bytes[6 + count] = sum(bytes + 2, 4 + count);
    answer->count = 7 + count, answer->sent = 0;
    answer->at = now > rom->busy_until ? now : rom->busy_until;
    if (answer->at < free) answer->at = free;
    rom->waiting++;
    if (command == ROM_END && rom->leave_at <= now) rom->leave_at = ends(chip, answer);
}

/* A byte that it has time for. A stray byte is dropped, and so is what follows a first of the two that begin a packet. */
static void take(struct rom *rom, struct chip *chip, uint8_t byte, uint64_t now)
{
    uint8_t *packet = rom->packet;
    packet[rom->packet_count++] = byte;
    uint32_t count = rom->packet_count, length = packet[3];
    if (packet[0] != 0x57 || (count > 1 && packet[1] != 0xab)) rom->packet_count = 0;
    if (rom->packet_count < 5 || rom->packet_count < 6 + length) return;
    rom->packet_count = 0;
    if ((uint8_t)(packet[2] + length + sum(packet + 5, length)) == packet[5 + length])
        obey(rom, chip, packet[2], packet + 5, length, now);
}

/* The byte that was held in the receiver, once there is time for it. */
static void resume(struct rom *rom, struct chip *chip, uint64_t now)
{
    if (!rom->held || now < rom->busy_until) return;
    uint8_t byte = (uint8_t)(rom->held - 1);
    rom->held = 0;
    take(rom, chip, byte, rom->busy_until);
}

/* A byte is complete in the receiver. While a command is carried out one is held there, others are lost. */
void rom_receive(struct rom *rom, struct chip *chip, uint8_t byte, uint64_t now)
{
    if (now < rom->busy_until) {
        if (!rom->held) rom->held = 1u + byte;
        return;
    }
    resume(rom, chip, now);
    take(rom, chip, byte, now);
}

/* What has left the transmitter by now goes to the chip's owner, as what the chip sends. */
void rom_sent(struct rom *rom, struct chip *chip, uint64_t now)
{
    resume(rom, chip, now);
    while (rom->waiting) {
        struct answer *answer = rom->answers + rom->first;
        while (answer->sent < answer->count) {
            if (answer->at + (chip->timed ? (answer->sent + 1) * BYTE_TICKS : 0) > now) return;
            if (chip->transmit_count == chip->transmit_room) return;
            chip->transmit[chip->transmit_count++] = answer->bytes[answer->sent++];
        }
        rom->first = (rom->first + 1) % ANSWERS, rom->waiting--;
    }
}

/* It is time for the user's code: asked for with its answer sent, or after a minute of silence. */
int rom_leaves(const struct rom *rom, uint64_t now) { return now >= rom->leave_at && !rom->waiting; }

/* An erasure or a page that was being programmed stays half done. */
void rom_power_lost(struct rom *rom, struct chip *chip, uint64_t now)
{
    uint32_t half = rom->work_bytes / 2;
    if (now < rom->busy_until) memcpy(chip->flash + rom->work_at + half, rom->before + half, rom->work_bytes - half);
    rom->active = 0;
}

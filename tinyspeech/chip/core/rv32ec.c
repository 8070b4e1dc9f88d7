/* An RV32EC interpreter with the CH32V003's memory map, interrupts and flash speed, counting cycles.

   What it is: the core (QingKe V2A: 16 registers, compressed instructions, no multiplier), 16 KB of flash, 2 KB of RAM;
   the files beside it are everything around it. It enforces what the silicon enforces: any other register, instruction, address or
   misaligned access stops it with a reason; so does a register of a peripheral that has no clock. Exceptions stop it
   as well, unless it assumes `faults=trap`. What it is not: a model of the pipeline. Cycles follow
   a table:

     operation                  SRAM, or flash without wait state   flash with one wait state (48 MHz)
     16-bit encoding            1                                   1
     32-bit encoding            1                                   2, 1 for each of two behind a jump
     load, store                2                                   2, and 1 more for data read from flash
     branch or jump taken       3, +1 if misaligned                 5, +1 if misaligned
   "Misaligned": the target is a 32-bit instruction that does not start at a multiple of 4.
   Measured on silicon by others (cpldcpu, CaiB, jnk0le), not by us: everything without a wait state; with one, loops of
   c.addi + c.bnez (6 cycles), 2 cycles a 32-bit instruction in the long run, 4 or 5 for a jump by the phase of the fetch,
   +1 for any target off a multiple of 4. A fetch brings 32 bits every 2 cycles and runs ahead of the core by a word: behind a
   jump, or where a short load or store leaves it time, so that 5 long instructions take 8 cycles and 9 take 16, as
   measured. This model charges 5 for every jump, and the +1 only where the target is long. Our assumption: data read from flash
   costs one wait state more; entering an interrupt takes a jump and a load, and
   interrupt_entry_cycles of assumptions.h; waking from sleep takes nothing.

   Python's side is tinyspeech/chip/emulator.py; chapter 13. */
#include "chip.h"

enum op {
    OP_UNDECODED, OP_LUI, OP_AUIPC, OP_JAL, OP_JALR, OP_BEQ, OP_BNE, OP_BLT, OP_BGE, OP_BLTU, OP_BGEU, OP_LB, OP_LH, OP_LW,
    OP_LBU, OP_LHU, OP_SB, OP_SH, OP_SW, OP_ADDI, OP_ADDI_SP, OP_SLTI, OP_SLTIU, OP_XORI, OP_ORI, OP_ANDI, OP_SLLI,
    OP_SRLI, OP_SRAI, OP_ADD, OP_SUB, OP_SLL, OP_SLT, OP_SLTU, OP_XOR, OP_SRL, OP_SRA, OP_OR, OP_AND, OP_FENCE, OP_EBREAK,
    OP_ECALL, OP_CSRRW, OP_CSRRS, OP_CSRRC, OP_CSRRWI, OP_CSRRSI, OP_CSRRCI, OP_MRET, OP_WFI, OP_BAD
};

enum { AHEAD = 2 }; /* cycles: a word with one wait state. Behind a jump the first word has been brought, and the next */

size_t chip_size(void) { return sizeof(struct chip); }

/* Power on, memories as they are. */
void chip_power_on(struct chip *chip)
{
    chip->cycles = chip->instructions = 0, chip->tick_base = chip->tick_since = 0, chip->ticks_per_cycle = 0;
    chip->reset_flags = chip->resets = chip->conversions = chip->dropped_triggers = chip->overruns = 0;
    chip->line_free = chip->slept = 0, chip->receive_at = chip->receive_count = 0;
    chip->fault = FAULT_NONE, chip->lowest_sp = chip->lowest_open_sp = SRAM_BASE + SRAM_BYTES;
    chip->said_count = 0, memset(chip->mailbox, 0, sizeof chip->mailbox);
    chip->handler_stack = chip->handler_sp = 0, chip->converted_at = chip->longest_awake = chip->woke_at = 0;
    for (int i = 0; i < EVENTS; i++) chip->due[i] = NEVER;
    chip->next_event = NEVER;
    uint32_t noise = 2654435761u * (uint32_t)ASSUME(chip, sram_seed);
    for (int i = 0; i < SRAM_BYTES; i++) {
        noise ^= noise << 13, noise ^= noise >> 17, noise ^= noise << 5;
        chip->sram[i] = (uint8_t)(ASSUME(chip, sram_at_power_on) == 2 ? noise >> 24 : ASSUME(chip, sram_at_power_on) ? 255 : 0);
    }
    system_reset(chip, RESET_POWER | RESET_PIN);
}

/* The flat image at address 0, vendor and option bytes of a CH32V003F4U6, then power on. image: bytes, count <= 16384. */
void chip_reset(struct chip *chip, const uint8_t *image, uint32_t count)
{
    /* Option bytes as a WCH-Link leaves them (rvprog -R): nothing protected, PD7 resets, START_MODE set, so that the boot
       area can be entered. The unique id is made up;
       its last halfword is the sum of the others, which clients check. */
    static const uint8_t option[12] = {0xa5, 0x5a, 0xf7, 0x08, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x00};
    static const uint8_t id[4] = {0x10, 0x05, 0x31, 0x00}, unique[8] = {0xcd, 0xab, 0x37, 0x54, 0x53, 0xbc, 0x57, 0xbc};
    memset(chip->flash, 0xff, sizeof chip->flash);
    memcpy(chip->flash, image, count < FLASH_BYTES ? count : FLASH_BYTES);
    memset(chip->info, 0xff, sizeof chip->info);
    memcpy(chip->info + 0x44, id, sizeof id);
    chip->info[0x60] = 16, chip->info[0x61] = 0; /* kilobytes of flash */
    memcpy(chip->info + 0x68, unique, sizeof unique);
    memcpy(chip->info + OPTION_AT, option, sizeof option);
    chip_power_on(chip);
}

/* Time since power on, in ticks. */
uint64_t chip_ticks(const struct chip *chip)
{
    return chip->tick_base + (chip->cycles - chip->tick_since) * chip->ticks_per_cycle;
}

/* The same of one cycle, as the clock is now. */
uint64_t chip_ticks_per_cycle(const struct chip *chip) { return chip->ticks_per_cycle; }

/* No byte is on the receiver's line any more. */
void chip_hang_up(struct chip *chip) { hang_up(chip); }

/* While the boot area has the chip: ticks until the watchdog bites, or NEVER; and that so many have gone by. */
uint64_t chip_watchdog(const struct chip *chip)
{
    return chip->due[EVENT_WATCHDOG] == NEVER ? NEVER : ticks_at(chip, chip->due[EVENT_WATCHDOG]) - ticks_at(chip, chip->cycles);
}

void chip_watchdog_counts(struct chip *chip, uint64_t ticks)
{
    uint64_t left = chip_watchdog(chip);
    if (left != NEVER) schedule(chip, EVENT_WATCHDOG, chip->cycles + (ticks < left ? cycles_of(chip, left - ticks) : 0));
}

/* Bytes of the deepest stack so far: the lowest value that the stack pointer took, or could have taken, had the interrupt
   with the most demanding handler come at the worst moment. */
uint32_t chip_stack(const struct chip *chip)
{
    uint32_t open = chip->lowest_open_sp - chip->handler_stack;
    return SRAM_BASE + SRAM_BYTES - (open < chip->lowest_sp ? open : chip->lowest_sp);
}

/* Bytes of SRAM, flash (also by its other address), or vendor and option bytes, as a debugger sees them; 0 where there are
   not so many. */
uint8_t *chip_memory(struct chip *chip, uint32_t address, uint32_t count)
{
    const struct { uint32_t base, bytes; uint8_t *memory; } all[] = {
        {SRAM_BASE, SRAM_BYTES, chip->sram}, {0, FLASH_BYTES, chip->flash}, {FLASH_ALIAS, FLASH_BYTES, chip->flash},
        {INFO_BASE, INFO_BYTES, chip->info}};
    for (int i = 0; i < 4; i++)
        if (address - all[i].base <= all[i].bytes && count <= all[i].bytes - (address - all[i].base))
            return all[i].memory + (address - all[i].base);
    return 0;
}

/* The boot area resets into the user's code; a reset by pin does, too. */
void chip_restart(struct chip *chip, uint32_t flags)
{
    chip->boot_mode = 0;
    system_reset(chip, flags);
}

/* ------------------------------------------------------------------------------------------------- decoding ------ */

static int32_t sign(uint32_t value, int bits) { return (int32_t)(value << (32 - bits)) >> (32 - bits); }

static struct decoded bad(int reason, int length)
{
    struct decoded d = {OP_BAD, 0, 0, 0, (uint8_t)length, (uint8_t)reason, 1, 0, 0};
    return d;
}

static struct decoded make(int op, uint32_t rd, uint32_t rs1, uint32_t rs2, int32_t imm, int length)
{
    if (rd > 15 || rs1 > 15 || rs2 > 15) return bad(FAULT_REGISTER, length);
    if (op == OP_ADDI && rd == 2) op = OP_ADDI_SP;
    struct decoded d = {(uint8_t)op, (uint8_t)rd, (uint8_t)rs1, (uint8_t)rs2, (uint8_t)length, 0, 1, 0, imm};
    return d;
}

static struct decoded decode32(uint32_t w)
{
    static const uint8_t branches[8] = {OP_BEQ, OP_BNE, 0, 0, OP_BLT, OP_BGE, OP_BLTU, OP_BGEU};
    static const uint8_t loads[8] = {OP_LB, OP_LH, OP_LW, 0, OP_LBU, OP_LHU, 0, 0};
    static const uint8_t stores[8] = {OP_SB, OP_SH, OP_SW, 0, 0, 0, 0, 0};
    static const uint8_t immediates[8] = {OP_ADDI, OP_SLLI, OP_SLTI, OP_SLTIU, OP_XORI, OP_SRLI, OP_ORI, OP_ANDI};
    static const uint8_t registers[8] = {OP_ADD, OP_SLL, OP_SLT, OP_SLTU, OP_XOR, OP_SRL, OP_OR, OP_AND};
    static const uint8_t csrs[8] = {0, OP_CSRRW, OP_CSRRS, OP_CSRRC, 0, OP_CSRRWI, OP_CSRRSI, OP_CSRRCI};
    uint32_t rd = field(w, 11, 7), f3 = field(w, 14, 12), rs1 = field(w, 19, 15), rs2 = field(w, 24, 20), f7 = w >> 25;
    switch (w & 127) {
    case 0x37: return make(OP_LUI, rd, 0, 0, (int32_t)(w & 0xfffff000u), 4);
    case 0x17: return make(OP_AUIPC, rd, 0, 0, (int32_t)(w & 0xfffff000u), 4);
    case 0x6f:
        return make(OP_JAL, rd, 0, 0,
                    sign((w >> 31) << 20 | field(w, 19, 12) << 12 | field(w, 20, 20) << 11 | field(w, 30, 21) << 1, 21), 4);
    case 0x67: return f3 ? bad(FAULT_ILLEGAL, 4) : make(OP_JALR, rd, rs1, 0, sign(w >> 20, 12), 4);
    case 0x63:
        if (!branches[f3]) return bad(FAULT_ILLEGAL, 4);
        return make(branches[f3], 0, rs1, rs2,
                    sign((w >> 31) << 12 | field(w, 7, 7) << 11 | field(w, 30, 25) << 5 | field(w, 11, 8) << 1, 13), 4);
    case 0x03: return loads[f3] ? make(loads[f3], rd, rs1, 0, sign(w >> 20, 12), 4) : bad(FAULT_ILLEGAL, 4);
    case 0x23:
        return stores[f3] ? make(stores[f3], 0, rs1, rs2, sign(f7 << 5 | rd, 12), 4) : bad(FAULT_ILLEGAL, 4);
    case 0x13:
        if (f3 == 1 && f7) return bad(FAULT_ILLEGAL, 4);
        if (f3 == 5 && (f7 & 0x5f)) return bad(FAULT_ILLEGAL, 4);
        if (f3 == 1 || f3 == 5) return make(f3 == 5 && f7 ? OP_SRAI : immediates[f3], rd, rs1, 0, (int32_t)rs2, 4);
        return make(immediates[f3], rd, rs1, 0, sign(w >> 20, 12), 4);
    case 0x33:
        if (f7 == 1) return bad(FAULT_MULTIPLY, 4);
        if (f7 == 0x20 && f3 == 0) return make(OP_SUB, rd, rs1, rs2, 0, 4);
        if (f7 == 0x20 && f3 == 5) return make(OP_SRA, rd, rs1, rs2, 0, 4);
        return f7 ? bad(FAULT_ILLEGAL, 4) : make(registers[f3], rd, rs1, rs2, 0, 4);
    case 0x0f: return f3 > 1 ? bad(FAULT_ILLEGAL, 4) : make(OP_FENCE, 0, 0, 0, 0, 4); /* fence, fence.i */
    case 0x73:
        if (w == 0x00000073) return make(OP_ECALL, 0, 0, 0, 0, 4);
        if (w == 0x00100073) return make(OP_EBREAK, 0, 0, 0, 0, 4);
        if (w == 0x30200073) return make(OP_MRET, 0, 0, 0, 0, 4);
        if (w == 0x10500073) return make(OP_WFI, 0, 0, 0, 0, 4);
        if (!csrs[f3]) return bad(FAULT_ILLEGAL, 4);
        if (f3 > 4) return make(csrs[f3], rd, 0, 0, (int32_t)(w >> 20 | rs1 << 16), 4); /* rs1 is a 5-bit constant */
        return make(csrs[f3], rd, rs1, 0, (int32_t)(w >> 20), 4);
    }
    return bad(FAULT_ILLEGAL, 4);
}

static struct decoded decode16(uint32_t h)
{
    uint32_t rd = field(h, 11, 7), rs2 = field(h, 6, 2), low = 8 + field(h, 4, 2), high = 8 + field(h, 9, 7), imm;
    int32_t imm6 = sign(field(h, 12, 12) << 5 | field(h, 6, 2), 6);
    switch ((h & 3) << 3 | h >> 13) {
    case 0: /* c.addi4spn */
        imm = field(h, 10, 7) << 6 | field(h, 12, 11) << 4 | field(h, 5, 5) << 3 | field(h, 6, 6) << 2;
        return imm ? make(OP_ADDI, low, 2, 0, (int32_t)imm, 2) : bad(FAULT_ILLEGAL, 2);
    case 1: /* xw.c.lbu, xw.c.sb and, in the other quadrant, xw.c.lhu, xw.c.sh: WCH's own, as jnk0le found them */
    case 5:
        imm = field(h, 11, 10) << 3 | field(h, 6, 5) << 1 | field(h, 12, 12);
        return h >> 13 == 1 ? make(OP_LBU, low, high, 0, (int32_t)imm, 2) : make(OP_SB, 0, high, low, (int32_t)imm, 2);
    case 17:
    case 21:
        imm = field(h, 12, 10) << 3 | field(h, 6, 5) << 1;
        return h >> 13 == 1 ? make(OP_LHU, low, high, 0, (int32_t)imm, 2) : make(OP_SH, 0, high, low, (int32_t)imm, 2);
    case 4: /* the same four on the stack, by bits 6:5, of LLVM's xwchc */
        if (h & 0x1800) return bad(FAULT_ILLEGAL, 2);
        imm = h & 0x20 ? field(h, 10, 8) << 1 | field(h, 7, 7) << 4 : field(h, 10, 7);
        switch (field(h, 6, 5)) {
        case 0: return make(OP_LBU, low, 2, 0, (int32_t)imm, 2);
        case 1: return make(OP_LHU, low, 2, 0, (int32_t)imm, 2);
        case 2: return make(OP_SB, 0, 2, low, (int32_t)imm, 2);
        }
        return make(OP_SH, 0, 2, low, (int32_t)imm, 2);
    case 2: /* c.lw */
    case 6: /* c.sw */
        imm = field(h, 5, 5) << 6 | field(h, 12, 10) << 3 | field(h, 6, 6) << 2;
        return h >> 13 == 2 ? make(OP_LW, low, high, 0, (int32_t)imm, 2) : make(OP_SW, 0, high, low, (int32_t)imm, 2);
    case 8: return make(OP_ADDI, rd, rd, 0, imm6, 2); /* c.addi, c.nop */
    case 9: /* c.jal */
    case 13: /* c.j */
        imm = field(h, 12, 12) << 11 | field(h, 8, 8) << 10 | field(h, 10, 9) << 8 | field(h, 6, 6) << 7 |
              field(h, 7, 7) << 6 | field(h, 2, 2) << 5 | field(h, 11, 11) << 4 | field(h, 5, 3) << 1;
        return make(OP_JAL, h >> 13 == 1, 0, 0, sign(imm, 12), 2);
    case 10: return make(OP_ADDI, rd, 0, 0, imm6, 2); /* c.li */
    case 11:
        if (rd == 2) { /* c.addi16sp */
            imm = field(h, 12, 12) << 9 | field(h, 4, 3) << 7 | field(h, 5, 5) << 6 | field(h, 2, 2) << 5 | field(h, 6, 6) << 4;
            return imm ? make(OP_ADDI, 2, 2, 0, sign(imm, 10), 2) : bad(FAULT_ILLEGAL, 2);
        }
        return imm6 ? make(OP_LUI, rd, 0, 0, (int32_t)((uint32_t)imm6 << 12), 2) : bad(FAULT_ILLEGAL, 2); /* c.lui */
    case 12:
        switch (field(h, 11, 10)) {
        case 0:
        case 1: /* c.srli, c.srai */
            if (h & 0x1000) return bad(FAULT_ILLEGAL, 2);
            return make(field(h, 11, 10) ? OP_SRAI : OP_SRLI, high, high, 0, (int32_t)field(h, 6, 2), 2);
        case 2: return make(OP_ANDI, high, high, 0, imm6, 2);
        }
        if (h & 0x1000) return bad(FAULT_ILLEGAL, 2);
        {
            static const uint8_t ops[4] = {OP_SUB, OP_XOR, OP_OR, OP_AND};
            return make(ops[field(h, 6, 5)], high, high, low, 0, 2);
        }
    case 14: /* c.beqz */
    case 15: /* c.bnez */
        imm = field(h, 12, 12) << 8 | field(h, 6, 5) << 6 | field(h, 2, 2) << 5 | field(h, 11, 10) << 3 | field(h, 4, 3) << 1;
        return make(h >> 13 == 6 ? OP_BEQ : OP_BNE, 0, high, 0, sign(imm, 9), 2);
    case 16: /* c.slli */
        return h & 0x1000 ? bad(FAULT_ILLEGAL, 2) : make(OP_SLLI, rd, rd, 0, (int32_t)rs2, 2);
    case 18: /* c.lwsp */
        imm = field(h, 3, 2) << 6 | field(h, 12, 12) << 5 | field(h, 6, 4) << 2;
        return rd ? make(OP_LW, rd, 2, 0, (int32_t)imm, 2) : bad(FAULT_ILLEGAL, 2);
    case 20:
        if (!(h & 0x1000)) {
            if (rs2) return make(OP_ADD, rd, 0, rs2, 0, 2);                                       /* c.mv */
            return rd ? make(OP_JALR, 0, rd, 0, 0, 2) : bad(FAULT_ILLEGAL, 2);                     /* c.jr */
        }
        if (rs2) return make(OP_ADD, rd, rd, rs2, 0, 2);                                          /* c.add */
        return rd ? make(OP_JALR, 1, rd, 0, 0, 2) : make(OP_EBREAK, 0, 0, 0, 0, 2);               /* c.jalr, c.ebreak */
    case 22: /* c.swsp */
        return make(OP_SW, 0, 2, rs2, (int32_t)(field(h, 8, 7) << 6 | field(h, 12, 9) << 2), 2);
    }
    return bad(FAULT_ILLEGAL, 2);
}

/* The cache slot of an address that can be executed, or -1. */
static int slot_of(uint32_t pc)
{
    if (pc & 1) return -1;
    if (pc < FLASH_BYTES) return (int)(pc >> 1);
    if (pc - FLASH_ALIAS < FLASH_BYTES) return (int)((pc - FLASH_ALIAS) >> 1);
    if (pc - SRAM_BASE < SRAM_BYTES) return (int)(SRAM_FIRST + ((pc - SRAM_BASE) >> 1));
    return -1;
}

static uint32_t halfword(const struct chip *chip, int slot)
{
    const uint8_t *p = slot < FLASH_SLOTS ? chip->flash + 2 * slot : chip->sram + 2 * (slot - SRAM_FIRST);
    return p[0] | (uint32_t)p[1] << 8;
}

static void decode(struct chip *chip, int slot)
{
    int in_flash = slot < FLASH_SLOTS, last = slot == FLASH_SLOTS - 1 || slot == SRAM_FIRST + SRAM_SLOTS - 1;
    struct decoded d;
    if ((slot >= FLASH_SLOTS && slot < SRAM_FIRST) || slot >= SRAM_FIRST + SRAM_SLOTS) d = bad(FAULT_FETCH, 2);
    else {
        uint32_t low = halfword(chip, slot);
        if ((low & 3) != 3) d = decode16(low);
        else d = last ? bad(FAULT_FETCH, 4) : decode32(low | halfword(chip, slot + 1) << 16);
    }
    chip->code_in_ram |= slot >= SRAM_FIRST;
    if (in_flash && chip->wait_states) d.fetch = (uint8_t)((1 + chip->wait_states) * d.length / 4);
    if (d.op >= OP_LB && d.op <= OP_SW) d.cost = 2;
    chip->cache[slot] = d;
}

/* Execution comes to an instruction that is not decoded. A watched one always is not: what is watched is kept, then the
   instruction runs alone and is forgotten (see `attend`), so that nothing else costs more. Returns the run's limit. */
static __attribute__((noinline)) uint64_t decode_or_look(struct chip *chip, int slot, uint64_t cycles, uint64_t limit)
{
    decode(chip, slot);
    for (uint32_t i = 0; i < chip->watches; i++) {
        const struct watch *w = chip->watch + i;
        if (w->slot != (uint32_t)slot) continue;
        chip->rearm = 1 + (uint32_t)slot, limit = cycles + 1;
        if (chip->seen_count == SEEN) {
            chip->unseen++;
            continue;
        }
        struct seen *seen = chip->seen + chip->seen_count++;
        const uint8_t *from = w->count ? chip_memory(chip, chip->x[w->base] + w->offset, w->count) : (uint8_t *)(chip->x + w->base);
        uint32_t count = !from ? 0 : w->count ? w->count : 4;
        seen->cycle = cycles, seen->ticks = ticks_at(chip, cycles), seen->watch = (uint8_t)i, seen->count = (uint8_t)count;
        if (from) memcpy(seen->bytes, from, count);
    }
    return limit;
}

/* One more watch: its number, or -1 where nothing can be executed, or for more than fits. */
int chip_watch(struct chip *chip, uint32_t at, uint32_t base, uint32_t offset, uint32_t count)
{
    int slot = slot_of(at);
    if (slot < 0 || base > 15 || count > SEEN_BYTES || chip->watches == WATCHES) return -1;
    chip->watch[chip->watches] = (struct watch){at, base, offset, count, (uint32_t)slot};
    forget_decoded(chip);
    return (int)chip->watches++;
}

/* All watches end, and what they saw is forgotten. */
void chip_unwatch(struct chip *chip)
{
    chip->watches = chip->rearm = chip->seen_count = chip->unseen = 0;
    forget_decoded(chip);
}

/* What was seen since the last call, SEEN at most: how many. */
uint32_t chip_seen(struct chip *chip, struct seen *to)
{
    uint32_t count = chip->seen_count;
    memcpy(to, chip->seen, count * sizeof *to);
    chip->seen_count = 0;
    return count;
}

/* What there was no room for since the last call. */
uint32_t chip_unseen(struct chip *chip)
{
    uint32_t lost = chip->unseen;
    chip->unseen = 0;
    return lost;
}

/* ------------------------------------------------------------------------------------------------- memory -------- */

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t bytes_at(const uint8_t *p, uint32_t size)
{
    return size == 1 ? p[0] : size == 2 ? p[0] | (uint32_t)p[1] << 8
         : p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Anywhere but SRAM and flash. size: 1, 2 or 4 bytes. */
static uint32_t load_elsewhere(struct chip *chip, uint32_t address, uint32_t size)
{
    if (address & (size - 1)) chip->fault = FAULT_MISALIGNED;
    else if (address >> 28 == 4 || address >> 28 == 0xe) return peripheral_read(chip, address) & (0xffffffffu >> (32 - 8 * size));
    else if (address - INFO_BASE < INFO_BYTES) {
        if (chip->cycles < chip->flash_until) chip->stall = chip->flash_until - chip->cycles;
        return bytes_at(chip->info + (address - INFO_BASE), size);
    } else chip->fault = FAULT_UNMAPPED;
    return 0;
}

static void store_elsewhere(struct chip *chip, uint32_t address, uint32_t size, uint32_t value)
{
    if (address & (size - 1)) chip->fault = FAULT_MISALIGNED;
    else if (address < FLASH_BYTES) chip->fault = FAULT_FLASH_WRITE;
    else if (address - FLASH_ALIAS < FLASH_BYTES || address - INFO_BASE < INFO_BYTES) flash_store(chip, address, size, value);
    else if (address >> 28 == 4 || address >> 28 == 0xe) peripheral_write(chip, address, size, value);
    else chip->fault = FAULT_UNMAPPED;
}

/* `cycles` and `pc` are the run's own: the chip's are brought up to date where a peripheral may look at them. */
INLINE uint32_t load(struct chip *chip, uint64_t *cycles, uint32_t address, uint32_t size)
{
    if (!(address & (size - 1))) {
        if (address - SRAM_BASE < SRAM_BYTES) return bytes_at(chip->sram + (address - SRAM_BASE), size);
        if (address < FLASH_BYTES || address - FLASH_ALIAS < FLASH_BYTES) {
            if (*cycles < chip->flash_until) *cycles = chip->flash_until;
            *cycles += chip->wait_states;
            return bytes_at(chip->flash + (address & (FLASH_BYTES - 1)), size);
        }
    }
    chip->cycles = *cycles;
    return load_elsewhere(chip, address, size);
}

INLINE void store(struct chip *chip, const uint64_t *cycles, uint32_t pc, uint32_t address, uint32_t size, uint32_t value)
{
    if (address - SRAM_BASE < SRAM_BYTES && !(address & (size - 1))) {
        uint32_t at = address - SRAM_BASE;
        for (uint32_t i = 0; i < size; i++) chip->sram[at + i] = (uint8_t)(value >> 8 * i);
        if (chip->code_in_ram) { /* it may change: decode it again, and an instruction that straddles */
            struct decoded *d = chip->cache + SRAM_FIRST + (at >> 1);
            d[-1].op = d[0].op = d[1].op = OP_UNDECODED;
        }
        return;
    }
    chip->cycles = *cycles, chip->pc = pc;
    store_elsewhere(chip, address, size, value);
}

/* The control registers, or 0. The core has no mtval (jnk0le), no mie and no mip: PFIC has those. */
static uint32_t *csr(struct chip *chip, uint32_t number)
{
    switch (number) {
    case 0x300: return &chip->r.csr.mstatus;
    case 0x305: return &chip->r.csr.mtvec;
    case 0x340: return &chip->r.csr.mscratch;
    case 0x341: return &chip->r.csr.mepc;
    case 0x342: return &chip->r.csr.mcause;
    case 0x7c0: return &chip->r.csr.dbgmcu;
    case 0x804: return &chip->r.csr.intsyscr;
    default: break;
    }
    return 0;
}

/* What one of them holds; 0 of one that is not there. */
uint32_t chip_csr(struct chip *chip, uint32_t number)
{
    const uint32_t *reg = csr(chip, number);
    return reg ? *reg : 0;
}

/* Those that only tell what the core is: 0 where it is another. */
static const uint32_t *identity(uint32_t number)
{
    static const uint32_t misa = 0x40800014, /* 32 bits: C, E, X */
        zero = 0, marchid = 0xdc68d841, mimpid = 0xdc688001; /* "WCH-V2A" and "WCH", five bits a letter */
    switch (number) {
    case 0x301: return &misa;
    case 0xf11: case 0xf14: return &zero; /* vendor, hart */
    case 0xf12: return &marchid;
    case 0xf13: return &mimpid;
    }
    return 0;
}

/* What a control register becomes. operand: what the instruction brings; value: what it makes of the old. */
static void csr_write(struct chip *chip, uint32_t number, uint32_t *reg, uint32_t operand, uint32_t value)
{
    int rule = ASSUME(chip, mie_needs_mpie);
    if (number == 0x300 && rule && !(*reg & 8) && ((rule == 1 ? value : operand) & 0x88) != 0x88) value &= ~8u;
    if (number == 0x305) value &= ~((uint32_t)ASSUME(chip, mtvec_granularity) - 1) | 3;
    *reg = value;
}

/* ------------------------------------------------------------------------------------------------- execution ----- */

/* A jump was taken to slot `to`: the start of a stage's function begins it, a return goes back to the caller's. */
static void count_stage(struct chip *chip, uint64_t cycles, const struct decoded *d, int to)
{
    if (!chip->stages) return;
    chip->stages[chip->stage] += cycles;
    if (d->rd == 1) chip->stage_stack[chip->depth++ & 63] = chip->stage;
    else if (d->op == OP_MRET || (d->op == OP_JALR && d->rs1 == 1)) chip->stage = chip->stage_stack[--chip->depth & 63];
    if (to >= 0 && chip->stage_of[to]) chip->stage = chip->stage_of[to]; /* a tail call is a jump */
}

/* A load or store of the program at this address, if it is one of SRAM. */
static void note_access(struct chip *chip, int op, uint32_t address)
{
    uint32_t at = address - SRAM_BASE, size = op == OP_LW || op == OP_SW ? 4 : op == OP_LH || op == OP_LHU || op == OP_SH ? 2 : 1;
    if (chip->touched && at < SRAM_BYTES)
        for (uint32_t i = 0; i < size; i++) chip->touched[at + i] |= op >= OP_SB ? TOUCHED_WRITTEN : TOUCHED_READ;
}

/* Cycles of a jump to a slot: see the table at the top. */
INLINE uint32_t jump_cycles(const struct chip *chip, int to, uint32_t target)
{
    uint32_t cycles = 3;
    if (to < 0) return cycles; /* a jump to nowhere faults at its target */
    if (to < FLASH_SLOTS) cycles += 2 * chip->wait_states;
    return cycles + ((target & 2) && (halfword(chip, to) & 3) == 3);
}

static const uint8_t STACKED[10] = {1, 5, 6, 7, 10, 11, 12, 13, 14, 15}; /* what a callee may spoil */

/* The core enters the handler of interrupt or exception `number`: where it goes. mtvec bit 0: an entry for each number, bit
   1: the entry is an address and not an instruction. INTSYSCR bit 0: the hardware saves registers. */
static uint32_t enter_handler(struct chip *chip, uint32_t number, uint32_t cause, uint32_t pc)
{
    struct registers *r = &chip->r;
    uint32_t vector = (r->csr.mtvec & ~3u) + (r->csr.mtvec & 1 ? 4 * number : 0), at = vector & (FLASH_BYTES - 1);
    uint32_t depth = r->csr.depth < 2 ? r->csr.depth : 2; /* an exception in a handler in a handler resets the core */
    r->csr.frame[depth].mepc = r->csr.mepc, r->csr.frame[depth].mcause = r->csr.mcause;
    r->csr.frame[depth].number = number, r->csr.frame[depth].stacked = r->csr.intsyscr & 1;
    if (r->csr.intsyscr & 1) {
        memcpy(r->csr.frame[depth].x, chip->x, sizeof chip->x);
        chip->x[2] -= (uint32_t)ASSUME(chip, hardware_stacking_bytes);
        for (uint32_t i = 0, to = chip->x[2] - SRAM_BASE; chip->x[2] != r->csr.frame[depth].x[2] && i < 10; i++, to += 4)
            for (uint32_t k = 0; to + k < SRAM_BYTES && k < 4; k++) chip->sram[to + k] = (uint8_t)(chip->x[STACKED[i]] >> 8 * k);
        if (chip->x[2] - SRAM_BASE < SRAM_BYTES && chip->x[2] < chip->lowest_sp) chip->lowest_sp = chip->x[2];
    }
    r->csr.depth = depth + 1;
    r->csr.mepc = pc, r->csr.mcause = cause;
    r->csr.mstatus = (r->csr.mstatus & ~0x88u) | (r->csr.mstatus & 8) << 4 | 0x1800; /* MPIE = MIE, MIE = 0, MPP */
    if (!depth) chip->handler_sp = chip->x[2];
    r->pfic.active |= 1ull << number, r->pfic.software &= ~(1ull << number), r->pfic.edges &= ~(1ull << number);
    return (r->csr.mtvec & 2) && slot_of(vector) >= 0 && slot_of(vector) < FLASH_SLOTS ? bytes_at(chip->flash + at, 4) : vector;
}

/* mret: the handler, if one runs, is over, and what it interrupted goes on. */
static uint32_t leave_handler(struct chip *chip)
{
    struct registers *r = &chip->r;
    uint32_t pc = r->csr.mepc;
    r->csr.mstatus = (r->csr.mstatus & ~8u) | (r->csr.mstatus >> 4 & 8) | 0x80; /* MIE = MPIE */
    if (!r->csr.depth) return pc;
    uint32_t depth = --r->csr.depth;
    r->pfic.active &= ~(1ull << r->csr.frame[depth].number);
    if (r->csr.frame[depth].stacked) { /* assumed: from where they were saved, whatever the handler did to the stack */
        for (int i = 0; i < 10; i++) chip->x[STACKED[i]] = r->csr.frame[depth].x[STACKED[i]];
        chip->x[2] += (uint32_t)ASSUME(chip, hardware_stacking_bytes);
    }
    if (depth) r->csr.mepc = r->csr.frame[depth].mepc, r->csr.mcause = r->csr.frame[depth].mcause, r->csr.mstatus &= ~8u;
    else chip->handler_sp = 0;
    if (!depth && r->pfic.sctlr & 2) chip->asleep = 1; /* SLEEPONEXIT */
    return pc;
}

/* A broken rule as the core itself sees it: its cause, or -1 where there is no such exception. */
static int cause_of(uint32_t fault, int storing)
{
    switch (fault) {
    case FAULT_ILLEGAL: case FAULT_REGISTER: case FAULT_MULTIPLY: case FAULT_CSR: return 2;
    case FAULT_FETCH: return 1;
    case FAULT_MISALIGNED: return storing ? 6 : 4;
    case FAULT_UNMAPPED: return storing ? 7 : 5;
    }
    return -1;
}

/* chip_run, once with and once without profiling. */
INLINE int run(struct chip *chip, uint64_t until, const int profiling)
{
    uint32_t *const x = chip->x;
    const uint32_t sent = chip->transmit_count;
    uint32_t pc = chip->pc;
    uint64_t instructions = chip->instructions, cycles = chip->cycles, limit;
    uint32_t ahead = chip->ahead; /* cycles by which the fetching is ahead of the core, at most AHEAD */
    int stop = STOP_BUDGET;
    const struct decoded *d = chip->cache;
    chip->idle_polls = 0, chip->fault = FAULT_NONE;
    if (chip->in_boot) return STOP_BOOT;
    serial_arrivals(chip);
attend: /* between instructions: events, resets, interrupts, sleep */
    chip->cycles = cycles, chip->pc = pc;
    if (chip->rearm) memset(chip->cache + chip->rearm - 1, 0, sizeof *chip->cache), chip->rearm = 0;
    if (chip->next_event <= cycles) advance(chip);
    cycles += chip->stolen, chip->stolen = 0;
    if (chip->fault) {
        stop = STOP_FAULT;
        goto out;
    }
    if (chip->reset_request) {
        system_reset(chip, chip->reset_request);
        pc = 0;
        if (chip->in_boot) {
            stop = STOP_BOOT;
            goto out;
        }
    }
    if (stop != STOP_BUDGET || cycles >= until) goto out;
    latch_events(chip);
    if (chip->asleep) {
        if (!wakes(chip)) {
            if (chip->next_event == NEVER && !chip->timed) { /* only a byte can end it, if even that */
                stop = (chip->r.usart.ctlr[0] & 0x20) && (chip->r.pfic.enabled >> IRQ_USART1 & 1) ? STOP_STARVED : STOP_FAULT;
                if (stop == STOP_FAULT) chip->fault = FAULT_SLEEP, chip->fault_address = pc;
                goto out;
            }
            uint64_t next = chip->next_event < until ? chip->next_event : until;
            chip->slept += next - cycles, cycles = next;
            goto attend;
        }
        chip->asleep = 0, chip->woke_at = cycles;
    }
    int number = pending_interrupt(chip);
    if (number >= 0) { /* assumed: a jump, after the handler's address was read */
        uint64_t before = cycles;
        pc = enter_handler(chip, (uint32_t)number, 0x80000000u | (uint32_t)number, pc), ahead = AHEAD;
        int to = slot_of(pc);
        if (cycles < chip->flash_until && (to < FLASH_SLOTS || chip->r.csr.mtvec < SRAM_BASE)) cycles = chip->flash_until;
        cycles += jump_cycles(chip, to, pc) + 2 + chip->wait_states + (uint32_t)ASSUME(chip, interrupt_entry_cycles);
        if (profiling && chip->stages) { /* it belongs to whoever was interrupted, unless it is a stage */
            chip->stages[chip->stage] += cycles - before;
            chip->stage_stack[chip->depth++ & 63] = chip->stage;
            if (to >= 0 && chip->stage_of[to]) chip->stage = chip->stage_of[to];
        }
        if (profiling && to >= 0) chip->profile[to] += cycles - before;
    }
    int first = slot_of(pc);
    if (first < 0) goto nowhere;
    d = chip->cache + first;
    limit = chip->next_event < until ? chip->next_event : until;
    while (cycles < limit) {
        const int rd = d->rd;
        const int32_t imm = d->imm;
        const uint32_t a = x[d->rs1], b = x[d->rs2], length = d->length;
        const uint64_t before = cycles;
        uint32_t target, address = a + (uint32_t)imm;
        uint32_t cost = d->cost;
        if (d->fetch) { /* what was fetched ahead need not be waited for */
            if (d->fetch > cost + ahead) cost = d->fetch - ahead;
            ahead += cost - d->fetch;
            if (ahead > AHEAD) ahead = AHEAD;
        }
        cycles += cost;
        switch (d->op) {
        case OP_UNDECODED:
            limit = decode_or_look(chip, (int)(d - chip->cache), before, limit);
            cycles = before;
            continue;
        case OP_LUI: x[rd] = (uint32_t)imm; break;
        case OP_AUIPC: x[rd] = pc + (uint32_t)imm; break;
        case OP_ADDI: x[rd] = address; break;
        case OP_ADDI_SP:
            x[2] = address;
            if (address - SRAM_BASE >= SRAM_BYTES) break;
            if (address < chip->lowest_sp) chip->lowest_sp = address;
            if (chip->handler_sp - address > chip->handler_stack && chip->handler_sp) chip->handler_stack = chip->handler_sp - address;
            if (address < chip->lowest_open_sp && chip->r.csr.mstatus & 8) chip->lowest_open_sp = address;
            break;
        case OP_SLTI: x[rd] = (int32_t)a < imm; break;
        case OP_SLTIU: x[rd] = a < (uint32_t)imm; break;
        case OP_XORI: x[rd] = a ^ (uint32_t)imm; break;
        case OP_ORI: x[rd] = a | (uint32_t)imm; break;
        case OP_ANDI: x[rd] = a & (uint32_t)imm; break;
        case OP_SLLI: x[rd] = a << imm; break;
        case OP_SRLI: x[rd] = a >> imm; break;
        case OP_SRAI: x[rd] = (uint32_t)((int32_t)a >> imm); break;
        case OP_ADD: x[rd] = a + b; break;
        case OP_SUB: x[rd] = a - b; break;
        case OP_SLL: x[rd] = a << (b & 31); break;
        case OP_SLT: x[rd] = (int32_t)a < (int32_t)b; break;
        case OP_SLTU: x[rd] = a < b; break;
        case OP_XOR: x[rd] = a ^ b; break;
        case OP_SRL: x[rd] = a >> (b & 31); break;
        case OP_SRA: x[rd] = (uint32_t)((int32_t)a >> (b & 31)); break;
        case OP_OR: x[rd] = a | b; break;
        case OP_AND: x[rd] = a & b; break;
        case OP_FENCE: break;
        case OP_WFI: /* masked interrupts do not wake this core, whatever the ISA manual says (Zephyr's pull request 88548) */
            chip->asleep = chip->r.pfic.sctlr & 8 ? 2 : 1, limit = 0;
            if (chip->asleep == 1 && !(chip->r.csr.mstatus & 8) && !ASSUME(chip, masked_interrupt_wakes) &&
                chip->due[EVENT_WATCHDOG] == NEVER) { /* which alone would end it */
                chip->fault = FAULT_SLEEP_MASKED, chip->fault_address = pc, stop = STOP_FAULT;
                goto out;
            }
            if (cycles - chip->woke_at > chip->longest_awake) chip->longest_awake = cycles - chip->woke_at;
            break;
        case OP_BEQ: if (a == b) goto branch; break;
        case OP_BNE: if (a != b) goto branch; break;
        case OP_BLT: if ((int32_t)a < (int32_t)b) goto branch; break;
        case OP_BGE: if ((int32_t)a >= (int32_t)b) goto branch; break;
        case OP_BLTU: if (a < b) goto branch; break;
        case OP_BGEU: if (a >= b) goto branch; break;
        case OP_JAL:
            if (rd) x[rd] = pc + length;
            goto branch;
        case OP_JALR:
            if (rd) x[rd] = pc + length;
            target = address & ~1u;
            goto taken;
        case OP_MRET:
            target = leave_handler(chip), limit = 0;
            goto taken;
        case OP_LB: x[rd] = (uint32_t)(int8_t)load(chip, &cycles, address, 1); goto memory;
        case OP_LH: x[rd] = (uint32_t)(int16_t)load(chip, &cycles, address, 2); goto memory;
        case OP_LW: x[rd] = load(chip, &cycles, address, 4); goto memory;
        case OP_LBU: x[rd] = load(chip, &cycles, address, 1); goto memory;
        case OP_LHU: x[rd] = load(chip, &cycles, address, 2); goto memory;
        case OP_SB: store(chip, &cycles, pc, address, 1, b); goto memory;
        case OP_SH: store(chip, &cycles, pc, address, 2, b); goto memory;
        case OP_SW: store(chip, &cycles, pc, address, 4, b); goto memory;
        case OP_ECALL: case OP_EBREAK:
            cycles = before, stop = STOP_BREAK;
            goto out;
        case OP_CSRRW: case OP_CSRRS: case OP_CSRRC: case OP_CSRRWI: case OP_CSRRSI: case OP_CSRRCI: {
            uint32_t number = (uint32_t)imm & 0xfff, *reg = csr(chip, number), old;
            uint32_t value = d->op >= OP_CSRRWI ? (uint32_t)imm >> 16 : a;
            const uint32_t *fixed = identity(number);
            if (!reg && !fixed) {
                chip->fault = FAULT_CSR, chip->fault_address = number, stop = STOP_FAULT;
                goto out;
            }
            int kind = (d->op - OP_CSRRW) % 3;
            old = reg ? *reg : *fixed;
            if (reg) csr_write(chip, number, reg, value, kind == 0 ? value : kind == 1 ? old | value : old & ~value);
            x[rd] = old, limit = 0;
            if (chip->r.csr.intsyscr & ~3u) { /* hardware stacking and nesting are here, and nothing else of it */
                chip->fault = FAULT_SETTING, chip->fault_address = number, stop = STOP_FAULT;
                goto out;
            }
            break;
        }
        default:
            chip->fault = d->reason ? d->reason : FAULT_ILLEGAL, chip->fault_address = pc, stop = STOP_FAULT;
            goto out;

        branch:
            target = pc + (uint32_t)imm;
        taken: {
            int to = slot_of(target);
            ahead = AHEAD;
            cycles = before + jump_cycles(chip, to, target);
            if (cycles < chip->flash_until && to < FLASH_SLOTS) cycles = chip->flash_until; /* from RAM, while it is busy */
            instructions++;
            if (profiling) {
                chip->profile[d - chip->cache] += cycles - before, chip->executed[d - chip->cache]++;
                count_stage(chip, cycles - before, d, to);
            }
            x[0] = 0, pc = target;
            if (to < 0) goto nowhere;
            d = chip->cache + to;
            continue;
        }
        memory:
            if (chip->fault) {
                chip->fault_address = address, stop = STOP_FAULT;
                goto out;
            }
            if (profiling) note_access(chip, d->op, address);
            if (address - SRAM_BASE >= SRAM_BYTES && address >= FLASH_BYTES) { /* peripherals, or flash programmed */
                cycles += chip->stall, chip->stall = 0;
                if (chip->transmit_count != sent && !chip->timed) stop = STOP_TRANSMIT;
                if (chip->idle_polls >= 64 && !chip->timed) stop = STOP_STARVED;
                if (d->op >= OP_SB || stop != STOP_BUDGET) limit = 0; /* a load asks for no attention */
            }
            break;
        }
        x[0] = 0;
        instructions++;
        if (profiling) {
            chip->profile[d - chip->cache] += cycles - before, chip->executed[d - chip->cache]++;
            if (chip->stages) chip->stages[chip->stage] += cycles - before;
        }
        pc += length, d += length >> 1;
    }
    goto attend;
nowhere:
    chip->fault = FAULT_FETCH, chip->fault_address = pc, stop = STOP_FAULT;
out:
    if (stop == STOP_FAULT && ASSUME(chip, faults)) {
        int cause = cause_of(chip->fault, d->op >= OP_SB && d->op <= OP_SW);
        if (cause >= 0) { /* entry 3 of the table is the handler of all exceptions */
            if (chip->r.csr.depth) chip->reset_request = RESET_SOFTWARE; /* jnk0le: in a handler the core resets */
            else pc = enter_handler(chip, 3, (uint32_t)cause, pc), cycles += 5 + chip->wait_states;
            chip->fault = FAULT_NONE, stop = STOP_BUDGET;
            goto attend;
        }
    }
    chip->pc = pc, chip->instructions = instructions, chip->cycles = cycles, chip->ahead = ahead;
    return stop;
}

/* Run until the cycle counter reaches `until`, a fault, ebreak, a byte sent, or 64 polls of an empty receiver. */
int chip_run(struct chip *chip, uint64_t until)
{
    return chip->profile ? run(chip, until, 1) : run(chip, until, 0);
}

/* The flash controller, with the option bytes: pages and sectors, their keys and protection.

   While it is busy, nothing can be read from flash: whoever fetches from there stands still until it is done, code in flash
   with its next instruction, so that it never sees BSY. Interrupts wait with it; timers, ADC, DMA and USART do not. No
   manual of the maker's says so; STM32's PM0075 does, of the controller that this one resembles (a read stalls the bus), and
   ch32fun's example of flash, which waits for BSY behind each word, says that only code in RAM needs to. Code in RAM runs
   on, sees BSY, and waits for its end before it touches CTLR, ADDR or the flash again, as all functions of the maker's
   ch32v00x_flash.c do; what happens otherwise nobody says, and the chip stops. How long: flash_us for erasing and
   programming, BUFFER_CYCLES for the page buffer.

   A page is programmed in the order of the maker's own library: FTPG, then BUFRST; 16 times a word is stored and BUFLOAD moves it
   into the buffer; ADDR and STRT. A word without BUFLOAD is not in the buffer. */
#include "chip.h"

static const uint32_t KEY[2] = {0x45670123u, 0xcdef89abu};
enum { BUFFER_CYCLES = 6 }; /* to reset the page buffer, as ch32fun's example says; to load a word: taken for the same */
enum { PG = 1, PER = 2, MER = 4, OBPG = 0x10, OBER = 0x20, START = 0x40, LOCK = 0x80, FLOCK = 0x8000, FTPG = 0x10000,
       FTER = 0x20000, BUFLOAD = 0x40000, BUFRST = 0x80000 }; /* FLASH_CTLR */

/* The next of two keys; a wrong one spoils the sequence until the next reset, as the manual has it. */
static void key(uint32_t *count, uint32_t value)
{
    if (*count < 2) *count = value == KEY[*count] ? *count + 1 : 3;
}

/* The option bytes begin to count as they are written. */
void options_load(struct chip *chip) { memcpy(chip->options, chip->info + OPTION_AT, sizeof chip->options); }

static int protected_page(const struct chip *chip, uint32_t at)
{
    /* one bit a kilobyte, 0 protects: WRPR0, its inverse, WRPR1 */
    return !(chip->options[at < 8192 ? 8 : 10] >> (at >> 10 & 7) & 1);
}

/* Busy from this store on for so many cycles. */
static void busy_for(struct chip *chip, uint64_t cycles)
{
    chip->flash_began = chip->cycles, chip->flash_until = chip->cycles + cycles;
    if (chip->pc - SRAM_BASE >= SRAM_BYTES) chip->stall = cycles;
}

static void flash_busy(struct chip *chip)
{
    busy_for(chip, cycles_of(chip, (uint64_t)ASSUME(chip, flash_us) * (TICKS_PER_SECOND / 1000000)));
    chip->r.flash.ends = 1;
    forget_decoded(chip);
}

/* Whether it is, now; EOP comes with the end. */
static int is_busy(struct chip *chip)
{
    if (chip->cycles < chip->flash_until) return 1;
    if (chip->r.flash.ends) chip->r.flash.eop = 1, chip->r.flash.ends = 0;
    return 0;
}

/* STRT: erase what ADDR points at, or program the page buffer there. Programming can only clear bits. */
static void flash_start(struct chip *chip)
{
    struct registers *r = &chip->r;
    uint32_t mode = r->flash.ctlr & (PER | MER | OBER | FTPG | FTER), at = r->flash.addr - FLASH_ALIAS;
    uint32_t size = mode == PER ? 1024 : mode == MER ? FLASH_BYTES : 64;
    if (mode == OBER) {
        if (r->flash.option_keys == 2) {
            memset(chip->info + OPTION_AT, 0xff, 64), flash_busy(chip);
            if (ASSUME(chip, options_taken) == 0) options_load(chip);
        }
        return;
    }
    if (mode == MER) at = 0;
    if (at >= FLASH_BYTES || (mode != PER && mode != MER && mode != FTPG && mode != FTER)) {
        chip->fault = FAULT_SETTING;
        return;
    }
    at &= ~(size - 1);
    for (uint32_t page = at; page < at + size; page += 64) {
        if (protected_page(chip, page)) {
            r->flash.error = 1;
            continue;
        }
        for (uint32_t i = 0; i < 64; i++)
            chip->flash[page + i] = mode == FTPG ? chip->flash[page + i] & (uint8_t)(r->flash.buffer[i / 4] >> 8 * (i & 3)) : 0xff;
    }
    flash_busy(chip);
}

static void flash_control(struct chip *chip, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t locked = (r->flash.keys == 2 ? 0 : LOCK) | (r->flash.mode_keys == 2 ? 0 : FLOCK);
    if (locked & LOCK || (locked & FLOCK && value & (FTPG | FTER | BUFLOAD | BUFRST))) {
        chip->fault = FAULT_FLASH_WRITE; /* the silicon ignores it: the program forgot the keys */
        return;
    }
    if ((value & (BUFRST | BUFLOAD) || (value & START && value & (FTPG | FTER))) && !(r->flash.ctlr & value & (FTPG | FTER))) {
        chip->fault = FAULT_SETTING; /* the procedure switches the mode on first; what the silicon does is not known */
        return;
    }
    r->flash.ctlr = value & ~(uint32_t)(START | LOCK | FLOCK | BUFLOAD | BUFRST);
    if (value & BUFRST) memset(r->flash.buffer, 0xff, sizeof r->flash.buffer), r->flash.latched = 0;
    if (value & BUFLOAD && r->flash.latched) r->flash.buffer[r->flash.latched - 1] = r->flash.latch, r->flash.latched = 0;
    if (value & (BUFRST | BUFLOAD)) busy_for(chip, BUFFER_CYCLES);
    if (value & START) flash_start(chip);
    if (value & LOCK) r->flash.keys = 0;
    if (value & FLOCK) r->flash.mode_keys = 0;
}

/* A store to the flash's own addresses, or to the option bytes: right only while programming is switched on. */
void flash_store(struct chip *chip, uint32_t address, uint32_t size, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t at = address - FLASH_ALIAS, option = address - INFO_BASE - OPTION_AT;
    if (is_busy(chip)) {
        chip->fault = FAULT_FLASH_BUSY;
        return;
    }
    if (r->flash.ctlr & FTPG && at < FLASH_BYTES && size == 4) {
        r->flash.latch = value, r->flash.latched = 1 + (at >> 2 & 15); /* until BUFLOAD moves it into the buffer */
    } else if (r->flash.ctlr & PG && at < FLASH_BYTES && size == 2) {
        if (protected_page(chip, at)) r->flash.error = 1;
        else chip->flash[at] &= (uint8_t)value, chip->flash[at + 1] &= (uint8_t)(value >> 8), flash_busy(chip);
    } else if (r->flash.ctlr & OBPG && r->flash.option_keys == 2 && option < 64 && size == 2) {
        chip->info[OPTION_AT + option] = (uint8_t)value; /* the controller adds the inverse */
        chip->info[OPTION_AT + option + 1] = (uint8_t)~value;
        flash_busy(chip);
        if (ASSUME(chip, options_taken) == 0) options_load(chip);
    } else {
        chip->fault = FAULT_FLASH_WRITE;
    }
}

uint32_t flash_read(struct chip *chip, int which, uint32_t offset)
{
    const struct registers *r = &chip->r;
    const uint8_t *option = chip->options;
    uint32_t busy = (uint32_t)is_busy(chip);
    (void)which;
    switch (offset) {
    case 0x00: return r->flash.actlr;
    case 0x0c: /* BSY may come late */
        if (chip->cycles < chip->flash_began + (uint32_t)ASSUME(chip, bsy_late_cycles)) busy = 0;
        return busy | r->flash.error << 4 | r->flash.eop << 5 | chip->boot_mode << 14 | (r->flash.boot_keys == 2 ? 0 : 0x8000);
    case 0x10:
        return r->flash.ctlr | (r->flash.keys == 2 ? 0 : LOCK) | (r->flash.mode_keys == 2 ? 0 : FLOCK) |
               (r->flash.option_keys == 2 ? 0x200 : 0);
    case 0x14: return r->flash.addr;
    case 0x1c: return (option[0] != 0xa5) << 1 | (uint32_t)option[2] << 2; /* RDPRT, USER */
    case 0x20: return option[8] | (uint32_t)option[10] << 8;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void flash_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    if (is_busy(chip) && (offset == 0x10 || offset == 0x14)) {
        chip->fault = FAULT_FLASH_BUSY;
        return;
    }
    switch (offset) {
    case 0x00:
        r->flash.actlr = value;
        set_clock(chip);
        return;
    case 0x04: key(&r->flash.keys, value); return;
    case 0x08: key(&r->flash.option_keys, value); return;
    case 0x0c: /* written ones clear EOP and the error; MODE needs its own keys */
        if (value & 0x20) r->flash.eop = 0;
        if (value & 0x10) r->flash.error = 0;
        if (r->flash.boot_keys == 2) chip->boot_mode = value >> 14 & 1;
        if (value & 0x8000) r->flash.boot_keys = 0;
        return;
    case 0x10: flash_control(chip, value); return;
    case 0x14: r->flash.addr = value; return;
    case 0x24: key(&r->flash.mode_keys, value); return;
    case 0x28: key(&r->flash.boot_keys, value); return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

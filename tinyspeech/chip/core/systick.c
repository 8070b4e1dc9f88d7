/* SysTick counts HCLK (STCLK, bit 2) or HCLK / 8 while STE (bit 0) is set. */
#include "chip.h"

static uint32_t count(const struct chip *chip)
{
    uint64_t ticks = chip->cycles - chip->r.systick.base;
    if (!(chip->r.systick.ctlr & 1)) return chip->r.systick.held;
    return (uint32_t)(chip->r.systick.ctlr & 4 ? ticks : ticks >> 3);
}

static void set(struct chip *chip, uint32_t control, uint32_t count, uint64_t now)
{
    struct registers *r = &chip->r;
    uint32_t shift = control & 4 ? 0 : 3, left = r->systick.cmp - count;
    r->systick.ctlr = control, r->systick.held = count;
    r->systick.base = now - ((uint64_t)count << shift);
    schedule(chip, EVENT_SYSTICK, control & 1 ? now + ((left ? (uint64_t)left : 1ull << 32) << shift) : NEVER);
}

void systick_reached(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    r->systick.status = 1;
    set(chip, r->systick.ctlr, r->systick.ctlr & 8 ? 0 : r->systick.cmp, now); /* STRE: begin again at 0 */
}

uint32_t systick_read(struct chip *chip, int which, uint32_t offset)
{
    (void)which;
    switch (offset) {
    case 0x00: return chip->r.systick.ctlr;
    case 0x04: return chip->r.systick.status;
    case 0x08: return count(chip);
    case 0x10: return chip->r.systick.cmp;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void systick_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    switch (offset) {
    case 0x00: set(chip, value & 0x8000000fu, count(chip), chip->cycles); return;
    case 0x04: r->systick.status &= value; return;
    case 0x08: set(chip, r->systick.ctlr, value, chip->cycles); return;
    case 0x10:
        r->systick.cmp = value;
        set(chip, r->systick.ctlr, count(chip), chip->cycles);
        return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

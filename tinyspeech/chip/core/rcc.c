/* RCC: clocks and why the chip was reset. Switching clocks and starting the PLL take no time. */
#include "chip.h"

void set_clock(struct chip *chip)
{
    static const enum event by_the_second[2] = {EVENT_RECEIVE, EVENT_WATCHDOG}; /* the others count cycles */
    struct registers *r = &chip->r;
    uint32_t hpre = field(r->rcc.cfgr0, 7, 4), doubled = field(r->rcc.cfgr0, 3, 2) == 2;
    uint32_t divider = hpre < 8 ? hpre + 1 : 1u << (hpre - 7), before = chip->ticks_per_cycle;
    chip->tick_base = ticks_at(chip, chip->cycles), chip->tick_since = chip->cycles;
    chip->ticks_per_cycle = divider * (doubled ? 1 : 2); /* HSI: 24 MHz, doubled by the PLL */
    for (int i = 0; i < 2 && before; i++) {
        uint64_t at = chip->due[by_the_second[i]];
        if (at != NEVER && at > chip->cycles)
            schedule(chip, by_the_second[i], chip->cycles + cycles_of(chip, (at - chip->cycles) * before));
    }
    chip->clock_hz = TICKS_PER_SECOND / chip->ticks_per_cycle;
    chip->wait_states = r->flash.actlr & 3;
    if (chip->clock_hz > 24000000u && chip->wait_states == 0) chip->fault = FAULT_FLASH_SPEED;
    forget_decoded(chip);
}

void rcc_reset(struct chip *chip, uint32_t flags)
{
    chip->r.rcc.ctlr = 0x83;     /* HSI on and ready */
    chip->r.rcc.cfgr0 = 2u << 4; /* HSI / 3 */
    chip->r.rcc.ahbpcenr = 4;    /* SRAM */
    set_clock(chip);
    if (flags & RESET_POWER) chip->boot_mode = 0, chip->lsi_on = 0;
}

uint32_t rcc_read(struct chip *chip, int which, uint32_t offset)
{
    const struct registers *r = &chip->r;
    (void)which;
    switch (offset) {
    case 0x00: return r->rcc.ctlr;
    case 0x04: return r->rcc.cfgr0;
    case 0x14: return r->rcc.ahbpcenr;
    case 0x18: return r->rcc.apb2pcenr;
    case 0x1c: return r->rcc.apb1pcenr;
    case 0x24: return chip->reset_flags | chip->lsi_on * 3u;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void rcc_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    switch (offset) {
    case 0x00: /* HSIRDY follows HSION, PLLRDY follows PLLON at once */
        r->rcc.ctlr = (value & ~0x02000002u) | (value & 1) << 1 | (value >> 24 & 1) << 25;
        return;
    case 0x04: /* SWS follows SW to a source that is ready: HSI, or the PLL; the board has no crystal */
        r->rcc.cfgr0 = (value & ~0xcu) | (r->rcc.cfgr0 & 0xcu);
        if ((value & 3) == 0 || ((value & 3) == 2 && r->rcc.ctlr >> 25 & 1)) r->rcc.cfgr0 = (value & ~0xcu) | (value & 3) << 2;
        set_clock(chip);
        return;
    case 0x14: r->rcc.ahbpcenr = value; return;
    case 0x18: r->rcc.apb2pcenr = value; return;
    case 0x1c: r->rcc.apb1pcenr = value; return;
    case 0x24:
        if (value >> 24 & 1) chip->reset_flags = 0;
        chip->lsi_on = value & 1;
        return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

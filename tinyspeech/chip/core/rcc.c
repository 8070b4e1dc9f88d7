/* RCC: clocks and why the chip was reset. Switching clocks and starting oscillators and the PLL take no time. */
#include "chip.h"

enum { HSITRIM_PPM = 2500 }; /* reference manual: a step of HSITRIM is some 60 kHz of 24 MHz */

void set_clock(struct chip *chip)
{
    static const enum event by_the_second[2] = {EVENT_RECEIVE, EVENT_WATCHDOG}; /* the others count cycles */
    struct registers *r = &chip->r;
    uint32_t hpre = field(r->rcc.cfgr0, 7, 4), doubled = field(r->rcc.cfgr0, 3, 2) == 2;
    uint32_t divider = hpre < 8 ? hpre + 1 : 1u << (hpre - 7), nominal;
    uint64_t before = chip->ticks_per_cycle;
    int64_t ppm = ASSUME(chip, hsi_error_ppm) + HSITRIM_PPM * ((int64_t)field(r->rcc.ctlr, 7, 3) - 16);
    if (field(r->rcc.cfgr0, 3, 2) == 1 || (doubled && r->rcc.cfgr0 >> 16 & 1)) ppm = 0; /* the crystal */
    chip->tick_base = ticks_at(chip, chip->cycles), chip->tick_since = chip->cycles;
    nominal = divider * (doubled ? 1 : 2); /* HSI and crystal: 24 MHz, doubled by the PLL */
    chip->ticks_per_cycle = (uint64_t)((int64_t)((uint64_t)nominal << TICK_BITS) * 1000000 / (1000000 + ppm));
    for (int i = 0; i < 2 && before; i++) {
        uint64_t at = chip->due[by_the_second[i]];
        if (at != NEVER && at > chip->cycles)
            schedule(chip, by_the_second[i], chip->cycles + cycles_of(chip, (at - chip->cycles) * before));
    }
    chip->clock_hz = (uint32_t)(TICKS_PER_SECOND / chip->ticks_per_cycle);
    chip->wait_states = r->flash.actlr & 3;
    if (nominal < 2 && chip->wait_states == 0 && !ASSUME(chip, overclocked_flash)) chip->fault = FAULT_FLASH_SPEED;
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
    case 0x08: return r->rcc.intr;
    case 0x0c: return r->rcc.apb2prstr;
    case 0x10: return r->rcc.apb1prstr;
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
    case 0x00: /* HSIRDY follows HSION, HSERDY HSEON where there is a crystal, PLLRDY PLLON, all at once */
        r->rcc.ctlr = (value & ~0x02020002u) | (value & 1) << 1 | (value >> 24 & 1) << 25;
        if (value >> 16 & 1 && ASSUME(chip, crystal)) r->rcc.ctlr |= 1u << 17;
        r->rcc.intr |= (value & 1) << 2 | (r->rcc.ctlr >> 17 & 1) << 3 | (value >> 24 & 1) << 4;
        set_clock(chip);
        return;
    case 0x04: { /* SWS follows SW to a source that is ready: HSI, crystal or PLL */
        static const uint8_t ready[4] = {1, 17, 25, 31};
        uint32_t now = r->rcc.cfgr0 >> 2 & 3, wanted = value & 3;
        if (wanted < 3 && r->rcc.ctlr >> ready[wanted] & 1) now = wanted;
        r->rcc.cfgr0 = (value & ~0xcu) | now << 2;
        set_clock(chip);
        return;
    }
    case 0x08: /* enables stay, flags are cleared by bits of their own */
        r->rcc.intr = (r->rcc.intr & 0xff & ~(value >> 16)) | (value & 0x1f00);
        return;
    case 0x0c: /* resets of single peripherals, as long as their bits are set: they are not written meanwhile */
        r->rcc.apb2prstr = value;
        peripherals_reset(chip, value, 0);
        return;
    case 0x10:
        r->rcc.apb1prstr = value;
        peripherals_reset(chip, 0, value);
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

/* PFIC: which interrupts are pending, enabled and first, what wakes a sleeping core, resets by software. Not here:
   entries without a table. */
#include "chip.h"

/* Interrupts that their peripherals ask for now, a bit each. */
static uint64_t lines(const struct chip *chip)
{
    const struct registers *r = &chip->r;
    uint64_t on = r->pfic.software;
    on |= (uint64_t)(r->systick.status & r->systick.ctlr >> 1 & 1) << IRQ_SYSTICK;
    on |= (uint64_t)(r->systick.ctlr >> 31) << IRQ_SOFTWARE;
    on |= (uint64_t)((r->rcc.intr & r->rcc.intr >> 8 & 0x1f) != 0) << IRQ_RCC;
    on |= (uint64_t)((r->exti.intfr & 0xff) != 0) << IRQ_EXTI;
    on |= (uint64_t)(r->flash.eop & r->flash.ctlr >> 12 & 1) << IRQ_FLASH;
    for (int i = 0; i < 7; i++)
        on |= (uint64_t)((r->dma.status >> 4 * i & r->dma.channel[i].cfgr & 14) != 0) << (IRQ_DMA1 + i);
    on |= (uint64_t)(r->adc.status >> 1 & r->adc.ctlr1 >> 5 & 1) << IRQ_ADC;
    on |= (uint64_t)usart_asks(chip) << IRQ_USART1;
    on |= (uint64_t)(r->timer[0].intfr & r->timer[0].dmaintenr & 1) << IRQ_TIM1_UPDATE;
    on |= (uint64_t)((r->timer[0].intfr & r->timer[0].dmaintenr & 0x1e) != 0) << IRQ_TIM1_COMPARE;
    on |= (uint64_t)((r->timer[1].intfr & r->timer[1].dmaintenr & 0x1f) != 0) << IRQ_TIM2;
    return on;
}

/* Those that are pending. */
static uint64_t pending(const struct chip *chip)
{
    return ASSUME(chip, pending_until_served) ? chip->r.pfic.edges | chip->r.pfic.software : lines(chip);
}

/* The interrupt that the core takes next, or -1: the lowest priority value, then the lowest number. */
int pending_interrupt(const struct chip *chip)
{
    const struct registers *r = &chip->r;
    uint64_t on = pending(chip) & r->pfic.enabled;
    int best = -1, nested = r->csr.depth > 0;
    if (!on || !(nested ? r->csr.depth == 1 && r->csr.intsyscr & 2 : r->csr.mstatus & 8)) return -1;
    for (int i = 0; i < IRQS; i++)
        if (on >> i & 1 && (best < 0 || r->pfic.priority[i] >> 6 < r->pfic.priority[best] >> 6)) best = i;
    /* Bit 7 of the priority decides who may interrupt a handler (assumed: without MIE, which no framework sets there). */
    if (nested && r->pfic.priority[best] >> 7 >= r->pfic.priority[r->csr.frame[0].number] >> 7) return -1;
    if (r->pfic.threshold && r->pfic.priority[best] >= r->pfic.threshold) return -1;
    return best;
}

/* What asks anew is pending, and an event, which ends a wfe. */
void latch_events(struct chip *chip)
{
    struct registers *r = &chip->r;
    uint64_t on = lines(chip), fresh = on & ~r->pfic.seen, wakes = ASSUME(chip, wfe_wakes) ? r->pfic.enabled : 0;
    r->pfic.seen = on, r->pfic.edges |= fresh;
    if (r->pfic.sctlr & 0x10) wakes = ~0ull; /* SEVONPEND: disabled ones, too */
    if (fresh & wakes && (chip->asleep || ASSUME(chip, wfe_latches))) r->pfic.event = 1;
}

/* A sleeping core goes on: wfi when an enabled interrupt is pending, wfe when an event was latched. */
int wakes(struct chip *chip)
{
    struct registers *r = &chip->r;
    if (chip->asleep == 1)
        return (pending(chip) & r->pfic.enabled) != 0 && (r->csr.mstatus & 8 || ASSUME(chip, masked_interrupt_wakes));
    if (!r->pfic.event) return 0;
    r->pfic.event = 0;
    return 1;
}

uint32_t pfic_read(struct chip *chip, int which, uint32_t offset)
{
    const struct registers *r = &chip->r;
    (void)which;
    uint64_t set = offset < 0x20 || offset - 0x100 < 8 || offset - 0x180 < 8 ? r->pfic.enabled
                 : offset < 0x40 || offset - 0x200 < 8 || offset - 0x280 < 8 ? pending(chip) : r->pfic.active;
    if (offset - 0x400 < 64) {
        const uint8_t *p = r->pfic.priority + (offset - 0x400);
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    switch (offset) {
    case 0x000: case 0x020: case 0x100: case 0x180: case 0x200: case 0x280: case 0x300: return (uint32_t)set;
    case 0x004: case 0x024: case 0x104: case 0x184: case 0x204: case 0x284: case 0x304: return (uint32_t)(set >> 32);
    case 0x040: return r->pfic.threshold;
    case 0x048: return 0; /* of CFGR nothing is kept */
    case 0x04c: return (r->csr.depth > 1 ? 3 : r->csr.depth) | (r->csr.depth > 0) << 8 | (pending(chip) != 0) << 9;
    case 0xd10: return r->pfic.sctlr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void pfic_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    uint64_t bits = (uint64_t)value << (offset & 4 ? 32 : 0);
    if (offset - 0x400 < 64) {
        for (uint32_t i = 0; i < 4; i++) r->pfic.priority[offset - 0x400 + i] = (uint8_t)(value >> 8 * i);
        return;
    }
    switch (offset) {
    case 0x040: r->pfic.threshold = value & 0xff; return; /* only what is more urgent is served */
    case 0x048: /* CFGR: 0xbeef and RESETSYS */
        if (value >> 16 == 0xbeef && value & 0x80) chip->reset_request = RESET_SOFTWARE;
        return;
    case 0x100: case 0x104: r->pfic.enabled |= bits; return;
    case 0x180: case 0x184: r->pfic.enabled &= ~bits; return;
    case 0x200: case 0x204: r->pfic.software |= bits; return;
    case 0x280: case 0x284: r->pfic.software &= ~bits, r->pfic.edges &= ~bits; return;
    case 0xd10: /* SLEEPDEEP (standby) is not here */
        if (value & 4) chip->fault = FAULT_SETTING;
        if (value & 0x20) r->pfic.event = 1;
        if (value >> 31) chip->reset_request = RESET_SOFTWARE;
        r->pfic.sctlr = value & 0x1a;
        return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

/* TIM1 and TIM2: counting up, compare channels, triggers for the ADC. Not here: capture inputs, down-counting, other
   timers as the clock. */
#include "chip.h"

static uint64_t period(const struct timer *t) { return (uint64_t)(t->psc_now + 1) * (t->atrlr_now + 1); }

static uint32_t count(const struct chip *chip, const struct timer *t)
{
    return t->ctlr1 & 1 ? (uint32_t)((chip->cycles - t->zero) / (t->psc_now + 1)) : t->held;
}

/* When the compare channels and the end of the period come, seen from `now`. */
static void plan(struct chip *chip, int which, uint64_t now)
{
    struct timer *t = &chip->r.timer[which];
    uint64_t clock = t->psc_now + 1;
    int runs = t->ctlr1 & 1 && t->atrlr_now; /* a period of 0 holds the counter */
    for (int i = 0; i < 4; i++) {
        uint64_t at = t->zero + t->ccr[i] * clock;
        schedule(chip, EVENT_TIMER_COMPARE + 4 * which + i, runs && at >= now && t->ccr[i] <= t->atrlr_now ? at : NEVER);
    }
    schedule(chip, EVENT_TIMER_UPDATE + which, runs ? t->zero + period(t) : NEVER);
}

/* The counter goes on from `value`. */
static void set_count(struct chip *chip, int which, uint32_t value)
{
    struct timer *t = &chip->r.timer[which];
    t->held = value, t->zero = chip->cycles - (uint64_t)value * (t->psc_now + 1);
    plan(chip, which, chip->cycles);
}

void timer_update(struct chip *chip, int which, uint64_t now, int by_software)
{
    struct timer *t = &chip->r.timer[which];
    t->zero = now, t->held = 0;
    if (!by_software && t->repeat) {
        t->repeat--;
    } else if (!(t->ctlr1 & 2)) { /* UDIS */
        t->repeat = t->rptcr, t->psc_now = t->psc, t->atrlr_now = t->atrlr;
        if (!by_software || !(t->ctlr1 & 4)) t->intfr |= 1; /* URS */
        if (t->dmaintenr & 0x100) dma_request(chip, which ? REQUEST_TIM2_UPDATE : REQUEST_TIM1_UPDATE);
        if (!by_software && t->ctlr1 & 8) t->ctlr1 &= ~1u;  /* OPM */
        if (which == 0 && (t->ctlr2 >> 4 == 2 || (by_software && t->ctlr2 >> 4 == 0))) adc_trigger(chip, 0, now);
    }
    plan(chip, which, now);
}

void timer_compare(struct chip *chip, int which, int channel, uint64_t now)
{
    struct timer *t = &chip->r.timer[which];
    static const uint8_t requests[2][4] = {{REQUEST_TIM1_CH1, REQUEST_TIM1_CH2, REQUEST_TIM1_CH3, REQUEST_TIM1_CH4},
                                           {REQUEST_TIM2_CH1, REQUEST_TIM2_CH2, REQUEST_TIM2_CH3, REQUEST_TIM2_CH4}};
    t->intfr |= 2u << channel;
    if (t->dmaintenr >> (9 + channel) & 1) dma_request(chip, requests[which][channel]);
    schedule(chip, EVENT_TIMER_COMPARE + 4 * which + channel, NEVER); /* until the next period */
    if (which == 0 && channel < 2 && t->ccer >> 4 * channel & 1) adc_trigger(chip, 1 + (uint32_t)channel, now);
}

int timer_level(const struct chip *chip, int which, int channel)
{
    const struct timer *t = &chip->r.timer[which];
    uint32_t mode = t->chctlr[channel >> 1] >> (8 * (channel & 1) + 4) & 7, enable = t->ccer >> 4 * channel & 3;
    if (!(enable & 1) || (which == 0 && !(t->bdtr >> 15 & 1))) return -1; /* CCxE, MOE */
    int below = count(chip, t) < t->ccr[channel];
    int high = mode == 6 ? below : mode == 7 ? !below : mode == 5; /* PWM, its inverse, forced; else low */
    return high ^ (enable >> 1 & 1);
}

uint32_t timer_read(struct chip *chip, int which, uint32_t offset)
{
    const struct timer *t = &chip->r.timer[which];
    switch (offset) {
    case 0x00: return t->ctlr1;
    case 0x04: return t->ctlr2;
    case 0x0c: return t->dmaintenr;
    case 0x08: case 0x14: return 0; /* no slave mode; of SWEVGR nothing is kept */
    case 0x10: return t->intfr;
    case 0x18: case 0x1c: return t->chctlr[(offset - 0x18) >> 2];
    case 0x20: return t->ccer;
    case 0x24: return count(chip, t);
    case 0x28: return t->psc;
    case 0x2c: return t->atrlr;
    case 0x30: return t->rptcr;
    case 0x34: case 0x38: case 0x3c: case 0x40: return t->ccr[(offset - 0x34) >> 2];
    case 0x44: return t->bdtr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void timer_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct timer *t = &chip->r.timer[which];
    uint32_t now = count(chip, t);
    value &= 0xffff;
    switch (offset) {
    case 0x00: /* DIR and CMS: only up-counting is here */
        if (value & 0x70) break;
        t->ctlr1 = value;
        set_count(chip, which, now);
        return;
    case 0x04: /* MMS: reset or update as the trigger for others */
        if (value & ~0x70u || (value >> 4 != 0 && value >> 4 != 2)) break;
        t->ctlr2 = value;
        return;
    case 0x08: /* slave modes, external clocks */
        if (value) break;
        return;
    case 0x0c: /* interrupts and DMA requests of update and of compare */
        if (value & ~0x1f1fu) break;
        t->dmaintenr = value;
        return;
    case 0x10: t->intfr &= value; return;
    case 0x14: /* UG */
        if (value & ~1u) break;
        if (value) timer_update(chip, which, chip->cycles, 1);
        return;
    case 0x18: case 0x1c:
        if (value & 0x0303) break; /* a capture input */
        t->chctlr[(offset - 0x18) >> 2] = value;
        return;
    case 0x20: t->ccer = value; return;
    case 0x24: set_count(chip, which, value); return;
    case 0x28: t->psc = value; return;
    case 0x2c:
        t->atrlr = value;
        if (!(t->ctlr1 & 0x80)) t->atrlr_now = value, plan(chip, which, chip->cycles); /* ARPE */
        return;
    case 0x30: t->rptcr = value & 0xff; return;
    case 0x34: case 0x38: case 0x3c: case 0x40:
        t->ccr[(offset - 0x34) >> 2] = value;
        plan(chip, which, chip->cycles);
        return;
    case 0x44: t->bdtr = value; return;
    default: chip->fault = FAULT_PERIPHERAL; return;
    }
    chip->fault = FAULT_SETTING;
}

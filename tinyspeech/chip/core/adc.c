/* The ADC: one regular channel at a time, by software, continuously, or at TIM1's trigger. Not
   here: sequences, injected channels, the analogue watchdog. */
#include "chip.h"

enum { MID_SUPPLY = 32768 };
enum { EOC = 1 << 1, STRT = 1 << 4 }; /* ADC_STATR */

/* The microphone's voltage at a cycle, 0 .. 65535, straight lines between its samples. */
static uint32_t analogue_at(const struct chip *chip, uint64_t cycle)
{
    uint64_t ticks = ticks_at(chip, cycle), at;
    if (!chip->analogue || ticks < chip->analogue_start) return MID_SUPPLY;
    at = ((ticks - chip->analogue_start) >> TICK_BITS) * chip->analogue_hz;
    uint64_t i = at / HZ_48M, part = at % HZ_48M;
    if (i + 1 >= chip->analogue_count) return MID_SUPPLY;
    uint64_t a = chip->analogue[i], b = chip->analogue[i + 1];
    return (uint32_t)((a * (HZ_48M - part) + b * part) / HZ_48M);
}

/* Cycles of one ADC clock, from RCC_CFGR0's ADCPRE. */
static uint32_t divider(const struct chip *chip)
{
    static const uint8_t first[4] = {2, 4, 6, 8};
    uint32_t pre = field(chip->r.rcc.cfgr0, 15, 11), base = first[pre >> 3];
    return pre & 4 ? base << (1 + (pre & 3)) : base;
}

/* A conversion of the regular channel: sampling, then 11 clocks for 10 bits. */
static void start(struct chip *chip, uint64_t now)
{
    static const uint8_t sampling[8] = {3, 9, 15, 30, 43, 57, 73, 241};
    struct registers *r = &chip->r;
    uint32_t channel = r->adc.rsqr[2] & 31, cycles = divider(chip), clocks;
    if (!(r->adc.ctlr2 & 1)) return;
    if (chip->due[EVENT_ADC] != NEVER) {
        chip->dropped_triggers++;
        return;
    }
    if (TICKS_PER_SECOND / chip->ticks_per_cycle / cycles > 24500000u) /* and the HSI's 2 % */
        chip->fault = FAULT_ADC_SPEED;
    if (channel > 8 || field(r->adc.rsqr[0], 23, 20)) { /* one pin, or the 1.2 V reference; no sequence */
        chip->fault = FAULT_SETTING, chip->fault_address = 0x4001242c;
        return;
    }
    clocks = sampling[r->adc.samptr[1] >> 3 * (channel % 10) & 7];
    r->adc.status |= STRT, chip->converted_at = now;
    if (chip->analogue_start == NEVER) chip->analogue_start = ticks_at(chip, now);
    r->adc.result = channel == 8 ? 1200 * 1024 / 3300 : analogue_at(chip, now + (uint64_t)clocks * cycles) >> 6;
    if (!r->adc.calibrated || now < r->adc.calibrating) {
        int32_t off = (int32_t)r->adc.result + ASSUME(chip, adc_offset);
        r->adc.result = off < 0 ? 0 : off > 1023 ? 1023 : (uint32_t)off;
    }
    schedule(chip, EVENT_ADC, now + (uint64_t)(clocks + 11) * cycles);
}

void adc_done(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    schedule(chip, EVENT_ADC, NEVER);
    r->adc.status |= EOC, chip->conversions++;
    r->adc.data = r->adc.ctlr2 & 0x800 ? r->adc.result << 6 : r->adc.result;
    if (r->adc.ctlr2 & 0x100) dma_request(chip, REQUEST_ADC);
    if (r->adc.ctlr2 & 2) start(chip, now); /* CONT */
}

/* TIM1's event `source` of EXTSEL: 0 TRGO, 1 and 2 compare. */
void adc_trigger(struct chip *chip, uint32_t source, uint64_t now)
{
    if (chip->r.adc.ctlr2 >> 20 & 1 && field(chip->r.adc.ctlr2, 19, 17) == source) start(chip, now);
}

static void control(struct chip *chip, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t before = r->adc.ctlr2, source = field(value, 19, 17);
    if (value & 0x20f000u || (value >> 20 & 1 && source > 2 && source != 7)) { /* injected; other timers and pins */
        chip->fault = FAULT_SETTING;
        return;
    }
    r->adc.ctlr2 = value & ~0x40000cu; /* SWSTART is over at once, CAL and RSTCAL when the time has come */
    if (value & 1 && value & 0xc && chip->cycles >= r->adc.calibrating) { /* one that comes before the end is lost */
        r->adc.calibrated = !(value & 8);
        r->adc.calibrating = chip->cycles + (uint64_t)ASSUME(chip, adc_calibration_clocks) * divider(chip);
    }
    if (!(value & 1)) schedule(chip, EVENT_ADC, NEVER);
    else if ((value >> 22 & 1 && source == 7) || (before & 1 && before == r->adc.ctlr2 && !(value & 0x40000cu)))
        start(chip, chip->cycles); /* SWSTART, or ADON written again with nothing else changed */
}

uint32_t adc_read(struct chip *chip, int which, uint32_t offset)
{
    struct registers *r = &chip->r;
    (void)which;
    switch (offset) {
    case 0x00: return r->adc.status;
    case 0x04: return r->adc.ctlr1;
    case 0x08: return r->adc.ctlr2 | (chip->cycles < r->adc.calibrating ? r->adc.calibrated ? 4u : 8u : 0);
    case 0x0c: case 0x10: return r->adc.samptr[(offset - 0x0c) >> 2];
    case 0x2c: case 0x30: case 0x34: return r->adc.rsqr[(offset - 0x2c) >> 2];
    case 0x4c:
        r->adc.status &= ~(uint32_t)EOC, line_fell(chip, IRQ_ADC);
        return r->adc.data;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void adc_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    switch (offset) {
    case 0x00: r->adc.status &= value; return;
    case 0x04: /* EOCIE; nothing else of it is here */
        if (value & ~0x20u) break;
        r->adc.ctlr1 = value;
        return;
    case 0x08: control(chip, value); return;
    case 0x0c: case 0x10: r->adc.samptr[(offset - 0x0c) >> 2] = value; return;
    case 0x2c: case 0x30: case 0x34: r->adc.rsqr[(offset - 0x2c) >> 2] = value; return;
    default: chip->fault = FAULT_PERIPHERAL; return;
    }
    chip->fault = FAULT_SETTING;
}

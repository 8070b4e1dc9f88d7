/* Around the core: clocks, resets, pins, SysTick, interrupts, serial port, timer 1 -> ADC -> DMA channel 1, flash, watchdog.

   What a program can observe of them, cycle by cycle; a register or a setting that is not here stops the chip with its
   name instead of doing nothing. Registers and bits are the reference manual's (V1.4). Taken for granted, because it says
   nothing: switching clocks, starting the PLL and calibrating the ADC take no time; DMA takes no cycles from the core;
   erasing or programming takes 3 ms (datasheet, typical), in which code in flash stands still.
   Not here: analogue watchdog, injected channels, scans, capture inputs, down-counting, standby, I2C, SPI, TIM2, WWDG.
   Chapter 11. */
#include "chip.h"

enum { FLASH_STALL_US = 3000, LSI_HZ = 128000, TICKS_PER_SECOND = 48000000, MID_SUPPLY = 32768 };
enum { RXNE = 1 << 5, TC = 1 << 6, TXE = 1 << 7, ORE = 1 << 3, FE = 1 << 1 }; /* USART_STATR */
enum { EOC = 1 << 1, STRT = 1 << 4 };                                           /* ADC_STATR */

static uint32_t field(uint32_t word, int high, int low) { return (word >> low) & ((1u << (high - low + 1)) - 1); }

/* ------------------------------------------------------------------------------------------------- time ---------- */

static void schedule(struct chip *chip, enum event event, uint64_t at)
{
    chip->due[event] = at;
    chip->next_event = NEVER;
    for (int i = 0; i < EVENTS; i++)
        if (chip->due[i] < chip->next_event) chip->next_event = chip->due[i];
}

static uint64_t ticks_at(const struct chip *chip, uint64_t cycle)
{
    return chip->tick_base + (cycle - chip->tick_since) * chip->ticks_per_cycle;
}

/* Cycles that `ticks` take, rounded up. */
static uint64_t cycles_of(const struct chip *chip, uint64_t ticks)
{
    return (ticks + chip->ticks_per_cycle - 1) / chip->ticks_per_cycle;
}

static void set_clock(struct chip *chip)
{
    static const enum event by_the_second[2] = {EVENT_RECEIVE, EVENT_WATCHDOG}; /* the others count cycles */
    struct registers *r = &chip->r;
    uint32_t hpre = field(r->rcc_cfgr0, 7, 4), doubled = field(r->rcc_cfgr0, 3, 2) == 2;
    uint32_t divider = hpre < 8 ? hpre + 1 : 1u << (hpre - 7), before = chip->ticks_per_cycle;
    chip->tick_base = ticks_at(chip, chip->cycles), chip->tick_since = chip->cycles;
    chip->ticks_per_cycle = divider * (doubled ? 1 : 2); /* HSI: 24 MHz, doubled by the PLL */
    for (int i = 0; i < 2 && before; i++) {
        uint64_t at = chip->due[by_the_second[i]];
        if (at != NEVER && at > chip->cycles)
            schedule(chip, by_the_second[i], chip->cycles + cycles_of(chip, (at - chip->cycles) * before));
    }
    chip->clock_hz = TICKS_PER_SECOND / chip->ticks_per_cycle;
    chip->wait_states = r->actlr & 3;
    if (chip->clock_hz > 24000000u && chip->wait_states == 0) chip->fault = FAULT_FLASH_SPEED;
    forget_decoded(chip);
}

/* ------------------------------------------------------------------------------------------------- SysTick ------- */

/* SysTick counts HCLK (STCLK, bit 2) or HCLK / 8 while STE (bit 0) is set. */
static uint32_t systick_count(const struct chip *chip)
{
    uint64_t ticks = chip->cycles - chip->r.systick_base;
    if (!(chip->r.systick_ctlr & 1)) return chip->r.systick_held;
    return (uint32_t)(chip->r.systick_ctlr & 4 ? ticks : ticks >> 3);
}

static void systick_set(struct chip *chip, uint32_t control, uint32_t count, uint64_t now)
{
    struct registers *r = &chip->r;
    uint32_t shift = control & 4 ? 0 : 3, left = r->systick_cmp - count;
    r->systick_ctlr = control, r->systick_held = count;
    r->systick_base = now - ((uint64_t)count << shift);
    schedule(chip, EVENT_SYSTICK, control & 1 ? now + ((left ? (uint64_t)left : 1ull << 32) << shift) : NEVER);
}

static void systick_reached(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    r->systick_status = 1;
    systick_set(chip, r->systick_ctlr, r->systick_ctlr & 8 ? 0 : r->systick_cmp, now); /* STRE: begin again at 0 */
}

/* ------------------------------------------------------------------------------------------------- USART1 -------- */

/* The USART as a whole (UE) and its transmitter (TE, bit 3) or receiver (RE, bit 2) are switched on. */
static int usart_on(const struct chip *chip, uint32_t bit)
{
    return (int)(chip->r.usart_ctlr[0] >> 13 & chip->r.usart_ctlr[0] >> bit & 1);
}

static int waiting(const struct chip *chip) { return usart_on(chip, 2) && chip->receive_at < chip->receive_count; }

static uint32_t usart_status(const struct chip *chip)
{
    if (chip->timed) return chip->r.usart_status;
    return TC | TXE | (waiting(chip) ? RXNE : 0);
}

/* Ten bits of the other side's clock: start, eight of data, stop. */
static uint64_t line_cycles(const struct chip *chip)
{
    return cycles_of(chip, 10ull * TICKS_PER_SECOND / chip->line_baud);
}

/* Bytes that Python put into the queue get their turn on the line, if they take time. */
void serial_arrivals(struct chip *chip)
{
    if (!chip->timed || chip->receive_at == chip->receive_count || chip->due[EVENT_RECEIVE] != NEVER) return;
    uint64_t from = chip->line_free > chip->cycles ? chip->line_free : chip->cycles;
    schedule(chip, EVENT_RECEIVE, from + line_cycles(chip));
}

void hang_up(struct chip *chip) { schedule(chip, EVENT_RECEIVE, NEVER); }

static void byte_arrived(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    uint32_t byte = chip->receive[chip->receive_at++];
    chip->line_free = now;
    schedule(chip, EVENT_RECEIVE, chip->receive_at < chip->receive_count ? now + line_cycles(chip) : NEVER);
    if (!usart_on(chip, 2)) return;
    if (r->usart_status & RXNE) { /* nobody fetched the one before: the new one is lost */
        r->usart_status |= ORE, chip->overruns++;
        return;
    }
    int64_t bit = chip->usart_brr, line_bit = (int64_t)(line_cycles(chip) / 10);
    if (25 * (bit - line_bit) > line_bit || 25 * (line_bit - bit) > line_bit) /* 4 % off: the stop bit is missed */
        byte ^= 0x55, r->usart_status |= FE; /* what is read then depends on the phase; it is wrong in any case */
    r->usart_status |= RXNE, r->usart_received = byte;
}

static void send_byte(struct chip *chip, uint32_t byte)
{
    if (chip->transmit_count < chip->transmit_room) chip->transmit[chip->transmit_count++] = (uint8_t)byte;
}

static void transmit(struct chip *chip, uint32_t byte)
{
    struct registers *r = &chip->r;
    if (!usart_on(chip, 3)) return;
    if (!chip->timed) {
        send_byte(chip, byte);
    } else if (chip->due[EVENT_TRANSMIT] == NEVER) {
        r->usart_status &= ~(uint32_t)TC, r->usart_shifting = byte;
        schedule(chip, EVENT_TRANSMIT, chip->cycles + 10ull * chip->usart_brr);
    } else { /* one more fits behind the byte on its way */
        r->usart_status &= ~(uint32_t)TXE, r->usart_waiting = byte;
    }
}

static void byte_sent(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    send_byte(chip, r->usart_shifting);
    if (r->usart_status & TXE) {
        r->usart_status |= TC;
        schedule(chip, EVENT_TRANSMIT, NEVER);
        return;
    }
    r->usart_status |= TXE, r->usart_shifting = r->usart_waiting;
    schedule(chip, EVENT_TRANSMIT, now + 10ull * chip->usart_brr);
}

static uint32_t usart_read(struct chip *chip)
{
    struct registers *r = &chip->r;
    chip->idle_polls = 0;
    if (!chip->timed) return waiting(chip) ? chip->receive[chip->receive_at++] : 0;
    r->usart_status &= ~(uint32_t)(RXNE | ORE | FE);
    return r->usart_received;
}

/* ------------------------------------------------------------------------------------------------- DMA, ADC ------ */

/* One request to channel 1: a number from a peripheral's register into SRAM. */
static void dma_request(struct chip *chip)
{
    struct registers *r = &chip->r;
    uint32_t size = 1u << field(r->dma_cfgr, 11, 10), done = r->dma_length - r->dma_cntr;
    uint32_t at = r->dma_maddr + (r->dma_cfgr & 0x80 ? done * size : 0) - SRAM_BASE;
    if (!(r->dma_cfgr & 1) || !r->dma_cntr) return;
    if (r->dma_paddr != 0x4001244c || at + size > SRAM_BYTES || at & (size - 1)) {
        chip->fault = FAULT_DMA, chip->fault_address = at + SRAM_BASE;
        return;
    }
    r->adc_status &= ~(uint32_t)EOC; /* as any read of the data register */
    for (uint32_t i = 0; i < size; i++) {
        chip->sram[at + i] = (uint8_t)(r->adc_data >> 8 * i);
        if (chip->touched) chip->touched[at + i] |= TOUCHED_DMA;
    }
    if (chip->code_in_ram) forget_decoded(chip);
    r->dma_cntr--;
    if (r->dma_cntr == r->dma_length / 2) r->dma_status |= 1 | 4;
    if (r->dma_cntr) return;
    r->dma_status |= 1 | 2;
    if (r->dma_cfgr & 0x20) r->dma_cntr = r->dma_length;
}

/* The microphone's voltage at a cycle, 0 .. 65535, straight lines between its samples. */
static uint32_t analogue_at(const struct chip *chip, uint64_t cycle)
{
    uint64_t ticks = ticks_at(chip, cycle), at;
    if (!chip->analogue || ticks < chip->analogue_start) return MID_SUPPLY;
    at = (ticks - chip->analogue_start) * chip->analogue_hz;
    uint64_t i = at / TICKS_PER_SECOND, part = at % TICKS_PER_SECOND;
    if (i + 1 >= chip->analogue_count) return MID_SUPPLY;
    uint64_t a = chip->analogue[i], b = chip->analogue[i + 1];
    return (uint32_t)((a * (TICKS_PER_SECOND - part) + b * part) / TICKS_PER_SECOND);
}

/* Cycles of one ADC clock, from RCC_CFGR0's ADCPRE. */
static uint32_t adc_divider(const struct chip *chip)
{
    static const uint8_t first[4] = {2, 4, 6, 8};
    uint32_t pre = field(chip->r.rcc_cfgr0, 15, 11), base = first[pre >> 3];
    return pre & 4 ? base << (1 + (pre & 3)) : base;
}

/* A conversion of the regular channel: sampling, then 11 clocks for 10 bits. */
static void adc_start(struct chip *chip, uint64_t now)
{
    static const uint8_t sampling[8] = {3, 9, 15, 30, 43, 57, 73, 241};
    struct registers *r = &chip->r;
    uint32_t channel = r->adc_rsqr[2] & 31, divider = adc_divider(chip), clocks;
    if (!(r->adc_ctlr2 & 1)) return;
    if (chip->due[EVENT_ADC] != NEVER) {
        chip->dropped_triggers++;
        return;
    }
    if (chip->clock_hz / divider > 24000000u) chip->fault = FAULT_ADC_SPEED;
    if (channel > 8 || field(r->adc_rsqr[0], 23, 20)) { /* one pin, or the 1.2 V reference; no sequence */
        chip->fault = FAULT_SETTING, chip->fault_address = 0x4001242c;
        return;
    }
    clocks = sampling[r->adc_samptr[1] >> 3 * (channel % 10) & 7];
    r->adc_status |= STRT, chip->converted_at = now;
    if (chip->analogue_start == NEVER) chip->analogue_start = ticks_at(chip, now);
    r->adc_result = channel == 8 ? 1200 * 1024 / 3300 : analogue_at(chip, now + (uint64_t)clocks * divider) >> 6;
    schedule(chip, EVENT_ADC, now + (uint64_t)(clocks + 11) * divider);
}

static void adc_done(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    schedule(chip, EVENT_ADC, NEVER);
    r->adc_status |= EOC, chip->conversions++;
    r->adc_data = r->adc_ctlr2 & 0x800 ? r->adc_result << 6 : r->adc_result;
    if (r->adc_ctlr2 & 0x100) dma_request(chip);
    if (r->adc_ctlr2 & 2) adc_start(chip, now); /* CONT */
}

/* The timer's event `source` of EXTSEL: 0 TRGO, 1 and 2 compare. */
static void adc_trigger(struct chip *chip, uint32_t source, uint64_t now)
{
    if (chip->r.adc_ctlr2 >> 20 & 1 && field(chip->r.adc_ctlr2, 19, 17) == source) adc_start(chip, now);
}

static void adc_control(struct chip *chip, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t before = r->adc_ctlr2, source = field(value, 19, 17);
    if (value & 0x20f000u || (value >> 20 & 1 && source > 2 && source != 7)) { /* injected; other timers and pins */
        chip->fault = FAULT_SETTING;
        return;
    }
    r->adc_ctlr2 = value & ~0x40000cu; /* CAL, RSTCAL and SWSTART are over at once */
    if (!(value & 1)) schedule(chip, EVENT_ADC, NEVER);
    else if ((value >> 22 & 1 && source == 7) || (before & 1 && before == r->adc_ctlr2 && !(value & 0x40000cu)))
        adc_start(chip, chip->cycles); /* SWSTART, or ADON written again with nothing else changed */
}

/* ------------------------------------------------------------------------------------------------- TIM1 ---------- */

static uint64_t timer_period(const struct chip *chip)
{
    return (uint64_t)(chip->r.tim_psc_now + 1) * (chip->r.tim_atrlr_now + 1);
}

static uint32_t timer_count(const struct chip *chip)
{
    const struct registers *r = &chip->r;
    if (!(r->tim_ctlr1 & 1)) return r->tim_held;
    return (uint32_t)((chip->cycles - r->tim_zero) / (r->tim_psc_now + 1));
}

/* When the compare channels and the end of the period come, seen from `now`. */
static void timer_schedule(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    uint64_t clock = r->tim_psc_now + 1;
    int runs = r->tim_ctlr1 & 1 && r->tim_atrlr_now; /* a period of 0 holds the counter */
    for (int i = 0; i < 2; i++) {
        uint64_t at = r->tim_zero + r->tim_ccr[i] * clock;
        schedule(chip, EVENT_TIMER_COMPARE1 + i, runs && at >= now && r->tim_ccr[i] <= r->tim_atrlr_now ? at : NEVER);
    }
    schedule(chip, EVENT_TIMER_UPDATE, runs ? r->tim_zero + timer_period(chip) : NEVER);
}

static void timer_update(struct chip *chip, uint64_t now, int by_software)
{
    struct registers *r = &chip->r;
    r->tim_zero = now, r->tim_held = 0;
    if (!by_software && r->tim_repeat) {
        r->tim_repeat--;
    } else if (!(r->tim_ctlr1 & 2)) { /* UDIS */
        r->tim_repeat = r->tim_rptcr, r->tim_psc_now = r->tim_psc, r->tim_atrlr_now = r->tim_atrlr;
        if (!by_software || !(r->tim_ctlr1 & 4)) r->tim_intfr |= 1; /* URS */
        if (!by_software && r->tim_ctlr1 & 8) r->tim_ctlr1 &= ~1u;  /* OPM */
        if (r->tim_ctlr2 >> 4 == 2 || (by_software && r->tim_ctlr2 >> 4 == 0)) adc_trigger(chip, 0, now);
    }
    timer_schedule(chip, now);
}

static void timer_compare(struct chip *chip, int channel, uint64_t now)
{
    chip->r.tim_intfr |= 2u << channel;
    schedule(chip, EVENT_TIMER_COMPARE1 + channel, NEVER); /* until the next period */
    if (chip->r.tim_ccer >> 4 * channel & 1) adc_trigger(chip, 1 + (uint32_t)channel, now);
}

static uint32_t timer_read(struct chip *chip, uint32_t offset)
{
    const struct registers *r = &chip->r;
    switch (offset) {
    case 0x00: return r->tim_ctlr1;
    case 0x04: return r->tim_ctlr2;
    case 0x0c: return r->tim_dmaintenr;
    case 0x10: return r->tim_intfr;
    case 0x18: case 0x1c: return r->tim_chctlr[(offset - 0x18) >> 2];
    case 0x20: return r->tim_ccer;
    case 0x24: return timer_count(chip);
    case 0x28: return r->tim_psc;
    case 0x2c: return r->tim_atrlr;
    case 0x30: return r->tim_rptcr;
    case 0x34: case 0x38: case 0x3c: case 0x40: return r->tim_ccr[(offset - 0x34) >> 2];
    case 0x44: return r->tim_bdtr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

static void timer_write(struct chip *chip, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t count = timer_count(chip);
    value &= 0xffff;
    switch (offset) {
    case 0x00: /* DIR and CMS: only up-counting is here */
        if (value & 0x70) break;
        r->tim_ctlr1 = value;
        r->tim_held = count, r->tim_zero = chip->cycles - (uint64_t)count * (r->tim_psc_now + 1);
        timer_schedule(chip, chip->cycles);
        return;
    case 0x04: /* MMS: reset or update as the trigger for others */
        if (value & ~0x70u || (value >> 4 != 0 && value >> 4 != 2)) break;
        r->tim_ctlr2 = value;
        return;
    case 0x0c: /* interrupts of update and of compare 1 and 2 */
        if (value & ~7u) break;
        r->tim_dmaintenr = value;
        return;
    case 0x10: r->tim_intfr &= value; return;
    case 0x14: /* UG */
        if (value & ~1u) break;
        if (value) timer_update(chip, chip->cycles, 1);
        return;
    case 0x18: case 0x1c:
        if (value & 0x0303) break; /* a capture input */
        r->tim_chctlr[(offset - 0x18) >> 2] = value;
        return;
    case 0x20: r->tim_ccer = value; return;
    case 0x24:
        r->tim_held = value, r->tim_zero = chip->cycles - (uint64_t)value * (r->tim_psc_now + 1);
        timer_schedule(chip, chip->cycles);
        return;
    case 0x28: r->tim_psc = value; return;
    case 0x2c:
        r->tim_atrlr = value;
        if (!(r->tim_ctlr1 & 0x80)) r->tim_atrlr_now = value, timer_schedule(chip, chip->cycles); /* ARPE */
        return;
    case 0x30: r->tim_rptcr = value & 0xff; return;
    case 0x34: case 0x38: case 0x3c: case 0x40:
        r->tim_ccr[(offset - 0x34) >> 2] = value;
        timer_schedule(chip, chip->cycles);
        return;
    case 0x44: r->tim_bdtr = value; return;
    default: chip->fault = FAULT_PERIPHERAL; return;
    }
    chip->fault = FAULT_SETTING;
}

/* ------------------------------------------------------------------------------------------------- watchdog ------ */

static void watchdog_reload(struct chip *chip)
{
    uint64_t ticks = (uint64_t)(chip->r.watchdog_rldr + 1) * (4u << chip->r.watchdog_psc) * (TICKS_PER_SECOND / LSI_HZ);
    schedule(chip, EVENT_WATCHDOG, chip->cycles + cycles_of(chip, ticks));
}

static void watchdog_write(struct chip *chip, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    if (offset == 0) {
        r->watchdog_unlocked = value == 0x5555;
        if (value == 0xcccc || (value == 0xaaaa && chip->due[EVENT_WATCHDOG] != NEVER)) watchdog_reload(chip);
    } else if (offset == 4 && r->watchdog_unlocked) {
        r->watchdog_psc = (value & 7) == 7 ? 6 : value & 7;
    } else if (offset == 8 && r->watchdog_unlocked) {
        r->watchdog_rldr = value & 0xfff;
    } else if (offset > 8) {
        chip->fault = FAULT_PERIPHERAL;
    }
}

/* ------------------------------------------------------------------------------------------------- flash --------- */

static const uint32_t KEY[2] = {0x45670123u, 0xcdef89abu};
enum { PG = 1, PER = 2, MER = 4, OBPG = 0x10, OBER = 0x20, START = 0x40, LOCK = 0x80, FLOCK = 0x8000, FTPG = 0x10000,
       FTER = 0x20000, BUFLOAD = 0x40000, BUFRST = 0x80000 }; /* FLASH_CTLR */

/* The next of two keys; a wrong one spoils the sequence until the next reset, as the manual has it. */
static void key(uint32_t *count, uint32_t value)
{
    if (*count < 2) *count = value == KEY[*count] ? *count + 1 : 3;
}

static int protected_page(const struct chip *chip, uint32_t at)
{
    const uint8_t *option = chip->info + OPTION_AT; /* one bit a kilobyte, 0 protects: WRPR0, its inverse, WRPR1 */
    return !(option[at < 8192 ? 8 : 10] >> (at >> 10 & 7) & 1);
}

static void flash_busy(struct chip *chip)
{
    chip->stall = cycles_of(chip, (uint64_t)FLASH_STALL_US * (TICKS_PER_SECOND / 1000000));
    chip->r.flash_eop = 1;
    forget_decoded(chip);
}

/* STRT: erase what ADDR points at, or program the page buffer there. Programming can only clear bits. */
static void flash_start(struct chip *chip)
{
    struct registers *r = &chip->r;
    uint32_t mode = r->flash_ctlr & (PER | MER | OBER | FTPG | FTER), at = r->flash_addr - FLASH_ALIAS;
    uint32_t size = mode == PER ? 1024 : mode == MER ? FLASH_BYTES : 64;
    if (mode == OBER) {
        if (r->flash_option_keys == 2) memset(chip->info + OPTION_AT, 0xff, 64), flash_busy(chip);
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
            r->flash_error = 1;
            continue;
        }
        for (uint32_t i = 0; i < 64; i++)
            chip->flash[page + i] = mode == FTPG ? chip->flash[page + i] & (uint8_t)(r->flash_buffer[i / 4] >> 8 * (i & 3)) : 0xff;
    }
    flash_busy(chip);
}

static void flash_control(struct chip *chip, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t locked = (r->flash_keys == 2 ? 0 : LOCK) | (r->flash_mode_keys == 2 ? 0 : FLOCK);
    if (locked & LOCK || (locked & FLOCK && value & (FTPG | FTER | BUFLOAD | BUFRST))) {
        chip->fault = FAULT_FLASH_WRITE; /* the silicon ignores it: the program forgot the keys */
        return;
    }
    r->flash_ctlr = value & ~(uint32_t)(START | LOCK | FLOCK | BUFLOAD | BUFRST);
    if (value & BUFRST) memset(r->flash_buffer, 0xff, sizeof r->flash_buffer);
    if (value & START) flash_start(chip);
    if (value & LOCK) r->flash_keys = 0;
    if (value & FLOCK) r->flash_mode_keys = 0;
}

/* A store to the flash's own addresses, or to the option bytes: right only while programming is switched on. */
void flash_store(struct chip *chip, uint32_t address, uint32_t size, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t at = address - FLASH_ALIAS, option = address - INFO_BASE - OPTION_AT;
    if (r->flash_ctlr & FTPG && at < FLASH_BYTES && size == 4) {
        r->flash_buffer[at >> 2 & 15] = value; /* BUFLOAD then moves it on: nothing to see from outside */
    } else if (r->flash_ctlr & PG && at < FLASH_BYTES && size == 2) {
        if (protected_page(chip, at)) r->flash_error = 1;
        else chip->flash[at] &= (uint8_t)value, chip->flash[at + 1] &= (uint8_t)(value >> 8), flash_busy(chip);
    } else if (r->flash_ctlr & OBPG && r->flash_option_keys == 2 && option < 64 && size == 2) {
        chip->info[OPTION_AT + option] = (uint8_t)value; /* the controller adds the inverse */
        chip->info[OPTION_AT + option + 1] = (uint8_t)~value;
        flash_busy(chip);
    } else {
        chip->fault = FAULT_FLASH_WRITE;
    }
}

static uint32_t flash_read(struct chip *chip, uint32_t offset)
{
    const struct registers *r = &chip->r;
    const uint8_t *option = chip->info + OPTION_AT;
    switch (offset) {
    case 0x00: return r->actlr;
    case 0x0c: return r->flash_error << 4 | r->flash_eop << 5 | chip->boot_mode << 14 | (r->boot_keys == 2 ? 0 : 0x8000);
    case 0x10:
        return r->flash_ctlr | (r->flash_keys == 2 ? 0 : LOCK) | (r->flash_mode_keys == 2 ? 0 : FLOCK) |
               (r->flash_option_keys == 2 ? 0x200 : 0);
    case 0x14: return r->flash_addr;
    case 0x1c: return (option[0] != 0xa5) << 1 | (uint32_t)option[2] << 2; /* RDPRT, USER */
    case 0x20: return option[8] | (uint32_t)option[10] << 8;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

static void flash_write(struct chip *chip, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    switch (offset) {
    case 0x00:
        r->actlr = value;
        set_clock(chip);
        return;
    case 0x04: key(&r->flash_keys, value); return;
    case 0x08: key(&r->flash_option_keys, value); return;
    case 0x0c: /* written ones clear EOP and the error; MODE needs its own keys */
        if (value & 0x20) r->flash_eop = 0;
        if (value & 0x10) r->flash_error = 0;
        if (r->boot_keys == 2) chip->boot_mode = value >> 14 & 1;
        if (value & 0x8000) r->boot_keys = 0;
        return;
    case 0x10: flash_control(chip, value); return;
    case 0x14: r->flash_addr = value; return;
    case 0x24: key(&r->flash_mode_keys, value); return;
    case 0x28: key(&r->boot_keys, value); return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

/* ------------------------------------------------------------------------------------------------- interrupts ---- */

/* Interrupts that their peripherals ask for now, a bit each. */
static uint64_t lines(const struct chip *chip)
{
    const struct registers *r = &chip->r;
    uint32_t status = usart_status(chip), enabled = r->usart_ctlr[0];
    uint64_t on = r->irq_software;
    on |= (uint64_t)(r->systick_status & r->systick_ctlr >> 1 & 1) << IRQ_SYSTICK;
    on |= (uint64_t)(r->systick_ctlr >> 31) << IRQ_SOFTWARE;
    on |= (uint64_t)(r->flash_eop & r->flash_ctlr >> 12 & 1) << IRQ_FLASH;
    on |= (uint64_t)((r->dma_status & r->dma_cfgr & 14) != 0) << IRQ_DMA1;
    on |= (uint64_t)(r->adc_status >> 1 & r->adc_ctlr1 >> 5 & 1) << IRQ_ADC;
    on |= (uint64_t)((enabled & status & (TXE | TC | RXNE)) || (enabled & RXNE && status & ORE)) << IRQ_USART1;
    on |= (uint64_t)(r->tim_intfr & r->tim_dmaintenr & 1) << IRQ_TIM1_UPDATE;
    on |= (uint64_t)((r->tim_intfr & r->tim_dmaintenr & 6) != 0) << IRQ_TIM1_COMPARE;
    return on;
}

/* The interrupt that the core takes next, or -1: the lowest priority value, then the lowest number. */
int pending_interrupt(const struct chip *chip)
{
    const struct registers *r = &chip->r;
    uint64_t on = lines(chip) & r->irq_enabled;
    int best = -1;
    if (!on || !(r->mstatus & 8)) return -1;
    for (int i = 0; i < IRQS; i++)
        if (on >> i & 1 && (best < 0 || r->irq_priority[i] >> 6 < r->irq_priority[best] >> 6)) best = i;
    return best;
}

/* An interrupt that becomes pending is an event, whether the core sleeps or not: the next wfe ends at once. */
void latch_events(struct chip *chip)
{
    struct registers *r = &chip->r;
    uint64_t on = lines(chip), fresh = on & ~r->seen_lines;
    r->seen_lines = on;
    if (fresh & (r->sctlr & 0x10 ? ~0ull : r->irq_enabled)) r->event_latch = 1; /* SEVONPEND: disabled ones, too */
}

/* A sleeping core goes on: wfi when an enabled interrupt is pending, wfe when an event was latched. */
int wakes(struct chip *chip)
{
    struct registers *r = &chip->r;
    if (chip->asleep == 1) return (lines(chip) & r->irq_enabled) != 0;
    if (!r->event_latch) return 0;
    r->event_latch = 0;
    return 1;
}

static uint32_t pfic_read(struct chip *chip, uint32_t offset)
{
    const struct registers *r = &chip->r;
    uint64_t set = offset < 0x20 || offset - 0x100 < 8 || offset - 0x180 < 8 ? r->irq_enabled
                 : offset < 0x40 || offset - 0x200 < 8 || offset - 0x280 < 8 ? lines(chip) : r->irq_active;
    if (offset - 0x400 < 64) {
        const uint8_t *p = r->irq_priority + (offset - 0x400);
        return p[0] | (offset & 3 ? 0 : (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
    }
    switch (offset) {
    case 0x000: case 0x020: case 0x100: case 0x180: case 0x200: case 0x280: case 0x300: return (uint32_t)set;
    case 0x004: case 0x024: case 0x104: case 0x184: case 0x204: case 0x284: case 0x304: return (uint32_t)(set >> 32);
    case 0x040: return 0;
    case 0xd10: return r->sctlr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

static void pfic_write(struct chip *chip, uint32_t offset, uint32_t size, uint32_t value)
{
    struct registers *r = &chip->r;
    uint64_t bits = (uint64_t)value << (offset & 4 ? 32 : 0);
    if (offset - 0x400 < 64) {
        for (uint32_t i = 0; i < size; i++) r->irq_priority[(offset - 0x400 + i) & 63] = (uint8_t)(value >> 8 * i);
        return;
    }
    switch (offset) {
    case 0x040: /* a threshold that holds interrupts back */
        if (value) chip->fault = FAULT_SETTING;
        return;
    case 0x048: /* CFGR: 0xbeef and RESETSYS */
        if (value >> 16 == 0xbeef && value & 0x80) chip->reset_request = RESET_SOFTWARE;
        return;
    case 0x100: case 0x104: r->irq_enabled |= bits; return;
    case 0x180: case 0x184: r->irq_enabled &= ~bits; return;
    case 0x200: case 0x204: r->irq_software |= bits; return;
    case 0x280: case 0x284: r->irq_software &= ~bits; return;
    case 0xd10: /* SLEEPONEXIT and SLEEPDEEP (standby) are not here */
        if (value & 6) chip->fault = FAULT_SETTING;
        if (value & 0x20) r->event_latch = 1;
        if (value >> 31) chip->reset_request = RESET_SOFTWARE;
        r->sctlr = value & 0x18;
        return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

/* ------------------------------------------------------------------------------------------------- the bus ------- */

static int gpio_port(uint32_t address)
{
    return address >> 10 == 0x40010800u >> 10 ? 0 : address >> 10 == 0x40011000u >> 10 ? 1
         : address >> 10 == 0x40011400u >> 10 ? 2 : -1;
}

/* Ports A, C, D, ADC, TIM1 and USART1 answer only while their bit of RCC_APB2PCENR is set, DMA by RCC_AHBPCENR's. */
static int has_clock(const struct chip *chip, uint32_t address)
{
    static const uint8_t clocked[][2] = {{0x42, 2}, {0x44, 4}, {0x45, 5}, {0x49, 9}, {0x4b, 11}, {0x4e, 14}};
    if (address >> 10 == 0x40020000u >> 10) return chip->r.rcc_ahbpcenr & 1;
    for (size_t i = 0; i < sizeof clocked / sizeof *clocked; i++)
        if (address >> 10 == (0x40000000u >> 10) + clocked[i][0]) return chip->r.rcc_apb2pcenr >> clocked[i][1] & 1;
    return 1;
}

uint32_t peripheral_read(struct chip *chip, uint32_t address)
{
    struct registers *r = &chip->r;
    int port = gpio_port(address);
    if (!has_clock(chip, address)) return chip->fault = FAULT_NO_CLOCK, 0;
    if (port >= 0) {
        switch (address & 0x3ff) {
        case 0x00: return r->gpio[port][0];
        case 0x08: return r->gpio[port][3] | r->gpio[port][1];
        case 0x0c: return r->gpio[port][1];
        }
    }
    if (address >> 10 == 0x40012c00u >> 10) return timer_read(chip, address & 0x3ff);
    if (address >> 10 == 0x40022000u >> 10) return flash_read(chip, address & 0x3ff);
    if (address >> 12 == 0xe000e000u >> 12) return pfic_read(chip, address & 0xfff);
    switch (address) {
    case 0x40003004: return r->watchdog_psc;
    case 0x40003008: return r->watchdog_rldr;
    case 0x4000300c: return 0;
    case 0x40012400: return r->adc_status;
    case 0x40012404: return r->adc_ctlr1;
    case 0x40012408: return r->adc_ctlr2;
    case 0x4001240c: case 0x40012410: return r->adc_samptr[(address - 0x4001240c) >> 2];
    case 0x4001242c: case 0x40012430: case 0x40012434: return r->adc_rsqr[(address - 0x4001242c) >> 2];
    case 0x4001244c:
        r->adc_status &= ~(uint32_t)EOC;
        return r->adc_data;
    case 0x40013800:
        if (!(usart_status(chip) & RXNE)) chip->idle_polls++;
        return usart_status(chip);
    case 0x40013804: return usart_read(chip);
    case 0x40013808: return chip->usart_brr;
    case 0x4001380c: case 0x40013810: case 0x40013814: return r->usart_ctlr[(address - 0x4001380c) >> 2];
    case 0x40020000: return r->dma_status;
    case 0x40020008: return r->dma_cfgr;
    case 0x4002000c: return r->dma_cntr;
    case 0x40020010: return r->dma_paddr;
    case 0x40020014: return r->dma_maddr;
    case 0x40021000: return r->rcc_ctlr;
    case 0x40021004: return r->rcc_cfgr0;
    case 0x40021014: return r->rcc_ahbpcenr;
    case 0x40021018: return r->rcc_apb2pcenr;
    case 0x4002101c: return r->rcc_apb1pcenr;
    case 0x40021024: return chip->reset_flags | chip->lsi_on * 3u;
    case 0xe000f000: return r->systick_ctlr;
    case 0xe000f004: return r->systick_status;
    case 0xe000f008: return systick_count(chip);
    case 0xe000f010: return r->systick_cmp;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void peripheral_write(struct chip *chip, uint32_t address, uint32_t size, uint32_t value)
{
    struct registers *r = &chip->r;
    int port = gpio_port(address);
    if (!has_clock(chip, address)) {
        chip->fault = FAULT_NO_CLOCK;
        return;
    }
    if (port >= 0) {
        switch (address & 0x3ff) {
        case 0x00: r->gpio[port][0] = value; return;
        case 0x0c: r->gpio[port][1] = value & 0xff; return;
        case 0x10: r->gpio[port][1] = (r->gpio[port][1] | (value & 0xff)) & ~(value >> 16 & 0xff); return;
        case 0x14: r->gpio[port][1] &= ~(value & 0xff); return;
        }
    }
    if (address >> 10 == 0x40003000u >> 10) {
        watchdog_write(chip, address & 0x3ff, value);
        return;
    }
    if (address >> 10 == 0x40012c00u >> 10) {
        timer_write(chip, address & 0x3ff, value);
        return;
    }
    if (address >> 10 == 0x40022000u >> 10) {
        flash_write(chip, address & 0x3ff, value);
        return;
    }
    if (address >> 12 == 0xe000e000u >> 12) {
        pfic_write(chip, address & 0xfff, size, value);
        return;
    }
    switch (address) {
    case 0x40012400: r->adc_status &= value; return;
    case 0x40012404: /* EOCIE; nothing else of it is here */
        if (value & ~0x20u) break;
        r->adc_ctlr1 = value;
        return;
    case 0x40012408: adc_control(chip, value); return;
    case 0x4001240c: case 0x40012410: r->adc_samptr[(address - 0x4001240c) >> 2] = value; return;
    case 0x4001242c: case 0x40012430: case 0x40012434: r->adc_rsqr[(address - 0x4001242c) >> 2] = value; return;
    case 0x40013800: r->usart_status &= value | ~(uint32_t)(RXNE | TC); return;
    case 0x40013804:
        chip->idle_polls = 0;
        transmit(chip, value & 0xff);
        return;
    case 0x40013808: chip->usart_brr = value; return;
    case 0x4001380c: /* interrupts of idle lines and parity, parity, 9 bits: not here */
        if (value & 0x1710) break;
        r->usart_ctlr[0] = value;
        return;
    case 0x40013810: case 0x40013814: /* other stop bits, clocks, DMA, half duplex, handshakes */
        if (value) break;
        return;
    case 0x40020004: r->dma_status &= ~(value & 1 ? 15u : value & 14u); r->dma_status |= (r->dma_status & 14) != 0; return;
    case 0x40020008: /* into memory, from a register that stays where it is; no halves of mismatched size */
        if (value & 0x4058 || field(value, 11, 10) == 3) break;
        r->dma_cfgr = value;
        return;
    case 0x4002000c:
        if (!(r->dma_cfgr & 1)) r->dma_cntr = r->dma_length = value & 0xffff;
        return;
    case 0x40020010: r->dma_paddr = value; return;
    case 0x40020014: r->dma_maddr = value; return;
    case 0x40021000: /* HSIRDY follows HSION, PLLRDY follows PLLON at once */
        r->rcc_ctlr = (value & ~0x02000002u) | (value & 1) << 1 | (value >> 24 & 1) << 25;
        return;
    case 0x40021004: /* SWS follows SW to a source that is ready: HSI, or the PLL; the board has no crystal */
        r->rcc_cfgr0 = (value & ~0xcu) | (r->rcc_cfgr0 & 0xcu);
        if ((value & 3) == 0 || ((value & 3) == 2 && r->rcc_ctlr >> 25 & 1)) r->rcc_cfgr0 = (value & ~0xcu) | (value & 3) << 2;
        set_clock(chip);
        return;
    case 0x40021014: r->rcc_ahbpcenr = value; return;
    case 0x40021018: r->rcc_apb2pcenr = value; return;
    case 0x4002101c: r->rcc_apb1pcenr = value; return;
    case 0x40021024:
        if (value >> 24 & 1) chip->reset_flags = 0;
        chip->lsi_on = value & 1;
        return;
    case 0xe000f000: systick_set(chip, value & 0x8000000fu, systick_count(chip), chip->cycles); return;
    case 0xe000f004: r->systick_status &= value; return;
    case 0xe000f008: systick_set(chip, r->systick_ctlr, value, chip->cycles); return;
    case 0xe000f010:
        r->systick_cmp = value;
        systick_set(chip, r->systick_ctlr, systick_count(chip), chip->cycles);
        return;
    default: chip->fault = FAULT_PERIPHERAL; return;
    }
    chip->fault = FAULT_SETTING;
}

/* ------------------------------------------------------------------------------------------------- events -------- */

/* Everything that is due happens, in its order, each at its own cycle. */
void advance(struct chip *chip)
{
    while (chip->next_event <= chip->cycles && !chip->fault) {
        int event = 0;
        for (int i = 1; i < EVENTS; i++)
            if (chip->due[i] < chip->due[event]) event = i;
        uint64_t now = chip->due[event];
        switch (event) {
        case EVENT_SYSTICK: systick_reached(chip, now); break;
        case EVENT_TIMER_UPDATE: timer_update(chip, now, 0); break;
        case EVENT_TIMER_COMPARE1: timer_compare(chip, 0, now); break;
        case EVENT_TIMER_COMPARE2: timer_compare(chip, 1, now); break;
        case EVENT_ADC: adc_done(chip, now); break;
        case EVENT_RECEIVE: byte_arrived(chip, now); break;
        case EVENT_TRANSMIT: byte_sent(chip, now); break;
        case EVENT_WATCHDOG:
            schedule(chip, EVENT_WATCHDOG, NEVER);
            chip->reset_request = RESET_WATCHDOG;
            break;
        }
    }
}

/* Registers to their reset values, the core to address 0, or the boot area's turn; memories and time go on. */
void system_reset(struct chip *chip, uint32_t flags)
{
    struct registers *r = &chip->r;
    uint64_t line = chip->due[EVENT_RECEIVE];
    memset(r, 0, sizeof *r);
    for (int i = 0; i < EVENTS; i++) chip->due[i] = NEVER;
    schedule(chip, EVENT_RECEIVE, line); /* the line does not know of it */
    memset(chip->x, 0, sizeof chip->x);
    chip->pc = 0, chip->asleep = 0, chip->reset_request = 0, chip->stall = 0, chip->idle_polls = 0, chip->usart_brr = 0;
    chip->resets++, chip->reset_flags |= flags;
    r->rcc_ctlr = 0x83;      /* HSI on and ready */
    r->rcc_cfgr0 = 2u << 4;  /* HSI / 3 */
    r->rcc_ahbpcenr = 4;     /* SRAM */
    r->usart_status = TC | TXE;
    r->watchdog_rldr = 0xfff;
    r->systick_cmp = 0xffffffffu;
    r->tim_atrlr = r->tim_atrlr_now = 0xffff;
    memset(r->flash_buffer, 0xff, sizeof r->flash_buffer);
    for (int i = 0; i < 3; i++) r->gpio[i][0] = 0x44444444u;
    set_clock(chip);
    if (flags & RESET_POWER) chip->boot_mode = 0, chip->lsi_on = 0;
    if (!(chip->info[OPTION_AT + 2] & 1)) watchdog_reload(chip); /* USER's IWDG_SW cleared: it runs from the start */
    /* The boot area is entered where START_MODE (USER bit 5) allows it, and leaves at once unless software asked for it
       and cleared all older reasons (basilhussain's description). */
    chip->in_boot = chip->boot_mode && chip->info[OPTION_AT + 2] >> 5 & 1 && chip->reset_flags == RESET_SOFTWARE;
    if (!chip->in_boot) chip->boot_mode = 0;
}

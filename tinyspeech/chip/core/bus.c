/* The bus: which peripheral answers at which address, and the reset of all of them.

   A register or a setting that is not here stops the chip with its name instead of doing nothing. */
#include "chip.h"

typedef uint32_t reader(struct chip *chip, int which, uint32_t offset);
typedef void writer(struct chip *chip, int which, uint32_t offset, uint32_t value);

enum clock { ALWAYS, AHB, APB2, APB1 }; /* which of RCC's enable registers; ALWAYS: it needs no clock */

static const struct peripheral {
    uint32_t base, bytes;
    reader *read;
    writer *write;
    uint8_t which, clock, bit;
} peripherals[] = {
    {0x40000000, 0x400, timer_read, timer_write, 1, APB1, 0},
    {0x40003000, 0x400, watchdog_read, watchdog_write, 0, ALWAYS, 0},
    {0x40010000, 0x400, afio_read, afio_write, 0, APB2, 0},
    {0x40010400, 0x400, exti_read, exti_write, 0, ALWAYS, 0},
    {0x40010800, 0x400, gpio_read, gpio_write, 0, APB2, 2},
    {0x40011000, 0x400, gpio_read, gpio_write, 1, APB2, 4},
    {0x40011400, 0x400, gpio_read, gpio_write, 2, APB2, 5},
    {0x40012400, 0x400, adc_read, adc_write, 0, APB2, 9},
    {0x40012c00, 0x400, timer_read, timer_write, 0, APB2, 11},
    {0x40013800, 0x400, usart_read, usart_write, 0, APB2, 14},
    {0x40020000, 0x400, dma_read, dma_write, 0, AHB, 0},
    {0x40021000, 0x400, rcc_read, rcc_write, 0, ALWAYS, 0},
    {0x40022000, 0x400, flash_read, flash_write, 0, ALWAYS, 0},
    {0xe0000000, 0x400, debug_read, debug_write, 0, ALWAYS, 0},
    {0xe000e000, 0x1000, pfic_read, pfic_write, 0, ALWAYS, 0},
    {0xe000f000, 0x400, systick_read, systick_write, 0, ALWAYS, 0},
};

/* Who answers there, if anyone does and has a clock; else the chip stops. */
static const struct peripheral *at(struct chip *chip, uint32_t address)
{
    const uint32_t clocks[] = {~0u, chip->r.rcc.ahbpcenr, chip->r.rcc.apb2pcenr, chip->r.rcc.apb1pcenr};
    for (const struct peripheral *p = peripherals; p < peripherals + sizeof peripherals / sizeof *peripherals; p++) {
        if (address - p->base >= p->bytes) continue;
        if (clocks[p->clock] >> p->bit & 1) return p;
        if (!ASSUME(chip, unclocked_access)) chip->fault = FAULT_NO_CLOCK;
        return 0;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

/* A word, of which the core takes what it wants. */
uint32_t peripheral_read(struct chip *chip, uint32_t address)
{
    const struct peripheral *p = at(chip, address);
    if (!p) return 0;
    return p->read(chip, p->which, (address & ~3u) - p->base) >> 8 * (address & 3);
}

/* Of fewer than 4 bytes the others of the register stay as they are on the AHB and among the interrupts' priorities, and
   become 0 elsewhere. */
void peripheral_write(struct chip *chip, uint32_t address, uint32_t size, uint32_t value)
{
    const struct peripheral *p = at(chip, address);
    if (!p) return;
    uint32_t offset = address - p->base, shift = 8 * (offset & 3), mask = size == 4 ? ~0u : ((1u << 8 * size) - 1) << shift;
    value = value << shift & mask;
    int keeps = p->base >> 16 == 0x4002 || (p->base == 0xe000e000u && offset - 0x400 < 64);
    if (size < 4 && keeps) value |= p->read(chip, p->which, offset & ~3u) & ~mask;
    if (!chip->fault) p->write(chip, p->which, offset & ~3u, value);
}

static void timer_reset(struct chip *chip, int which)
{
    struct timer *t = &chip->r.timer[which];
    memset(t, 0, sizeof *t);
    t->atrlr = t->atrlr_now = 0xffff;
    schedule(chip, EVENT_TIMER_UPDATE + which, NEVER);
    for (int i = 0; i < 4; i++) schedule(chip, EVENT_TIMER_COMPARE + 4 * which + i, NEVER);
}

void peripherals_reset(struct chip *chip, uint32_t apb2, uint32_t apb1)
{
    static const uint8_t ports[3] = {2, 4, 5};
    struct registers *r = &chip->r;
    if (apb2 & 1) memset(&r->afio, 0, sizeof r->afio);
    for (int i = 0; i < 3; i++)
        if (apb2 >> ports[i] & 1) r->gpio[i].cfglr = 0x44444444u, r->gpio[i].outdr = 0;
    if (apb2 >> 9 & 1) {
        memset(&r->adc, 0, sizeof r->adc);
        schedule(chip, EVENT_ADC, NEVER);
    }
    if (apb2 >> 11 & 1) timer_reset(chip, 0);
    if (apb1 & 1) timer_reset(chip, 1);
    if (apb2 >> 14 & 1) {
        memset(&r->usart, 0, sizeof r->usart);
        r->usart.status = 0xc0, chip->usart_brr = 0; /* TC and TXE */
        schedule(chip, EVENT_TRANSMIT, NEVER);
    }
}

/* Registers to their reset values, the core to address 0, or the boot area's turn; memories and time go on. */
void system_reset(struct chip *chip, uint32_t flags)
{
    struct registers *r = &chip->r;
    const struct registers before = *r;
    int keeps_watchdog = flags == RESET_SOFTWARE && ASSUME(chip, watchdog_survives_reset);
    int keeps_systick = !(flags & RESET_POWER) && ASSUME(chip, systick_survives_reset);
    memset(r, 0, sizeof *r);
    for (int i = 0; i < EVENTS; i++)
        if (!(i == EVENT_RECEIVE || (i == EVENT_WATCHDOG && keeps_watchdog) || (i == EVENT_SYSTICK && keeps_systick)))
            schedule(chip, i, NEVER); /* the receiver's line does not know of it */
    memset(chip->x, 0, sizeof chip->x);
    chip->pc = 0, chip->asleep = 0, chip->reset_request = 0, chip->stall = 0, chip->idle_polls = 0;
    chip->flash_began = chip->flash_until = 0;
    chip->resets++, chip->reset_flags |= flags;
    peripherals_reset(chip, ~0u, ~0u);
    r->watchdog.rldr = r->watchdog.rldr_now = 0xfff;
    r->systick.cmp = 0xffffffffu;
    if (keeps_watchdog) r->watchdog = before.watchdog;
    if (keeps_systick) r->systick = before.systick;
    memset(r->flash.buffer, 0xff, sizeof r->flash.buffer);
    rcc_reset(chip, flags);
    if (flags & RESET_POWER || ASSUME(chip, options_taken) < 2) options_load(chip);
    uint32_t user = chip->options[2];
    if (!(user & 1) && !keeps_watchdog) watchdog_reload(chip); /* IWDG_SW cleared: it runs from the start */
    /* The boot area is entered where START_MODE (USER bit 5) allows it, and leaves at once, by a reset of its own, unless
       software asked for it and cleared all older reasons (basilhussain's description). */
    chip->in_boot = chip->boot_mode && user >> 5 & 1 && chip->reset_flags == RESET_SOFTWARE;
    if (!chip->in_boot) chip->boot_mode = 0;
    if (!chip->in_boot && user >> 5 & 1 && ASSUME(chip, boot_area_first)) chip->reset_flags |= RESET_SOFTWARE;
}

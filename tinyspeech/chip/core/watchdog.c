/* IWDG: it counts the LSI and resets the chip where nobody feeds it. */
#include "chip.h"

/* What was written counts when its time has come. */
static void update(struct chip *chip)
{
    struct registers *r = &chip->r;
    if (chip->cycles >= r->watchdog.psc_at) r->watchdog.psc_now = r->watchdog.psc;
    if (chip->cycles >= r->watchdog.rldr_at) r->watchdog.rldr_now = r->watchdog.rldr;
}

static uint64_t update_at(const struct chip *chip)
{
    uint64_t periods = (uint64_t)ASSUME(chip, watchdog_update_periods);
    return chip->cycles + cycles_of(chip, periods * TICKS_PER_SECOND / (uint64_t)ASSUME(chip, lsi_hz));
}

void watchdog_reload(struct chip *chip)
{
    update(chip);
    uint64_t lsi = TICKS_PER_SECOND / (uint64_t)ASSUME(chip, lsi_hz);
    uint64_t ticks = (uint64_t)(chip->r.watchdog.rldr_now + 1) * (4u << chip->r.watchdog.psc_now) * lsi;
    schedule(chip, EVENT_WATCHDOG, chip->cycles + cycles_of(chip, ticks));
}

uint32_t watchdog_read(struct chip *chip, int which, uint32_t offset)
{
    (void)which;
    switch (offset) {
    case 0x00: return 0; /* what is written there is not kept */
    case 0x04: return chip->r.watchdog.psc;
    case 0x08: return chip->r.watchdog.rldr;
    case 0x0c: return (chip->cycles < chip->r.watchdog.psc_at) | (chip->cycles < chip->r.watchdog.rldr_at) << 1; /* PVU, RVU */
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void watchdog_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    if (offset == 0) {
        r->watchdog.unlocked = value == 0x5555;
        if (value == 0xcccc || (value == 0xaaaa && chip->due[EVENT_WATCHDOG] != NEVER)) watchdog_reload(chip);
    } else if (offset == 4 && r->watchdog.unlocked) {
        r->watchdog.psc = (value & 7) == 7 ? 6 : value & 7, r->watchdog.psc_at = update_at(chip);
    } else if (offset == 8 && r->watchdog.unlocked) {
        r->watchdog.rldr = value & 0xfff, r->watchdog.rldr_at = update_at(chip);
    } else if (offset > 8) {
        chip->fault = FAULT_PERIPHERAL;
    }
}

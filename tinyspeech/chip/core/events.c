/* Time: what happens at a cycle of its own, and how cycles and seconds relate. */
#include "chip.h"

void schedule(struct chip *chip, enum event event, uint64_t at)
{
    uint64_t before = chip->due[event];
    chip->due[event] = at;
    if (at <= chip->next_event) {
        chip->next_event = at;
    } else if (before == chip->next_event) { /* it was the first */
        chip->next_event = NEVER;
        for (int i = 0; i < EVENTS; i++)
            if (chip->due[i] < chip->next_event) chip->next_event = chip->due[i];
    }
}

/* Ticks since power on, whatever the clock was. */
uint64_t ticks_at(const struct chip *chip, uint64_t cycle)
{
    return chip->tick_base + (cycle - chip->tick_since) * chip->ticks_per_cycle;
}

/* Cycles that `ticks` take, rounded up. */
uint64_t cycles_of(const struct chip *chip, uint64_t ticks)
{
    return (ticks + chip->ticks_per_cycle - 1) / chip->ticks_per_cycle;
}

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
        case EVENT_ADC: adc_done(chip, now); break;
        case EVENT_RECEIVE: byte_arrived(chip, now); break;
        case EVENT_TRANSMIT: byte_sent(chip, now); break;
        case EVENT_WATCHDOG:
            schedule(chip, EVENT_WATCHDOG, NEVER);
            chip->reset_request = RESET_WATCHDOG;
            break;
        default:
            if (event < EVENT_TIMER_COMPARE) timer_update(chip, event - EVENT_TIMER_UPDATE, now, 0);
            else timer_compare(chip, (event - EVENT_TIMER_COMPARE) >> 2, (event - EVENT_TIMER_COMPARE) & 3, now);
        }
    }
}

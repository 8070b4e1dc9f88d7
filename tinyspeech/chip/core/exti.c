/* EXTI: edges at pins, or a program's own, as interrupts and events. Line n is pin n of the port in AFIO_EXTICR. Not here:
   the lines of the voltage detector and of the wake-up timer. */
#include "chip.h"

static void raise(struct chip *chip, uint32_t lines)
{
    struct registers *r = &chip->r;
    r->exti.intfr |= lines & r->exti.intenr;
    if (lines & r->exti.evenr) r->pfic.event = 1;
}

/* Pins may have changed. before: those of ports A, C, D. */
void exti_edges(struct chip *chip, const uint32_t *before)
{
    static const uint8_t ports[4] = {0, 0, 1, 2};
    const struct registers *r = &chip->r;
    uint32_t rising = 0, falling = 0;
    for (int line = 0; line < 8; line++) {
        int port = ports[r->afio.exticr >> 2 * line & 3];
        uint32_t was = before[port] >> line & 1, is = pins(chip, port) >> line & 1;
        rising |= (!was && is) << line, falling |= (was && !is) << line;
    }
    raise(chip, (rising & r->exti.rtenr) | (falling & r->exti.ftenr));
}

uint32_t exti_read(struct chip *chip, int which, uint32_t offset)
{
    const struct registers *r = &chip->r;
    const uint32_t *registers[] = {&r->exti.intenr, &r->exti.evenr, &r->exti.rtenr, &r->exti.ftenr, &r->exti.swievr, &r->exti.intfr};
    (void)which;
    if (offset <= 0x14) return *registers[offset >> 2];
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void exti_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    if (offset < 0x10 && value & ~0x3ffu) chip->fault = FAULT_SETTING;
    switch (offset) {
    case 0x00: r->exti.intenr = value; return;
    case 0x04: r->exti.evenr = value; return;
    case 0x08: r->exti.rtenr = value; return;
    case 0x0c: r->exti.ftenr = value; return;
    case 0x10:
        raise(chip, value & ~r->exti.swievr);
        r->exti.swievr |= value & r->exti.intenr;
        return;
    case 0x14: r->exti.intfr &= ~value, r->exti.swievr &= ~value; return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

/* Ports A, C and D. */
#include "chip.h"

uint32_t gpio_read(struct chip *chip, int which, uint32_t offset)
{
    const struct registers *r = &chip->r;
    switch (offset) {
    case 0x00: return r->gpio[which].cfglr;
    case 0x08: case 0x0c: return r->gpio[which].outdr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void gpio_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    switch (offset) {
    case 0x00: r->gpio[which].cfglr = value; return;
    case 0x0c: r->gpio[which].outdr = value & 0xff; return;
    case 0x10: r->gpio[which].outdr = (r->gpio[which].outdr | (value & 0xff)) & ~(value >> 16 & 0xff); return;
    case 0x14: r->gpio[which].outdr &= ~(value & 0xff); return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

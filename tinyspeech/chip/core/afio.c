/* AFIO: which pin an external interrupt comes from, and where the serial port's pins are. Not here: remapped timers. */
#include "chip.h"

uint32_t afio_read(struct chip *chip, int which, uint32_t offset)
{
    (void)which;
    switch (offset) {
    case 0x04: return chip->r.afio.pcfr1;
    case 0x08: return chip->r.afio.exticr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void afio_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    (void)which;
    switch (offset) {
    case 0x04: /* the serial port's two bits, PA1 and PA2 for the crystal, the debugger's pin */
        if (value & ~0x07208004u) chip->fault = FAULT_SETTING;
        chip->r.afio.pcfr1 = value;
        return;
    case 0x08: chip->r.afio.exticr = value & 0xffff; return;
    }
    chip->fault = FAULT_PERIPHERAL;
}

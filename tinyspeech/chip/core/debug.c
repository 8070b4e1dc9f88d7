/* The debugger's mailbox, DATA0 and DATA1 of the debug module: what a program says there when a debugger is attached. Here
   one is, as far as ch32fun's print goes: a message of up to 7 bytes has its length + 4 and bit 7 in the first byte of DATA0,
   then its first three bytes, the others in DATA1; the debugger clears bit 7. What was said is for Python to fetch. */
#include "chip.h"

uint32_t debug_read(struct chip *chip, int which, uint32_t offset)
{
    (void)which;
    if (offset == 0xf4 || offset == 0xf8) return chip->mailbox[(offset - 0xf4) >> 2];
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void debug_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    uint32_t length = (value & 15) - 4;
    (void)which;
    if (offset != 0xf4 && offset != 0xf8) {
        chip->fault = FAULT_PERIPHERAL;
        return;
    }
    chip->mailbox[(offset - 0xf4) >> 2] = value;
    if (offset != 0xf4 || !(value & 0x80)) return;
    for (uint32_t i = 0; i < length && length <= 7; i++) {
        uint32_t byte = (i < 3 ? value >> 8 * (i + 1) : chip->mailbox[1] >> 8 * (i - 3)) & 255;
        if (chip->said_count < sizeof chip->said) chip->said[chip->said_count++] = (uint8_t)byte;
    }
    chip->mailbox[0] = 0; /* heard, and nothing to say back */
}

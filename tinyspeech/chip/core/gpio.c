/* Ports A, C and D, and what their pins carry: outputs, what comes from outside, the serial port, PWM, the clock. */
#include "chip.h"

enum { PORT_A, PORT_C, PORT_D };

/* Where the serial port's pins are by AFIO_PCFR1's bits 21 and 2: {transmitter, receiver}, port and pin. */
static const uint8_t serial[4][2][2] = {
    {{PORT_D, 5}, {PORT_D, 6}}, {{PORT_D, 0}, {PORT_D, 1}}, {{PORT_D, 6}, {PORT_D, 5}}, {{PORT_C, 0}, {PORT_C, 1}}};
/* Of the two timers' channels, where nothing is remapped. */
static const uint8_t outputs[2][4][2] = {
    {{PORT_D, 2}, {PORT_A, 1}, {PORT_C, 3}, {PORT_C, 4}}, {{PORT_D, 4}, {PORT_D, 3}, {PORT_C, 0}, {PORT_D, 7}}};

static const uint8_t *serial_pin(const struct chip *chip, int receiver)
{
    uint32_t pcfr1 = chip->r.afio.pcfr1;
    return serial[(pcfr1 >> 21 & 1) << 1 | (pcfr1 >> 2 & 1)][receiver];
}

/* Bits 3:0 of a pin: 0 analogue, 4 floating, 8 pulled; 1 .. 3 push-pull, 5 .. 7 open drain, from 9 on the peripheral's. */
static uint32_t setting(const struct chip *chip, int port, int pin) { return chip->r.gpio[port].cfglr >> 4 * pin & 15; }

/* The line reaches the transmitter, or the receiver: a pin that is set otherwise is not the serial port's. */
int serial_connected(const struct chip *chip, int receiver)
{
    const uint8_t *at = serial_pin(chip, receiver);
    uint32_t is = setting(chip, at[0], at[1]);
    return receiver ? is == 4 || is == 8 : is > 8 && is & 3;
}

/* What a peripheral drives a pin to: 1, 0, or -1 where none has it. */
static int alternate(const struct chip *chip, int port, int pin)
{
    const uint8_t *at = serial_pin(chip, 0);
    uint32_t mco = field(chip->r.rcc.cfgr0, 26, 24);
    if (port == PORT_C && pin == 4 && mco >= 4) return (int)(chip->cycles & 1);
    if (at[0] == port && at[1] == pin && chip->r.usart.ctlr[0] >> 13 & chip->r.usart.ctlr[0] >> 3 & 1) return line_level(chip);
    for (int timer = 0; timer < 2; timer++)
        for (int channel = 0; channel < 4; channel++)
            if (outputs[timer][channel][0] == port && outputs[timer][channel][1] == pin) {
                int level = timer_level(chip, timer, channel);
                if (level >= 0) return level;
            }
    return -1;
}

/* A pin's level as an input would see it: 0 where nobody drives it, for all that is known. */
static uint32_t level(const struct chip *chip, int port, int pin)
{
    const uint8_t *receiver = serial_pin(chip, 1);
    uint32_t is = setting(chip, port, pin), out = chip->r.gpio[port].outdr >> pin & 1;
    uint32_t driven = chip->outside_drives[port] >> pin & 1, outside = chip->outside[port] >> pin & 1;
    if (!driven && receiver[0] == port && receiver[1] == pin) driven = outside = 1; /* an idle line is high */
    if (is & 3) {
        int other = is & 8 ? alternate(chip, port, pin) : (int)out;
        if (other < 0) return driven & outside;
        return is & 4 && other ? (driven ? outside : 0) : (uint32_t)other;
    }
    if (!(is & 12)) return 0; /* an analogue pin reads 0 */
    return driven ? outside : is & 8 ? out : 0;
}

/* What the chip drives pin 0 .. 7 of port 0 .. 2 (A, C, D) to: 1 high, 0 low, or -1 where the pin is no output. */
int chip_pin(const struct chip *chip, uint32_t port, uint32_t pin)
{
    uint32_t is = setting(chip, (int)port, (int)pin);
    if (!(is & 3)) return -1;
    return is & 8 ? alternate(chip, (int)port, (int)pin) : (int)(chip->r.gpio[port].outdr >> pin & 1);
}

/* The outside drives a pin high (1) or low (0), or lets go of it (-1). */
void chip_drive(struct chip *chip, uint32_t port, uint32_t pin, int to)
{
    uint32_t before[3];
    for (int i = 0; i < 3; i++) before[i] = pins(chip, i);
    chip->outside_drives[port] = (chip->outside_drives[port] & ~(1u << pin)) | (uint32_t)(to >= 0) << pin;
    chip->outside[port] = (chip->outside[port] & ~(1u << pin)) | (uint32_t)(to > 0) << pin;
    exti_edges(chip, before);
}

uint32_t pins(const struct chip *chip, int port)
{
    uint32_t found = 0;
    for (int pin = 0; pin < 8; pin++) found |= level(chip, port, pin) << pin;
    return found;
}

uint32_t gpio_read(struct chip *chip, int which, uint32_t offset)
{
    const struct registers *r = &chip->r;
    switch (offset) {
    case 0x00: return r->gpio[which].cfglr;
    case 0x04: case 0x18: return 0; /* no pins 8 .. 15; nothing is locked */
    case 0x08: return pins(chip, which);
    case 0x0c: return r->gpio[which].outdr;
    case 0x10: case 0x14: return 0; /* what is written there is not kept */
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void gpio_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    uint32_t before[3];
    if (r->exti.intenr | r->exti.evenr)
        for (int i = 0; i < 3; i++) before[i] = pins(chip, i);
    switch (offset) {
    case 0x00: r->gpio[which].cfglr = value; break;
    case 0x04: break; /* there are no pins 8 .. 15 */
    case 0x0c: r->gpio[which].outdr = value & 0xff; break;
    case 0x10: r->gpio[which].outdr = (r->gpio[which].outdr & ~(value >> 16 & 0xff)) | (value & 0xff); break; /* setting wins */
    case 0x14: r->gpio[which].outdr &= ~(value & 0xff); break;
    case 0x18: chip->fault = value ? FAULT_SETTING : FAULT_NONE; break; /* locks */
    default: chip->fault = FAULT_PERIPHERAL;
    }
    if (r->exti.intenr | r->exti.evenr) exti_edges(chip, before);
}

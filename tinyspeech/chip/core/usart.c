/* USART1: bytes to and from the line. They take no time unless Python says so (`timed`); then a byte takes ten bits. */
#include "chip.h"

enum { DMAR = 1 << 6, DMAT = 1 << 7 }; /* USART_CTLR3 */
enum { RXNE = 1 << 5, TC = 1 << 6, TXE = 1 << 7, ORE = 1 << 3, FE = 1 << 1 }; /* USART_STATR */

/* The USART as a whole (UE) and its transmitter (TE, bit 3) or receiver (RE, bit 2) are switched on. */
static int usart_on(const struct chip *chip, uint32_t bit)
{
    return (int)(chip->r.usart.ctlr[0] >> 13 & chip->r.usart.ctlr[0] >> bit & 1);
}

static int waiting(const struct chip *chip)
{
    return usart_on(chip, 2) && serial_connected(chip, 1) && chip->receive_at < chip->receive_count;
}

uint32_t usart_status(const struct chip *chip)
{
    if (chip->timed) return chip->r.usart.status;
    return TC | TXE | (waiting(chip) ? RXNE : 0);
}

int usart_asks(const struct chip *chip)
{
    uint32_t status = usart_status(chip), enabled = chip->r.usart.ctlr[0];
    return (enabled & status & (TXE | TC | RXNE)) || (enabled & RXNE && status & ORE);
}

/* A bit of the other side's clock, in cycles / 10. */
static uint64_t line_cycles(const struct chip *chip)
{
    return cycles_of(chip, 10ull * HZ_48M / chip->line_baud << TICK_BITS);
}

/* What a receiver makes of a byte: it looks at each of the ten bits three times in the middle, by its own clock, and the
   majority counts. bit, line_bit: tenths of its and the sender's bit; next: what the line does behind the stop bit.
   Returns the byte, and at 256 whether the stop bit was missing. */
static uint32_t sampled(uint32_t byte, uint64_t bit, uint64_t line_bit, uint32_t next)
{
    uint32_t line = byte << 1 | 1u << 9 | (next ? ~0u << 10 : 0), seen = 0;
    for (uint64_t k = 0; k < 10; k++) {
        uint32_t high = 0;
        for (uint64_t sixteenth = 8; sixteenth <= 10; sixteenth++) {
            uint64_t at = (16 * k + sixteenth) * bit / (16 * line_bit);
            high += line >> (at < 31 ? at : 31) & 1;
        }
        seen |= (high >= 2) << k;
    }
    return (seen >> 1 & 255) | (seen >> 9 & 1 ? 0 : 256);
}

/* Bytes that Python put into the queue get their turn on the line, if they take time. */
void serial_arrivals(struct chip *chip)
{
    if (!chip->timed || chip->receive_at == chip->receive_count || chip->due[EVENT_RECEIVE] != NEVER) return;
    uint64_t from = chip->line_free > chip->cycles ? chip->line_free : chip->cycles;
    schedule(chip, EVENT_RECEIVE, from + line_cycles(chip));
}

void hang_up(struct chip *chip) { schedule(chip, EVENT_RECEIVE, NEVER); }

void byte_arrived(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    uint32_t byte = chip->receive[chip->receive_at++];
    chip->line_free = now;
    schedule(chip, EVENT_RECEIVE, chip->receive_at < chip->receive_count ? now + line_cycles(chip) : NEVER);
    if (!usart_on(chip, 2) || !serial_connected(chip, 1)) return;
    if (r->usart.status & RXNE) { /* nobody fetched the one before: the new one is lost */
        r->usart.status |= ORE, chip->overruns++;
        return;
    }
    byte = sampled(byte, 10ull * chip->usart_brr, line_cycles(chip), chip->due[EVENT_RECEIVE] == NEVER);
    if (byte & 256) r->usart.status |= FE;
    r->usart.status |= RXNE, r->usart.received = byte & 255;
    if (r->usart.ctlr[2] & DMAR) dma_request(chip, REQUEST_RECEIVE);
}

/* A byte reaches the other side, where a pin carries it. */
static void send_byte(struct chip *chip, uint32_t byte)
{
    if (!serial_connected(chip, 0)) return;
    if (chip->transmit_count < chip->transmit_room) chip->transmit[chip->transmit_count++] = (uint8_t)byte;
}

/* A byte begins to leave. */
static void begin(struct chip *chip, uint32_t byte, uint64_t now)
{
    chip->r.usart.status &= ~(uint32_t)TC, chip->r.usart.shifting = byte, chip->sent_at = now;
    schedule(chip, EVENT_TRANSMIT, now + 10ull * chip->usart_brr);
}

int line_level(const struct chip *chip)
{
    uint64_t bit = chip->usart_brr ? (chip->cycles - chip->sent_at) / chip->usart_brr : 0;
    if (chip->due[EVENT_TRANSMIT] == NEVER || bit > 8) return 1;
    return bit ? (int)(chip->r.usart.shifting >> (bit - 1) & 1) : 0;
}

/* The DMA has the next byte, as long as the transmitter has room: without timing all at once. */
static void feed(struct chip *chip)
{
    struct dma_channel *c = &chip->r.dma.channel[REQUEST_TRANSMIT - 1];
    for (uint32_t left = c->cntr; left && chip->r.usart.ctlr[2] & DMAT && usart_status(chip) & TXE && !chip->fault; left--) {
        uint32_t before = c->cntr;
        dma_request(chip, REQUEST_TRANSMIT);
        if (c->cntr == before && c->length != 1) break;
    }
}

void usart_dma_ready(struct chip *chip) { feed(chip); }

static void transmit(struct chip *chip, uint32_t byte)
{
    struct registers *r = &chip->r;
    if (!usart_on(chip, 3)) return;
    if (!chip->timed) {
        send_byte(chip, byte);
    } else if (chip->due[EVENT_TRANSMIT] == NEVER) {
        begin(chip, byte, chip->cycles);
    } else { /* one more fits behind the byte on its way */
        r->usart.status &= ~(uint32_t)TXE, r->usart.waiting = byte;
    }
}

void byte_sent(struct chip *chip, uint64_t now)
{
    struct registers *r = &chip->r;
    send_byte(chip, sampled(r->usart.shifting, line_cycles(chip), 10ull * chip->usart_brr, r->usart.status & TXE) & 255);
    if (r->usart.status & TXE) {
        r->usart.status |= TC;
        schedule(chip, EVENT_TRANSMIT, NEVER);
        return;
    }
    r->usart.status |= TXE;
    begin(chip, r->usart.waiting, now);
    feed(chip);
}

static uint32_t fetch(struct chip *chip)
{
    struct registers *r = &chip->r;
    chip->idle_polls = 0;
    if (!chip->timed) return waiting(chip) ? chip->receive[chip->receive_at++] : 0;
    r->usart.status &= ~(uint32_t)(RXNE | (ASSUME(chip, ore_by_data_alone) ? ORE | FE : r->usart.seen));
    r->usart.seen = 0;
    if (!usart_asks(chip)) line_fell(chip, IRQ_USART1);
    return r->usart.received;
}

uint32_t usart_read(struct chip *chip, int which, uint32_t offset)
{
    (void)which;
    switch (offset) {
    case 0x00:
        if (!(usart_status(chip) & RXNE)) chip->idle_polls++;
        chip->r.usart.seen = usart_status(chip) & (ORE | FE); /* that it was told is half of what clears them */
        return usart_status(chip);
    case 0x04: return fetch(chip);
    case 0x08: return chip->usart_brr;
    case 0x0c: case 0x10: case 0x14: return chip->r.usart.ctlr[(offset - 0x0c) >> 2];
    case 0x18: return 0;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

void usart_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    struct registers *r = &chip->r;
    (void)which;
    switch (offset) {
    case 0x00: r->usart.status &= value | ~(uint32_t)(RXNE | TC); return;
    case 0x04:
        chip->idle_polls = 0;
        transmit(chip, value & 0xff);
        return;
    case 0x08: chip->usart_brr = value; return;
    case 0x0c: /* interrupts of idle lines and parity, parity, 9 bits: not here */
        if (value & 0x1710) break;
        r->usart.ctlr[0] = value;
        return;
    case 0x10: /* other stop bits, clocks */
        if (value) break;
        return;
    case 0x14: /* DMA both ways; half duplex, handshakes and the like are not here */
        if (value & ~(uint32_t)(DMAR | DMAT)) break;
        r->usart.ctlr[2] = value;
        feed(chip);
        return;
    case 0x18: return; /* guard time: of smart cards */
    default: chip->fault = FAULT_PERIPHERAL; return;
    }
    chip->fault = FAULT_SETTING;
}

/* The DMA's seven channels: a request moves one number between a peripheral's register and SRAM; memory to memory moves
   all at once. */
#include "chip.h"

enum { EN = 1, DIR = 0x10, CIRC = 0x20, PINC = 0x40, MINC = 0x80, MEM2MEM = 0x4000 }; /* CFGR */

/* An address in SRAM, or one of flash to read from; else the chip stops. */
static uint8_t *memory(struct chip *chip, uint32_t address, uint32_t size, int to_write)
{
    if (!(address & (size - 1))) {
        if (address - SRAM_BASE < SRAM_BYTES) return chip->sram + (address - SRAM_BASE);
        if (!to_write && address < FLASH_BYTES) return chip->flash + address;
        if (!to_write && address - FLASH_ALIAS < FLASH_BYTES) return chip->flash + (address - FLASH_ALIAS);
    }
    chip->fault = FAULT_DMA, chip->fault_address = address;
    return 0;
}

static uint32_t get(struct chip *chip, uint32_t address, uint32_t size)
{
    if (address >> 28 == 4) return peripheral_read(chip, address) & (0xffffffffu >> (32 - 8 * size));
    const uint8_t *p = memory(chip, address, size, 0);
    uint32_t value = 0;
    for (uint32_t i = 0; p && i < size; i++) value |= (uint32_t)p[i] << 8 * i;
    return value;
}

static void put(struct chip *chip, uint32_t address, uint32_t size, uint32_t value)
{
    if (address >> 28 == 4) {
        peripheral_write(chip, address, size, value);
        return;
    }
    uint8_t *p = memory(chip, address, size, 1);
    if (!p) return;
    for (uint32_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(value >> 8 * i);
        if (chip->touched) chip->touched[address - SRAM_BASE + i] |= TOUCHED_DMA;
    }
    if (chip->code_in_ram) forget_decoded(chip);
}

/* One request to a channel, 1 .. 7. */
void dma_request(struct chip *chip, int number)
{
    struct dma_channel *c = &chip->r.dma.channel[number - 1];
    uint32_t flags = 4u * (uint32_t)(number - 1), done = c->length - c->cntr;
    uint32_t psize = 1u << field(c->cfgr, 9, 8), msize = 1u << field(c->cfgr, 11, 10);
    uint32_t peripheral = c->paddr + (c->cfgr & PINC ? done * psize : 0);
    uint32_t in_memory = c->maddr + (c->cfgr & MINC ? done * msize : 0);
    if (!(c->cfgr & EN) || !c->cntr || !(chip->r.rcc.ahbpcenr & 1)) return;
    if (c->cfgr & DIR) put(chip, peripheral, psize, get(chip, in_memory, msize));
    else put(chip, in_memory, msize, get(chip, peripheral, psize));
    if (chip->fault) {
        chip->fault = FAULT_DMA;
        return;
    }
    c->cntr--, chip->stolen += (uint64_t)ASSUME(chip, dma_steals_cycles);
    if (c->cntr == c->length / 2) chip->r.dma.status |= 5u << flags;
    if (c->cntr) return;
    chip->r.dma.status |= 3u << flags;
    if (c->cfgr & CIRC) c->cntr = c->length;
}

uint32_t dma_read(struct chip *chip, int which, uint32_t offset)
{
    uint32_t number = (offset - 8) / 20;
    const struct dma_channel *c = &chip->r.dma.channel[number % 7];
    (void)which;
    if (offset == 0) return chip->r.dma.status;
    if (offset == 4) return 0; /* INTFCR: what is written there is not kept */
    if (number < 7) switch ((offset - 8) % 20) {
    case 0: return c->cfgr;
    case 4: return c->cntr;
    case 8: return c->paddr;
    case 12: return c->maddr;
    }
    chip->fault = FAULT_PERIPHERAL;
    return 0;
}

/* INTFCR: a channel's flags, or with its first bit all of them; the first is up while another is. */
static void clear_flags(struct chip *chip, uint32_t value)
{
    for (uint32_t shift = 0; shift < 28; shift += 4) {
        uint32_t flags = chip->r.dma.status >> shift & 15, gone = value >> shift & 15;
        flags &= gone & 1 ? 0 : ~gone & 14;
        chip->r.dma.status = (chip->r.dma.status & ~(15u << shift)) | (flags | (flags != 0)) << shift;
    }
}

void dma_write(struct chip *chip, int which, uint32_t offset, uint32_t value)
{
    uint32_t number = (offset - 8) / 20;
    struct dma_channel *c = &chip->r.dma.channel[number % 7];
    (void)which;
    if (offset == 4) {
        clear_flags(chip, value);
        return;
    }
    chip->fault = number < 7 ? FAULT_NONE : FAULT_PERIPHERAL;
    if (number < 7) switch ((offset - 8) % 20) {
    case 0:
        if (field(value, 9, 8) == 3 || field(value, 11, 10) == 3) {
            chip->fault = FAULT_SETTING;
            return;
        }
        c->cfgr = value & 0x7fff;
        if (number + 1 == REQUEST_TRANSMIT && value & EN) usart_dma_ready(chip);
        while (c->cfgr & MEM2MEM && c->cfgr & EN && c->cntr && !chip->fault) {
            dma_request(chip, (int)number + 1);
            if (c->cfgr & CIRC && c->cntr == c->length) break; /* once round */
        }
        return;
    case 4:
        if (!(c->cfgr & EN)) c->cntr = c->length = value & 0xffff;
        return;
    case 8: c->paddr = value; return;
    case 12: c->maddr = value; return;
    default: chip->fault = FAULT_PERIPHERAL;
    }
}

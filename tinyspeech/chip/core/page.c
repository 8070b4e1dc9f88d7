/* The emulated chip inside a web page: one chip with its buffers, and functions that a script calls without pointers.
   Compiled to WebAssembly together with the interpreter (`widgets.chip_page`). Chapter 13. */
#include "chip.h"

uint8_t *page_image(void);
uint8_t *page_received(void);
void page_reset(uint32_t count);
void page_receive(uint32_t count);
int page_run(double cycles);
int32_t page_sent(uint32_t i);
double page_value(uint32_t what);

enum { RECEIVED_BYTES = 1024, SENT_BYTES = 256 };
static struct chip chip;
static uint8_t image[FLASH_BYTES], received[RECEIVED_BYTES], sent[SENT_BYTES];

/* Where the page puts a program, and bytes for the serial port. */
uint8_t *page_image(void) { return image; }
uint8_t *page_received(void) { return received; }

/* Power on with the first `count` bytes of the image in flash. */
void page_reset(uint32_t count)
{
    chip_reset(&chip, image, count);
    chip.transmit = sent, chip.transmit_room = SENT_BYTES, chip.transmit_count = 0;
}

/* The first `count` of the received bytes wait for the chip now; what still waited is forgotten. */
void page_receive(uint32_t count)
{
    chip.receive = received, chip.receive_count = count, chip.receive_at = 0;
}

/* As chip_run, for so many cycles; what was sent before is forgotten. */
int page_run(double cycles)
{
    chip.transmit_count = 0;
    return chip_run(&chip, chip.cycles + (uint64_t)cycles);
}

/* Byte i of those that the last run sent, or -1. */
int32_t page_sent(uint32_t i) { return i < chip.transmit_count ? sent[i] : -1; }

/* 0 .. 15: a register; 16 pc, 17 cycles, 18 instructions, 19 fault, 20 its address, 21 Hz of the clock, 22 bytes of
   stack. */
double page_value(uint32_t what)
{
    switch (what) {
    case 16: return chip.pc;
    case 17: return (double)chip.cycles;
    case 18: return (double)chip.instructions;
    case 19: return chip.fault;
    case 20: return chip.fault_address;
    case 21: return chip.clock_hz;
    case 22: return chip_stack(&chip);
    default: return chip.x[what & 15];
    }
}

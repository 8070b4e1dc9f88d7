/* The emulated CH32V003 as its parts share it: rv32ec.c, the core, and around it one file a peripheral, which bus.c puts
   at their addresses and events.c calls when their time has come. A new peripheral is a file, a struct in `registers`, a
   line of bus.c's table and one of pfic.c's. Chapter 13.

   Registers and bits: WCH's reference manual V1.4; what it leaves open is a row of assumptions.h. */
#ifndef TINYSPEECH_CHIP_H
#define TINYSPEECH_CHIP_H
#include <stddef.h>
#include <stdint.h>

#include "assumptions.h"
#include "faults.h"

/* freestanding (WebAssembly) has no string.h; the compiler provides both */
#define memset __builtin_memset
#define memcpy __builtin_memcpy

enum {
    FLASH_BYTES = 16384, SRAM_BYTES = 2048, FLASH_SLOTS = FLASH_BYTES / 2, SRAM_SLOTS = SRAM_BYTES / 2,
    GAP = 2, /* slots behind each memory that fault when execution runs off its end */
    SRAM_FIRST = FLASH_SLOTS + GAP, SLOTS = SRAM_FIRST + SRAM_SLOTS + GAP,
    INFO_BYTES = 192, /* vendor bytes (chip id, unique id), then 64 option bytes */
    OPTION_AT = 128   /* where the option bytes begin among them */
};
#define SRAM_BASE 0x20000000u
#define FLASH_ALIAS 0x08000000u
#define INFO_BASE 0x1ffff780u
#define NEVER UINT64_MAX

/* Time outside the chip, in ticks of 1/48 us / 65536: every undisturbed clock of this chip is whole ticks, and one that is
   off by some parts in a million nearly so. */
enum { HZ_48M = 48000000, TICK_BITS = 16 };
#define TICKS_PER_SECOND ((uint64_t)HZ_48M << TICK_BITS)

enum stop { RUNNING, STOP_BUDGET, STOP_TRANSMIT, STOP_STARVED, STOP_FAULT, STOP_BREAK, STOP_BOOT };

enum event { /* what happens at a cycle of its own; of two at the same, the first of this list */
    EVENT_SYSTICK, EVENT_TIMER_UPDATE, EVENT_TIMER_COMPARE = EVENT_TIMER_UPDATE + 2, /* 2 timers, 4 channels each */
    EVENT_ADC = EVENT_TIMER_COMPARE + 8, EVENT_RECEIVE, EVENT_TRANSMIT, EVENT_WATCHDOG, EVENTS
};

enum { /* interrupt numbers */
    IRQ_SYSTICK = 12, IRQ_SOFTWARE = 14, IRQ_FLASH = 18, IRQ_RCC = 19, IRQ_EXTI = 20, IRQ_DMA1 = 22, /* its channel 1; the others follow */
    IRQ_ADC = 29, IRQ_USART1 = 32, IRQ_TIM1_UPDATE = 35, IRQ_TIM1_COMPARE = 37, IRQ_TIM2 = 38, IRQS = 39
};

enum { RESET_PIN = 1 << 26, RESET_POWER = 1 << 27, RESET_SOFTWARE = 1 << 28, RESET_WATCHDOG = 1 << 29 }; /* RSTSCKR */

enum { TOUCHED_READ = 1, TOUCHED_WRITTEN = 2, TOUCHED_DMA = 4 };

enum { /* requests to the DMA, by the channel that carries them */
    REQUEST_ADC = 1, REQUEST_TIM2_CH3 = 1, REQUEST_TIM1_CH1 = 2, REQUEST_TIM2_UPDATE = 2, REQUEST_TIM1_CH2 = 3,
    REQUEST_TRANSMIT = 4, REQUEST_TIM1_CH4 = 4, REQUEST_RECEIVE = 5, REQUEST_TIM1_UPDATE = 5, REQUEST_TIM2_CH1 = 5,
    REQUEST_TIM1_CH3 = 6, REQUEST_TIM2_CH2 = 7, REQUEST_TIM2_CH4 = 7
};

struct decoded {
    uint8_t op, rd, rs1, rs2, length, reason; /* reason: fault of OP_BAD */
    uint8_t cost, fetch; /* cycles that it takes, and that the flash takes to bring it, where that is slower than the core */
    int32_t imm;
};

struct timer {
    uint32_t ctlr1, ctlr2, dmaintenr, intfr, chctlr[2], ccer, psc, atrlr, rptcr, ccr[4], bdtr;
    uint32_t psc_now, atrlr_now, repeat, held; /* the active copies; held: CNT while it stands still */
    uint64_t zero;                             /* the cycle at which CNT was 0 */
};

struct dma_channel {
    uint32_t cfgr, cntr, paddr, maddr, length; /* length: CNTR as it was written */
};

/* Everything that a reset clears. */
struct registers {
    struct {
        uint32_t mstatus, mtvec, mepc, mcause, mscratch, intsyscr, dbgmcu;
        uint32_t depth; /* handlers that run */
        struct { uint32_t mepc, mcause, number, stacked, x[16]; } frame[3]; /* of each what it interrupted */
    } csr;
    struct { uint32_t ctlr, cfgr0, intr, apb2prstr, apb1prstr, ahbpcenr, apb2pcenr, apb1pcenr; } rcc;
    struct { uint32_t cfglr, outdr; } gpio[3]; /* ports A, C, D */
    struct { uint32_t pcfr1, exticr; } afio;
    struct { uint32_t intenr, evenr, rtenr, ftenr, swievr, intfr; } exti;
    struct { uint32_t ctlr[3], status, seen, received, shifting, waiting; } usart; /* seen: errors that the status told */
    struct { uint32_t ctlr, status, cmp, held; uint64_t base; } systick; /* held: the count while it stands still */
    struct {
        uint64_t enabled, software, active;
        uint64_t seen, edges; /* requests that were there, to tell a new one; those that came and were not served */
        uint8_t priority[64];
        uint32_t sctlr, event, threshold;
    } pfic;
    struct timer timer[2];
    struct { uint32_t status, ctlr1, ctlr2, samptr[2], rsqr[3], data, result, calibrated; uint64_t calibrating; } adc;
    struct { uint32_t status; struct dma_channel channel[7]; } dma;
    struct { uint32_t unlocked, psc, rldr, psc_now, rldr_now; uint64_t psc_at, rldr_at; } watchdog; /* at: cycles */
    struct {
        uint32_t actlr, keys, mode_keys, option_keys, boot_keys; /* how many of the two came */
        uint32_t ctlr, addr, eop, ends, error; /* ends: EOP is due when it is no longer busy */
        uint32_t buffer[16], latch, latched; /* latched: 1 + the word's place in the buffer, or 0 */
    } flash;
};

struct chip {
    /* --- read and written by Python: keep in step with _State in chip/emulator.py --- */
    uint32_t x[16], pc;
    uint32_t fault, fault_address;
    uint64_t cycles, instructions;
    uint32_t lowest_sp;
    uint32_t clock_hz, usart_brr;
    const uint8_t *receive; /* bytes for the USART's receiver */
    uint32_t receive_count, receive_at;
    uint8_t *transmit; /* bytes that the USART sent */
    uint32_t transmit_room, transmit_count;
    uint64_t *stages;       /* cycles per stage, or 0: what a stage's function calls counts as the stage */
    const uint8_t *stage_of; /* per slot: the stage that begins with the function there, or 0 */
    uint64_t *profile; /* cycles per slot: a slot a halfword of flash, a gap, a slot a halfword of SRAM; or 0 */
    uint64_t *executed; /* instructions per slot, wherever there is a profile */
    uint8_t *touched;  /* per byte of SRAM, while profiling: TOUCHED_ bits of what was done to it; or 0 */
    uint32_t timed;    /* serial bytes take their time; else none, and waiting for one ends the run */
    uint32_t line_baud; /* of the other side's serial port, where bytes take time */
    uint32_t overruns;  /* bytes that came before the one before was fetched */
    uint32_t in_boot;   /* a reset chose the boot area: the ROM's model has the chip */
    const uint16_t *analogue; /* the microphone: 0 .. 65535 is 0 V .. supply; behind its end it holds mid-supply */
    uint32_t analogue_count, analogue_hz;
    uint64_t analogue_start; /* in ticks since power on; NEVER: when the ADC samples next */
    uint64_t slept;          /* cycles spent asleep */
    uint64_t longest_awake;  /* cycles between two sleeps */
    uint64_t converted_at;   /* the cycle at which the ADC last began to sample */
    uint32_t reset_flags;    /* RCC_RSTSCKR bits 26 .. 31: why the chip was reset since they were cleared */
    uint32_t resets;         /* how often it was, power on included */
    uint32_t conversions, dropped_triggers; /* of the ADC; a trigger while it converts is lost */
    uint32_t lowest_open_sp, handler_stack; /* where an interrupt could come; the most that a handler took */
    uint32_t said_count;     /* bytes that the program said to a debugger */
    uint8_t said[256];
    int32_t departs[ASSUMED]; /* from the values of assumptions.h */
    uint8_t flash[FLASH_BYTES], sram[SRAM_BYTES], info[INFO_BYTES];
    /* --- the interpreter's own --- */
    uint8_t stage, depth, stage_stack[64]; /* the stage that runs, and its callers' */
    uint64_t woke_at;
    uint32_t handler_sp; /* of the interrupted program; 0 outside handlers */
    uint32_t ahead, wait_states, idle_polls, code_in_ram; /* code_in_ram: some of it is decoded */
    uint32_t asleep, boot_mode, lsi_on;    /* asleep: 1 wfi, 2 wfe; boot_mode: FLASH_STATR's MODE */
    uint64_t stall;                        /* cycles that the access in progress costs on top */
    uint64_t flash_began, flash_until;     /* the cycles between which flash is, or was, busy */
    uint32_t reset_request;                /* RESET_ bits */
    uint64_t ticks_per_cycle, stolen;      /* stolen: cycles that the DMA took from the core */
    uint32_t outside[3], outside_drives[3], mailbox[2]; /* pins that the outside drives, by port, and to what */
    uint64_t sent_at;                      /* the cycle at which the byte in the transmitter began */
    uint8_t options[16];                   /* option bytes as they count: see options_taken */
    uint64_t tick_base, tick_since;        /* ticks at the cycle of the last change of clock */
    uint64_t line_free;                    /* the cycle at which the byte on the receiver's line is over */
    uint64_t due[EVENTS], next_event;
    struct registers r;
    struct decoded cache[SLOTS];
};

/* A peripheral's request is over, though the core does not look up: a next one is a new one. */
static inline void line_fell(struct chip *chip, int irq) { chip->r.pfic.seen &= ~(1ull << irq); }

/* Whoever changes memory that may hold code says so here: the core decodes it anew. */
static inline void forget_decoded(struct chip *chip) { memset(chip->cache, 0, sizeof chip->cache); }

static inline uint32_t field(uint32_t word, int high, int low) { return (word >> low) & ((1u << (high - low + 1)) - 1); }

/* What others do with a chip: see rv32ec.c and gpio.c. */
size_t chip_size(void);
void chip_reset(struct chip *chip, const uint8_t *image, uint32_t count);
void chip_power_on(struct chip *chip);
void chip_restart(struct chip *chip, uint32_t flags);
int chip_run(struct chip *chip, uint64_t until);
uint64_t chip_ticks(const struct chip *chip);
uint64_t chip_ticks_per_cycle(const struct chip *chip);
uint64_t chip_watchdog(const struct chip *chip);
void chip_watchdog_counts(struct chip *chip, uint64_t ticks);
void chip_hang_up(struct chip *chip);
uint32_t chip_csr(struct chip *chip, uint32_t number);
uint32_t chip_stack(const struct chip *chip);
uint8_t *chip_memory(struct chip *chip, uint32_t address, uint32_t count);
int chip_pin(const struct chip *chip, uint32_t port, uint32_t pin);
void chip_drive(struct chip *chip, uint32_t port, uint32_t pin, int to);

#pragma GCC visibility push(hidden) /* the C library has an `advance`, too */
/* bus.c */
uint32_t peripheral_read(struct chip *chip, uint32_t address);
void peripheral_write(struct chip *chip, uint32_t address, uint32_t size, uint32_t value);
void peripherals_reset(struct chip *chip, uint32_t apb2, uint32_t apb1); /* bits of RCC_APB2PRSTR and RCC_APB1PRSTR */
void system_reset(struct chip *chip, uint32_t flags);

/* events.c: time */
void schedule(struct chip *chip, enum event event, uint64_t at);
void advance(struct chip *chip);
uint64_t ticks_at(const struct chip *chip, uint64_t cycle);
uint64_t cycles_of(const struct chip *chip, uint64_t ticks);

/* Of each peripheral its registers, by their offset from its base (`which`: of several of a kind), and what others of
   this chip need of it. */
#define REGISTERS(name)                                                       \
    uint32_t name##_read(struct chip *chip, int which, uint32_t offset);       \
    void name##_write(struct chip *chip, int which, uint32_t offset, uint32_t value)

REGISTERS(rcc);
void set_clock(struct chip *chip);
void rcc_reset(struct chip *chip, uint32_t flags);

REGISTERS(gpio);
uint32_t pins(const struct chip *chip, int port); /* all eight levels */
int serial_connected(const struct chip *chip, int receiver);

REGISTERS(afio);

REGISTERS(exti);
void exti_edges(struct chip *chip, const uint32_t *before);

REGISTERS(debug);

REGISTERS(usart);
void serial_arrivals(struct chip *chip);
void hang_up(struct chip *chip);
void byte_arrived(struct chip *chip, uint64_t now);
void byte_sent(struct chip *chip, uint64_t now);
void usart_dma_ready(struct chip *chip); /* its channel was switched on */
uint32_t usart_status(const struct chip *chip);
int line_level(const struct chip *chip); /* of the transmitter */
int usart_asks(const struct chip *chip); /* for its interrupt */

REGISTERS(timer);
void timer_update(struct chip *chip, int which, uint64_t now, int by_software);
void timer_compare(struct chip *chip, int which, int channel, uint64_t now);
int timer_level(const struct chip *chip, int which, int channel); /* of its output, -1 where it has none */

REGISTERS(adc);
void adc_done(struct chip *chip, uint64_t now);
void adc_trigger(struct chip *chip, uint32_t source, uint64_t now);

REGISTERS(dma);
void dma_request(struct chip *chip, int channel);

REGISTERS(systick);
void systick_reached(struct chip *chip, uint64_t now);

REGISTERS(pfic);
int pending_interrupt(const struct chip *chip);
void latch_events(struct chip *chip);
int wakes(struct chip *chip);

REGISTERS(watchdog);
void watchdog_reload(struct chip *chip);

REGISTERS(flash);
void options_load(struct chip *chip);
void flash_store(struct chip *chip, uint32_t address, uint32_t size, uint32_t value);
#pragma GCC visibility pop
#endif

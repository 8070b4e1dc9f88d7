/* The emulated CH32V003 as its two halves share it: rv32ec.c, the core, and peripherals.c, everything around it.
   Chapter 11. Registers and bits: WCH's reference manual V1.4; where it is silent, the place says what we assume. */
#ifndef TINYSPEECH_CHIP_H
#define TINYSPEECH_CHIP_H
#include <stddef.h>
#include <stdint.h>

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

enum stop { RUNNING, STOP_BUDGET, STOP_TRANSMIT, STOP_STARVED, STOP_FAULT, STOP_BREAK, STOP_BOOT };

enum fault {
    FAULT_NONE, FAULT_ILLEGAL, FAULT_REGISTER, FAULT_MULTIPLY, FAULT_FETCH, FAULT_UNMAPPED, FAULT_MISALIGNED,
    FAULT_FLASH_WRITE, FAULT_PERIPHERAL, FAULT_FLASH_SPEED, FAULT_CSR, FAULT_NO_CLOCK, FAULT_SLEEP, FAULT_SETTING,
    FAULT_DMA, FAULT_ADC_SPEED, FAULT_SLEEP_MASKED
};

enum event { /* what happens at a cycle of its own */
    EVENT_SYSTICK, EVENT_TIMER_UPDATE, EVENT_TIMER_COMPARE1, EVENT_TIMER_COMPARE2, EVENT_ADC, EVENT_RECEIVE,
    EVENT_TRANSMIT, EVENT_WATCHDOG, EVENTS
};

enum { /* interrupt numbers */
    IRQ_SYSTICK = 12, IRQ_SOFTWARE = 14, IRQ_FLASH = 18, IRQ_DMA1 = 22, IRQ_ADC = 29, IRQ_USART1 = 32, IRQ_TIM1_UPDATE = 35,
    IRQ_TIM1_COMPARE = 37, IRQS = 39
};

enum { RESET_PIN = 1 << 26, RESET_POWER = 1 << 27, RESET_SOFTWARE = 1 << 28, RESET_WATCHDOG = 1 << 29 }; /* RSTSCKR */

enum { TOUCHED_READ = 1, TOUCHED_WRITTEN = 2, TOUCHED_DMA = 4 };

struct decoded {
    uint8_t op, rd, rs1, rs2, length, reason; /* reason: fault of OP_BAD */
    uint8_t cost;                             /* cycles of fetching, wait state included */
    int32_t imm;
};

/* Everything that a reset clears. */
struct registers {
    uint32_t mstatus, mtvec, mepc, mcause, mscratch, intsyscr;
    uint32_t rcc_ctlr, rcc_cfgr0, rcc_ahbpcenr, rcc_apb2pcenr, rcc_apb1pcenr, actlr;
    uint32_t gpio[3][4]; /* ports A, C, D: CFGLR, OUTDR, LCKR unused, INDR of inputs */
    uint32_t usart_ctlr[3], usart_status, usart_received, usart_shifting, usart_waiting; /* waiting: 256 is none */
    uint32_t systick_ctlr, systick_status, systick_cmp, systick_held; /* held: the count while it stands still */
    uint64_t systick_base;
    uint64_t irq_enabled, irq_software, irq_active;
    uint8_t irq_priority[64];
    uint32_t sctlr, event_latch;
    uint64_t seen_lines; /* interrupts that were pending, to tell a new one */
    uint32_t tim_ctlr1, tim_ctlr2, tim_dmaintenr, tim_intfr, tim_chctlr[2], tim_ccer, tim_psc, tim_atrlr, tim_rptcr,
        tim_ccr[4], tim_bdtr;
    uint32_t tim_psc_now, tim_atrlr_now, tim_repeat, tim_held; /* the active copies; held: CNT while it stands still */
    uint64_t tim_zero;                                         /* the cycle at which CNT was 0 */
    uint32_t adc_status, adc_ctlr1, adc_ctlr2, adc_samptr[2], adc_rsqr[3], adc_data, adc_result;
    uint32_t dma_status, dma_cfgr, dma_cntr, dma_paddr, dma_maddr, dma_length; /* length: CNTR as it was written */
    uint32_t watchdog_unlocked, watchdog_psc, watchdog_rldr;
    uint32_t flash_keys, flash_mode_keys, flash_option_keys, boot_keys; /* how many of the two came */
    uint32_t flash_ctlr, flash_addr, flash_eop, flash_error;
    uint32_t flash_buffer[16];
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
    uint64_t analogue_start; /* in 1/48 us since power on; NEVER: when the ADC samples next */
    uint64_t slept;          /* cycles spent asleep */
    uint64_t longest_awake;  /* cycles between two sleeps */
    uint64_t converted_at;   /* the cycle at which the ADC last began to sample */
    uint32_t reset_flags;    /* RCC_RSTSCKR bits 26 .. 31: why the chip was reset since they were cleared */
    uint32_t resets;         /* how often it was, power on included */
    uint32_t conversions, dropped_triggers; /* of the ADC; a trigger while it converts is lost */
    uint32_t lowest_open_sp, handler_stack; /* where an interrupt could come; the most that a handler took */
    uint8_t flash[FLASH_BYTES], sram[SRAM_BYTES], info[INFO_BYTES];
    /* --- the interpreter's own --- */
    uint8_t stage, depth, stage_stack[64]; /* the stage that runs, and its callers' */
    uint64_t woke_at;
    uint32_t handler_sp; /* of the interrupted program; 0 outside handlers */
    uint32_t wait_states, idle_polls, code_in_ram; /* code_in_ram: some of it is decoded */
    uint32_t asleep, boot_mode, lsi_on;    /* asleep: 1 wfi, 2 wfe; boot_mode: FLASH_STATR's MODE */
    uint64_t stall;                        /* cycles that the access in progress costs on top */
    uint32_t reset_request;                /* RESET_ bits */
    uint32_t ticks_per_cycle;              /* a tick is 1/48 us: every clock of this chip is whole ticks */
    uint64_t tick_base, tick_since;        /* ticks at the cycle of the last change of clock */
    uint64_t line_free;                    /* the cycle at which the byte on the receiver's line is over */
    uint64_t due[EVENTS], next_event;
    struct registers r;
    struct decoded cache[SLOTS];
};

/* Whoever changes memory that may hold code says so here: the core decodes it anew. */
static inline void forget_decoded(struct chip *chip) { memset(chip->cache, 0, sizeof chip->cache); }

#pragma GCC visibility push(hidden) /* the C library has an `advance`, too */
/* peripherals.c */
uint32_t peripheral_read(struct chip *chip, uint32_t address);
void peripheral_write(struct chip *chip, uint32_t address, uint32_t size, uint32_t value);
void flash_store(struct chip *chip, uint32_t address, uint32_t size, uint32_t value);
void system_reset(struct chip *chip, uint32_t flags);
void advance(struct chip *chip);
void serial_arrivals(struct chip *chip);
void hang_up(struct chip *chip);
int pending_interrupt(const struct chip *chip);
void latch_events(struct chip *chip);
int wakes(struct chip *chip);
#pragma GCC visibility pop
#endif

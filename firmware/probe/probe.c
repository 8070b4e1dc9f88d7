/* A second image, for whoever has one board: it tries what no manual settles about the chip, and says what it finds over the
   serial port. `python -m tinyspeech probe` flashes it, asks and compares (tinyspeech/board/probe.py); hardware.md says how.

   A letter is a trial. The answer is a line: the letter, numbers in hexadecimal. What may never end runs with the watchdog,
   half a second; then the chip starts anew, and says so in its first line:

     "probe RSTSCKR SYSTICK_CTLR SYSTICK_CNT ZEROS ONES"   why it was reset, SysTick as it was found, and how many of 1,024
                                                           bits of SRAM that nobody has written are 0, and are 1 */
#include <stdint.h>

#include "board.h"
#include "ch32v003.h"
#include "usart.h"

#define REGISTER16(address) (*(volatile uint16_t *)(uintptr_t)(address))
#define ADC_STATR 0x40012400
#define ADC_SAMPTR1 0x4001240c
#define ADC_EOC (1 << 1)
#define ADC_CONT (1 << 1)
#define ADC_SWSTART (7 << 17 | 1 << 20 | 1 << 22) /* EXTSEL: software, EXTTRIG, and the start */
#define ADC_REFERENCE 8 /* the channel of the 1.2 V reference */
#define RCC_CTLR 0x40021000
#define RCC_HSEON (1 << 16)
#define RCC_HSERDY (1 << 17)
#define RCC_IWDGRSTF (1u << 29)
#define USART_TC (1 << 6) /* STATR, and with the same bit its interrupt in CTLR1 */
#define PFIC_SCTLR 0xe000ed10
#define PFIC_WFITOWFE (1 << 3)
#define LAST_PAGE 0x08003fc0
#define UNTOUCHED 0x20000400 /* 128 bytes far from variables and from the stack */
#define INTSYSCR "0x804"

void enter_bootloader(void); /* startup.S */

static uint32_t found[5]; /* after the reset: what the first line says, and 'b' again */
static struct {
    volatile uint32_t entries, at, sp, most; /* of the handler: how often, when first, its stack, when it is enough */
} seen;

/* Of USART1: a byte has been sent, or there is room for one. It answers the request only when it has come often enough. */
__attribute__((interrupt)) void listen_handler(void)
{
    uint32_t now = REGISTER(SYSTICK_CNT);
    uint32_t sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    if (!seen.entries++) seen.at = now, seen.sp = sp;
    if (seen.entries >= seen.most) REGISTER(USART1_CTLR1) = USART_UE | USART_TE | USART_RE;
}

static uint32_t mstatus(void)
{
    uint32_t value;
    __asm__ volatile("csrr %0, mstatus" : "=r"(value));
    return value;
}

static void set_mstatus(uint32_t value) { __asm__ volatile("csrw mstatus, %0" : : "r"(value) : "memory"); }

static void say(uint32_t number)
{
    usart_put(' ');
    for (int shift = 28; shift >= 0; shift -= 4) usart_put((uint8_t)"0123456789abcdef"[number >> shift & 15]);
}

static void let_pass(uint32_t cycles)
{
    uint32_t began = REGISTER(SYSTICK_CNT);
    while (REGISTER(SYSTICK_CNT) - began < cycles) {
    }
}

/* The same, at most a tenth of a second, and the watchdog that an earlier trial started is fed. */
static void wait(uint32_t cycles)
{
    let_pass(cycles);
    REGISTER(IWDG_CTLR) = IWDG_FEED;
}

/* Bites behind so many periods of 4 << prescaler of the LSI's clock. */
static void watchdog_every(uint32_t prescaler, uint32_t reload)
{
    REGISTER(IWDG_CTLR) = IWDG_UNLOCK;
    REGISTER(IWDG_PSCR) = prescaler;
    REGISTER(IWDG_RLDR) = reload;
    REGISTER(IWDG_CTLR) = IWDG_START;
    wait(CLOCK_HZ / 1000); /* what was written takes some periods of the LSI */
    REGISTER(IWDG_CTLR) = IWDG_FEED;
}

static void watchdog(uint32_t reload) { watchdog_every(4, reload); }

/* An interrupt is pending in 87 us, when a byte is sent; the host knows these dots. */
static void ask_for_one(void)
{
    while (!(REGISTER(USART1_STATR) & USART_TC)) {
    }
    seen.entries = 0, seen.most = 1;
    usart_put('.');
    REGISTER(USART1_CTLR1) = USART_UE | USART_TC | USART_TE | USART_RE;
}

/* Cycles until the sleep ends by that interrupt. */
static uint32_t sleep(uint32_t sctlr, uint32_t status)
{
    watchdog(1000);
    REGISTER(PFIC_SCTLR) = sctlr;
    ask_for_one();
    set_mstatus(status);
    uint32_t began = REGISTER(SYSTICK_CNT);
    __asm__ volatile("wfi" : : : "memory");
    uint32_t slept = REGISTER(SYSTICK_CNT) - began;
    set_mstatus(0);
    REGISTER(USART1_CTLR1) = USART_UE | USART_TE | USART_RE;
    return slept;
}

/* How many of the interrupts that one lasting request makes come before it is taken back at the 8th. */
static uint32_t lasting(void)
{
    seen.entries = 0, seen.most = 8;
    set_mstatus(MSTATUS_MPIE | MSTATUS_MIE);
    REGISTER(USART1_CTLR1) = USART_UE | USART_TXE | USART_TE | USART_RE;
    wait(CLOCK_HZ / 1000);
    REGISTER(USART1_CTLR1) = USART_UE | USART_TE | USART_RE;
    set_mstatus(0);
    return seen.entries;
}

/* An interrupt that waits is let in: cycles until its handler looks at SysTick; its stack is in `seen`. */
static uint32_t entry(void)
{
    seen.entries = 0, seen.most = 1;
    REGISTER(USART1_CTLR1) = USART_UE | USART_TXE | USART_TE | USART_RE;
    uint32_t began = REGISTER(SYSTICK_CNT);
    set_mstatus(MSTATUS_MPIE | MSTATUS_MIE);
    wait(CLOCK_HZ / 1000);
    set_mstatus(0);
    return seen.at - began;
}

static void adc_channel(uint32_t channel)
{
    REGISTER(ADC_SAMPTR2) = 7u << 3 * 8 | 4u << 3 * 3; /* the reference wants long, PD2 as when the firmware listens */
    REGISTER(ADC_RSQR3) = channel;
    REGISTER(ADC_CTLR2) = ADC_ADON;
    wait(2400);
}

static uint32_t reading(void)
{
    (void)REGISTER(ADC_RDATAR);
    REGISTER(ADC_CTLR2) = ADC_ADON | ADC_SWSTART;
    for (int n = 10000; n && !(REGISTER(ADC_STATR) & ADC_EOC); n--) {
    }
    return REGISTER(ADC_RDATAR);
}

/* Of 256 readings: sum, sum of squares of what they are above the least, least, most. */
static void say_readings(uint32_t channel)
{
    uint16_t *const r = (uint16_t *)(uintptr_t)UNTOUCHED;
    uint32_t sum = 0, squares = 0, least = 1023, most = 0;
    adc_channel(channel);
    for (int i = 0; i < 256; i++) {
        r[i] = (uint16_t)reading();
        sum += r[i];
        if (r[i] < least) least = r[i];
        if (r[i] > most) most = r[i];
    }
    for (int i = 0; i < 256; i++) squares += (r[i] - least) * (r[i] - least);
    say(sum), say(squares), say(least), say(most);
}

/* Cycles that a step of the calibration takes. */
static uint32_t calibrate(uint32_t step)
{
    REGISTER(ADC_CTLR2) = ADC_ADON | step;
    uint32_t began = REGISTER(SYSTICK_CNT);
    for (int n = 100000; n && REGISTER(ADC_CTLR2) & step; n--) {
    }
    return REGISTER(SYSTICK_CNT) - began;
}

/* 20,000 turns of four instructions; the compiler does not see into it. */
static __attribute__((noinline)) uint32_t work(void)
{
    uint32_t began = REGISTER(SYSTICK_CNT), n = 20000, x = UNTOUCHED;
    __asm__ volatile("1: lw a5, 0(%1)\n addi %0, %0, -1\n xori a5, a5, 0x55\n bnez %0, 1b"
                     : "+r"(n) : "r"(x) : "a5", "memory");
    return REGISTER(SYSTICK_CNT) - began;
}

/* The ADC converts without a pause and the DMA fetches: cycles of the work, and transfers meanwhile. */
static void say_stolen(void)
{
    say(work());
    adc_channel(3);
    REGISTER(ADC_SAMPTR2) = 0; /* 3 clocks and 11 */
    REGISTER(DMA1_PADDR1) = ADC_RDATAR;
    REGISTER(DMA1_MADDR1) = UNTOUCHED;
    REGISTER(DMA1_CNTR1) = 60000;
    REGISTER(DMA1_CFGR1) = DMA_MSIZE_16 | DMA_PSIZE_16 | DMA_EN;
    REGISTER(ADC_CTLR2) = ADC_ADON | ADC_CONT | ADC_DMA;
    REGISTER(ADC_CTLR2) = ADC_ADON | ADC_CONT | ADC_DMA | ADC_SWSTART;
    uint32_t left = REGISTER(DMA1_CNTR1), cycles = work();
    left -= REGISTER(DMA1_CNTR1);
    REGISTER(ADC_CTLR2) = 0;
    REGISTER(DMA1_CFGR1) = 0;
    say(cycles), say(left);
}

static uint32_t erase(void)
{
    REGISTER(FLASH_KEYR) = FLASH_KEY1, REGISTER(FLASH_KEYR) = FLASH_KEY2;
    REGISTER(FLASH_MODEKEYR) = FLASH_KEY1, REGISTER(FLASH_MODEKEYR) = FLASH_KEY2;
    REGISTER(FLASH_CTLR) = FLASH_FTER;
    REGISTER(FLASH_ADDR) = LAST_PAGE;
    uint32_t began = REGISTER(SYSTICK_CNT);
    REGISTER(FLASH_CTLR) = FLASH_FTER | FLASH_STRT;
    while (REGISTER(FLASH_STATR) & 1) {
    }
    uint32_t took = REGISTER(SYSTICK_CNT) - began;
    REGISTER(FLASH_CTLR) = 0;
    return took;
}

/* PD5 as an input with a resistor of some 40 kilohms to either side: what it reads. The line is idle. */
static uint32_t level(uint32_t up)
{
    REGISTER(GPIOD_OUTDR) = 1u << 6 | up << 5;
    REGISTER(GPIOD_CFGLR) = (REGISTER(GPIOD_CFGLR) & ~(15u << 20)) | GPIO_PULLED << 20;
    wait(2400);
    return REGISTER(0x40011408) >> 5 & 1; /* INDR */
}

static void say_levels(void)
{
    while (!(REGISTER(USART1_STATR) & USART_TC)) {
    }
    uint32_t settings = REGISTER(GPIOD_CFGLR), down = level(0), up = level(1);
    REGISTER(GPIOD_CFGLR) = settings;
    say(down), say(up);
}

static uint32_t mtvec(void)
{
    uint32_t value;
    __asm__ volatile("csrw mtvec, %1\n csrr %0, mtvec\n csrw mtvec, %2" : "=&r"(value) : "r"(0x7ff), "r"(3));
    return value;
}

/* Reading the data without the status: are errors still there? Three bytes come meanwhile. */
static void say_overrun(void)
{
    wait(CLOCK_HZ / 20);
    (void)REGISTER(USART1_DATAR);
    uint32_t after = REGISTER(USART1_STATR);
    (void)REGISTER(USART1_DATAR);
    say(after), say(REGISTER(USART1_STATR));
}

static void say_found(void)
{
    for (int i = 0; i < 5; i++) say(found[i]);
}

static void answer(int letter)
{
    usart_put((uint8_t)letter);
    switch (letter) {
    case 'b': say_found(); break;
    case 'm': /* MIE alone; with MPIE already there; both */
        set_mstatus(0);
        __asm__ volatile("csrsi mstatus, 8");
        say(mstatus());
        set_mstatus(MSTATUS_MPIE);
        __asm__ volatile("csrsi mstatus, 8");
        say(mstatus());
        set_mstatus(0);
        set_mstatus(MSTATUS_MPIE | MSTATUS_MIE);
        say(mstatus());
        set_mstatus(0);
        break;
    case 't': say(mtvec()); break;
    case 's': say(sleep(0, MSTATUS_MPIE | MSTATUS_MIE)); break;
    case 'e': say(sleep(PFIC_WFITOWFE, MSTATUS_MPIE | MSTATUS_MIE)); break;
    case 'k': say(sleep(0, 0)); break;
    case 'l': /* one that is over before the sleep; the next ends it */
        ask_for_one();
        REGISTER(PFIC_SCTLR) = PFIC_WFITOWFE;
        set_mstatus(MSTATUS_MPIE | MSTATUS_MIE);
        wait(CLOCK_HZ / 1000);
        say(sleep(PFIC_WFITOWFE, MSTATUS_MPIE | MSTATUS_MIE));
        break;
    case 'p': say(lasting()); break;
    case 'i': say(entry()); break;
    case 'h': {
        entry();
        uint32_t usual = seen.sp;
        watchdog(1000);
        __asm__ volatile("csrwi " INTSYSCR ", 1");
        entry();
        __asm__ volatile("csrwi " INTSYSCR ", 0");
        say(usual - seen.sp);
        break;
    }
    case 'w': /* a reset by software with SysTick and the watchdog, 2 s, running; 'n' looks whether it bites */
        watchdog(4000);
        REGISTER(SYSTICK_CNT) = 0x80000000;
        REGISTER(PFIC_CFGR) = PFIC_RESETSYS;
        break;
    case 'n':
        for (int i = 0; i < 30; i++) let_pass(CLOCK_HZ / 10);
        say(1);
        break;
    case 'd': /* a dot in 5 ms, until the watchdog's 0.5 s of the LSI are over */
        usart_put('\n');
        watchdog(1000);
        for (;;) {
            let_pass(CLOCK_HZ / 200);
            usart_put('.');
        }
    case 'u': { /* cycles until what IWDG was told counts */
        watchdog(1000);
        REGISTER(IWDG_CTLR) = IWDG_UNLOCK;
        REGISTER(IWDG_PSCR) = 4;
        REGISTER(IWDG_RLDR) = 1000;
        uint32_t began = REGISTER(SYSTICK_CNT);
        for (int n = 10000; n && REGISTER(IWDG_STATR); n--) {
        }
        say(REGISTER(SYSTICK_CNT) - began);
        break;
    }
    case 'y':
        REGISTER(RCC_CTLR) |= RCC_HSEON;
        for (int i = 0; i < 20 && !(REGISTER(RCC_CTLR) & RCC_HSERDY); i++) wait(CLOCK_HZ / 1000);
        say(REGISTER(RCC_CTLR) >> 17 & 1);
        REGISTER(RCC_CTLR) &= ~(uint32_t)RCC_HSEON;
        break;
    case 'c': /* the reference before, cycles, the reference after */
        REGISTER(ADC_CTLR2) = 0;
        adc_channel(ADC_REFERENCE);
        say(calibrate(ADC_RSTCAL));
        say_readings(ADC_REFERENCE);
        say(calibrate(ADC_CAL));
        say_readings(ADC_REFERENCE);
        break;
    case 'a':
        REGISTER(ADC_CTLR2) = ADC_ADON;
        calibrate(ADC_RSTCAL), calibrate(ADC_CAL);
        say_readings(3);
        break;
    case 'x': say_stolen(); break;
    case 'f': say(erase()); break;
    case 'o': say_overrun(); break;
    case 'r': say_levels(); break;
    case 'q': say(work()); break;
    case 'z': /* two lines, two seconds of this clock apart */
        usart_put('\n');
        while (!(REGISTER(USART1_STATR) & USART_TC)) {
        }
        for (int i = 0; i < 20; i++) wait(CLOCK_HZ / 10);
        usart_put('z');
        break;
    case 'B':
        watchdog_every(6, IWDG_RLDR_MOST);
        enter_bootloader();
        break;
    case 'V': usart_text("\ntinyspeech probe 1"); break;
    }
    usart_put('\n');
}

int main(void)
{
    found[0] = REGISTER(RCC_RSTSCKR), found[1] = REGISTER(SYSTICK_CTLR), found[2] = REGISTER(SYSTICK_CNT);
    for (const uint32_t *p = (const uint32_t *)(uintptr_t)UNTOUCHED; p < (const uint32_t *)(uintptr_t)(UNTOUCHED + 128); p++)
        for (uint32_t x = *p; x; x &= x - 1) found[4]++;
    found[3] = 1024 - found[4];
    REGISTER(RCC_APB2PCENR) = RCC_USART1EN | RCC_TIM1EN | RCC_ADC1EN | RCC_IOPDEN;
    REGISTER(RCC_AHBPCENR) = RCC_SRAMEN | RCC_DMA1EN;
    REGISTER(RCC_CFGR0) = 0;
    REGISTER(SYSTICK_CTLR) = SYSTICK_STCLK | SYSTICK_STE;
    REGISTER(GPIOD_OUTDR) = LED_OFF;
    REGISTER(GPIOD_CFGLR) = 0x48b44042;
    REGISTER(USART1_BRR) = (CLOCK_HZ + 57600) / 115200;
    REGISTER(USART1_CTLR1) = USART_UE | USART_TE | USART_RE;
    REGISTER(PFIC_IENR2) = 1 << (IRQ_USART1 - 32);
    REGISTER(RCC_RSTSCKR) = RCC_RMVF;
    usart_text("\nprobe");
    say_found();
    usart_put('\n');
    for (;;) {
        REGISTER(IWDG_CTLR) = IWDG_FEED;
        if (REGISTER(USART1_STATR) & USART_RXNE) answer((int)(REGISTER(USART1_DATAR) & 0x7f));
    }
}

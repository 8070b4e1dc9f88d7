/* See board.h. */
#include "board.h"

#include "ch32v003.h"
#include "decision.h"
#include "listen.h"

enum {
    BAUD = 115200, ADC_HZ = 32000, LSI_HZ = 128000, CHANNEL = 3 /* PD2 */,
    WATCHDOG_PSCR = 4, WATCHDOG_PRESCALER = 4 << WATCHDOG_PSCR, WATCHDOG_S = 2, LONGEST_PSCR = 6, /* / 256: 8.2 s */
    PATIENCE = 8192 /* turns of a loop, a few ms: longer than anything takes that is waited for here */
};

/* (register, value) in 16 bits each, which takes less flash than code. */
#define SET(register, value) (((register) - 0x40000000) >> 2), (value)
static const uint16_t settings[] = {
    SET(RCC_APB2PCENR, RCC_USART1EN | RCC_TIM1EN | RCC_ADC1EN | RCC_IOPDEN),
    SET(IWDG_CTLR, IWDG_UNLOCK),
    SET(IWDG_PSCR, WATCHDOG_PSCR),
    SET(IWDG_RLDR, LSI_HZ / WATCHDOG_PRESCALER * WATCHDOG_S - 1),
    SET(IWDG_CTLR, IWDG_START),
    SET(RCC_CFGR0, 0), /* the HSI undivided: 24 MHz, the most at which flash answers without a wait state */
    SET(RCC_AHBPCENR, RCC_SRAMEN | RCC_DMA1EN),
    SET(ADC_CTLR2, ADC_ADON),
    SET(ADC_CTLR2, ADC_ADON | ADC_RSTCAL), /* the ADC forgets its calibration */
    SET(ADC_CTLR2, ADC_ADON | ADC_CAL), /* and calibrates again */
    SET(GPIOD_OUTDR, LED_OFF),
    SET(USART1_BRR, (CLOCK_HZ + BAUD / 2) / BAUD),
    SET(USART1_CTLR1, USART_UE | USART_TE | USART_RE),
    SET(TIM1_ATRLR, CLOCK_HZ / ADC_HZ - 1),
    SET(TIM1_CTLR2, TIM1_MMS_UPDATE),
    SET(ADC_SAMPTR2, 4 << 3 * CHANNEL), /* 43 clocks and 11 for 10 bits, at 12 MHz: 4.5 us of 31 */
    SET(ADC_RSQR3, CHANNEL),
};
static const uint16_t sampling[] = {
    SET(DMA1_INTFCR, DMA_ALL1), /* nothing is left of the last time, whenever that broke off */
    SET(DMA1_CNTR1, CONVERSIONS),
    SET(DMA1_CFGR1, DMA_MSIZE_16 | DMA_PSIZE_16 | DMA_MINC | DMA_CIRC | DMA_HTIE | DMA_TCIE | DMA_EN),
    SET(TIM1_CNT, 0),
    SET(TIM1_CTLR1, TIM1_CEN),
};
static const uint16_t standing[] = {
    SET(TIM1_CTLR1, 0),
    SET(ADC_CTLR2, ADC_ADON),
    SET(DMA1_CFGR1, 0),
};
static const uint16_t long_watchdog[] = {
    SET(IWDG_CTLR, IWDG_UNLOCK),
    SET(IWDG_PSCR, LONGEST_PSCR),
    SET(IWDG_RLDR, IWDG_RLDR_MOST),
};
#define COUNT(table) (sizeof(table) / sizeof *(table) / 2)

static __attribute__((noinline)) void set(const uint16_t *s, int count)
{
    for (const uint16_t *end = s + 2 * count; s < end; s += 2) {
        REGISTER(0x40000000 + 4 * (uint32_t)s[0]) = s[1];
        for (int n = PATIENCE; n && REGISTER(ADC_CTLR2) & (ADC_RSTCAL | ADC_CAL); n--) { /* 13 us, where it calibrates */
        }
    }
}

#define PIN(number, what) (what) << 4 * (number)
void board_start(void)
{
    set(settings, COUNT(settings));
    REGISTER(GPIOD_CFGLR) = PIN(0, GPIO_PUSH_PULL) | PIN(1, GPIO_FLOATING) | PIN(2, GPIO_ANALOGUE) | PIN(3, GPIO_FLOATING) |
                            PIN(4, MODEL_TEACHES ? GPIO_PULLED : GPIO_FLOATING) |
                            PIN(5, GPIO_ALTERNATE) | PIN(6, GPIO_PULLED) | PIN(7, GPIO_FLOATING);
    REGISTER(PFIC_IENR1) = 1 << IRQ_DMA1_CHANNEL1;
    REGISTER(PFIC_IENR2) = 1 << (IRQ_USART1 - 32);
    REGISTER(SYSTICK_CTLR) = SYSTICK_STCLK | SYSTICK_STE; /* whoever reads it sets its count first */
}

void board_sample(uint16_t *conversions)
{
    (void)REGISTER(ADC_RDATAR); /* a number that nobody fetched would be the first */
    REGISTER(DMA1_PADDR1) = ADC_RDATAR;
    REGISTER(DMA1_MADDR1) = (uint32_t)(uintptr_t)conversions;
    REGISTER(ADC_CTLR2) = ADC_EXTTRIG | ADC_DMA | ADC_ADON;
    set(sampling, COUNT(sampling));
}

void board_stand_still(void) { set(standing, COUNT(standing)); }

void board_long_watchdog(void)
{
    set(long_watchdog, COUNT(long_watchdog));
    for (int n = PATIENCE; n; n--) REGISTER(IWDG_CTLR) = IWDG_FEED; /* what was written takes some periods of the LSI */
}

/* Whatever an interrupted write leaves does not match. */
uint8_t board_setting(void)
{
    uint32_t word = REGISTER(SETTINGS_PAGE);
    uint8_t setting = (uint8_t)word;
    return word == board_kept_word(setting) && setting_valid(setting) ? setting : SETTING_DEFAULT;
}

/* Write FLASH_CTLR and wait until the flash has done it. That code in flash stands still meanwhile, so that none of this
   need lie in RAM, is an assumption (chip/core/flash.c says whose): the maker's ch32v00x_flash.c runs from flash in the same
   way; no manual says so. */
static __attribute__((noinline)) void flash_control(uint32_t value)
{
    REGISTER(FLASH_CTLR) = value;
    while (REGISTER(FLASH_STATR) & FLASH_BSY) {
    }
}

void board_keep(uint32_t page, const void *words)
{
    volatile uint32_t *flash = &REGISTER(FLASH_BASE);
    const uint32_t *word = words;
    uint32_t at = FLASH_AT_ALIAS + page;
    flash[(FLASH_KEYR - FLASH_BASE) / 4] = FLASH_KEY1;
    flash[(FLASH_MODEKEYR - FLASH_BASE) / 4] = FLASH_KEY1;
    flash[(FLASH_KEYR - FLASH_BASE) / 4] = FLASH_KEY2;
    flash[(FLASH_MODEKEYR - FLASH_BASE) / 4] = FLASH_KEY2;
    flash_control(FLASH_FTER); /* from here on in the order of the maker's own library */
    flash[(FLASH_ADDR - FLASH_BASE) / 4] = at;
    flash_control(FLASH_FTER | FLASH_STRT);
    flash_control(FLASH_FTPG);
    flash_control(FLASH_FTPG | FLASH_BUFRST);
    do {
        REGISTER(at) = *word++, at += 4;
        flash_control(FLASH_FTPG | FLASH_BUFLOAD);
    } while (at & (FLASH_PAGE - 1));
    flash_control(FLASH_FTPG | FLASH_STRT); /* FLASH_ADDR is still the page */
    flash_control(FLASH_LOCK | FLASH_FLOCK);
}

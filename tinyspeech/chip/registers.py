"""The chip's registers by name, as the reference manual calls them: for what the emulated chip says when it stops."""

from __future__ import annotations

TIMER = ("CTLR1", "CTLR2", "SMCFGR", "DMAINTENR", "INTFR", "SWEVGR", "CHCTLR1", "CHCTLR2", "CCER", "CNT", "PSC",
         "ATRLR", "RPTCR", "CH1CVR", "CH2CVR", "CH3CVR", "CH4CVR", "BDTR", "DMACFGR", "DMAADR")
PORT = ("CFGLR", "CFGHR", "INDR", "OUTDR", "BSHR", "BCR", "LCKR")
CHANNEL = ("CFGR", "CNTR", "PADDR", "MADDR", "")
PERIPHERALS = {
    0x4000_0000: ("TIM2", TIMER),
    0x4000_2C00: ("WWDG", ("CTLR", "CFGR", "STATR")),
    0x4000_3000: ("IWDG", ("CTLR", "PSCR", "RLDR", "STATR")),
    0x4000_5400: ("I2C1", ("CTLR1", "CTLR2", "OADDR1", "OADDR2", "DATAR", "STAR1", "STAR2", "CKCFGR")),
    0x4000_7000: ("PWR", ("CTLR", "CSR", "AWUCSR", "AWUWR", "AWUPSC")),
    0x4001_0000: ("AFIO", ("", "PCFR1", "EXTICR")),
    0x4001_0400: ("EXTI", ("INTENR", "EVENR", "RTENR", "FTENR", "SWIEVR", "INTFR")),
    0x4001_0800: ("GPIOA", PORT), 0x4001_1000: ("GPIOC", PORT), 0x4001_1400: ("GPIOD", PORT),
    0x4001_2400: ("ADC", ("STATR", "CTLR1", "CTLR2", "SAMPTR1", "SAMPTR2", "IOFR1", "IOFR2", "IOFR3", "IOFR4", "WDHTR",
                          "WDLTR", "RSQR1", "RSQR2", "RSQR3", "ISQR", "IDATAR1", "IDATAR2", "IDATAR3", "IDATAR4",
                          "RDATAR", "DLYR")),
    0x4001_2C00: ("TIM1", TIMER),
    0x4001_3000: ("SPI1", ("CTLR1", "CTLR2", "STATR", "DATAR", "CRCR", "RCRCR", "TCRCR", "", "", "HSCR")),
    0x4001_3800: ("USART1", ("STATR", "DATAR", "BRR", "CTLR1", "CTLR2", "CTLR3", "GPR")),
    0x4002_0000: ("DMA1", ("INTFR", "INTFCR", *(name and f"{name}{i}" for i in range(1, 8) for name in CHANNEL))),
    0x4002_1000: ("RCC", ("CTLR", "CFGR0", "INTR", "APB2PRSTR", "APB1PRSTR", "AHBPCENR", "APB2PCENR", "APB1PCENR", "",
                          "RSTSCKR")),
    0x4002_2000: ("FLASH", ("ACTLR", "KEYR", "OBKEYR", "STATR", "CTLR", "ADDR", "", "OBR", "WPR", "MODEKEYR",
                            "BOOT_MODEKEYR")),
    0x4002_3800: ("EXTEN", ("CTR",)),
    0xE000_E000: ("PFIC", ("ISR1", "ISR2", "", "", "", "", "", "", "IPR1", "IPR2", "", "", "", "", "", "", "ITHRESDR",
                           "", "CFGR", "GISR", "VTFIDR", "", "", "", "VTFADDR1", "VTFADDR2")),
    0xE000_F000: ("SysTick", ("CTLR", "SR", "CNT", "", "CMP")),
}
"""{first address: (peripheral, its registers, four bytes each)}; "" is a gap."""
CONTROL = {"mstatus": 0x300, "mtvec": 0x305, "mepc": 0x341, "mcause": 0x342}
"""{name: number} of the core's control registers that an interrupt is about."""


def name_of(address: int) -> str:
    """'SPI1_CTLR1' for 0x40013000; of a peripheral without such a register its own name, and "" where there is none."""
    for base, (peripheral, names) in PERIPHERALS.items():
        if base <= address < base + 0x400 or (peripheral == "PFIC" and base <= address < base + 0x1000):
            word = (address - base) // 4
            return f"{peripheral}_{names[word]}" if word < len(names) and names[word] else peripheral
    return ""

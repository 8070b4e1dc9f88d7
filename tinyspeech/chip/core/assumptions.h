/* What no manual settles about the chip, or what differs from one chip to the next: one row each, the only place that has
   them. Python reads this file (`tinyspeech.chip.assumptions`), so a row must stay of this form:

     ROW(name, value, "choices", "hostile", "what it is", "source")

   value: taken unless Python says otherwise. choices: what else may be true, "label=value", or plain numbers. hostile: the
   labels of those that hurt our firmware most. They are the value where our firmware can bear it, and where it would
   not take away from other programs what most chips of this kind do (a request that lasts). A source is what settles it, or what speaks for it; "no source": only a chip on the bench can tell.

   A chip's memory holds the difference to these values, so that one that is all zeros assumes them. */
#ifndef TINYSPEECH_ASSUMPTIONS_H
#define TINYSPEECH_ASSUMPTIONS_H

#define ASSUMPTIONS(ROW) \
    ROW(mie_needs_mpie, 2, "no=0 merged=1 operand=2", "operand", \
        "MIE of mstatus is only set where MPIE is written with it: in the register's new value, or in the operand of the " \
        "instruction itself", \
        "jnk0le, ch32v003_(qkv2).md: write 0x88; ch32fun's __enable_irq does. Merged or operand: no source") \
    ROW(mtvec_granularity, 1024, "4 1024", "1024", \
        "mtvec bits 9:2 are 0: the table begins at a multiple of so many bytes", \
        "jnk0le, ch32v003_(qkv2).md; qingke-rt aligns to 1 KB") \
    ROW(wfe_latches, 0, "no=0 yes=1", "no", \
        "an interrupt that becomes pending while the core is awake is an event: the next wfe ends at once", \
        "QingKe V2 manual, WFITOWFE and SEVONPEND: says that events are recorded, not which") \
    ROW(wfe_wakes, 1, "no=0 yes=1", "no", \
        "an enabled interrupt ends a wfe, without SEVONPEND", "no source") \
    ROW(masked_interrupt_wakes, 0, "no=0 yes=1", "no", \
        "an enabled interrupt ends a wfi while MIE is 0", "Zephyr's pull request 88548: it does not") \
    ROW(pending_until_served, 0, "no=0 yes=1", "yes", \
        "an interrupt is pending from the edge of its peripheral's request until it is served, not while the request lasts: " \
        "one that lasts is served once", "reference manual, PFIC_IPR: does not say") \
    ROW(interrupt_entry_cycles, 4, "0 4 6", "6", \
        "cycles from the end of an instruction to the handler's jump, on top of reading its address and jumping there", \
        "pin to pin 21 cycles are published for a handler that takes 13 here, with synchronisers of 3 or 4") \
    ROW(hardware_stacking_bytes, 48, "0 48", "48", \
        "what the stack pointer moves by where the hardware saves registers (INTSYSCR bit 0)", \
        "QingKe V2 manual: the user's stack holds them; 48 for 10 registers is our reading") \
    ROW(watchdog_survives_reset, 1, "no=0 yes=1", "yes", \
        "IWDG runs on through a reset by software", "reference manual, IWDG: only a reset stops it; does not say which") \
    ROW(watchdog_update_periods, 0, "0 5", "5", \
        "periods of the LSI until what was written to IWDG's prescaler or reload value counts, for a start or a feeding " \
        "that comes before it as well; STATR tells", \
        "reference manual, IWDG_STATR: PVU and RVU; up to 5 periods in chips of its kind") \
    ROW(systick_survives_reset, 1, "no=0 yes=1", "yes", \
        "SysTick runs on through a reset by software or pin", "it is the core's and not a peripheral: no source") \
    ROW(sram_at_power_on, 2, "zeros=0 ones=1 noise=2", "noise", \
        "what SRAM holds when the power comes", "reference manual: undefined") \
    ROW(sram_seed, 1, "1 2 3", "1", "of the noise", "ours") \
    ROW(options_taken, 2, "at_once=0 reset=1 power_on=2", "power_on", \
        "when written option bytes begin to count", "reference manual, option bytes: at a reset; wch-isp's users: power off") \
    ROW(boot_area_first, 1, "no=0 yes=1", "yes", \
        "with START_MODE set every reset runs the boot area first, which goes on to the user's code by a reset of its own: " \
        "the software reset's flag is up", "read on silicon: RSTSCKR 0x1c000000 after power-on") \
    ROW(hsi_error_ppm, 0, "-20000 0 20000", "-20000 20000", \
        "how much faster than 24 MHz the HSI runs", "datasheet, HSI: +/- 2 % and a little over temperature") \
    ROW(lsi_hz, 128000, "100000 128000 150000", "100000 150000", \
        "the watchdog's clock", "datasheet, LSI: typically 128 kHz; limits as for chips of its kind") \
    ROW(crystal, 1, "no=0 yes=1", "no", \
        "a crystal of 24 MHz is on PA1 and PA2", "the maker's schematic, VSDSquadron Mini Rev 2C: it is") \
    ROW(adc_calibration_clocks, 84, "0 84 1000", "1000", \
        "ADC clocks that resetting the calibration and calibrating take, each", \
        "no source; 83 are the STM32F1's, whose ADC this resembles") \
    ROW(adc_offset, 12, "0 12 -12", "12", \
        "how many steps of 10 bits the ADC reads too much until it has been calibrated", "no source") \
    ROW(dma_steals_cycles, 0, "0 1 3", "3", \
        "cycles that a transfer of the DMA takes from the core", "no source") \
    ROW(flash_us, 3000, "0 3000 6000", "6000", \
        "microseconds that erasing or programming takes, in which code in flash stands still", \
        "datasheet: typically 3 ms; ch32fun's example of flash: about 3 ms, and only code in RAM has to wait for BSY") \
    ROW(bsy_late_cycles, 0, "0 4", "4", \
        "cycles in which BSY still reads 0 though flash is busy, for code in RAM; other code stands still", \
        "azhel12's Zhele, pull request 45: a few; stm32f1xx-hal's pull request 427: the STM32F1 needs 1") \
    ROW(ore_by_data_alone, 0, "no=0 yes=1", "no", \
        "reading the data clears ORE, FE and NE even where the status was not read with them before", \
        "reference manual, USART_STATR: status, then data") \
    ROW(unclocked_access, 0, "stops=0 ignored=1", "stops", \
        "an access to a peripheral without its clock: our stop, which the silicon does not know, or nothing", \
        "the silicon ignores it; a program that does it has a fault") \
    ROW(overclocked_flash, 0, "stops=0 works=1", "stops", \
        "more than 24 MHz without a wait state: our stop, or luck", "reference manual, FLASH_ACTLR: not allowed; often works") \
    ROW(faults, 0, "stop=0 trap=1", "stop", \
        "a broken rule stops the emulated chip with its reason, or enters the handler of exceptions, as on silicon", \
        "QingKe V2 manual; jnk0le: within a handler the core resets")

#define ROW_INDEX(name, ...) ASSUME_##name,
#define ROW_VALUE(name, value, ...) DEFAULT_##name = value,
enum assumption { ASSUMPTIONS(ROW_INDEX) ASSUMED };
enum { ASSUMPTIONS(ROW_VALUE) };
#undef ROW_INDEX
#undef ROW_VALUE

/* What a chip assumes. */
#define ASSUME(chip, name) (DEFAULT_##name + (chip)->departs[ASSUME_##name])
#endif

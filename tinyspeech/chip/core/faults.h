/* Why the chip stops, in words: the one table, for C, Python (chip/emulator.py reads it) and web pages. */
#ifndef TINYSPEECH_FAULTS_H
#define TINYSPEECH_FAULTS_H

#define FAULTS(ROW) \
    ROW(FAULT_ILLEGAL, "illegal instruction") \
    ROW(FAULT_REGISTER, "register above x15, which RV32E does not have") \
    ROW(FAULT_MULTIPLY, "multiplication or division, which the core does not have") \
    ROW(FAULT_FETCH, "execution outside flash and RAM") \
    ROW(FAULT_UNMAPPED, "access to an unmapped address") \
    ROW(FAULT_MISALIGNED, "misaligned access") \
    ROW(FAULT_FLASH_WRITE, "write to flash") \
    ROW(FAULT_PERIPHERAL, "access to a peripheral register that is not emulated") \
    ROW(FAULT_FLASH_SPEED, "more than 24 MHz with no flash wait state") \
    ROW(FAULT_CSR, "control register that is not emulated") \
    ROW(FAULT_NO_CLOCK, "access to a peripheral whose clock is off in RCC_APB2PCENR") \
    ROW(FAULT_SLEEP, "sleep without an interrupt that could end it") \
    ROW(FAULT_SETTING, "setting of a register that is not emulated") \
    ROW(FAULT_DMA, "DMA to or from where there is no memory") \
    ROW(FAULT_ADC_SPEED, "ADC clock above 24 MHz") \
    ROW(FAULT_SLEEP_MASKED, "sleep while interrupts are off globally, from which this core does not wake") \
    ROW(FAULT_FLASH_BUSY, "operation on flash that is still busy with another: wait until BSY is 0")

#define FAULT_NAME(name, text) name,
#define FAULT_TEXT(name, text) text,

enum fault { FAULT_NONE, FAULTS(FAULT_NAME) FAULT_COUNT };

#endif

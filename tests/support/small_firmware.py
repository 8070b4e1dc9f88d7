"""Firmware of a few pages, so that it is flashed a thousand times soon, and cables that do it by chance wrongly."""

import random

from tinyspeech import paths, toolchain

PROGRAM = """
#include <stdint.h>
#define REGISTER(a) (*(volatile uint32_t *)(a))
void enter_bootloader(void);
const uint8_t filler[%d] = {1};
int main(void)
{
    const char *text = "tinyspeech %s\\n";
    REGISTER(0x40021018) = 1u << 14 | 1u << 5;
    REGISTER(0x40011400) = 0x44b44444; /* PD5 sends, PD6 receives */
    REGISTER(0x40013808) = 69; /* 115200 baud at 8 MHz */
    REGISTER(0x4001380c) = 1u << 13 | 1u << 3 | 1u << 2;
    for (;;) {
        while (!(REGISTER(0x40013800) & 1u << 5)) {
        }
        uint32_t command = REGISTER(0x40013804);
        if (command == 'B') enter_bootloader();
        if (command == 'V')
            for (const char *c = text; *c; c++) {
                while (!(REGISTER(0x40013800) & 1u << 7)) {
                }
                REGISTER(0x40013804) = (uint32_t)*c + (filler[*c & 1] & 2u);
            }
    }
}
"""
"""A firmware of a few pages with the shipped startup code: it says its name and goes to the ROM bootloader."""


def build(folder, name: str, filler: int) -> bytes:
    source = folder / f"{name}.c"
    source.write_text(PROGRAM % (filler, name))
    return toolchain.build_firmware([paths.FIRMWARE / "startup.S", source], name).bin.read_bytes()


def random_faults(rng: random.Random) -> dict:
    """One to four faults somewhere in a session."""
    kinds = ("drop", "double", rng.randrange(1, 256), rng.uniform(0.01, 1.5), "unplug", "power")
    places = [("to", 4_000), ("from", 500)]
    return {(way, rng.randrange(most)): rng.choice(kinds)
            for way, most in (rng.choice(places) for _ in range(rng.randint(1, 4)))}

"""What the chip draws: an estimate from the datasheet's typical currents and the measured duty (chapter 13).

    from tinyspeech.measure import power
    power.estimate(cycles_per_audio_second=10_500_000, clock_hz=24_000_000)["milliamps"]

Not a measurement: nobody has put a meter to a board. The currents are those of core, memories and clock at 3.3 V and
room temperature, with all peripherals off; so ADC, timer, DMA, serial port and LED come on top, and so does all that is
beside the chip: a microphone, its amplifier, a regulator.
"""

from __future__ import annotations

from tinyspeech.errors import UserError

SUPPLY_V = 3.3
TYPICAL_MA = {24_000_000: (3.1, 1.0), 48_000_000: (3.9, 1.8)}
"""{clock in Hz: (running from flash, sleeping)}. Source: WCH, CH32V003 datasheet V1.4, typical supply currents."""
STANDBY_MA = 0.009
"""The same datasheet's standby, in which nothing listens: the least that there is."""
NOT_INCLUDED = ("ADC", "timer", "DMA", "serial port", "LED", "microphone", "regulator")
MICROPHONE_MA = 3.0
"""About what a module with a MAX9814 draws all the time, by the typical supply current of its datasheet, rounded."""
BATTERIES_MAH = {"CR2032": 235, "2 x AA": 2500}
"""Nominal charge: a lithium coin cell at 0.2 mA down to 2.0 V, and two alkaline cells in series, which give the charge
of one, at a few mA down to 0.8 V each. What one gives before it falls below the 2.7 V that the chip needs is less, and
a coin cell's is much less at ten times its 0.2 mA, so the hours are at most these."""


def estimate(cycles_per_audio_second: float, clock_hz: int, microphone_ma: float = 0.0) -> dict:
    """Mean current of a chip that computes as soon as it can and sleeps for the rest of each second.

    cycles_per_audio_second : of computing, 0 .. clock_hz; the rest of the second is slept
    clock_hz : one of `TYPICAL_MA`
    microphone_ma : of the microphone and its amplifier, such as `MICROPHONE_MA`; 0 leaves them out

    Returns {"duty" (0 .. 1, share of the time that is computed), "milliamps", "milliwatts" (at 3.3 V),
    "battery_hours" {battery: hours at most}, "not_included" (what the figures leave out)}. Raises `UserError` for a
    clock without a current, or more cycles than a second has.
    """
    if clock_hz not in TYPICAL_MA:
        known = " and ".join(f"{hz // 1_000_000} MHz" for hz in TYPICAL_MA)
        raise UserError(f"no typical current is known at {clock_hz / 1e6:g} MHz, only at {known}")
    if not 0 <= cycles_per_audio_second <= clock_hz:
        raise UserError(f"{cycles_per_audio_second:,.0f} cycles do not fit a second of {clock_hz:,}")
    run_ma, sleep_ma = TYPICAL_MA[clock_hz]
    duty = cycles_per_audio_second / clock_hz
    milliamps = duty * run_ma + (1 - duty) * sleep_ma + microphone_ma
    return {"duty": duty, "milliamps": milliamps, "milliwatts": SUPPLY_V * milliamps,
            "battery_hours": {name: charge / milliamps for name, charge in BATTERIES_MAH.items()},
            "not_included": ", ".join(part for part in NOT_INCLUDED if not (microphone_ma and part == "microphone"))}

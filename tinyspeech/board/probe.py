"""What one chip is really like: a second image tries what no manual settles, and this compares it with what is assumed.

    python -m tinyspeech probe --port /dev/ttyACM0

`firmware/probe/probe.c` has the trials, a letter each, `chip/core/assumptions.h` the rows. A trial that never ends is
ended by the watchdog; that the chip starts anew is then its answer. Chapter 14, hardware.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tinyspeech import paths, toolchain
from tinyspeech.board import isp, taught
from tinyspeech.board.cable import Cable
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.chip.assumptions import Assumptions, assuming, rows
from tinyspeech.errors import UserError
from tinyspeech.outside import files

SOURCES = ("startup.S", "probe/probe.c", "usart.c", "multiply.c")
CLOCK_HZ = 24_000_000
ANSWER_S = 6.0
"""Longest wait for an answer: the longest trial takes three seconds, and a reset leads through the ROM."""
DRAIN_S = 2.0
POWER, WATCHDOG, SOFTWARE = 1 << 27, 1 << 29, 1 << 28
"""Bits of RSTSCKR, as in `emulator.RESETS`."""
ORE = 1 << 3
WATCHDOG_LSI = 64 * 1001
"""Periods of the LSI that the watchdog waits in the trials: prescaler times reload."""
DOT_S = 0.005
LATCHED_CYCLES = 500
"""A sleep shorter than this was none: the interrupt that would end it takes a byte's time, 2,083 cycles."""
NEAR = {"hsi_error_ppm": 2_500, "lsi_hz": 4_000, "adc_calibration_clocks": 12, "adc_offset": 1, "flash_us": 400,
        "watchdog_update_periods": 1, "interrupt_entry_cycles": 0, "dma_steals_cycles": 0}
"""A number is as assumed if it is no further away; the clock on the other side of the cable is not better than that."""
UNTRIED = {
    "sram_seed": "ours", "options_taken": "would write option bytes: see flash --link",
    "bsy_late_cycles": "only code in RAM could tell", "unclocked_access": "our stop",
    "overclocked_flash": "luck proves nothing", "faults": "our stop",
}
SWITCH_OFF = "needs a power-on: unplug the board, plug it in, and run this again with --no-flash"


@dataclass(frozen=True)
class Finding:
    """A row of the report. name, assumed : of an assumption, or of something else that is worth knowing."""

    name: str
    assumed: str
    found: str
    verdict: str
    """'as assumed', 'otherwise' (the firmware is tested with that as well), 'unheard of' or 'not told'."""
    raw: tuple[int, ...] = ()
    """The numbers that the chip said."""


class Restarted(Exception):
    """The chip started anew instead of answering: its first line's numbers."""


def build() -> toolchain.Firmware:
    """The image of the trials."""
    return toolchain.build_firmware([paths.FIRMWARE / source for source in SOURCES], "probe", runtime=True)


class Trials:
    """Asks the image on a board, real or virtual. now : the clock by which times are taken, in seconds."""

    def __init__(self, line: isp.Line, now: Callable[[], float]):
        self.line, self.now = line, now
        self._rest = b""

    def ask(self, letter: str, data: bytes = b"") -> list[int]:
        """The numbers of an answer. `Restarted` if the chip was reset instead; `UserError` if it is silent."""
        self._drain()
        self.line.write(letter.encode() + data)
        return self.answer(letter)

    def answer(self, letter: str) -> list[int]:
        until = self.now() + ANSWER_S
        while self.now() < until:
            text = self.next_line(until - self.now()).decode("ascii", "replace").replace(".", "")
            if text.startswith("probe "):
                raise Restarted(_numbers(text))
            if text.startswith(letter) and re.fullmatch(r"\w( [0-9a-f]{8})+|[dz]", text):  # a letter alone broke off
                return _numbers(text)
        raise UserError("the board does not answer as the probe's image does: flash it without --no-flash"
                        f"{isp.said(self.line)}")

    def next_line(self, seconds: float) -> bytes:
        """A line, or nothing if none has ended by then."""
        until = self.now() + seconds
        while b"\n" not in self._rest:
            if (left := until - self.now()) <= 0:
                return b""
            self._rest += self.line.read(1, min(0.05, left))
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _drain(self) -> None:
        """What has come is forgotten: what a device says within `DRAIN_S`, if it does not stop."""
        until = self.now() + DRAIN_S
        while self.line.read(256, 0.02) and self.now() < until:
            pass
        self._rest = b""


def _numbers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()[1:]]


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _tried(trials: Trials, letter: str, data: bytes = b"") -> list[int] | None:
    """An answer, or None where the chip was reset instead."""
    try:
        return trials.ask(letter, data)
    except Restarted:
        return None


def _reset_by_software(trials: Trials) -> dict[str, str]:
    """What outlives it: SysTick, and the watchdog, which then bites while 'n' does not feed it."""
    try:
        trials.ask("w")
        raise UserError("the probe's image does not reset the chip")
    except Restarted:
        _, control, count, *_ = trials.ask("b")
    found = {"systick_survives_reset": "yes" if control & 1 and count >> 31 else "no"}
    try:
        trials.ask("n")
        found["watchdog_survives_reset"] = "no"
    except Restarted as restarted:
        found["watchdog_survives_reset"] = "yes" if restarted.args[0][0] & WATCHDOG else "no"
    return found


def _lsi_hz(trials: Trials) -> str:
    trials.ask("d")
    dots = trials.next_line(ANSWER_S).count(b".")
    return str(round(WATCHDOG_LSI / (dots * DOT_S))) if dots else ""


def _hsi_error_ppm(trials: Trials) -> str:
    trials.ask("z")
    began = trials.now()
    trials.answer("z")
    return str(round((2 / (trials.now() - began) - 1) * 1e6))


def measure(trials: Trials, entry_base: int = 0) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """({row: value or label, "" where it could not be told}, {row: the numbers behind it}) of the chip that answers.

    entry_base : cycles that the trial of an interrupt's entry counts where the entry itself costs nothing more.
    """
    first = trials.ask("b")
    raw = {"at the start": tuple(first)}
    found: dict[str, str] = {}
    if first[0] & POWER:
        zeros, ones = first[3:5]
        found["sram_at_power_on"] = "zeros" if not ones else "ones" if not zeros else "noise"
        found["boot_area_first"] = "yes" if first[0] & SOFTWARE else "no"
    mie = raw["mie_needs_mpie"] = tuple(trials.ask("m"))
    found["mie_needs_mpie"] = next((label for value, label in zip(mie, ("no", "merged", "operand"), strict=True)
                                    if value & 8), "never")
    base, = trials.ask("t")
    found["mtvec_granularity"] = str(base & ~3 & -(base & ~3))
    found |= _reset_by_software(trials)
    plain = _tried(trials, "s")
    found["wfi wakes"] = "no" if plain is None else "yes"
    event, latch, masked = (_tried(trials, letter) for letter in "elk")
    found["wfe_wakes"] = "no" if event is None else "yes"
    if latch is not None:
        found["wfe_latches"] = "yes" if latch[0] < LATCHED_CYCLES else "no"
        raw["wfe_latches"] = tuple(latch)
    found["masked_interrupt_wakes"] = "no" if masked is None else "yes"
    found["pending_until_served"] = "yes" if trials.ask("p")[0] == 1 else "no"
    entry, = raw["interrupt_entry_cycles"] = tuple(trials.ask("i"))
    found["interrupt_entry_cycles"] = str(entry - entry_base)
    found["lsi_hz"] = _lsi_hz(trials)
    if found["lsi_hz"]:
        update, = raw["watchdog_update_periods"] = tuple(trials.ask("u"))
        found["watchdog_update_periods"] = str(int(update * int(found["lsi_hz"]) / CLOCK_HZ))
    found["hsi_error_ppm"] = _hsi_error_ppm(trials)
    found["crystal"] = "yes" if trials.ask("y")[0] else "no"
    numbers = raw["adc_calibration_clocks"] = tuple(trials.ask("c"))
    found["adc_calibration_clocks"] = str(numbers[5] // 2)
    found["adc_offset"] = str(round((numbers[1] - numbers[6]) / 256))
    alone, together, transfers = raw["dma_steals_cycles"] = tuple(trials.ask("x"))
    found["dma_steals_cycles"] = str(round((together - alone) / max(transfers, 1)))
    found["flash_us"] = str(trials.ask("f")[0] * 1_000_000 // CLOCK_HZ)
    found["ore_by_data_alone"] = "no" if trials.ask("o", b"xyz")[0] & ORE else "yes"
    total, squares, least, most = raw["PD2"] = tuple(trials.ask("a"))
    mean = total / 256
    spread = math.sqrt(max(0.0, squares / 256 - (mean - least) ** 2))
    found["PD2, steps of 10 bits"] = f"{mean:.1f} +/- {spread:.2f}, {least} to {most}"
    down, up = trials.ask("r")
    found["pull-up on PD5"] = "yes" if down else "no" if up else "held low"
    found["cycles of 20,000 turns"] = str(trials.ask("q")[0])
    with contextlib.suppress(UserError):  # last: a core that does not know the register may stay silent
        if (stacked := _tried(trials, "h")) is not None:
            found["hardware_stacking_bytes"] = str(_signed(stacked[0]))
    return found, raw


def reference() -> dict[str, str]:
    """What the virtual board answers as it is assumed to be; with `entry` as the trial's own cycles."""
    image = build().bin.read_bytes()
    with assuming(Assumptions(interrupt_entry_cycles="0")):
        line = Cable(VirtualBoard(image))
    trials = Trials(line, lambda: line.board.now)
    return {"entry": str(trials.ask("i")[0]), "cycles of 20,000 turns": str(trials.ask("q")[0])}


def report(trials: Trials) -> list[Finding]:
    """All rows: assumptions in their order, then what else the trials tell."""
    base = reference()
    found, raw = measure(trials, int(base["entry"]))
    out = []
    for row in rows():
        assumed, value = row.label(row.value), found.pop(row.name, "")
        if row.name in UNTRIED:
            verdict = f"not tried: {UNTRIED[row.name]}"
        elif not value:
            verdict = "not told" + (f": {SWITCH_OFF}" if row.name in ("sram_at_power_on", "boot_area_first") else "")
        elif value == assumed or _near(row.name, value, row.value):
            verdict = "as assumed"
        elif value in row.choices or _between(value, row.choices.values()):
            verdict = "otherwise; the firmware is tested with that, too"
        else:
            verdict = "unheard of: please tell us"
        out.append(Finding(row.name, assumed, value, verdict, raw.get(row.name, ())))
    expected = {"wfi wakes": "yes", "cycles of 20,000 turns": base["cycles of 20,000 turns"]}
    for name, value in found.items():
        assumed = expected.get(name, "")
        verdict = "" if not assumed else "as assumed" if value == assumed else "unheard of: please tell us"
        out.append(Finding(name, assumed, value, verdict, raw.get(name, ())))
    return out


def _near(name: str, value: str, assumed: int) -> bool:
    return name in NEAR and abs(int(value) - assumed) <= NEAR[name]


def _between(value: str, choices) -> bool:
    return bool(re.fullmatch(r"-?\d+", value)) and min(choices) <= int(value) <= max(choices)


def table(findings: list[Finding]) -> str:
    """The report as lines."""
    heads = ("what", "assumed", "found", "verdict")
    cells = [heads, *((f.name, f.assumed, f.found, f.verdict) for f in findings)]
    widths = [max(len(row[i]) for row in cells) for i in range(3)] + [0]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in cells)


def as_json(findings: list[Finding]) -> dict:
    """For `--json`: `image`, a hash of what was asked, and `rows` of `name, assumed, found, verdict, raw`."""
    return {"image": hashlib.sha256(build().bin.read_bytes()).hexdigest()[:12], "rows": [asdict(f) for f in findings]}


def probe_port(port: str, flash: bool = True, progress: bool = True,
               notice: Callable[[str], None] = lambda text: None) -> list[Finding]:
    """The report of the board at a serial port; flash : bring the image there first. Afterwards the board needs its
    firmware again, and the taught words that notice is told of. `UserError` as of `taught.flash_port`, and for a board
    that does not answer."""
    if flash and (file := taught.flash_port(port, build().bin.read_bytes(), progress)["file"]):
        notice(f"the board's taught words are in {file}: afterwards, `listen --words` puts them on it again")
    line = isp.SerialLine(port)
    try:
        return asked(line, port)
    finally:
        line.close()


def asked(line: isp.Line, port: str) -> list[Finding]:
    """The report of the board on a line; `UserError` where what answers is not the probe's image. port : its name"""
    with files.parsing(port, "gives answers that are not those of the probe's image: flash it without --no-flash"):
        try:
            return report(Trials(line, getattr(line, "now", time.monotonic)))
        except Restarted as error:
            raise UserError(f"the board at {port} starts anew in the middle: look at its power") from error

"""Our firmware on an emulated chip, spoken to byte by byte, without a port and without waiting (chapters 9 and 13).

    from tinyspeech.board.direct import Board
    Board(elf).classify(samples)         # samples: int16 [8000]; logits, class, cycles

Its cycles are exact, its time is not real: that is `virtual.py`.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, COMPILERS, toolchain
from tinyspeech.board.protocol import Command
from tinyspeech.chip.emulator import FLASH_BYTES, Chip, ChipFault
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer.trials import worst_case_clip


@dataclass(frozen=True)
class ChipResult:
    """What the board says of a clip, and what it took."""

    logits: np.ndarray
    """int32 [12]."""
    best: int
    """The class that the firmware itself names."""
    features: np.ndarray | None
    """int8 [49, 12], when asked for."""
    cycles: int
    """From the first request for samples to the last byte of the answer."""
    stack_bytes: int
    """Deepest stack since reset."""


class Board:
    """A chip with our firmware, spoken to over its serial port. elf: the firmware; `UserError` if it is none."""

    def __init__(self, elf: Path):
        self.elf = Path(elf)
        self.chip = Chip(toolchain.flat_image(self.elf))
        self._boot()

    def _boot(self) -> None:
        if self.chip.run() != "starved":
            raise UserError(f"{self.elf.name} does not wait for a command after reset")

    def _byte(self) -> int:
        """Run until the chip has sent a byte; a firmware that hangs or waits instead raises `ChipFault`."""
        stop = self.chip.run()
        if stop != "transmit":
            raise ChipFault(f"the firmware should answer, but {stop}", self.chip.state.pc, 0)
        return self.chip.received()[0]

    def _line(self, command: Command) -> str:
        """What the firmware answers to a command that it answers with a line."""
        self.chip.send(command)
        text = bytearray()
        while not text.endswith(b"\n"):
            text.append(self._byte())
        return text.decode().strip()

    def version(self) -> str:
        """The firmware's line: 'tinyspeech NAME HASH'."""
        return self._line(Command.VERSION)

    def self_test(self) -> str:
        """What the firmware says of itself: 'test ok'."""
        return self._line(Command.SELF_TEST)

    def listen(self, volts: np.ndarray) -> str:
        """What the firmware says while it listens to a signal for a second; uint16 [n], n a second."""
        self.chip.connect_microphone(volts, len(volts))
        self.chip.send(Command.MICROPHONE)
        until, text = self.chip.cycles + self.chip.state.clock_hz, b""
        while self.chip.cycles < until:
            self.chip.run(until - self.chip.cycles)
            text += self.chip.received()
        self.chip.send(Command.STOP)
        while self.chip.run() != "starved":
            text += self.chip.received()
        return text.decode()

    def classify(self, x8k: np.ndarray, features: bool = False) -> ChipResult:
        """One clip, int16 [8000] at 8 kHz, through front end and network on the chip."""
        x8k = np.asarray(x8k)
        if x8k.dtype != np.int16 or x8k.shape != (frontend.CLIP_SAMPLES,):
            raise UserError(f"a clip is int16 [{frontend.CLIP_SAMPLES}] at 8 kHz, not {x8k.dtype} {list(x8k.shape)}")
        samples = x8k.astype("<i2").tobytes()
        self.chip.send(Command.FEATURES if features else Command.CLASSIFY)
        at, rows, began = 0, [], None
        while True:
            wanted = self._byte()
            if began is None:
                began = self.chip.cycles
            if wanted == 0:
                break
            self.chip.send(samples[at : at + 2 * wanted])
            at += 2 * wanted
            if features and at > 2 * (frontend.WINDOW - frontend.HOP):
                rows.append([self._byte() for _ in range(frontend.N_COEFFICIENTS)])
        answer = bytes(self._byte() for _ in range(4 * len(CLASSES) + 1))
        cycles = self.chip.cycles - began
        self.chip.run()  # back to waiting for a command
        return ChipResult(
            np.frombuffer(answer[:-1], "<i4").astype(np.int32), answer[-1],
            np.array(rows, np.uint8).view(np.int8) if features else None, cycles, self.chip.stack_bytes,
        )

    def profile(self, x8k: np.ndarray) -> dict[str, int]:
        """Cycles of one clip by function, in the order of cost."""
        self.chip.start_profile()
        self.classify(x8k)
        counts = self.chip.profile()
        rows = {name: int(counts[start // 2 : end // 2].sum())
                for start, end, name in toolchain.function_addresses(self.elf) if end <= FLASH_BYTES}
        return dict(sorted(((n, c) for n, c in rows.items() if c), key=lambda item: -item[1]))

    def profile_lines(self, x8k: np.ndarray) -> dict[str, int]:
        """Cycles of one clip by source line, "file:line", in the order of cost."""
        self.chip.start_profile()
        self.classify(x8k)
        counts, rows = self.chip.profile(), {}
        for start, end, file, line in toolchain.line_addresses(self.elf):
            if end <= FLASH_BYTES and (cycles := int(counts[start // 2 : end // 2].sum())):
                rows[f"{file}:{line}"] = rows.get(f"{file}:{line}", 0) + cycles
        return dict(sorted(rows.items(), key=lambda item: -item[1]))

    def stages(self, x8k: np.ndarray, functions: dict[str, str]) -> dict[str, int]:
        """Cycles of one clip by stage: functions is {name in the firmware: stage}; the rest is "other"."""
        names = [*dict.fromkeys(functions.values())]
        addresses = {name: start for start, _, name in toolchain.function_addresses(self.elf)}
        missing = [name for name in functions if name not in addresses]
        if missing:
            raise UserError(f"the firmware has no function {missing[0]} of its own: stages cannot be told apart")
        self.chip.start_profile({addresses[f]: 1 + names.index(stage) for f, stage in functions.items()})
        self.classify(x8k)
        counts = self.chip.stage_cycles()
        return {**{name: int(counts[1 + i]) for i, name in enumerate(names)}, "other": int(counts[0])}


def classify_many(elf: Path, x8k: np.ndarray, features: bool = False, workers: int | None = None) -> list[ChipResult]:
    """Clips, int16 [N, 8000] at 8 kHz, in their order: the same results as `Board.classify` one by one, sooner.

    workers : boards that run side by side, by default one per processor core. The interpreter works outside Python's
    lock, so threads are enough. `stack_bytes` is the deepest stack of all boards together.
    """
    workers = max(1, min(workers or os.cpu_count() or 1, len(x8k)))
    boards = [Board(elf) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        shares = list(pool.map(lambda i: [boards[i].classify(x, features) for x in x8k[i::workers]], range(workers)))
    stack = max(board.chip.stack_bytes for board in boards)
    results = [shares[i % workers][i // workers] for i in range(len(x8k))]
    return [replace(result, stack_bytes=stack) for result in results]


def report_firmware(folder: Path | None = None, compiler: str = COMPILERS[0], xw: bool | None = None) -> dict:
    """Build the firmware and say what it needs: `flash_bytes, data_bytes, bss_bytes, stack_bytes, symbols`, and
    `cycles_per_audio_second`, of the clip of noise; and which bytes it is, `sha256`.

    folder : the firmware's, by default the shipped one's. compiler, xw : as in `toolchain.build_firmware`. The stack
    is measured: a clip of noise and one of silence are run, with and without features, a version request, the
    self-test, and a second of noise that is listened to; with an interrupt at the worst moment (`Chip.stack_bytes`).
    """
    firmware = toolchain.build_firmware(folder, compiler=compiler, xw=xw)
    board = Board(firmware.elf)
    board.version()
    board.self_test()
    board.listen(worst_case_clip().view(np.uint16))
    cycles = board.classify(worst_case_clip()).cycles
    board.classify(worst_case_clip(), features=True)
    for features in (False, True):
        board.classify(np.zeros(frontend.CLIP_SAMPLES, np.int16), features)
    sizes = toolchain.sizes(firmware.elf)
    return {**{key: sizes[key] for key in ("flash_bytes", "data_bytes", "bss_bytes")},
            "stack_bytes": board.chip.stack_bytes, "cycles_per_audio_second": cycles,
            "sha256": hashlib.sha256(firmware.bin.read_bytes()).hexdigest(), "symbols": sizes["symbols"]}

"""Plans, lists of steps with a board, carried out by the script of a web page in node, or by its C on this computer.

    ["flash", number of an image], ["blank"], ["power"], ["reset"], ["send", hex], ["hear", from, to] of the signal,
    ["drive", pin, level], ["watch", [{at, base, offset, count}, ...]], ["read", address, count],
    ["write", address, number of an image], ["advance", seconds]

A row of results comes from each `advance`, with all that can be seen of the board from outside.
"""

import ctypes
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tinyspeech import toolchain
from tinyspeech.chip import emulator
from tinyspeech.pages import widgets

SCRIPT = Path(widgets.__file__).with_name("board.js")
NAMES = ("seconds", "cycles", "slept", "clock", "resets", "conversions", "dropped", "stack", "gaps", "in_rom", "fault",
         "pc", "fault_address", "heard_until", "instructions", "unseen")
"""In the order of `script_value`."""
NODE = """
const fs = require("fs"), [script, wasm, file, signalFile] = process.argv.slice(1).map((name) => fs.readFileSync(name));
const boardOf = new Function(script.toString() + "; return boardOf;")(), { plan, images } = JSON.parse(file);
const signal = new Uint16Array(Uint8Array.from(signalFile).buffer);
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex")), hex = (some) => Buffer.from(some).toString("hex");
WebAssembly.instantiate(wasm, {}).then(({ instance }) => {
  const board = boardOf(instance.exports), rows = [], read = [];
  const steps = {
    flash: (image) => board.flash(bytes(images[image])), blank: board.blank, power: board.power, reset: board.reset,
    send: (some) => board.send(bytes(some)), hear: (from, to) => board.hear(signal.subarray(from, to)),
    drive: board.drive, watch: board.watch, read: (at, count) => read.push(hex(board.read(at, count))),
    write: (at, image) => board.write(at, bytes(images[image])),
    advance: (seconds) => {
      const row = { stop: board.advance(seconds), received: hex(board.received()), why: board.fault(),
        led: board.pin("PD0"), heardUntil: board.heardUntil() };
      for (const name of NAMES) row[name] = board.value(name);
      row.seen = board.seen().map(({ watch, cycle, bytes }) => [watch, cycle, hex(bytes)]);
      rows.push(row);
    },
  };
  for (const [what, ...how] of plan) steps[what](...how);
  const [memory, info] = [board.read(0, 16384), board.read(0x1ffff780, 192)].map(hex);
  fs.writeFileSync(1, JSON.stringify({ rows, read, memory, info }));
});
""".replace("NAMES", json.dumps(NAMES))


def in_node(plan: list, images: list[bytes], signal: np.ndarray, folder: Path) -> dict:
    """{"rows", "read": hex of each read, "memory": hex of flash, "info": of vendor and option bytes} of a plan, in
    node; where there is none the test is skipped. signal : uint16 [n] at 32 kHz."""
    if not (node := shutil.which("node")):
        pytest.skip("needs node")
    (folder / "plan.json").write_text(json.dumps({"plan": plan, "images": [image.hex() for image in images]}))
    (folder / "signal").write_bytes(signal.astype("<u2").tobytes())
    command = [node, "-e", NODE, SCRIPT, emulator.wasm(), folder / "plan.json", folder / "signal"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@cache
def _script() -> ctypes.CDLL:
    sources = [emulator.CORE / "script.c", *emulator.SOURCES]
    library = ctypes.CDLL(str(toolchain.build_host_library(sources, sanitize=True)))
    library.script_buffer.restype = ctypes.c_void_p
    library.script_value.restype = ctypes.c_double
    library.script_advance.argtypes = (ctypes.c_double,)
    return library


def natively(plan: list, images: list[bytes], signal: np.ndarray) -> dict:
    """The same of the same C on this computer, whose compiler checks that nothing undefined happens. What waits in the
    script and not in the C does not wait here: a plan of this kind sends and says no more than there is room for."""
    c, rows, read = _script(), [], []
    buffer = c.script_buffer()

    def give(data: bytes) -> int:
        assert len(data) <= 65536
        ctypes.memmove(buffer, data, len(data))
        return len(data)

    def hear(start: int, end: int) -> None:
        for at in range(start, end, 32768):
            piece = signal[at : min(end, at + 32768)]
            assert c.script_hear(give(piece.astype("<u2").tobytes()) // 2) == len(piece)

    def memory(at: int, count: int) -> str:
        assert c.script_read(ctypes.c_uint32(at), count)
        return ctypes.string_at(buffer, count).hex()

    def watch(places: list[dict]) -> None:
        c.script_unwatch()
        assert all(c.script_watch(p["at"], p["base"], p["offset"], p["count"]) >= 0 for p in places)

    def drive(pin: str, level: bool | None) -> None:
        c.script_drive("ACD".index(pin[1]), int(pin[2]), -1 if level is None else int(level))

    def advance(seconds: float) -> None:
        stop, received = c.script_advance(seconds), b""
        while stop == 2:
            received += ctypes.string_at(buffer, c.script_received())
            stop = c.script_go_on()
        received += ctypes.string_at(buffer, c.script_received())
        assert stop == 0
        row = {name: c.script_value(i) for i, name in enumerate(NAMES)}
        seen = (emulator._Seen * emulator.SEEN)()
        count = c.script_seen()
        ctypes.memmove(seen, buffer, count * ctypes.sizeof(emulator._Seen))
        rows.append({**row, "received": received.hex(), "led": [None, False, True][c.script_pin(2, 0) + 1],
                     "seen": [[s.watch, s.cycle, bytes(s.bytes[: s.count]).hex()] for s in seen[:count]]})

    steps = {
        "flash": lambda image: c.script_make(give(images[image])), "blank": lambda: c.script_make(-1),
        "power": c.script_power, "reset": c.script_reset, "drive": drive, "watch": watch, "advance": advance,
        "send": lambda some: c.script_send(give(bytes.fromhex(some))),
        "hear": hear,
        "read": lambda at, count: read.append(memory(at, count)),
        "write": lambda at, image: c.script_write(ctypes.c_uint32(at), give(images[image])),
    }
    for what, *how in plan:
        steps[what](*how)
    return {"rows": rows, "read": read, "memory": memory(0, 16384), "info": memory(0x1FFFF780, 192)}

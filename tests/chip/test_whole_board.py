"""The whole board in a web page: its script in node against the same C and the emulated chip on this computer."""

import dataclasses
import functools
import struct

import numpy as np
import pytest
from support import board_plans

from tinyspeech import paths, toolchain
from tinyspeech.board import isp, rom
from tinyspeech.board.cable import Cable
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip import trace
from tinyspeech.chip.assumptions import Assumptions, assuming
from tinyspeech.chip.emulator import Chip, Watch
from tinyspeech.chip.firmware import frame_watches
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.network import IntegerModel, sigmoid_q7
from tinyspeech.measure import live
from tinyspeech.measure.stages import firmware_at_48_mhz
from tinyspeech.paths import model_file
from tinyspeech.sound import audio, datasets

HEARD_HZ = 32_000
BEGINS = np.full(2, 32_768, np.uint16)
"""Two samples of silence, with which the board begins a signal."""
pytestmark = pytest.mark.usefixtures("the_table")  # the page's board assumes what the table has


@pytest.fixture(scope="module")
def image():
    return shipped_image()


@pytest.fixture(scope="module")
def volts():
    """A minute of bundled keywords in a row, as a microphone's voltage; uint16 at 32 kHz."""
    x, labels = datasets.load_task(paths.BUNDLED, "validation").arrays()[:2]
    x = x[np.flatnonzero(np.asarray(labels) >= decision.REJECTED)]
    row = audio.in_a_row(np.tile(x, (3, 1)), audio.SAMPLE_RATE_HZ, seed=3)[0][: 60 * audio.SAMPLE_RATE_HZ]
    wave = audio.resample(row / 32768, audio.SAMPLE_RATE_HZ, HEARD_HZ)
    return np.clip(np.rint(32768 * (1 + wave)), 0, 65535).astype(np.uint16)


def in_pieces(count: int, seed: int) -> list:
    """Steps that say so many samples in odd pieces, now far ahead, now just in time, while time passes in odd steps."""
    rng, plan, said, passed = np.random.default_rng(seed), [], 0, 0.0
    while passed < count / HEARD_HZ:
        if said < count and said / HEARD_HZ - passed < rng.choice([0.001, 0.02, 1.0]):
            until = min(count, said + int(rng.integers(1, 2500)))
            plan.append(["hear", said, until])
            said = until
        else:
            step = min(float(rng.choice([0.0007, 0.02, 0.05])), said / HEARD_HZ - passed)
            plan.append(["advance", step])
            passed = passed + step if step > 1e-9 else said / HEARD_HZ
            if step <= 1e-9:
                plan.pop()
                plan.append(["hear", said, said := min(count, said + 100)]) if said < count else None
    return plan


def test_a_minute_of_words_is_the_emulated_chips(image, volts, tmp_path):
    """What the script reports behind each step is what the chip is like at that very cycle, which had the whole signal
    from the beginning: lines, light, sleep, conversions, the deepest stack."""
    begin = [["flash", 0], ["advance", 0.0213], ["send", Command.MICROPHONE.hex()], ["advance", 0.003]]
    plan = [*begin, *in_pieces(len(volts), 1)]
    rows = iter(board_plans.in_node(plan, [image], volts, tmp_path)["rows"])
    chip, lights, text = Chip(image), [], b""
    chip.take_time()
    for what, *how in plan:
        if what == "send":
            chip.send(bytes.fromhex(how[0]))
        elif what == "hear" and how[0] == 0:
            chip.connect_microphone(np.concatenate([BEGINS, volts]), HEARD_HZ)
        elif what == "advance":
            row = next(rows)
            chip.run(row["cycles"] - chip.cycles)
            state, received = chip.state, chip.received()
            assert (row["received"], row["led"], row["stop"]) == (received.hex(), chip.pin("PD0"), "budget")
            for name, value in (("cycles", chip.cycles), ("slept", state.slept), ("conversions", state.conversions),
                                ("instructions", chip.instructions), ("stack", chip.stack_bytes), ("gaps", 0),
                                ("dropped", 0), ("clock", 24_000_000), ("resets", 1)):
                assert row[name] == value, name
            lights.append(row["led"])
            text += received
    lines = text.decode().splitlines()
    assert lines[0] == "listening" and sum(line.startswith("word ") for line in lines) > 15
    assert len(lines) == 1 + sum(line.startswith("word ") for line in lines) and np.diff(lights).sum() > 10
    assert row["seconds"] == pytest.approx(0.0243 + 60, abs=1e-4) and 0.3 < row["slept"] / row["cycles"] < 0.9


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_both_builds_do_the_same(image, volts, tmp_path, seed):
    """Power, resets, noise on the line, pins, a signal with gaps, the ROM bootloader: at random."""
    rng, plan = np.random.default_rng(seed), [["flash", 0] if seed % 2 else ["blank"]]
    packets = [packet(rom.IDENTIFY, bytes([0x31, rom.FAMILY]) + rom.PASSPHRASE), packet(rom.READ_CONFIG, b"\x1f\0"),
               packet(rom.KEY, bytes(60)), packet(rom.ERASE, bytes(4)), packet(rom.PROGRAM, bytes(5 + 64)),
               packet(rom.PROGRAM, bytes(5)), packet(rom.VERIFY, bytes(5 + 64)), packet(rom.END, b"\x01"),
               b"B", b"L", b"V"]
    for _ in range(150):
        start = int(rng.integers(0, len(volts) - 9000))
        steps = [["send", packets[rng.integers(len(packets))].hex()],
                 ["send", rng.bytes(int(rng.integers(1, 20))).hex()],
                 ["hear", start, start + int(rng.integers(1, 3000))], ["power"], ["reset"],
                 ["drive", f"PD{rng.integers(8)}", [None, False, True][rng.integers(3)]],
                 ["write", 64 * 200, 1], ["flash", 0], ["blank"]]
        plan.append(steps[rng.choice(len(steps), p=[0.5, 0.1, 0.24, 0.03, 0.03, 0.02, 0.02, 0.03, 0.03])])
        plan.append(["advance", float(10 ** rng.uniform(-5, -0.7))])
    plan += [["blank"], ["advance", 61.0]]  # the bootloader gives up
    images = [image, bytes(range(64))]
    script, native = board_plans.in_node(plan, images, volts, tmp_path), board_plans.natively(plan, images, volts)
    for a, b in zip(script["rows"], native["rows"], strict=True):
        assert {name: a[name] for name in b} == b
    assert (script["memory"], script["info"]) == (native["memory"], native["info"])
    assert {row["in_rom"] for row in script["rows"]} == {0, 1} and max(row["resets"] for row in script["rows"]) > 1
    assert script["rows"][-1]["fault"] and script["rows"][-1]["resets"] == 2


# --- the signal -------------------------------------------------------------------------------------------------------


def test_a_signal_that_is_always_just_in_time_has_no_gap(image, volts):
    """20 ms are said, 20 ms pass; and what comes late is a gap."""
    plan = [["flash", 0], ["advance", 0.02], ["send", Command.MICROPHONE.hex()], ["advance", 0.00301]]
    for at in range(0, 320_000, 640):
        plan += [["hear", at, at + 640], ["advance", 0.02]]
    just = board_plans.natively(plan, [image], volts)["rows"][-1]
    assert just["gaps"] == 0 and just["heard_until"] == pytest.approx(just["seconds"], abs=1e-5)
    late = board_plans.natively([*plan, ["advance", 0.5], ["hear", 0, 640], ["advance", 0.02]], [image], volts)["rows"]
    assert late[-2]["gaps"] == 0 and late[-1]["gaps"] == 1
    assert late[-1]["heard_until"] == pytest.approx(late[-1]["seconds"], abs=1e-5)


def test_more_than_the_c_holds_waits_in_the_script(image, volts, tmp_path):
    """Ten seconds said at once, and 100,000 bytes sent at once, arrive as in pieces."""
    begin = [["flash", 0], ["advance", 0.02], ["send", Command.MICROPHONE.hex()], ["advance", 0.003]]
    whole = [*begin, ["hear", 0, 320_000], *(["advance", 2.5] for _ in range(4))]
    pieces = [step for at in range(0, 320_000, 80_000) for step in (["hear", at, at + 80_000], ["advance", 2.5])]
    a, b = (board_plans.in_node(plan, [image], volts, tmp_path)["rows"] for plan in (whole, begin + pieces))
    assert [row["received"] for row in a] == [row["received"] for row in b]
    assert b"word " in bytes.fromhex("".join(row["received"] for row in a))
    assert a[-1]["heardUntil"] == b[-1]["heardUntil"] and a[-1]["slept"] == b[-1]["slept"]
    versions = [["flash", 0], ["advance", 0.02], ["send", b"V".hex() * 100_000], ["advance", 9.0]]
    row = board_plans.in_node(versions, [image], volts, tmp_path)["rows"]
    chip, said = Chip(image), b""
    chip.take_time()
    chip.run(row[0]["cycles"])
    chip.send(b"V" * 100_000)
    while chip.cycles < row[1]["cycles"]:
        chip.run(min(row[1]["cycles"] - chip.cycles, 2_400_000))
        said += chip.received()
    assert said.hex() == row[1]["received"] and chip.state.receive_at == 100_000
    board = VirtualBoard(image)
    board.advance(0.02)
    board.send(b"V" * 100_000)
    board.advance(9.0)
    assert board.received() == said


def test_power_and_reset_leave_the_signal_where_it_is(image, volts):
    plan = [["flash", 0], ["hear", 0, 96_000], ["advance", 0.5], ["power"], ["advance", 0.02], ["reset"],
            ["advance", 0.02], ["send", Command.MICROPHONE.hex()], *(["advance", 0.1] for _ in range(20))]
    row = board_plans.natively(plan, [image], volts)["rows"][-1]
    assert row["gaps"] == 0 and row["heard_until"] == pytest.approx(3.0, abs=1e-6)
    assert row["seconds"] == pytest.approx(2.54, abs=1e-5)


# --- the bootloader ---------------------------------------------------------------------------------------------------


def packet(command: int, data: bytes) -> bytes:
    return b"\x57\xab" + bytes([command, len(data), 0]) + data + bytes([(command + len(data) + sum(data)) & 255])


@pytest.mark.parametrize("step", [0.0001, 0.0007, 0.0056])
@pytest.mark.parametrize("first", [7, 66])
def test_a_bytes_time_is_its_own(first, step, volts):
    """66 bytes take 5.73 ms and an answer's first three 0.26 more, whatever steps time is cut into, and whether all was
    sent at once or the rest while the first bytes were on the line."""
    key, count = packet(rom.KEY, bytes(60)), round(0.0056 / step)
    plan = [["send", key[:first].hex()], ["advance", 0.0004], ["send", key[first:].hex()], *[["advance", step]] * count]
    board = VirtualBoard(None)
    for what, how in plan:
        board.send(bytes.fromhex(how)) if what == "send" else board.advance(how)
    assert board.now == pytest.approx(0.006) and board.received() == b"\x55\xaa\xa3"
    rows = board_plans.natively([["blank"], *plan], [], volts)["rows"]
    assert "".join(row["received"] for row in rows) == "55aaa3"


class Recorded(VirtualBoard):
    """A board that writes down what is done to it, as a plan."""

    def __init__(self, image: bytes | None, plan: list):
        super().__init__(image)
        self.plan, self.said = plan, b""

    def send(self, data: bytes) -> None:
        self.plan.append(["send", data.hex()])
        super().send(data)

    def advance(self, seconds: float) -> str:
        self.plan.append(["advance", seconds])
        return super().advance(seconds)

    def received(self) -> bytes:
        self.said += (out := super().received())
        return out


def test_a_recorded_session_flashes_the_pages_board(image, volts, tmp_path):
    """The bytes with which `isp` flashed a board of this computer flash the page's: each reply is the same, and then
    the program says its name."""
    plan = [["blank"]]
    board = Recorded(None, plan)
    line = Cable(board)
    assert isp.flash(line, image)["verified"] and isp.ask_version(line).startswith("tinyspeech tinyspeech_s ")
    board.received()
    page = board_plans.in_node(plan, [], volts, tmp_path)
    assert b"".join(bytes.fromhex(row["received"]) for row in page["rows"]) == board.said
    assert bytes.fromhex(page["memory"]) == bytes(board.chip.state.flash) == image.ljust(16384, b"\xff")
    assert page["rows"][0]["in_rom"] == 1 and page["rows"][-1]["in_rom"] == 0


def test_power_that_fails_leaves_half_a_page_in_both(image, volts, tmp_path):
    begin = (packet(rom.IDENTIFY, bytes([0x31, rom.FAMILY]) + rom.PASSPHRASE), packet(rom.READ_CONFIG, b"\x1f\0"),
             packet(rom.KEY, bytes(60)))
    page = packet(rom.PROGRAM, struct.pack("<IB", 0, 0) + bytes(64))
    plan = [["blank"]]
    for data in begin:
        plan += [["send", data.hex()], ["advance", 0.02]]
    plan += [["send", page.hex()], ["advance", len(page) * rom.BYTE_S + 0.001], ["power"], ["advance", 0.01]]
    memory = bytes.fromhex(board_plans.in_node(plan, [], volts, tmp_path)["memory"])
    assert memory[32:64] == b"\xff" * 32 != memory[:32] and memory[64:] == b"\xff" * (16384 - 64)
    assert board_plans.natively(plan, [], volts)["memory"] == memory.hex()


# --- faults and memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["mul a0, a0, a0", "li a0, 0x30000000; jr a0", "ebreak", "lw a0, 1(zero)"])
def test_a_fault_is_told_in_words(text, volts, tmp_path):
    program = toolchain.assemble(f".option arch, +m; nop; {text}" if "mul" in text else text)
    board = VirtualBoard(program)
    board.advance(0.01)
    plan = [["flash", 0], ["advance", 0.01], ["advance", 1.0], ["reset"], ["advance", 0.001]]
    rows = board_plans.in_node(plan, [program], volts, tmp_path)["rows"]
    assert rows[0]["why"] == str(board.fault) and rows[0]["stop"] == rows[1]["stop"] == "fault"
    assert rows[1]["seconds"] == pytest.approx(1.01) and rows[1]["cycles"] == rows[0]["cycles"]
    assert rows[2]["resets"] == 2


def test_memory_is_read_as_a_debugger_sees_it(image, volts, tmp_path):
    plan = [["flash", 0], ["advance", 0.01], ["read", 0, 64], ["read", 0x08000000, 64], ["read", 0x20000000, 2048],
            ["read", 0x1FFFF800, 16], ["write", 16384 - 64, 1], ["read", 16384 - 64, 64]]
    board = VirtualBoard(image)
    board.advance(0.01)
    read = [bytes.fromhex(some) for some in board_plans.in_node(plan, [image, bytes(64)], volts, tmp_path)["read"]]
    assert read[0] == read[1] == image[:64] and read[4] == bytes(64)
    assert read[2] == board.chip.read_memory(0x20000000, 2048) and read[3] == board.chip.read_memory(0x1FFFF800, 16)


# --- watches ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file("tinyspeech_s", ".npz"))


@pytest.fixture(scope="module")
def watched(image, volts):
    """Ten seconds of words to a board that is watched: its samples, what was seen by name, the board, and the plan."""
    with assuming(Assumptions()):
        watches = frame_watches(toolchain.build_firmware().elf)
        board, seen = VirtualBoard(image), {name: [] for name in watches}
        board.advance(0.01)
        board.chip.watch(list(watches.values()))
        look = functools.partial(seen_by_name, board.chip, list(watches), seen)
        heard = live.listen(Watched(board, look), volts[: 10 * HEARD_HZ], HEARD_HZ)
    return heard, seen, board


class Watched:
    """A board that is asked for what its watches saw whenever time has passed."""

    def __init__(self, board: VirtualBoard, look):
        self._board, self._look = board, look

    def __getattr__(self, name: str):
        return getattr(self._board, name)

    def advance(self, seconds: float) -> str:
        stop = self._board.advance(seconds)
        self._look()
        return stop


def seen_by_name(chip: Chip, names: list[str], seen: dict[str, list[bytes]]) -> None:
    for one in chip.seen():
        seen[names[one.watch]].append(one.data)


def test_watched_frames_are_the_definitions(watched, model):
    """Coefficients of every frame, the weight of every frame with scores, and the sums behind it, before a report
    clears them: the definition's, from the readings of the converter."""
    heard, seen, _ = watched
    features = frontend.FrontendStream().push(heard.samples)
    coefficients = np.frombuffer(b"".join(seen["coefficients"]), np.int8).reshape(-1, frontend.N_COEFFICIENTS)
    assert len(coefficients) > 490 and np.array_equal(coefficients, features[: len(coefficients)])
    sums = np.frombuffer(b"".join(seen["sums"]), "<i4").reshape(-1, 12)
    weights = np.frombuffer(b"".join(seen["weight"]), "<i4")
    scores = [row for _, row in listening.scored_frames(model, heard.samples)]
    assert len(sums) == len(weights) > 230
    decider, words = decision.Decision(), 0
    for row, (added, before) in enumerate(zip(scores, sums, strict=False)):
        assert np.array_equal(decider.sums + added[:12] - (decider.sums >> decision.LEAK_BITS), before), row
        words += decider.push(added) is not None
    assert words >= 3
    record: dict[str, np.ndarray] = {}
    model.run(features[None], record)
    gate = record[next(layer.name for layer in model.layers if layer.target == "pooled")][0]
    assert np.array_equal(weights, sigmoid_q7(gate[: len(weights), 0]) + 1) and np.ptp(weights) > 50


def test_watching_changes_nothing(watched, image, volts):
    heard, _, board = watched
    plain = VirtualBoard(image)
    plain.advance(0.01)
    again = live.listen(plain, volts[: 10 * HEARD_HZ], HEARD_HZ)
    assert again.lines == heard.lines and plain.chip.cycles == board.chip.cycles
    assert plain.chip.state.slept == board.chip.state.slept
    assert plain.chip.instructions == board.chip.instructions and plain.chip.stack_bytes == board.chip.stack_bytes


def test_the_page_sees_the_same(image, volts, tmp_path):
    watches = [dataclasses.asdict(watch) for watch in frame_watches(toolchain.build_firmware().elf).values()]
    plan = [["flash", 0], ["watch", watches], ["advance", 0.02], ["send", Command.MICROPHONE.hex()],
            ["hear", 0, 30_000], *(["advance", 0.1] for _ in range(9))]
    script, native = board_plans.in_node(plan, [image], volts, tmp_path), board_plans.natively(plan, [image], volts)
    seen = [[one for row in build["rows"] for one in row["seen"]] for build in (script, native)]
    assert seen[0] == seen[1] and {watch for watch, _, _ in seen[0]} == {0, 1, 2}


@pytest.mark.parametrize("mhz", [24, 48])
def test_watching_every_pass_of_a_loop_takes_no_cycle(mhz):
    """With and without a wait state, where instructions are fetched ahead; also in the middle of a run."""
    def after(watches: list[Watch], step: int) -> tuple:
        chip = Chip(toolchain.build_firmware().bin.read_bytes() if mhz == 24 else firmware_at_48_mhz().bin.read_bytes())
        chip.watch(watches)
        chip.send(b"T")
        seen = 0
        while chip.cycles < 3_000_000:
            assert chip.run(min(step, 3_000_000 - chip.cycles)) == "budget"
            seen += len(chip.seen())
        return chip.cycles, chip.instructions, chip.registers(), seen

    functions = {name: start for start, _, name in toolchain.function_addresses(
        (toolchain.build_firmware() if mhz == 24 else firmware_at_48_mhz()).elf)}
    watches = [Watch(functions[name] + more) for name in ("multiply", "frontend_push") for more in (0, 2)]
    *plain, none = after([], 10_000_000)
    *watched, some = after(watches, 10_007)
    assert watched == plain and none == 0 < 1000 < some


@pytest.mark.parametrize("watch", [Watch(0x4000_0000), Watch(0, 16), Watch(0, count=55), Watch(1)])
def test_what_cannot_be_watched_is_refused(image, watch):
    with pytest.raises(UserError, match="cannot watch"):
        Chip(image).watch([watch])


def test_watches_see_registers_and_memory_before_the_instruction(the_table):
    """In a loop; at a jump to itself; and in a chip that is switched off and on."""
    program = toolchain.assemble("lui a0, 0x20000; li a1, 2; again: sw a1, 0(a0); addi a1, a1, -1; bnez a1, again\n"
                                 "here: j here")
    names = ("c.sw", "c.bnez", "c.j")
    store, branch, here = (i.address for i in trace.disassemble(program) if i.text.split()[0] in names)
    chip = Chip(program)
    chip.watch([Watch(store, 11), Watch(branch, 10, 0, 2), Watch(here)])
    for _ in range(2):
        chip.run(40)
        seen = [(one.watch, int.from_bytes(one.data, "little")) for one in chip.seen()]
        assert seen[:4] == [(0, 2), (1, 2), (0, 1), (1, 1)] and set(seen[4:]) == {(2, 0)} and len(seen) > 6
        chip.power_on()
    chip.watch([])
    chip.run(40)
    assert chip.seen() == []


def test_too_much_to_keep_is_told(the_table):
    chip = Chip(toolchain.assemble("here: j here"))
    chip.watch([Watch(0)])
    chip.run(10_000)
    with pytest.raises(UserError, match="ask more often"):
        chip.seen()
    chip.run(30)
    assert len(chip.seen()) == 10


def test_other_programs_have_no_frames_to_watch(tmp_path):
    source = tmp_path / "loop.S"
    source.write_text('.section .init, "ax", @progbits\n.globl reset\nreset: j reset\n')
    with pytest.raises(UserError, match="no firmware of ours"):
        frame_watches(toolchain.build_firmware([source], "loop").elf)

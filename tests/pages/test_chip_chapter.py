"""What chapter 13 rests on: the chip watched step by step, the start, the chip in a web page, the pictures."""

import base64
import ctypes
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from support import scripts

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.board import virtual
from tinyspeech.board.direct import Board
from tinyspeech.board.microphone import as_volts
from tinyspeech.chip import emulator, recorder, trace
from tinyspeech.chip.emulator import Chip, ChipFault
from tinyspeech.errors import UserError
from tinyspeech.exercises import chip as exercises
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure.stages import ACTIVITIES, firmware_at_48_mhz
from tinyspeech.pages import plots, widgets
from tinyspeech.paths import model_file
from tinyspeech.sound import audio
from tinyspeech.toolchain import elf

LOOP = "li a0, 3; li a1, 0; again: add a1, a1, a0; addi a0, a0, -1; bnez a0, again; ebreak"


def chapter_code() -> str:
    """The C in the chapter's text."""
    cells = json.loads((paths.FIRMWARE.parent / "book" / "13_the_chip.ipynb").read_text())["cells"]
    return next(found[1] for cell in cells if (found := re.search(r"```c\n(.*?)```", "".join(cell["source"]), re.S)))


@pytest.fixture(scope="module")
def firmware():
    return toolchain.build_firmware()


@pytest.fixture(scope="module")
def clip():
    return frontend.to_8khz(audio.load_clip(paths.BUNDLED / "yes" / "6156aa59_nohash_0.flac"))


@pytest.fixture(scope="module")
def defined(clip):
    return IntegerModel.load(model_file("tinyspeech_s", ".npz")).run(frontend.features(clip)[None])[0].tolist()


@pytest.fixture(scope="module")
def start(firmware):
    """The chip where it first looks for a byte, and the steps up to there."""
    chip = Chip(firmware.bin.read_bytes())
    steps = list(trace.walk(chip, until=toolchain.symbol_addresses(firmware.elf)["usart_get"]))
    return chip, steps


# --- step by step -----------------------------------------------------------------------------------------------------


def test_assembled_text_is_code_at_zero():
    assert toolchain.assemble(LOOP) == bytes.fromhex("0d458145aa957d1575fd0290")
    with pytest.raises(UserError, match="compiler failed"):
        toolchain.assemble("no such instruction")


def test_disassembly_says_where_jumps_go():
    texts = [i.text for i in trace.disassemble(toolchain.assemble(LOOP), 0x100)]
    assert texts == ["c.li a0, 3", "c.li a1, 0", "c.add a1, a0", "c.addi a0, -1", "c.bnez a0, 0x104", "c.ebreak"]
    far = toolchain.assemble("j back; .org 16; back: jal reset; jalr a0")
    assert [i.text for i in trace.disassemble(far[16:22], 16)] == ["jal 0x0", "c.jalr a0"]


def test_walking_is_running():
    walked, run = Chip(toolchain.assemble(LOOP)), Chip(toolchain.assemble(LOOP))
    steps = list(trace.walk(walked))
    assert run.run() == "break"
    assert (walked.registers(), walked.state.pc, walked.cycles) == (run.registers(), run.state.pc, run.cycles)
    assert [s.cycles for s in steps] == [1, 1, 1, 1, 3, 1, 1, 3, 1, 1, 1]
    assert sum(s.cycles for s in steps) == run.cycles and len(steps) == run.instructions
    assert steps[5].changed == {"a1": 5} and str(steps[5]) == "    7     4  c.add a1, a0           a1 = 0x5"


def test_a_walk_ends_where_it_is_told():
    assert [s.instruction.address for s in trace.walk(Chip(toolchain.assemble(LOOP)), until=6)] == [0, 2, 4]
    assert len(list(trace.walk(Chip(toolchain.assemble("1: j 1b")), most=7))) == 7
    for text, reason in (("lw a1, 1(zero)", "misaligned"), ("lui a0, 0x30000; jr a0", "outside flash and RAM")):
        with pytest.raises(ChipFault, match=reason):
            list(trace.walk(Chip(toolchain.assemble(text))))


@pytest.mark.parametrize(("text", "store"), [
    ("sw a1, 4(a0)", (0x20000104, 0x80FF7F01)), ("sh a1, -2(a0)", (0x200000FE, 0x7F01)),
    ("sb a1, 0(a0)", (0x20000100, 1)),
    ("mv sp, a0; sw a1, 8(sp)", (0x20000108, 0x80FF7F01)), ("lw a1, 0(a0)", None),
])
def test_a_step_knows_what_it_stored(text, store):
    program = f"li a0, 0x20000100; li a1, 0x80ff7f01; {text}; ebreak"
    assert list(trace.walk(Chip(toolchain.assemble(program))))[-1].store == store


def test_calls_are_seen_with_their_depth():
    text = "j main; .org 8; leaf: ret; main: mv s0, ra; jal leaf; jal outer; ebreak; outer: mv s1, ra; jal leaf; jr s1"
    steps = list(trace.walk(Chip(toolchain.assemble(text))))
    functions = [(8, 10, "leaf"), (10, 20, "main"), (20, 30, "outer")]
    assert functions[2][0] in {s.instruction.address for s in steps}
    assert [(c.depth, c.name) for c in trace.calls(steps, functions)] == [
        (0, "main"), (1, "leaf"), (1, "outer"), (2, "leaf")]


def test_what_saves_registers_for_a_function_is_no_call():
    text = "j main; .org 8; save: addi a0, a0, 1; jr t0; leaf: jal t0, save; ret; main: jal t0, save; jal leaf; ebreak"
    chip = Chip(toolchain.assemble(text))
    steps = list(trace.walk(chip))
    functions = [(8, 12, "__riscv_save_0"), (12, 18, "leaf"), (18, 30, "main")]
    assert chip.state.x[10] == 2
    assert [(c.depth, c.name) for c in trace.calls(steps, functions)] == [(0, "main"), (1, "leaf")]


def test_the_memory_map_is_the_emulators():
    """Nothing answers just behind a memory; its last word does."""
    for first, size, name in trace.MEMORY_MAP[:2] + trace.MEMORY_MAP[4:5]:
        assert size == (emulator.SRAM_BYTES if name == "SRAM" else emulator.FLASH_BYTES)
        assert Chip(toolchain.assemble(f"li a0, {first + size - 4}; lw a1, 0(a0); ebreak")).run() == "break"
        with pytest.raises(ChipFault, match="unmapped"):
            Chip(toolchain.assemble(f"li a0, {first + size}; lw a1, 0(a0); ebreak")).run()


# --- the firmware's start ---------------------------------------------------------------------------------------------


def test_from_reset_to_the_first_look(firmware, start):
    chip, steps = start
    names = [c.name for c in trace.calls(steps, toolchain.function_addresses(firmware.elf))]
    assert names == ["reset", "start", "clear_bss", "main", "board_start", "set"]
    assert sum(s.cycles for s in steps) == chip.cycles
    sizes = toolchain.sizes(firmware.elf)
    zeros = [s.store[0] for s in steps if s.store and s.instruction.text.startswith("sw zero")
             and s.store[0] < trace.PERIPHERALS]
    assert sizes["data_bytes"] == 0  # as the text says
    assert len(zeros) == sizes["bss_bytes"] // 4 and zeros[0] == elf.SRAM_BASE


def test_the_registers_are_set_as_the_text_says(start):
    chip, steps = start
    writes = [(name, value) for _, name, value in trace.register_writes(steps)]
    port = [("RCC_CFGR0", 0), ("RCC_APB2PCENR", 1 << 14 | 1 << 11 | 1 << 9 | 1 << 5), ("GPIOD_CFGLR", 0x48B44042),
            ("GPIOD_OUTDR", 1 << 6),
            ("USART1_BRR", round(24_000_000 / 115_200)), ("USART1_CTLR1", 0x200C)]
    assert sorted(write for write in writes if write in port) == sorted(port)
    assert [value for name, value in writes if name == "IWDG_CTLR"] == [0x5555, 0xCCCC]
    assert not [name for name, _ in writes if name.startswith("0x")]
    assert abs(chip.baud / 115_200 - 1) < 0.02


def test_the_text_reads_the_functions_as_they_are(firmware):
    image = firmware.bin.read_bytes()
    where = {name: (start, end) for start, end, name in toolchain.function_addresses(firmware.elf)}
    read = {name: [i.text.split()[0] for i in trace.disassemble(image[slice(*where[name])], where[name][0])]
            for name in ("usart_put", "reset")}
    assert chapter_code() in (paths.FIRMWARE / "usart.c").read_text()
    assert read["usart_put"] == ["lui", "lw", "andi", "c.beqz", "sw", "c.jr"]
    assert read["reset"] == ["lui", "lw", "c.addi", "c.beqz"]


def test_an_interrupt_takes_a_sample_and_leaves_no_trace(firmware, clip):
    """One between two sleeps: by the first of the two vectors, registers as before, a sample more in the ring."""
    board = virtual.listening(as_volts(clip, 8_000), 0.5)
    before, missing = board.chip.registers(), toolchain.symbol_addresses(firmware.elf)["listening"] + 26
    left = board.chip.read_memory(missing, 2)
    steps = list(trace.until_return(trace.walk(board.chip)))
    handler = next((a, b) for a, b, name in toolchain.function_addresses(firmware.elf) if name == "listen_handler")
    vector = int.from_bytes(firmware.bin.read_bytes()[4 * 22:][:4], "little")
    assert steps[0].instruction.address == handler[0] == vector
    assert all(handler[0] <= step.instruction.address < handler[1] for step in steps)
    assert board.chip.registers() == before
    assert int.from_bytes(left, "little") - int.from_bytes(board.chip.read_memory(missing, 2), "little") == 1


def test_four_beats_are_four_numbers_are_one_interrupt(firmware, clip):
    """The hand-over that the chapter draws: 750 cycles a beat, 54 clocks of 12 MHz a conversion, then the handler."""
    board = virtual.listening(as_volts(clip, 8_000), 0.5)
    where = next((a, b) for a, b, name in toolchain.function_addresses(firmware.elf) if name == "listen_handler")
    list(trace.until_return(trace.walk(board.chip)))
    seen = trace.hand_over(board.chip, where, 3000)
    assert seen["beat"] == [0, 750, 1500, 2250]
    assert seen["number"] == [beat + 2 * (43 + 11) for beat in seen["beat"]]
    (enter,), (leave,) = seen["enter"], seen["leave"]
    assert 0 < enter - seen["number"][-1] < 20 < leave - enter < 100


def test_control_registers_follow_an_interrupt(firmware):
    """mtvec from the start, 0x88 before, MIE off within, back behind mret, which goes where mepc says."""
    chip = Chip(firmware.bin.read_bytes())
    assert chip.run() == "starved" and chip.control_registers() == {"mstatus": 0, "mtvec": 3, "mepc": 0, "mcause": 0}
    chip.take_time()
    chip.send(b"L")
    for _ in trace.walk(chip, until=toolchain.symbol_addresses(firmware.elf)["listen_handler"]):
        before = chip.control_registers()
    assert before["mstatus"] == 0x88 and before["mcause"] == 0
    inside = chip.control_registers()
    assert (inside["mstatus"] & 0x88, inside["mcause"]) == (0x80, 0x8000_0016)
    *_, last = trace.until_return(trace.walk(chip))
    assert last.instruction.text == "mret"
    assert chip.control_registers()["mstatus"] & 0x88 == 0x88 and chip.state.pc == inside["mepc"]


def test_a_burst_ends_before_the_next_frame(firmware, clip):
    """What the chapter shows of 80 ms: handler, front end and network share less than a frame's time, and it sleeps."""
    board = virtual.listening(as_volts(clip, 8_000), 0.5)
    board.chip.state.longest_awake = 0
    busy = recorder.record(board.chip, firmware.elf, ACTIVITIES, 800, 2400).busy
    assert {"samples in", "front end", "network", "asleep"} <= set(busy) and all(row.any() for row in busy.values())
    assert board.chip.state.longest_awake < 480_000
    assert (busy["samples in"] > 0).sum() > 600  # of 640 samples


def test_an_image_cut_at_any_page_returns_to_the_bootloader(firmware):
    image = firmware.bin.read_bytes()
    ends = [Chip(image[:end]).run() for end in range(64, len(image), 64)]
    assert set(ends) == {"boot"} and Chip(image).run() == "starved"


def test_functions_have_their_files(firmware):
    files = toolchain.function_files(firmware.elf)
    expected = {"reset": "startup.S", "main": "main.c", "transform": "frontend.c", "kernel_dense_pair": "dense.S"}
    assert {name: files[name] for name in expected} == expected
    assert set(files) == {name for _, _, name in toolchain.function_addresses(firmware.elf)}


def test_the_fast_firmware_says_the_same_and_takes_more_cycles(firmware, clip, defined):
    slow, fast = (Board(built.elf) for built in (firmware, firmware_at_48_mhz()))
    answers = [board.classify(clip) for board in (slow, fast)]
    assert all(answer.logits.tolist() == defined for answer in answers)
    assert (slow.chip.state.clock_hz, fast.chip.state.clock_hz) == (24_000_000, 48_000_000)
    assert answers[0].cycles < answers[1].cycles < 2 * answers[0].cycles
    assert abs(fast.chip.baud / 115_200 - 1) < 0.02


# --- the chip in a page -----------------------------------------------------------------------------------------------


def test_the_pages_c_runs_as_the_emulator_does():
    page = ctypes.CDLL(str(toolchain.build_host_library([*emulator.SOURCES, emulator.CORE / "page.c"])))
    page.page_image.restype, page.page_value.restype = ctypes.c_void_p, ctypes.c_double
    page.page_run.argtypes = (ctypes.c_double,)
    code, chip = toolchain.assemble(LOOP), Chip(toolchain.assemble(LOOP))
    assert chip.run() == "break"
    for _ in range(2):  # and again after a reset
        ctypes.memmove(page.page_image(), code, len(code))
        page.page_reset(len(code))
        assert emulator.STOPS[page.page_run(1.0)] == "budget" and page.page_value(18) == 1
        assert emulator.STOPS[page.page_run(1e6)] == "break"
        assert [page.page_value(i) for i in range(16)] == chip.registers()
        assert (page.page_value(16), page.page_value(17)) == (chip.state.pc, chip.cycles)


SAY_YES = """(async () => {
  const bytes = (coded) => Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes(data.wasm), {});
  const machine = chipMachine(instance.exports), program = data.programs[0];
  machine.load(bytes(program.image));
  const run = () => { while (data.stops[machine.run(1e8)] === "transmit"); };
  run();
  machine.say(bytes(program.clips.yes));
  run();
  return [machine.logits(), machine.value(17), machine.value(22)];
})()"""


@pytest.fixture(scope="module")
def page(firmware, clip):
    functions = toolchain.function_addresses(firmware.elf)
    program = widgets.chip_program("ours", "a note", firmware.bin.read_bytes(), functions, {"yes": clip})
    return widgets.chip_page([program]).data


def page_data(page: str) -> dict:
    return json.loads(re.search(r"getElementById\('chip-page'\), (\{.*\})\);</script>$", page, re.S)[1])


def test_the_page_is_whole(page, firmware):
    data = page_data(page)
    assert base64.b64decode(data["wasm"])[:4] == b"\0asm"
    assert page.count("</script>") == 1 and page.count("<script>") == 1 and "http" not in page
    assert set(re.findall(r"part\(\"(\w+)\"\)", page)) <= set(re.findall(r"data-part='(\w+)'", page))
    program = data["programs"][0]
    assert base64.b64decode(program["image"]) == firmware.bin.read_bytes()
    listed = [int(line.split()[0], 16) for line in program["listing"].split("\n")]
    assert listed == sorted(listed) and {start for start, _, _ in program["functions"]} <= set(listed)
    assert data["classes"] == list(CLASSES) and data["registers"] == list(trace.REGISTERS)


def test_the_chip_hears_the_word_in_a_browsers_machine(page, firmware, clip, defined):
    logits, cycles, stack = scripts.evaluate(["page.js"], SAY_YES, page_data(page))
    board = Board(firmware.elf)
    board.classify(clip)
    assert logits == defined and stack == board.chip.stack_bytes
    assert abs(cycles - board.chip.cycles) < 100  # the polls while it waits


# --- pictures ---------------------------------------------------------------------------------------------------------

pictures = pytest.mark.usefixtures("figure")


@pictures
def test_the_address_space_names_every_range():
    plots.address_space(trace.MEMORY_MAP)
    texts = [t.get_text() for t in plt.gca().texts]
    assert texts[:3] == ["flash, as the core starts in it", "16,384 B", "0x00000000"]
    assert len(texts) == 3 * len(trace.MEMORY_MAP)


@pictures
def test_groups_have_a_bar_for_each_series():
    plots.grouped(["a", "b"], {"slow": [1, 2], "fast": [3, 5]}, "cycles")
    ax = plt.gca()
    assert [bar.get_width() for bar in ax.patches] == [1, 2, 3, 5]
    assert [t.get_text().strip() for t in ax.texts] == ["1", "2", "3", "5"]


@pictures
def test_a_timeline_goes_from_start_to_start():
    plots.sequence({"one": 0, "two": 7, "three": 10}, 12, "cycles")
    bars = [(bar.get_x(), bar.get_width()) for bar in plt.gca().patches]
    assert bars == [(0, 7), (7, 3), (10, 2)]
    assert plt.gca().texts[1].get_text().strip() == "two: 3"


def test_squarified_areas_fill_the_rectangle_in_proportion():
    sizes = [6.0, 6, 4, 3, 2, 2, 1]
    found = plots.squarified(sizes, 1, 2, 6, 4)
    assert [w * h for _, _, w, h in found] == pytest.approx(sizes)
    assert all(x >= 1 - 1e-9 and y >= 2 - 1e-9 and x + w <= 7 + 1e-9 and y + h <= 6 + 1e-9 for x, y, w, h in found)
    for i, (x, y, w, h) in enumerate(found):  # no two share more than an edge
        for a, b, c, d in found[:i]:
            assert min(x + w, a + c) - max(x, a) < 1e-9 or min(y + h, b + d) - max(y, b) < 1e-9


@pictures
def test_a_treemap_shows_what_is_free():
    plots.treemap({"code": {"f": 300, "g": 100}, "tables": {"t": 500}}, room=1000)
    labels = [t.get_text() for t in plt.gca().get_legend().get_texts()]
    assert labels == ["tables  500 B", "code  400 B", "free  100 B"]
    areas = sorted(p.get_width() * p.get_height() for p in plt.gca().patches)
    assert areas == pytest.approx([7.2 * 3.6 * share for share in (0.1, 0.1, 0.3, 0.5)])


@pictures
def test_painted_memory_is_drawn_byte_by_byte():
    plots.painted(np.repeat([0, 1, 2], [6, 3, 3]), {"a": "blue", "b": "#ffffff", "c": "green"}, row=4)
    image = plt.gca().images[0]
    assert image.get_array().tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [1, 2, 2, 2]]
    assert image.cmap(image.norm(1)) == (1, 1, 1, 1)


@pictures
def test_a_hand_over_has_a_row_for_each_that_has_a_part():
    seen = {"beat": [0, 750], "number": [108, 858], "enter": [870], "leave": [960]}
    plots.hand_over(seen, 24)
    bars = [(bar.get_x(), bar.get_width()) for bar in plt.gca().patches]
    assert bars == [pytest.approx(bar) for bar in ((0, 4.5), (31.25, 4.5), (0, 62.5), (36.25, 3.75))]
    assert [t.get_text() for t in plt.gca().texts] == ["1", "2"]


@pictures
def test_function_costs_add_up():
    plots.function_costs({"a": 50, "b": 30, "c": 15, "d": 5}, {"a": "x", "b": "y", "c": "x", "d": "x"}, most=2)
    ax = plt.gca()
    assert [bar.get_width() for bar in ax.patches] == [50, 30, 20]
    assert [t.get_text().strip() for t in ax.texts] == ["50.0 %", "30.0 %", "20.0 %"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "2 others"]


# ---------------------------------------------------------------- exercises

BODIES = ("addi a0, a0, 1", "addi a0, a0, 1000", "lw a1, 0(a2)", "lw a1, 0(a3)", "j 1f; 1:")
DOUBLED = """li a0, 0x40022000; li a1, 1; sw a1, 0(a0)
li a0, 0x40021000; li a1, 0x01000083; sw a1, 0(a0)
li a1, 2; sw a1, 4(a0)"""
TO_SRAM = """la a0, 5f; li a1, 0x20000000; la a5, 6f
4: lw a4, 0(a0); sw a4, 0(a1); addi a0, a0, 4; addi a1, a1, 4; bltu a0, a5, 4b
li a0, 0x20000000; jr a0"""


@pytest.mark.parametrize(("start", "costs"), [
    ("", exercises.SLOW), (DOUBLED, exercises.FROM_FLASH), (f"{DOUBLED}\n{TO_SRAM}", exercises.FROM_SRAM),
])
def test_the_costs_in_the_exercise_are_the_emulators(start, costs):
    pieces = [f"ebreak; j 9f; .balign 4; 9: {times * (body + ';')}" for body in BODIES for times in (11, 21)]
    lines = "li a2, 0x20000700; li a3, 0", start, ".balign 4; 5:", *pieces, "ebreak; .balign 4; 6: nop"
    chip = Chip(toolchain.assemble("\n".join(lines)))
    times = []
    while chip.run() == "break" and len(times) < 2 * len(BODIES):
        times.append(chip.cycles)
        chip.state.pc += 2  # over the breakpoint
    spent = np.diff([*times, chip.cycles])
    assert ((spent[1::2] - spent[::2]) / 10).tolist() == list(costs)


@pytest.mark.parametrize(("words", "stores"), [(64, 1), (64, 4), (1, 1), (128, 8)])
def test_a_loop_that_clears_takes_what_the_exercise_says(words, stores):
    body = "".join(f"sw zero, {4 * i}(a1); " for i in range(stores))
    loop = f"1: {body} addi a1, a1, {4 * stores}; bltu a1, a2, 1b"
    before = "li a1, 0x20000000; li a2, "

    def cycles(text: str) -> int:
        chip = Chip(toolchain.assemble(text + "\nebreak"))
        assert chip.run() == "break"
        return chip.cycles

    head = f"{before}{0x2000_0000 + 4 * words:#x}\n"
    assert cycles(head + loop) - cycles(head) == exercises.clearing_cycles(words, stores)


def test_short_and_long_instructions_are_the_disassemblers():
    image = toolchain.build_firmware().bin.read_bytes()
    for start, end, name in toolchain.function_addresses(toolchain.build_firmware().elf):
        lengths = [len(one.code) for one in trace.disassemble(image[start:end], start)]
        assert exercises.short_and_long(image[start:end]) == (lengths.count(2), lengths.count(4)), name

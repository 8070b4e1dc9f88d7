"""What chapter 14 and its appendices rest on: pictures, the step-by-step session, the cable, finding a board."""

import math
import re
import struct
from collections import namedtuple

import matplotlib.pyplot as plt
import pytest
import serial
from serial.tools import list_ports

from tinyspeech import paths
from tinyspeech.board import isp, rom
from tinyspeech.board import virtual as board_virtual
from tinyspeech.board.cable import Cable, Frame, frames
from tinyspeech.errors import UserError
from tinyspeech.exercises import flashing as exercises
from tinyspeech.pages import plots, widgets, wiring
from tinyspeech.pages.notebooks import code_cells, load
from tinyspeech.pages.plots import theme

BOOK = paths.ROOT / "book"


# ---------------------------------------------------------------- pictures


def test_stored_wiring_is_what_the_code_draws():
    for file, picture in wiring.PICTURES.items():
        assert file.read_text(encoding="utf-8") == picture(), file.name


def test_wires_end_at_the_pins_that_the_page_names():
    mini = wiring.Board((440, 240))
    drawn = wiring.microphone()
    for row, name, color in (("top", "PD2", wiring.AMBER), ("left", "3.3V", wiring.RED), ("left", "GND", theme.INK),
                             ("left", "PD0", wiring.GREEN)):
        x, y = mini.pin(row, name)
        assert re.search(rf"<circle cx='{x:.0f}' cy='{y:.0f}' r='4' fill='{color}'/>", drawn), name
    rows = {name: names for name, (_, _, names) in wiring.ROWS.items()}
    assert rows["left"][0] == "PD6" and rows["top"][-1] == "PD5" and all(len(names) == 7 for names in rows.values())


@pytest.mark.usefixtures("figure")
def test_packets_show_every_byte_and_name_every_field():
    plots.packets({"request": [("header", b"\x57\xab"), ("sum", b"\x0f")], "reply": [("header", b"\x55\xaa")]})
    texts = [text.get_text() for text in plt.gca().texts]
    assert texts == ["57", "ab", "header", "0f", "sum", "55", "aa", "header"]


@pytest.mark.usefixtures("figure")
def test_a_session_has_its_phases_and_its_bytes():
    plots.phases({"program": (0, 2), "verify": (2, 3)}, {"to": ([1, 2], [500, 1000])})
    ax = plt.gca()
    assert [text.get_text() for text in ax.texts] == ["program", "verify"]
    assert list(ax.lines[0].get_ydata()) == [0.5, 1.0]
    assert [patch.get_width() for patch in ax.patches] == [2, 1]


@pytest.mark.usefixtures("figure")
def test_a_conversation_has_a_bar_for_each_turn():
    plots.conversation([Frame("to", 1.0, 1.006, b"abc"), Frame("from", 1.009, 1.010, b"x")], 0.003)
    bars = [(round(bar.get_y() + 0.3), round(bar.get_x(), 6), round(bar.get_width(), 6)) for bar in plt.gca().patches]
    assert bars == [(0, 0, 6), (1, 6, 3), (2, 9, 1)]
    assert [text.get_text() for text in plt.gca().texts] == ["3 B", "page", "1 B"]


@pytest.mark.usefixtures("figure")
def test_a_bank_has_a_tile_for_each_page():
    plots.bank([2, 4, 0], {2: "programmed", 0: "erased"}, columns=2)
    ax = plt.gca()
    assert [(bar.get_x(), round(bar.get_y() + 0.43)) for bar in ax.patches] == [(0, 0), (1, 0), (0, 1)]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["programmed", "erased"]


@pytest.mark.usefixtures("figure")
def test_heard_words_stand_at_their_time():
    plots.heard([0, 1, 0, -1], 2, [(0.5, "yes"), (1.0, "no")])
    ax = plt.gca()
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == [0.5, 1.0]
    assert [text.get_text() for text in ax.texts] == ["yes", "no"]


# ---------------------------------------------------------------- the session, step by step

OLD, NEW = b"o" * 200, b"n" * 150


def request(command, at=0):
    return b"\x57\xab" + bytes([command, 5, 0]) + struct.pack("<I", at)


@pytest.mark.parametrize(("command", "at", "whole", "cut"), [
    (rom.IDENTIFY, 0, [1, 1, 1, 1], [1, 1, 1, 1]),
    (rom.ERASE, 0, [0, 0, 0, 0], [0, 0, 0, 0]),
    (rom.PROGRAM, 0, [2, 0, 0, 0], [4, 0, 0, 0]),
    (rom.PROGRAM, 128, [2, 2, 2, 0], [2, 2, 4, 0]),
    (rom.PROGRAM, 150, [2, 2, 2, 0], [2, 2, 2, 0]),
    (rom.VERIFY, 64, [3, 3, 2, 0], [3, 2, 2, 0]),
    (rom.END, 0, [3, 3, 3, 0], [3, 3, 3, 0]),
])
def test_pages_after_each_request(command, at, whole, cut):
    for broken, expected in ((False, whole), (True, cut)):
        memory, kinds = widgets.flashing_memory(request(command, at), OLD, NEW, broken)
        assert kinds == expected + [0] * 252 and len(memory) == 16_384


def test_half_an_erasure_leaves_the_old_programs_end():
    memory, kinds = widgets.flashing_memory(request(rom.ERASE), b"o" * 16_384, NEW, True)
    assert kinds == [0] * 128 + [1] * 128 and memory.count(b"o") == 8_192


def test_the_explorer_says_what_wakes_up_and_draws_the_memory():
    asked = []

    def wakes(memory):
        asked.append(memory)
        return "the guard"

    book = widgets.flashing_explorer([(0.5, request(rom.ERASE)), (1.25, request(rom.PROGRAM))], OLD, NEW, wakes)
    step, power, stack, _ = book.children
    assert [len(asked), len(step.options), power.options] == [2, 2, ("on", "fails here")]
    pages = [page.value for half in stack.children for page in half.children]
    assert ["the guard wakes up" in page for page in pages] == [False, True, False, True]
    assert "1.25 s: program a page: 255 pages erased, 1 pages half done." in pages[3]
    assert pages[3].count(plots.BANK_COLORS[4]) == 2  # the page and its key


# ---------------------------------------------------------------- cable and ports


def test_frames_are_cut_at_turns_and_pauses():
    log = [(0.0, "to", 1), (0.0, "to", 2), (0.003, "from", 3), (0.004, "from", 4), (0.010, "from", 5)]
    found = frames(log)
    assert [(f.way, f.data) for f in found] == [("to", b"\1\2"), ("from", b"\3\4"), ("from", b"\5")]
    assert found[0] == Frame("to", 0.0, 2 * rom.BYTE_S, b"\1\2")
    assert found[1].end == 0.004 and found[1].start == pytest.approx(0.004 - 2 * rom.BYTE_S)


def test_a_session_over_the_cable_is_the_same_every_time():
    logs = []
    for _ in range(2):
        cable = Cable(board_virtual.VirtualBoard(None))
        assert isp.flash(cable, b"\x01" * 100)["verified"]
        logs.append(cable.log)
    assert logs[0] == logs[1]


def test_time_passes_for_whoever_waits_however_shortly():
    cable = Cable(board_virtual.VirtualBoard(None))
    before = cable.board.now
    assert cable.read(1, 0) == b"" and cable.board.now == before
    assert cable.read(1, 1e-9) == b"" and before < cable.board.now < before + 1e-4


Port = namedtuple("Port", "device vid pid")


def test_only_a_wch_link_that_answers_is_a_board(monkeypatch):
    pytest.importorskip("pty")
    virtual = board_virtual.in_background(board_virtual.VirtualBoard(board_virtual.shipped_image(), timed=False))
    silent = board_virtual.in_background(board_virtual.VirtualBoard(None, timed=False))
    link = (isp.LINK_VENDOR, isp.LINK_PRODUCT)
    opened = []
    real = serial.Serial

    def noted(port, *arguments, **options):
        opened.append(port)
        return real(port, *arguments, **options)

    monkeypatch.setattr(serial, "Serial", noted)
    monkeypatch.setattr(list_ports, "comports", lambda: [Port("a", 0x1A86, 0x7523), Port(virtual, None, None)])
    assert isp.find_board() is None and opened == []
    monkeypatch.setattr(list_ports, "comports", lambda: [Port("gone", *link), Port(virtual, *link)])
    assert isp.find_board() == virtual
    monkeypatch.setattr(list_ports, "comports", lambda: [Port(silent, *link)])
    with pytest.raises(UserError, match=r"does not answer.*flash --link"):
        isp.find_board()
    monkeypatch.setattr(list_ports, "comports", lambda: [Port("gone", *link)])
    with pytest.raises(UserError, match="no port gone"):
        isp.find_board()


def run_cells_with_port(namespace, edited=None):
    """Run the chapter's cells that set PORT, the first one as a reader may have edited it."""
    cells = [cell.source for cell in code_cells(load(BOOK / "14_flashing.ipynb"))]
    choice, found = [cell for cell in cells if re.search(r"\bPORT = ", cell)]
    exec(edited or choice, namespace)
    exec(found, namespace)
    return namespace["PORT"]


@pytest.mark.parametrize(("edited", "answers", "port", "looked"), [
    (None, "real", "pseudo", 0),  # as it is stored: whatever is plugged in, nobody looks for it
    ('PORT = "attached"', "real", "real", 1),
    ('PORT = "attached"', None, "pseudo", 1),
    ('PORT = "COM3"', "real", "COM3", 0),
])
def test_the_chapter_takes_no_real_board_unless_it_is_asked_to(monkeypatch, edited, answers, port, looked):
    searches = []
    monkeypatch.setattr(isp, "find_board", lambda: searches.append(1) or answers)
    monkeypatch.setattr(board_virtual, "in_background", lambda virtual: "pseudo")
    image = board_virtual.shipped_image()
    assert run_cells_with_port({"isp": isp, "virtual": board_virtual, "image": image}, edited) == port
    assert len(searches) == looked


# ---------------------------------------------------------------- the appendix


def test_messages_in_troubleshooting_are_the_programs_own():
    said = "".join((paths.ROOT / "tinyspeech" / name).read_text(encoding="utf-8")
                   for name in ("board/isp.py", "board/virtual.py", "commands/flash.py", "__main__.py",
                                "pages/widgets/flashing.py", "pages/widgets/templates/flash_panel.html"))
    said = re.sub(r'"\s*\n\s*f?"', "", said)
    said += "Failed to identify chip" + "WCH-Link firmware needs to be updated"  # rvprog's
    said += "".join(cell.source for cell in code_cells(load(BOOK / "14_flashing.ipynb")))
    text = (BOOK / "troubleshooting.md").read_text(encoding="utf-8")
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    quotes = [quote for cell in first for quote in re.findall(r"\*([^*]+)\*", cell)]
    quoted = [part.strip(" .") for quote in quotes for part in quote.split("…") if part.strip(" .")]
    assert len(quoted) > 12
    missing = [part for part in quoted if part.replace(" 4 ", " {attempts} ") not in said and "NAME" not in part]
    assert missing == []


def test_the_table_of_attenuation_is_the_formulas():
    text = (BOOK / "hardware.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) kHz \| −([\d.]+) dB \| −([\d.]+) dB \| −([\d.]+) dB \|$", text, re.M)
    assert len(rows) == 6
    for kilohertz, *decibels in rows:
        x = math.pi * int(kilohertz) / 32
        average = -20 * math.log10(math.sin(4 * x) / (4 * math.sin(x)))
        rc = 10 * math.log10(1 + (2 * math.pi * 1e3 * int(kilohertz) * 1e3 * 39e-9) ** 2)
        assert decibels == [f"{value:.1f}" for value in (average, rc, average + rc)], kilohertz


# ---------------------------------------------------------------- exercises


def board_in_its_bootloader():
    board = board_virtual.VirtualBoard(None)
    board.advance(0.01)
    return board, Cable(board)


@pytest.mark.parametrize("size", [64, 128, 640])
def test_the_exercises_seconds_are_those_of_the_bytes_of_a_session(size):
    """A page at a time: the client fills the last one, as an image's is."""
    cable = board_in_its_bootloader()[1]
    isp.flash(cable, bytes(range(64)) * (size // 64))
    said = frames(cable.log)
    at = [i for i, frame in enumerate(said) if frame.data[:3] == b"\x57\xab\xa5"]
    count = sum(len(said[i].data) + len(said[i + 1].data) for i in at)
    assert exercises.fastest(size) == pytest.approx(10 * count / 115_200)


@pytest.mark.parametrize(("total", "chunk"), [(200, 56), (192, 64), (60, 30), (100, 40)])
def test_pages_fill_in_the_exercise_as_in_the_bootloader(total, chunk):
    board, cable = board_in_its_bootloader()
    client = isp.Client(cable)
    device = client.read_config(client.identify())
    seed = bytes(range(60))
    key = rom.key_of(seed, device.unique_id, device.variant)
    client.request(0xA3, seed)
    client.request(0xA4, struct.pack("<I", 8))
    counts = []
    for at in [*range(0, total, chunk), total]:
        data = bytes(range(total))[at : at + chunk]
        client.request(0xA5, struct.pack("<IB", at, 0) + rom.xor(data, key))
        counts.append(sum(a == b for a, b in zip(bytes(board.chip.state.flash[:total]), range(total), strict=True)))
    assert counts == exercises.in_flash(total, chunk)


def test_what_the_sum_misses_is_what_it_misses():
    data = b"\xa5\x80speech"
    bits = [1 << bit for bit in range(8 * len(data))]
    number = int.from_bytes(data, "big")
    damaged = [(number ^ a ^ b).to_bytes(len(data), "big") for i, a in enumerate(bits) for b in bits[:i]]
    assert exercises.missed_pairs(data) == sum((sum(one) - sum(data)) % 256 == 0 for one in damaged)

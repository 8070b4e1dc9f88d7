"""Flashing through the ROM bootloader's model on a virtual clock: what works, and what a bad cable can do to it."""

import functools
import importlib
import math
import os
import random
import struct
import sys
from collections import Counter

import pytest
from support.small_firmware import build, random_faults

from tinyspeech import paths, toolchain
from tinyspeech.__main__ import main
from tinyspeech.board import cable as board_cable
from tinyspeech.board import isp, rom
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard, load_image, shipped_image
from tinyspeech.chip.assumptions import Assumptions, assuming
from tinyspeech.chip.emulator import FLASH_BYTES
from tinyspeech.errors import UserError


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return build(tmp_path_factory.mktemp("old"), "old", 64)


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    image = build(tmp_path_factory.mktemp("new"), "new", 200)
    assert len(image) % 64 > 32  # so that half of the last page is not the whole image
    return image


Cable = functools.partial(board_cable.Cable, usb_frame_s=0.005)
"""An adapter that is in no hurry: a thousand sessions take half the time."""


def pages(image: bytes) -> bytes:
    return image + b"\xff" * (-len(image) % 64)


def flashed(board: VirtualBoard) -> bytes:
    return bytes(board.chip.state.flash)


# --- what works -------------------------------------------------------------------------------------------------------


def test_a_running_board_is_flashed_verified_and_started(old, new):
    board = VirtualBoard(old)
    line = Cable(board)
    assert isp.ask_version(line) == "tinyspeech old"
    told = []
    result = isp.flash(line, new, lambda done, total: told.append((done, total)))
    assert result == {"variant": "CH32V003F4U6", "bootloader": "2.30", "bytes": len(new), "verified": True,
                      "sessions": 1, "started": True}
    assert flashed(board) == new + b"\xff" * (FLASH_BYTES - len(new))
    assert isp.ask_version(line) == "tinyspeech new"
    assert told[-1] == (2 * len(pages(new)),) * 2 and told == sorted(told)


def test_a_session_has_the_published_order(new):
    line = Cable(VirtualBoard(None))
    isp.flash(line, new)
    asked = [f.data[2] for f in board_cable.frames(line.log) if f.way == "to" and f.data[:2] == b"\x57\xab"]
    order = [command for i, command in enumerate(asked) if i == 0 or command != asked[i - 1]]
    published = [0xA1, 0xA7, 0xA3, 0xA4, 0xA5, 0xA3, 0xA6]
    assert order == [*published, 0xA7, 0xA6, 0xA7, 0xA6, 0xA2]  # then `_confirm` asks twice more


def test_a_board_that_waits_in_its_rom_is_flashed(new):
    board = VirtualBoard(None)
    line = Cable(board)
    assert isp.flash(line, new)["sessions"] == 1
    assert isp.ask_version(line) == "tinyspeech new"


@pytest.mark.parametrize("rest", [b"\x57", b"\x57\xab", b"\x57\xab\xa5\x40", b"\x57\xab\xa5\x40\x00" + b"x" * 30])
def test_a_packet_that_was_broken_off_is_overcome(new, rest):
    board = VirtualBoard(None)
    board.send(rest)
    board.advance(0.1)
    isp.flash(Cable(board), new)
    assert flashed(board).startswith(new)


def test_the_shipped_firmware_is_reached_even_within_a_clip(new):
    board = VirtualBoard(toolchain.build_firmware().bin.read_bytes())
    line = Cable(board)
    board.advance(0.01)
    line.write(Command.CLASSIFY)
    assert line.read(1, 0.1) == b"\x60"  # it asks for 96 samples
    line.write(bytes(51))
    isp.flash(line, new)
    assert flashed(board).startswith(new)


def test_a_full_flash_is_accepted_and_more_refused(old):
    board = VirtualBoard(None)
    image = bytes(range(256)) * 64
    assert isp.flash(Cable(board), image)["verified"] and flashed(board) == image
    for size in (0, FLASH_BYTES + 1):
        with pytest.raises(UserError, match="an image has"):
            isp.flash(Cable(board), bytes(size))


def test_an_image_of_any_length_is_filled_up_with_erased_bytes():
    for size in (1, 63, 64, 65):
        board = VirtualBoard(None)
        isp.flash(Cable(board), b"\x5a" * size)
        assert flashed(board)[: size + 1] == b"\x5a" * size + b"\xff"


# --- the ROM's side ---------------------------------------------------------------------------------------------------


def ask(line: Cable, command: int, data: bytes, seconds: float = 0.2) -> bytes:
    body = bytes([command, len(data), 0]) + data
    line.write(b"\x57\xab" + body + bytes([sum(body) & 0xFF]))
    return line.read(100, seconds)


def test_replies_are_as_described(new):
    line = Cable(VirtualBoard(None))
    good = bytes([0x31, 0x21]) + rom.PASSPHRASE
    reply = ask(line, 0xA1, good)
    assert reply[:3] == b"\x55\xaa\xa1" and reply[4:8] == b"\x02\x00\x31\x21" and sum(reply[2:-1]) & 255 == reply[-1]
    assert ask(line, 0xA1, good[:-1] + b"x")[6] == 0xF1
    config = ask(line, 0xA7, b"\x1f\x00")
    assert len(config) == 33 and config[6:14] == bytes([0x1F, 0, 0xA5, 0x5A, 0xF7, 0x08, 0xFF, 0])
    unique = config[-9:-1]
    assert ask(line, 0xA3, bytes(29))[6] == 0xFE
    key = [sum(unique) & 255] * 8  # of a seed of zeros
    key[7] = key[0] + 0x31 & 255
    assert ask(line, 0xA3, bytes(60))[6] == sum(key) & 255
    assert ask(line, 0xB0, b"")[6] == 0xFE
    assert ask(line, 0xA2, b"\x00")[6] == 0  # no reset wanted


def test_a_stray_byte_is_dropped_and_an_unknown_command_is_refused_by_its_own_code():
    board = VirtualBoard(None)
    good = bytes([0xA1, 18, 0, 0x31, 0x21]) + rom.PASSPHRASE
    board.send(b"B\x00\x57\x57\xab" + good + bytes([(sum(good)) & 255]))
    board.send(b"\x57\xab" + good + bytes([sum(good) & 255]))
    board.send(b"\x57\xab\xc5\x00\x00\xc5\x57\xab\xa9\x00\x00\xa9")
    board.advance(0.2)
    replies = board.received().split(b"\x55\xaa")[1:]
    assert [reply[0] for reply in replies] == [0xA1, 0xC5, 0xA9]
    assert [reply[4] for reply in replies[1:]] == [rom.REFUSED] * 2


def test_pages_are_programmed_where_their_bytes_belong():
    """Out of line, with gaps, over a page's end; behind the last byte stands what RAM held, here the page before."""
    board = VirtualBoard(None)
    line = Cable(board)
    ask(line, 0xA1, bytes([0x31, 0x21]) + rom.PASSPHRASE)
    ask(line, 0xA4, struct.pack("<I", 16))

    def program(at: int, data: bytes) -> None:
        ask(line, 0xA5, struct.pack("<IB", at, 0) + data)  # the key is still all zeros

    program(0, b"a" * 60)
    program(60, b"b" * 8)
    program(80, b"c" * 4)
    program(84, b"")
    flash = bytes(board.chip.state.flash)
    assert flash[:64] == b"a" * 60 + b"b" * 4
    assert flash[64:128] == b"b" * 4 + b"a" * 12 + b"c" * 4 + b"a" * 40 + b"b" * 4


def test_a_mismatch_stays_until_the_next_erasure(new):
    board = VirtualBoard(None)
    line = Cable(board)
    ask(line, 0xA1, bytes([0x31, 0x21]) + rom.PASSPHRASE)
    ask(line, 0xA7, b"\x1f\x00")
    ask(line, 0xA3, bytes(60))
    s = sum(board.chip.state.info[rom.INFO_UNIQUE_ID :][:8]) & 255
    key = bytes([s] * 7 + [s + 0x31 & 255])

    def verify(data):
        return ask(line, 0xA6, struct.pack("<IB", 0, 0) + rom.xor(data, key))[6]

    assert [verify(b"\xff" * 8), verify(b"\x00" * 8), verify(b"\xff" * 8)] == [0, 0xF5, 0xFE]
    ask(line, 0xA4, struct.pack("<I", 8))
    assert [verify(b"\xff" * 8), verify(b"\xff" * 7)] == [0, 0xFE]


def test_a_wrong_checksum_is_met_with_silence(new):
    line = Cable(VirtualBoard(None))
    line.write(b"\x57\xab\xa7\x02\x00\x1f\x00\x00")
    assert line.read(1, 0.5) == b""


def test_option_bytes_are_written_whole_or_not_at_all():
    board = VirtualBoard(None)
    line = Cable(board)
    ask(line, 0xA1, bytes([0x31, 0x21]) + rom.PASSPHRASE)
    assert ask(line, 0xA8, bytes([3, 0]) + bytes(12))[6] == 0xFE
    assert ask(line, 0xA8, bytes([7, 0, 0xA5, 0, 0xFF, 0, 0x12, 0, 0x34, 0, 0xFF, 0xFF, 0xFF, 0xFF]))[6] == 0
    assert bytes(board.chip.state.info[128:136]) == bytes([0xA5, 0x5A, 0xFF, 0, 0x12, 0xED, 0x34, 0xCB])
    ask(line, 0xA2, b"\x01")
    assert board.rom.active  # after option bytes the reset leads back


def test_it_gives_up_after_a_minute(old):
    board = VirtualBoard(old)
    line = Cable(board)
    line.read(1, 0.05)
    line.write(Command.BOOTLOADER)
    line.read(1, 59)
    assert board.rom.active
    line.read(1, 2)
    assert not board.rom.active and isp.ask_version(line) == "tinyspeech old"


# --- power, at any page -----------------------------------------------------------------------------------------------


class Unplugged(VirtualBoard):
    """A board that loses its power while the ROM programs a page, once."""

    def __init__(self, image: bytes, page: int):
        super().__init__(image)
        self._left, self._busy = page + 1, False  # erasing comes before

    def advance(self, seconds: float) -> str:
        until = self.now + seconds
        while (left := until - self.now) > 1e-6:
            super().advance(min(left, 0.001))  # a page takes 3 ms
            self._left -= self.rom.busy and not self._busy
            self._busy = self.rom.busy
            if self._left < 0 and self._busy:
                self.power_cycle()
                self._left = math.inf
                raise isp.PortLost("unplugged")
        return "budget"


def test_power_may_fail_at_any_page(old, new):
    """In the middle of programming each page: the first page's code finds the image incomplete and goes to the ROM.
    Only where that page itself is missing is the board dead to the port, and says so."""
    count = len(pages(new)) // 64
    for cut in range(count):
        board = Unplugged(old, cut)
        with pytest.raises(isp.PortLost, match="no whole program"):
            isp.flash(Cable(board), new)
        board.advance(0.01)
        complete = flashed(board).startswith(new)  # the last page's few bytes all lay in its first half
        assert complete <= (cut == count - 1) and board.rom.active == (cut > 0 and not complete)
        if cut:
            assert isp.flash(Cable(board), new)["verified"]
            assert isp.ask_version(Cable(board)) == "tinyspeech new"
        else:
            assert board.fault
            with pytest.raises(UserError, match="--link"):
                isp.flash(Cable(board), new)


def test_half_flashed_boards_go_back_to_their_rom_after_its_minute(old, new):
    board = VirtualBoard(old)
    with pytest.raises(isp.PortLost):
        isp.flash(Cable(board, {("from", 85): "unplug"}), new)
    board.advance(200.0)
    assert flashed(board)[:64] == new[:64] and flashed(board)[: len(new)] != new
    assert board.rom.active
    assert isp.flash(Cable(board), new)["verified"]


# --- faults, at random ------------------------------------------------------------------------------------------------


def test_a_thousand_bad_cables(old, new):
    """Bytes dropped, doubled, changed, late; the plug pulled; the power gone. Never anything but success with every
    byte in place or one clear line; and with a good cable the board is flashed again, over the port unless its first
    page is missing."""
    outcomes = Counter()
    for seed in range(1_000):
        rng = random.Random(seed)
        blank = rng.random() < 0.2
        board = VirtualBoard(None if blank else old)
        cable = Cable(board, random_faults(rng))
        try:
            result = isp.flash(cable, new)
            outcomes["flashed" if result["sessions"] == 1 else "flashed in several sessions"] += 1
            assert result["verified"] and flashed(board)[: len(new)] == new, seed
        except UserError as error:
            outcomes["one line"] += 1
            assert "\n" not in str(error) and len(str(error)) > 20
        good = Cable(board)
        board.advance(rng.choice((0.0, 1.0)))
        # not `board.fault`, which it has from its first instruction on: the power may have come back this very moment
        if not board.rom.active and flashed(board)[:64] not in (old[:64], new[:64]):
            outcomes["blank, and left its ROM" if blank else "only a WCH-Link"] += 1
            board.advance(0.001)
            assert board.fault, seed
            board.chip.state.flash[: len(new)] = new
            board.power_cycle()
        else:
            assert isp.flash(good, new)["verified"], seed
            assert flashed(board)[: len(new)] == new, seed
        assert isp.ask_version(good) == "tinyspeech new", seed
    print(dict(outcomes))
    assert sum(outcomes[k] for k in ("flashed", "flashed in several sessions", "one line")) == 1_000
    assert min(outcomes[k] for k in ("flashed", "flashed in several sessions", "one line")) > 50
    assert outcomes["only a WCH-Link"] < 20  # its first page was missing, as asserted above


def test_a_watchdog_that_ends_the_session_while_it_compares_does_not_make_it_erase_again():
    """Its clock at the upper limit, and a flash that takes twice its typical time: the first session is too long."""
    with assuming(Assumptions(lsi_hz=150_000, flash_us=6_000)):
        board, image = VirtualBoard(shipped_image()), shipped_image()
        board.advance(0.01)
        answer = isp.flash(Cable(board), image)
    assert (answer["sessions"], answer["verified"]) == (2, True)
    assert flashed(board)[: len(image)] == image


# --- errors, on the command line --------------------------------------------------------------------------------------


def refused(capsys, match: str, *arguments) -> None:
    import re

    code = main(["flash", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, err
    assert re.search(match, err), err


def test_a_blank_chip_and_a_protected_one_are_told_apart(new):
    board = VirtualBoard(b"\xff" * 64)
    with pytest.raises(UserError, match=r"blank chip.*--link"):
        isp.flash(Cable(board), new)
    board = VirtualBoard(None)
    board.chip.state.info[128] = 0
    with pytest.raises(UserError, match="protected"):
        isp.flash(Cable(board), new)


def test_a_device_that_talks_all_the_time_is_one_line(new):
    """As a thermometer: it was waited for until it is silent, which it never is."""
    class Thermometer:
        def write(self, data):
            pass

        def read(self, count, seconds):
            return b"21.4 degrees\n"[:count] if seconds else b""

    for function, arguments in ((isp.flash, [new]), (isp.find_version, [])):
        with pytest.raises(UserError, match="talks all the time"):
            function(Thermometer(), *arguments)


def test_ports_that_cannot_be_used_are_one_line(capsys, tmp_path):
    refused(capsys, "no port", "--port", tmp_path / "none")
    text = tmp_path / "text"
    text.write_text("x")
    refused(capsys, "no serial port", "--port", text)
    refused(capsys, "no serial port", "--port", tmp_path)
    refused(capsys, "required|--port|--link")


def test_a_port_that_is_in_use_is_one_line(capsys, new):
    pty = pytest.importorskip("pty")
    host, device = pty.openpty()
    try:
        line = isp.SerialLine(os.ttyname(device))
        refused(capsys, "in use", "--port", os.ttyname(device))
        line.close()
    finally:
        os.close(host)
        os.close(device)


def test_a_port_that_goes_away_is_one_line(new):
    pty = pytest.importorskip("pty")
    host, device = pty.openpty()
    line = isp.SerialLine(os.ttyname(device))
    os.close(device)
    os.close(host)
    with pytest.raises(isp.PortLost, match="went away"):
        isp.flash(line, new)
    line.close()


def test_wrong_files_are_one_line(capsys, tmp_path):
    for name, data, match in (("empty.bin", b"", "empty"), ("big.bin", bytes(16385), "16,385"),
                              ("bad.elf", b"\x7fELFnonsense", "no ELF file")):
        (tmp_path / name).write_bytes(data)
        refused(capsys, match, "--port", "x", "--image", tmp_path / name)
    refused(capsys, "cannot read", "--port", "x", "--image", tmp_path / "none")


def test_an_elf_file_and_a_flat_one_are_the_same_image():
    firmware = toolchain.build_firmware()
    assert load_image(firmware.elf) == load_image(firmware.bin)


@pytest.mark.parametrize("said, match", [
    ("raise ModuleNotFoundError(\"No module named 'usb'\")", "pyusb"),
    ("raise RuntimeError('No backend available')", "libusb"),
    ("sys.exit('ERROR: [Errno 13] Access denied (insufficient permissions)!')", "udev"),
    ("sys.exit('ERROR: WCH-Link not found. Check if device is in RISC-V mode!')", "no WCH-Link"),
    ("sys.exit('ERROR: Failed to identify chip!')", "Failed to identify chip"),
    ("print('WARNING: WCH-Link firmware needs to be updated!'); sys.exit('ERROR: Failed to identify chip!')",
     "firmware needs to be updated.*Failed to identify chip"),
    ("raise ZeroDivisionError('of its own')", "rvprog failed: ZeroDivisionError: of its own"),
    ("sys.exit(0)", "rvprog failed"),  # no word of success
])
def test_what_a_wch_link_lacks_is_one_line(capsys, tmp_path, monkeypatch, said, match):
    package = tmp_path / "rvprog"
    package.mkdir()
    (package / "rvprog.py").write_text(f"import sys\n{said}\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{paths.ROOT}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    refused(capsys, match, "--link")


def test_a_wch_link_flashes_and_sets_the_option_byte(capsys, tmp_path, monkeypatch):
    package = tmp_path / "rvprog"
    package.mkdir()
    (package / "rvprog.py").write_text(
        "import sys\nassert sys.argv[1] == '-f' and sys.argv[3] == '-R'\n"
        "print('SUCCESS: %d bytes written and verified.' % len(open(sys.argv[2], 'rb').read()))\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{paths.ROOT}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    assert main(["flash", "--link"]) == 0
    assert "verified over the WCH-Link" in capsys.readouterr().out


def test_without_rvprog_the_message_says_how_to_install_it(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rvprog" else object())
    refused(capsys, "pip install rvprog", "--link")

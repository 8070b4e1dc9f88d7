"""The page's way to flash a board: its script against isp.py, byte by byte over the same cables, and its panel."""

import binascii
import functools
import json
import random
from collections import Counter

import pytest
from support import scripts
from support.kept_words import page as page_of
from support.played import clips_in_a_row
from support.small_firmware import build, random_faults

from tinyspeech import toolchain
from tinyspeech.board import cable as board_cable
from tinyspeech.board import isp, monitor, protocol, rom, taught
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.chip.emulator import FLASH_BYTES
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.pages.widgets import flashing

SPEC = json.loads(json.dumps(flashing.spec(isp.WORDS)))
Cable = functools.partial(board_cable.Cable, usb_frame_s=0.005)

BRIDGE = """
const bridge = { time: 0 };
const line = {
  write: async (bytes) => { bridge.time = await call("write", [...bytes]); },
  read: async (count, seconds) => {
    const [bytes, time] = await call("read", count, seconds);
    bridge.time = time;
    return Uint8Array.from(bytes);
  },
  now: () => bridge.time,
};
const outcome = (promise) => promise.catch((error) => ({ error: error.message, name: error.name }));
"""


def over(cable: board_cable.Cable) -> dict:
    """What the bridge in a script calls."""
    def write(data: list[int]) -> float:
        cable.write(bytes(data))
        return cable.board.now

    def read(count: int, seconds: float) -> tuple[list[int], float]:
        return [*cable.read(count, seconds)], cable.board.now

    return {"write": write, "read": read}


def in_script(cable: board_cable.Cable, expression: str, **data):
    """The value of an expression with `line`, this cable, and `spec`; or {"error", "name"} of what it threw."""
    text = f"(async () => {{ {BRIDGE} const spec = data.spec; return outcome((async () => {expression})()); }})()"
    return scripts.evaluate(["isp.js"], text, {"spec": SPEC, **data}, over(cable))


def failed(function, *arguments) -> dict:
    """What Python's side throws, as a script's does."""
    with pytest.raises(UserError) as caught:
        function(*arguments)
    return {"error": str(caught.value), "name": caught.typename}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return build(tmp_path_factory.mktemp("old"), "old", 64)


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    return build(tmp_path_factory.mktemp("new"), "new", 200)


# --- one by one -------------------------------------------------------------------------------------------------------


def test_packets_keys_and_sums_are_pythons():
    """On a few hundred inputs by chance."""
    rng = random.Random(0)
    keys = [(rng.randbytes(rng.randint(30, 60)), rng.randbytes(8), rng.choice([*rom.VARIANTS])) for _ in range(200)]
    data = [(rng.randrange(256), rng.randbytes(rng.choice((0, 1, 2, 60, 69)))) for _ in range(200)]
    pages = [rng.randbytes(62) for _ in range(100)]
    pages = [*(page + rng.randbytes(2) for page in pages),
             *(page + binascii.crc_hqx(page, words.CRC_START).to_bytes(2, "big") for page in pages)]
    said = scripts.evaluate(["isp.js"], """({
        keys: data.keys.map(([seed, id, variant]) => [...ispKey(seed, id, variant)]),
        packets: data.data.map(([command, bytes]) => [...ispPacket(data.spec, command, bytes)]),
        hidden: data.data.map(([command, bytes], i) => [...ispXor(bytes, ispKey(...data.keys[i]))]),
        crcs: data.pages.map((page) => ispCrc(page, data.spec.taught.crc_start)),
        numbers: [0, 1, 64, 255, 256, 16384, 0x12345678, 0xfedcba98].map(ispNumber),
    })""", {"spec": SPEC, "keys": [([*seed], [*unique], variant) for seed, unique, variant in keys],
            "data": [(command, [*body]) for command, body in data], "pages": [[*page] for page in pages]})

    class Tape:
        def __init__(self):
            self.sent = b""

        def write(self, sent):
            self.sent += sent

        def read(self, count, seconds):
            return b""

    assert said["keys"] == [[*rom.key_of(*key)] for key in keys]
    assert said["hidden"] == [[*rom.xor(body, rom.key_of(*key))] for (_, body), key in zip(data, keys, strict=True)]
    assert said["crcs"] == [binascii.crc_hqx(page, words.CRC_START) for page in pages]
    assert said["crcs"][100:] == [0] * 100
    numbers = (0, 1, 64, 255, 256, 16384, 0x12345678, 0xFEDCBA98)
    assert said["numbers"] == [[*number.to_bytes(4, "little")] for number in numbers]
    for (command, body), packet in zip(data, said["packets"], strict=True):
        with pytest.raises(isp._Trouble):
            isp.Client(tape := Tape()).request(command, body)
        assert bytes(packet) == tape.sent


def test_texts_are_pythons():
    values = {"trouble": "no answer", "attempts": 4, "left": "; x", "port": "it", "family": "0x01", "variant": "0x02",
              "most": 16384, "size": 1234567, "answer": "0xfe", "version": "v", "samples": 98765, "line": "'x'"}
    every = "Object.keys(data.spec.texts).map((key) => ispText(data.spec, key, data.values))"
    said = scripts.evaluate(["isp.js"], every, {"spec": SPEC, "values": values})
    assert said == [isp.in_words(text, **values) for text in SPEC["texts"].values()]
    assert set(flashing.WORDS) == set(isp.WORDS)  # the page has its own of each


REPLIES = """data.replies.map(([got, command, count]) => {
  const reply = ispReply(data.spec, Uint8Array.from(got), command, count);
  return typeof reply === "string" ? reply : [...reply];
})"""


def test_a_reply_is_whole_or_the_same_is_wrong_with_it():
    class Answers:
        def __init__(self, got):
            self.got = got

        def write(self, data):
            pass

        def read(self, count, seconds):
            got, self.got = (self.got, b"") if seconds else (b"", self.got)
            return got

    rng, replies, expected = random.Random(1), [], []
    for _ in range(300):
        command, count = rng.choice((rom.KEY, rom.VERIFY)), rng.choice((2, 26))
        body = bytearray([command, rng.randrange(256), count, 0]) + rng.randbytes(count)
        got = bytearray(isp.REPLY) + body + bytes([sum(body) & 0xFF])
        for _ in range(rng.choice((0, 0, 1))):
            got[rng.choice((0, 1, 2, 4, 7, len(got) - 1))] ^= rng.randrange(1, 256)
        got = bytes(got[: rng.choice((0, 1, 8, len(got), len(got), len(got)))])
        replies.append(([*got], command, count))
        try:
            expected.append([*isp.Client(Answers(got)).request(command, b"", count)])
        except isp._Trouble as error:
            expected.append(next(key for key, text in isp.TEXTS.items() if text == str(error)))
    assert scripts.evaluate(["isp.js"], REPLIES, {"spec": SPEC, "replies": replies}) == expected
    assert {"none", "incomplete", "garbled"} < {said if isinstance(said, str) else "" for said in expected}


# --- over a cable -----------------------------------------------------------------------------------------------------


MANY = "(async () => {" + BRIDGE + """
  const said = [];
  for (const seed of data.seeds) {
    const told = [];
    const progress = (done, total) => told.push([done, total]);
    await call("begin", seed);
    said.push([await outcome(ispFlash(line, Uint8Array.from(data.image), data.spec, { progress })), told]);
    await call("mended", seed);
    said.at(-1).push(await outcome(ispFlash(line, Uint8Array.from(data.image), data.spec, { progress: () => null })));
    await call("end");
  }
  return said;
})()"""


def test_bad_cables_have_the_verdicts_of_python(old, new):
    """Bytes dropped, doubled, changed, late; the plug pulled; the power gone. The same verdict in the same words, the
    same progress, the same bytes at the same time on the line and in the chip; and with a good cable once more."""
    seeds = range(150)

    class Side:
        """Boards, cables and what became of them: for Python's client and for the script."""

        def __init__(self):
            self.now, self.logs, self.flashes = None, [], []

        def begin(self, seed: int) -> None:
            rng = random.Random(seed)
            self.board = VirtualBoard(None if rng.random() < 0.2 else old)
            self.cable = Cable(self.board, random_faults(rng))

        def mended(self, seed: int) -> None:
            self.note()
            self.cable = Cable(self.board)
            self.board.advance(random.Random(seed).choice((0.0, 1.0)))

        def note(self) -> None:
            self.logs.append(self.cable.log)
            self.flashes.append(bytes(self.board.chip.state.flash))

    def flash(cable: board_cable.Cable) -> tuple:
        told = []
        try:
            return isp.flash(cable, new, lambda done, total: told.append([done, total])), told
        except UserError as error:
            return {"error": str(error), "name": type(error).__name__}, told

    python, script, expected = Side(), Side(), []
    for seed in seeds:
        python.begin(seed)
        first = flash(python.cable)
        python.mended(seed)
        expected.append([*first, flash(python.cable)[0]])
        python.note()
    functions = {
        "begin": script.begin, "mended": script.mended, "end": script.note,
        "write": lambda data: over(script.cable)["write"](data),
        "read": lambda count, seconds: over(script.cable)["read"](count, seconds),
    }
    said = scripts.evaluate(["isp.js"], MANY, {"spec": SPEC, "image": [*new], "seeds": [*seeds]}, functions)
    assert said == expected
    assert script.logs == python.logs and script.flashes == python.flashes
    kinds = Counter("name" if "name" in first else min(first["sessions"], 2) for first, _, _ in said)
    assert min(kinds["name"], kinds[1], kinds[2]) >= 5, kinds  # errors, one session, several
    assert sum("verified" in again for _, _, again in said) > 0.9 * len(said)


def test_a_board_within_a_clip_is_reached(new):
    board = VirtualBoard(toolchain.build_firmware().bin.read_bytes())
    cable = Cable(board)
    board.advance(0.01)
    cable.write(Command.CLASSIFY + bytes(51))
    said = in_script(cable, "ispFlash(line, Uint8Array.from(data.image), spec, { progress: () => null })", image=[*new])
    assert said["verified"] and bytes(board.chip.state.flash) == new.ljust(FLASH_BYTES, b"\xff")


def test_what_is_no_image_and_what_is_no_board_are_refused_in_the_same_words(new):
    flash = "ispFlash(line, Uint8Array.from(data.image), spec, { progress: () => null })"
    for size in (0, FLASH_BYTES + 1):
        said = in_script(Cable(VirtualBoard(None)), flash, image=[0] * size)
        assert said == failed(isp.flash, Cable(VirtualBoard(None)), bytes(size))

    def protected() -> VirtualBoard:
        board = VirtualBoard(None)
        board.chip.state.info[rom.INFO_OPTIONS] = 0
        return board

    def foreign() -> VirtualBoard:
        board = VirtualBoard(None)
        board.chip.state.info[rom.INFO_CHIP_ID + 2] = 0x77
        return board

    for board, part in ((protected, "protected"), (foreign, "0x77"), (lambda: VirtualBoard(b"\xff" * 64), "--link")):
        said = in_script(Cable(board()), flash, image=[*new])
        assert said == failed(isp.flash, Cable(board()), new) and part in said["error"]


class Echo:
    """A device that is none of ours. talks : it says this, all the time; and what it is sent, it sends back."""

    def __init__(self, talks: bytes = b""):
        self.now, self.fault, self._out, self._talks = 0.0, None, b"", talks

    def send(self, data: bytes) -> None:
        self._out += data

    def received(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def advance(self, seconds: float) -> str:
        self.now += seconds
        self._out += self._talks
        return "budget"


def test_a_device_that_echoes_is_told_from_a_board(new):
    flash = "ispFlash(line, Uint8Array.from(data.image), spec, { progress: () => null })"
    said = in_script(Cable(Echo()), flash, image=[*new])
    assert said == failed(isp.flash, Cable(Echo()), new) and "does not answer" in said["error"]
    find = "ispFindVersion(line, spec)"
    assert in_script(Cable(Echo()), find) == failed(isp.find_version, Cable(Echo()))
    said = in_script(Cable(VirtualBoard(None)), find)
    assert said == failed(isp.find_version, Cable(VirtualBoard(None))) and "waits in its ROM" in said["error"]


# --- taught words, and listening --------------------------------------------------------------------------------------


WORDS = """(async () => {
  const board = await ispWords(line, spec), read = [];
  for (let slot = 0; board && slot < spec.taught.places; slot++) {
    const page = await board.read(slot);
    read.push(page && [...page]);
  }
  if (board && data.put) await board.put(data.put[0], data.put[1]);
  return board && [board.version, read];
})()"""


def with_words() -> VirtualBoard:
    """Two of them, and one that was forgotten."""
    board = VirtualBoard(taught_image())
    board.advance(0.01)
    return board


@functools.cache
def taught_image() -> bytes:
    image = toolchain.build_firmware().bin.read_bytes().ljust(taught.PLACES, b"\xff")
    return image + protocol.ERASED + page_of(0, "tea") + protocol.FORGOTTEN + page_of(1, "lamp")


def test_taught_words_are_read_as_python_reads_them():
    version, read = in_script(Cable(with_words()), WORDS)
    assert version.startswith(protocol.VERSION_START)
    assert read == [None, [*page_of(0, "tea")], None, [*page_of(1, "lamp")], *[None] * 4]
    there = with_words()
    in_script(Cable(there), WORDS, put=[5, [*page_of(2, "cup")]])
    assert taught.Board(Cable(there), lambda: there.now).names() == {1: "tea", 3: "lamp", 5: "cup"}
    said = in_script(Cable(there), WORDS, put=[5, [*page_of(3, "pot")]])  # a place that is taken
    assert said == {"error": SPEC["texts"]["not_kept"], "name": "UserError"}


def test_firmware_without_words_has_none(old):
    assert in_script(Cable(VirtualBoard(old)), WORDS) is None


def test_over_bad_cables_words_are_read_as_python_reads_them():
    """Or it is said why not: in the same words, after the same bytes at the same time."""
    verdicts = Counter()
    for seed in range(16):
        rng = random.Random(seed)
        faults = {(way, at % 140): "drop" if fault == "power" else fault
                  for (way, at), fault in random_faults(rng).items()}
        python, script = (Cable(with_words(), faults) for _ in range(2))
        try:
            board = taught.Board(python, lambda cable=python: cable.board.now)
            known = board.words()
            expected = [board.version, [[*known[slot].pack()] if slot in known else None for slot in range(8)]]
        except taught.NoWords:
            expected = None
        except UserError as error:
            expected = {"error": str(error), "name": type(error).__name__}
        assert in_script(script, WORDS) == expected and script.log == python.log, seed
        verdicts[type(expected)] += 1
    assert min(verdicts[list], verdicts[dict]) >= 2, verdicts


LISTEN = """(async () => {
  const heard = [], notices = [], lines = [];
  const told = { word: (...word) => heard.push(word), notice: (text) => notices.push(text),
    line: (text) => lines.push(text) };
  const until = { at: null };
  const ended = () => {
    until.at ??= line.now() + data.seconds;
    return line.now() >= until.at;
  };
  const frames = await outcome(ispListen(line, spec, told, ended));
  return { frames, heard, notices, lines };
})()"""


def test_listening_says_what_listen_says():
    """The same signal at two boards' microphones."""
    sound = clips_in_a_row(16)

    def listening() -> board_cable.Cable:
        board = VirtualBoard(toolchain.build_firmware().bin.read_bytes())
        board.chip.connect_microphone(as_volts(sound, frontend.SAMPLE_RATE_HZ), SIGNAL_HZ)
        return Cable(board)

    seconds, cable = len(sound) / frontend.SAMPLE_RATE_HZ, listening()
    heard, notices = [], []
    frames = monitor.listen(cable, heard.append, notices.append, seconds=seconds, now=lambda: cable.board.now)
    said = in_script(listening(), LISTEN, seconds=seconds)
    assert said["heard"] == [[word.word, pytest.approx(word.seconds)] for word in heard] and len(heard) >= 3
    assert said["notices"] == notices == [] and said["lines"][0] == protocol.LISTENING
    assert abs(said["frames"] - frames) <= 3 and said["lines"][-1] == f"stopped {said['frames']}"


@pytest.mark.parametrize(("device", "text"), [
    (lambda: Echo(), "nobody"),
    (lambda: VirtualBoard(None), "waits"),
])
def test_what_cannot_listen_is_told(device, text):
    said = in_script(Cable(device()), LISTEN, seconds=5)
    assert said["frames"]["error"] == isp.in_words(isp.TEXTS[text]) and said["heard"] == []


def test_firmware_that_cannot_listen_is_told(old):
    said = in_script(Cable(VirtualBoard(old)), LISTEN, seconds=5)
    assert said["frames"]["error"] == isp.in_words(monitor.TEXTS["mute"], version="tinyspeech old")


def test_a_board_that_is_reset_or_goes_away_while_it_listens_is_told():
    image = toolchain.build_firmware().bin.read_bytes()
    for fault, name, part in (("power", "UserError", "no longer answers"), ("unplug", "PortLost", "went away")):
        board = VirtualBoard(image)
        cable = Cable(board, {("to", 3): fault})  # after 0x7f, V and L: the command that stops it
        said = in_script(cable, LISTEN, seconds=3)
        assert said["frames"]["name"] == name and part in said["frames"]["error"], said

"""The page's way to flash a board: its script against isp.py, byte by byte over the same cables, and its panel."""

import base64
import binascii
import functools
import json
import random
import re
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
from tinyspeech.chip import emulator
from tinyspeech.chip.emulator import FLASH_BYTES
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.pages.widgets import flashing, live

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
              "most": 16384, "size": 1234567, "answer": "0xfe", "version": "v", "samples": 98765, "line": "'x'",
              "why": "so", "count": 2}
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
    seeds = range(100)

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
        board.chip.state.info[128] = 0  # the option byte RDPR
        return board

    def foreign() -> VirtualBoard:
        board = VirtualBoard(None)
        board.chip.state.info[0x46] = 0x77  # the vendor's byte of the variant
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


def test_devices_that_echo_and_that_talk_are_told_from_a_board(new):
    flash = "ispFlash(line, Uint8Array.from(data.image), spec, { progress: () => null })"
    said = in_script(Cable(Echo()), flash, image=[*new])
    assert said == failed(isp.flash, Cable(Echo()), new) and "does not answer" in said["error"]
    said = in_script(Cable(Echo(b"21.4 degrees\n")), flash, image=[*new])
    assert said == failed(isp.flash, Cable(Echo(b"21.4 degrees\n")), new) and "talks all the time" in said["error"]
    find = "ispFindVersion(line, spec)"
    for device in (Echo, functools.partial(Echo, b"21.4 degrees\n")):
        assert in_script(Cable(device()), find) == failed(isp.find_version, Cable(device()))
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


# --- words that come back ---------------------------------------------------------------------------------------------


FLASH_ALL = """(async () => {
  const memory = data.memory || { words: null, network: "" };
  const told = { progress: () => null, giveUp: () => data.giveUp };
  const said = { spec: { ...spec, image_version: data.version } };
  said.result = await outcome(ispFlashAll(line, Uint8Array.from(data.image), said.spec, memory, told));
  const kept = Object.entries(memory.words || {}).map(([slot, page]) => [Number(slot), [...page]]);
  return { result: said.result, kept, network: memory.network };
})()"""


@pytest.fixture(scope="module")
def ours():
    return toolchain.build_firmware().bin.read_bytes()


def test_taught_words_are_on_the_board_again(ours):
    board = with_words()
    said = in_script(Cable(board), FLASH_ALL, image=[*ours], version=isp.ask_version(Cable(with_words())), giveUp=False)
    assert said["result"]["words"] == 2 and said["result"]["answer"].startswith(protocol.VERSION_START)
    assert said["kept"] == []
    assert taught.Board(Cable(board), lambda: board.now).names() == {1: "tea", 3: "lamp"}


def test_words_that_the_firmware_cannot_use_are_not_lost_unasked(ours):
    board = with_words()
    before = bytes(board.chip.state.flash)
    said = in_script(Cable(board), FLASH_ALL, image=[*ours], version="tinyspeech other 0123456789ab", giveUp=False)
    assert said["result"]["name"] == "UserError" and "give them up" in said["result"]["error"] and "2" in \
        said["result"]["error"]
    assert bytes(board.chip.state.flash) == before and len(said["kept"]) == 2
    said = in_script(Cable(board), FLASH_ALL, image=[*ours], version="tinyspeech other 0123456789ab", giveUp=True)
    assert said["result"]["verified"] and said["result"]["words"] == 0 and said["kept"] == []
    assert taught.Board(Cable(board), lambda: board.now).names() == {}


def test_words_outlive_a_cable_that_is_pulled(ours):
    """The page keeps them for the next try."""
    board, version = with_words(), isp.ask_version(Cable(with_words()))
    cable = Cable(board, {("to", 9_000): "unplug"})
    said = in_script(cable, FLASH_ALL, image=[*ours], version=version, giveUp=False)
    assert said["result"]["name"] == "PortLost" and "no whole program" in said["result"]["error"]
    assert SPEC["texts"]["kept_words"] in said["result"]["error"] and len(said["kept"]) == 2
    board.power_cycle()
    memory = {"words": {slot: page for slot, page in said["kept"]}, "network": said["network"]}
    said = in_script(Cable(board), FLASH_ALL, image=[*ours], version=version, giveUp=False, memory=memory)
    assert said["result"]["words"] == 2
    assert taught.Board(Cable(board), lambda: board.now).names() == {1: "tea", 3: "lamp"}


# --- a port of the browser's ------------------------------------------------------------------------------------------


PORT = """(async () => {
  const fake = { sent: [], controllers: [], readable: null, writable: null, opened: null };
  const stream = () => { fake.readable = new ReadableStream({ start: (c) => fake.controllers.push(c) }); };
  fake.open = async (options) => {
    if (data.refuses) throw Object.assign(new Error("no"), { name: data.refuses });
    fake.opened = options;
    stream();
    fake.writable = new WritableStream({ write: (bytes) => { fake.sent.push(...bytes); } });
  };
  fake.close = async () => {
    if (fake.readable.locked || fake.writable.locked) throw new TypeError("locked");
    fake.closed = true;
  };
  const say = (...bytes) => fake.controllers.at(-1).enqueue(Uint8Array.from(bytes));
  const line = serialLine(fake, { ...data.spec, ...data.times });
  const outcome = (promise) => promise.then((value) => [...value || []], (error) => `${error.name}: ${error.message}`);
  return (%s)(fake, line, say, outcome, stream);
})()"""


def with_port(expression: str, times: dict[str, float] | None = None, refuses: str = ""):
    """The value of a function of a fake of the browser's port, its line, what lets it say bytes, what tells a promise's
    outcome, and what gives it a new stream."""
    text = PORT.replace("%s", expression)
    return scripts.evaluate(["isp.js", "flashing.js"], text, {"spec": SPEC, "times": times or {}, "refuses": refuses})


def test_a_port_is_read_as_bytes_come_and_waited_for_no_longer_than_asked():
    said = with_port("""async (fake, line, say, outcome) => {
      await line.open();
      const first = outcome(line.read(5, 60));
      say(1, 2, 3);
      say(4, 5, 6);
      const all = [await first, await outcome(line.read(9, 0.01)), await outcome(line.read(9, 0))];
      await line.write(Uint8Array.of(7, 8));
      await line.write([]);
      await line.close();
      return [all, fake.sent, fake.opened.baudRate, fake.closed, fake.readable.locked];
    }""")
    assert said == [[[1, 2, 3, 4, 5], [6], []], [7, 8], 115_200, True, False]


def test_a_garbled_byte_is_not_the_end_of_a_port():
    """As when a board is reset: the stream breaks, and the port has a new one."""
    said = with_port("""async (fake, line, say, outcome, stream) => {
      await line.open();
      const waits = outcome(line.read(2, 60)), broken = fake.controllers[0];
      say(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      stream();
      broken.error(Object.assign(new Error("framing"), { name: "FramingError" }));
      await new Promise((resolve) => setTimeout(resolve, 5));
      say(2);
      return waits;
    }""")
    assert said == [1, 2]


@pytest.mark.parametrize(("what", "how"), [
    ("line.read(1, 60)", "fake.readable = fake.writable = null; fake.controllers[0].error(new Error('lost'))"),
    ("line.read(1, 60)", "fake.readable = null; fake.controllers[0].close()"),
    ("line.write([1])", "fake.writable = null"),
    ("line.write([1])", "fake.writable = new WritableStream({ write: () => { throw new Error('lost'); } })"),
    ("line.write([1])", "fake.writable = new WritableStream({ write: () => new Promise(() => null) })"),  # never taken
])
def test_a_port_that_is_gone_says_so(what, how):
    said = with_port(f"""async (fake, line, say, outcome) => {{
      await line.open();
      {how if "line.write" in what else ""};
      const waits = outcome({what});
      {how if "line.read" in what else ""};
      const said = [await waits, await outcome(line.read(1, 60))];
      await line.close();
      return said;
    }}""", {"write_s": 0.05})
    assert said[0] == "PortLost: " + isp.in_words(isp.TEXTS["lost"], port="the port")
    assert said[1] == said[0]


@pytest.mark.parametrize(("refuses", "text"), [("NetworkError", "busy"), ("InvalidStateError", "open")])
def test_a_port_that_cannot_be_opened_is_one_line(refuses, text):
    said = with_port("async (fake, line, say, outcome) => [await outcome(line.open()), await outcome(line.close())][0]",
                     refuses=refuses)
    assert said == "UserError: " + isp.in_words(flashing.TEXTS[text])


# --- the panel in a browser -------------------------------------------------------------------------------------------


PACE = 10
"""The virtual boards' clocks go so much faster than this computer's."""
BOARD = """async ([wasm, image, faults, pace]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes(wasm), {}), board = boardOf(instance.exports);
  if (image) board.flash(bytes(image));
  else board.blank();
  const count = { to: 0, from: 0 };
  const through = (way, data) => Uint8Array.from([...data].flatMap((byte) => { // as cable.py does it
    const fault = faults[`${way} ${count[way]++}`];
    if (fault === "drop") return [];
    return fault === "double" ? [byte, byte] : [byte ^ (fault || 0)];
  }));
  const port = virtualPort({ ...board, send: (data) => board.send(through("to", data)),
    received: () => through("from", board.received()) }, pace);
  window.asked = 0;
  window.mine = { board, port };
  window.serial = { requestPort: async () => { window.asked++; return port; } };
}"""
READ = "(root) => [...root.flashing.board.read(0x08000000, 16384)]"


@pytest.fixture(scope="module")
def browser():
    if not scripts.CHROMIUM:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=scripts.CHROMIUM, args=scripts.QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def clips():
    return {word: sound for word, sound in live.clips().items() if word in ("yes", "no")}


@pytest.fixture(scope="module")
def panel_file(tmp_path_factory, ours, clips):
    file = tmp_path_factory.mktemp("panel") / "panel.html"
    page = flashing.flash_panel(ours, clips, PACE).data
    file.write_text(f"<!doctype html><meta charset=utf-8><title>panel</title><body>{page}", encoding="utf-8")
    return file


class Panel:
    """The panel in a page from a file, and what a reader does with it."""

    def __init__(self, page, file):
        self.page, self.wrong = page, []
        page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or self.wrong.append(request.url))
        page.set_default_timeout(120_000)  # for the slowest computer
        page.goto(file.as_uri())

    def part(self, name: str):
        return self.page.locator(f"#flash-panel [data-part={name}]")

    def note(self, *starts: str) -> str:
        """What it says, once that begins or ends with one of these."""
        self.page.wait_for_function("""(parts) => {
            const said = document.querySelector("#flash-panel [data-part=note]").textContent;
            return parts.some((part) => said.includes(part));
        }""", arg=starts)
        return self.part("note").text_content()

    def log(self, count: int) -> list[str]:
        """The words in its log, once there are so many."""
        self.page.wait_for_function("""(count) => {
            const said = document.querySelector("#flash-panel [data-part=log]").textContent;
            return said.split("\\n").filter((line) => / s  /.test(line)).length >= count;
        }""", arg=count)
        return [line.split()[-1] for line in self.part("log").text_content().split("\n") if " s  " in line]

    def own_board(self, image: bytes | None, faults: dict | None = None) -> None:
        """A board behind a port of the browser's, which the reader chooses."""
        wasm = base64.b64encode(emulator.wasm(small=True).read_bytes()).decode()
        coded = image and base64.b64encode(image).decode()
        self.page.evaluate(BOARD, [wasm, coded, faults or {}, PACE])
        self.part("mine").check()


@pytest.fixture
def panel(browser, panel_file):
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'serial', { get: () => window.serial || {} })")
    shown = Panel(context.new_page(), panel_file)
    yield shown
    context.close()
    assert shown.wrong == []


def test_a_blank_board_in_the_page_is_flashed_and_hears_words(panel, ours):
    assert "blank chip" in panel.note("blank chip") and panel.part("listen").is_enabled()
    panel.part("flash").click()
    said = panel.note("It listens")
    assert said.startswith(f"{len(ours):,} bytes flashed and verified: CH32V003F4U6, ROM bootloader 2.30. It runs: "
                           f"{protocol.VERSION_START}")
    assert panel.part("progress").get_attribute("aria-valuenow") == "100"
    flash = panel.page.evaluate(f"({READ})(document.getElementById('flash-panel'))")
    assert bytes(flash) == ours.ljust(FLASH_BYTES, b"\xff")
    for count, word in enumerate(("yes", "no"), start=1):
        panel.page.locator(f"[data-clip={word}]").click()
        assert panel.log(count)[-1] == word
    panel.part("listen").click()
    assert panel.note("waits for commands") and panel.part("flash").is_enabled()
    panel.part("flash").click()  # again, over our firmware, which goes to the bootloader on a command
    assert "flashed and verified" in panel.note("It listens")
    panel.part("listen").click()
    panel.note("waits for commands")


def test_a_plug_that_is_pulled_leaves_a_board_that_can_be_flashed(panel, ours):
    panel.part("flash").click()
    panel.page.wait_for_function("document.querySelector('[data-part=progress]').getAttribute('aria-valuenow') > 20")
    panel.part("plug").click()
    said = panel.note("went away")
    assert said == (isp.TEXTS["lost"] + isp.TEXTS["left"] + ".").format(port="The port", **flashing.WORDS)
    assert "ts-error" in panel.part("note").get_attribute("class")
    panel.part("listen").click()
    assert "waits in its ROM bootloader" in panel.note("waits in its ROM")  # where its first page's code went
    panel.part("flash").click()
    assert "flashed and verified" in panel.note("It listens")
    flash = panel.page.evaluate(f"({READ})(document.getElementById('flash-panel'))")
    assert bytes(flash).startswith(ours)


def test_a_readers_board_is_flashed_over_its_port(panel, ours):
    panel.own_board(ours)
    assert panel.part("plug").is_hidden() and not panel.page.locator("[data-clip=yes]").is_visible()
    panel.part("listen").click()
    panel.note("It listens to its microphone")
    panel.part("listen").click()
    panel.note("waits for commands")
    panel.part("flash").click()
    assert "flashed and verified" in panel.note("It listens to its microphone")
    panel.part("listen").click()
    panel.note("waits for commands")
    assert panel.page.evaluate("asked") == 1  # the port is chosen once
    panel.part("other").click()
    panel.part("listen").click()
    panel.note("It listens")
    assert panel.page.evaluate("asked") == 2


@pytest.mark.parametrize("faults", [{"to 20000": 1}, {"from 2500": 128, "to 12000": "drop", "from 3000": "double"}])
def test_a_readers_board_is_flashed_over_a_bad_cable(panel, ours, faults):
    """In several sessions; at the end every byte is in place."""
    panel.own_board(None, faults)
    panel.part("flash").click()
    assert re.search("flashed and verified, after [234] sessions", panel.note("It listens", "failed", "went away"))
    flash = panel.page.evaluate("[...mine.board.read(0x08000000, 16384)]")
    assert bytes(flash) == ours.ljust(FLASH_BYTES, b"\xff")


def test_a_readers_board_that_is_unplugged_is_flashed_later(panel):
    panel.own_board(None)
    panel.part("flash").click()
    panel.page.wait_for_function("document.querySelector('[data-part=progress]').getAttribute('aria-valuenow') > 60")
    panel.page.evaluate("mine.port.unplug()")
    assert "no whole program now: press the button again" in panel.note("went away")
    panel.part("flash").click()
    assert "flashed and verified" in panel.note("It listens")
    assert panel.page.evaluate("asked") == 2  # it may have another name now


@pytest.mark.parametrize(("name", "part"), [("NotFoundError", "No port was chosen"), ("SecurityError", "(not here)")])
def test_a_reader_who_chooses_no_port_is_told_what_to_do(panel, ours, name, part):
    panel.own_board(ours)
    panel.page.evaluate("""(name) => {
        const { requestPort } = serial;
        serial.requestPort = async () => {
            serial.requestPort = requestPort;
            throw Object.assign(new Error("not here"), { name });
        };
    }""", name)
    panel.part("flash").click()
    assert part in panel.note(part) and panel.part("flash").is_enabled()
    panel.part("listen").click()
    assert panel.note("It listens")


@pytest.mark.parametrize(("talks", "part"), [(False, "does not answer"), (True, "talks all the time")])
def test_a_device_that_is_no_board_is_told_from_one(panel, talks, part):
    """It sends back what it is sent, and may say its own between."""
    panel.page.evaluate("""(talks) => {
        const port = { async open() {
            let out = null;
            port.readable = new ReadableStream({ start: (controller) => { out = controller; } });
            const say = (text) => out.enqueue(new TextEncoder().encode(text));
            port.writable = new WritableStream({ write: (bytes) => out.enqueue(bytes) });
            if (talks) port.timer = setInterval(say, 20, "T:21.4 ok\\n");
        }, async close() { clearInterval(port.timer); } };
        window.serial = { requestPort: async () => port };
    }""", talks)
    panel.part("mine").check()
    panel.page.evaluate("""() => { // whoever waits longer is told no more
        const { setTimeout: real } = window;
        window.setTimeout = (what, time, ...rest) => real(what, time / 20, ...rest);
        const now = performance.now.bind(performance);
        performance.now = () => 20 * now();
    }""")
    panel.part("flash").click()
    assert "`python -m tinyspeech flash --link` in a terminal" in panel.note(part) and panel.part("flash").is_enabled()


@pytest.mark.parametrize(("secure", "text"), [(True, "no_serial"), (False, "insecure")])
def test_without_web_serial_the_panel_says_which_browsers_have_it(browser, panel_file, secure, text):
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'serial', { get: () => undefined });"
                            f"Object.defineProperty(window, 'isSecureContext', {{ get: () => {str(secure).lower()} }})")
    panel = Panel(context.new_page(), panel_file)
    assert panel.part("mine").is_disabled() and panel.part("virtual").is_enabled()
    assert panel.part("why").text_content() == flashing.TEXTS[text] and "flash --port" in flashing.TEXTS[text]
    context.close()
    assert panel.wrong == []


def test_the_panel_fits_a_phone_and_is_worked_by_keys(browser, panel_file):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    panel = Panel(context.new_page(), panel_file)
    assert panel.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    panel.page.keyboard.press("Tab")
    seen = []
    for _ in range(6):
        seen.append(panel.page.evaluate("document.activeElement.dataset.part || document.activeElement.tagName"))
        panel.page.keyboard.press("Tab")
    assert seen[:3] == ["virtual", "flash", "listen"] and "log" in seen
    panel.part("flash").focus()
    panel.page.keyboard.press("Enter")
    panel.note("Asking the board", "Flashing", "flashed")
    context.close()

"""Every parser against damaged files and devices that say anything: a value or one line, no hang, bounded memory.

    TINYSPEECH_FUZZ=200 python -m pytest tests/outside/test_fuzz.py      # hours, and another chance each time
"""

import io
import json
import tarfile

import numpy as np
import pytest
import soundfile
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.fuzzing import BOUND_BYTES, JSON, damage, often, only_a_line

from tinyspeech import paths
from tinyspeech.board import isp, monitor, probe, protocol, taught
from tinyspeech.board.lines import Lines
from tinyspeech.board.protocol import Command
from tinyspeech.integer import words
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit import saved
from tinyspeech.measure import store
from tinyspeech.outside import arrays
from tinyspeech.pages.numbers import renumber
from tinyspeech.sound import audio, corpora, logmel, recordings, truth
from tinyspeech.sound.splits import read_list
from tinyspeech.training.config import load_config

resource = pytest.importorskip("resource")
X = (np.random.default_rng(0).normal(0, 2000, 5000)).astype(np.int16)
SHIPPED = paths.model_file(paths.SHIPPED, ".npz")
MODEL = IntegerModel.load(SHIPPED)


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak < BOUND_BYTES, f"{peak:,} bytes"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def encoded(kind: str, **options) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, np.stack([X, X], 1) if options.pop("stereo", False) else X, 16_000, format=kind, **options)
    return data.getvalue()


SOUNDS = {"wav": encoded("WAV"), "flac": encoded("FLAC"), "ogg": encoded("OGG"), "aiff": encoded("AIFF"),
          "au": encoded("AU"), "float": encoded("WAV", subtype="FLOAT", stereo=True), "caf": encoded("CAF"),
          "adpcm": encoded("WAV", subtype="IMA_ADPCM"), "w64": encoded("W64"), "mp3": encoded("MP3")}


@pytest.mark.parametrize("kind", SOUNDS)
@pytest.mark.filterwarnings("ignore")
def test_sound(kind, folder):
    path = folder / f"x.{kind}"

    @often(30)
    @given(damage(SOUNDS[kind]))
    def tried(data):
        path.write_bytes(data)
        only_a_line(lambda: audio.second_of(path))
        only_a_line(lambda: [len(block) for block in recordings.blocks(path)])

    tried()


TABLE = "file\tstart\tend\tword\na.wav\t1.0\t2.0\tyes\n".encode("utf-8-sig")


@often(60)
@given(data=st.one_of(damage(TABLE), st.text().map(str.encode), damage(TABLE.decode().encode("utf-16"))))
def test_lists_and_tables(data, folder):
    for name in ("list.txt", "noise.tsv", "index.tsv"):
        (folder / name).write_bytes(data)
    (folder / "a.wav").touch()
    only_a_line(lambda: read_list(folder / "list.txt"))
    only_a_line(lambda: truth.read([folder / "noise.tsv"]))
    only_a_line(lambda: recordings.kinds(folder))
    only_a_line(lambda: corpora.index_of(folder, ("file", "start")))
    only_a_line(lambda: corpora.ArabicCommands(folder).by_word())


CONFIG = (paths.CONFIGS / "tinyspeech_s.yaml").read_bytes()
KEYS = sorted(yaml.safe_load(CONFIG))


@often(60)
@given(data=st.one_of(
    damage(CONFIG), st.text(max_size=200).map(str.encode),
    st.dictionaries(st.sampled_from([*KEYS, "network", "words", "augment", "prune", "streams", "teacher"]), JSON,
                    max_size=3).map(lambda values: json.dumps(values).encode())))
def test_configs(data, folder):
    (folder / "c.yaml").write_bytes(data)
    only_a_line(lambda: load_config(folder / "c.yaml"))


HELD = arrays.load(SHIPPED, 1 << 24, "")
META = json.loads(str(HELD["meta"]))


@st.composite
def networks(draw) -> tuple[dict, dict]:
    """The shipped network with some of its fields and arrays otherwise."""
    meta, held = json.loads(json.dumps(META)), {key: value for key, value in HELD.items() if key != "meta"}
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(["meta", "layer", "array"]))
        if where == "meta":
            meta[draw(st.sampled_from(sorted(meta)))] = draw(JSON)
        elif where == "layer":
            layers = meta["layers"] if isinstance(meta["layers"], list) else []
            rows = [row for row in layers if isinstance(row, dict)]
            if rows:
                row = draw(st.sampled_from(rows))
                key = st.sampled_from(["name", "kind", "source", "target", "kernel", "stride", "low", "memory"])
                row[draw(key)] = draw(JSON)
        else:
            key = draw(st.sampled_from(sorted(held)))
            was = HELD[key]
            held[key] = draw(st.sampled_from([
                was.astype(float), was[:1], was.astype(np.int64) * 100, np.array("x"), np.full_like(was, 127), was.T,
                np.zeros((0, 3), np.int8), was[None]]))
    return meta, held


@often(80)
@given(network=networks())
def test_networks(network, folder):
    meta, held = network
    np.savez(folder / "m.npz", meta=json.dumps(meta), **held)

    def work():
        model = IntegerModel.load(folder / "m.npz")
        model.run(np.zeros((1, 49, model.inputs), np.int8))
        header = c_header(model)
        assert header.count("#include") == 2 and header.isascii()

    only_a_line(work)


def test_files_of_networks_and_words(folder):
    words.save(folder / "w.npz", MODEL, [words.Word("tea", np.zeros((words.PARTS, words.VALUES), np.int8))])
    whole = {"m": SHIPPED.read_bytes(), "w": (folder / "w.npz").read_bytes()}

    @often(60)
    @given(st.sampled_from("mw").flatmap(lambda kind: st.tuples(st.just(kind), damage(whole[kind]))))
    def tried(which):
        kind, data = which
        (folder / "d.npz").write_bytes(data)
        only_a_line(lambda: IntegerModel.load(folder / "d.npz") if kind == "m" else words.load(folder / "d.npz", MODEL))

    tried()


@often(60)
@given(rows=st.one_of(st.lists(st.binary(min_size=64, max_size=64), max_size=3).map(
    lambda pages: np.array([list(page) for page in pages], np.uint8)),
    JSON.map(lambda value: np.array(json.dumps(value)))),
       network=st.one_of(st.just(MODEL.digest), st.text(max_size=20)))
def test_words(rows, network, folder):
    np.savez(folder / "w.npz", words=rows, network=network)
    only_a_line(lambda: words.load(folder / "w.npz", MODEL))


CHECKPOINT = paths.model_file("printed_m", "_float.pt")


@often(40)
@given(data=damage(CHECKPOINT.read_bytes()))
def test_files_of_checkpoints(data, folder):
    (folder / "x.pt").write_bytes(data)
    only_a_line(lambda: saved.load_model(folder / "x.pt"))


@often(60)
@given(key=st.sampled_from(["config", "stage", "state_dict", "weight_bits", "network"]), value=JSON,
       inside=st.sampled_from([None, "model", "network", "words", "seed"]))
def test_checkpoints(key, value, inside, folder):
    content = torch.load(CHECKPOINT, weights_only=True)
    if inside is not None:
        content["config"][inside] = value
    else:
        content[key] = value
    torch.save(content, folder / "x.pt")
    only_a_line(lambda: saved.load_model(folder / "x.pt"))


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("L", (40, 98)).save(data, "JPEG")
    return data.getvalue()


def archived(data: bytes, kind: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=kind) as tar:
        info = tarfile.TarInfo("yes/a_nohash_0.jpg")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@often(40)
@given(data=st.one_of(damage(archived(picture(), "w")), damage(archived(picture(), "w:gz")),
                      damage(picture()).map(lambda data: archived(data, "w"))))
def test_archives(data, folder):
    (folder / "x.tar.gz").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYSPEECH_CACHE", str(folder / "cache"))
        only_a_line(lambda: logmel.load_logmel(folder / "x.tar.gz"))


class Device:
    """A device that answers with what it is given, byte by byte and for ever, on a clock of its own."""

    def __init__(self, parts: list[bytes]):
        self.parts, self.time, self.heard, self.rest, self.turn = parts, 0.0, b"", b"", 0

    def now(self) -> float:
        return self.time

    def write(self, data: bytes) -> None:
        self.time += len(data) / 11_520
        self.rest += self.parts[self.turn % len(self.parts)]
        self.turn += 1

    def read(self, count: int, seconds: float) -> bytes:
        assert self.time < 3600, "it waits for ever"
        data, self.rest = self.rest[:count], self.rest[count:]
        self.time += len(data) / 11_520 if len(data) == count else max(seconds, 1e-5)
        self.heard = (self.heard + data)[-400:]
        return data


def packet(command: int, data: bytes) -> bytes:
    body = bytes([command, 0, len(data) & 255, 0]) + data
    return b"\x55\xaa" + body + bytes([sum(body) & 255])


PARTS = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"tinyspeech x 0123456789ab\n", b"listening\n", b"stopped 5\n", b"settings P\n", b"word yes 7\n",
                     b"lost 9\n", b"probe 00000000 0 0 0 0\n", b"\xff" * 64]),
    st.builds(packet, st.sampled_from([0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7]), st.binary(max_size=26)),
    st.builds(lambda letter, numbers: (letter + "".join(f" {n:08x}" for n in numbers) + "\n").encode(),
              st.sampled_from("abcdefhiklmnopqrstuwxyz"), st.lists(st.integers(0, 2**32 - 1), max_size=8)))


@often(80)
@given(parts=st.lists(PARTS, min_size=1, max_size=8))
def test_devices(parts):
    for work in (lambda line: isp.flash(line, bytes(128)), isp.find_version, isp.ask_version,
                 lambda line: taught.Board(line, line.now).words(),
                 lambda line: monitor.listen(line, lambda word: None, lambda text: None, seconds=1, now=line.now),
                 lambda line: monitor.listen(line, lambda word: None, lambda text: None, bytes(900), now=line.now),
                 lambda line: Lines(line, line.now).bytes(Command.WORD, 64, 1),
                 lambda line: monitor.Monitor(line, print, print, line.now).settings()):
        only_a_line(lambda work=work: work(Device(parts)))


@often(40)
@given(parts=st.lists(PARTS, min_size=1, max_size=30))
def test_a_probe_of_other_devices(parts):
    only_a_line(lambda: probe.asked(Device(parts), "port"))


@often(200)
@given(line=st.one_of(st.text(max_size=60),
                      st.builds(lambda a, b, c: f"{a} {b} {c}", st.sampled_from(["word", "lost"]), st.text(max_size=12),
                                st.text(max_size=30))))
def test_serial_lines(line):
    said = protocol.parse(line)
    assert said is None or str(said).isprintable()
    assert (protocol.version_line(line.encode() + b"\n") or "x").isprintable()
    protocol.parse_settings(line)


@often(60)
@given(data=st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary(max_size=200),
                      damage(b'{"a": {"value": 1, "unit": "steps"}}')))
def test_results(data, folder):
    (folder / "data").mkdir(exist_ok=True)
    (folder / "book").mkdir(exist_ok=True)
    (folder / "README.md").write_text("<!-- results:a|.1f -->1<!-- /results -->")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: README\n")
    (folder / "data" / "results.json").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RESULTS", folder / "data" / "results.json")
        only_a_line(store.load)
        only_a_line(lambda: renumber(folder))

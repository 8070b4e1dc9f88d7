"""The 12-class task, the cached log-mel set and the download, on folders made here."""

import hashlib
import http.server
import io
import re
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tinyspeech import CLASSES, KEYWORDS, paths
from tinyspeech.errors import UserError
from tinyspeech.sound import audio, datasets, download, logmel, synthesis, voices
from tinyspeech.sound.splits import SPLITS, hash_split, speaker_split

RATE = 16_000


def put(path: Path, samples) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples, np.int16), RATE, subtype="PCM_16")


def speakers_of(split: str, count: int) -> list[str]:
    """Speaker ids that the hash rule puts into `split`."""
    ids = (f"{i:08x}" for i in range(10_000))
    return [s for _, s in zip(range(count), (s for s in ids if hash_split(s) == split), strict=False)]


def test_speakers_of_running_speech_are_split_by_the_same_hash():
    """A fifth is kept from training; who is validation with a tenth is so with a fifth too."""
    names = [f"{i:04}" for i in range(5000)]
    kept = {name for name in names if speaker_split(name) == "validation"}
    assert 0.18 < len(kept) / len(names) < 0.22
    assert {name for name in names if speaker_split(name, 10) == "validation"} == {
        name for name in names if hash_split(name) == "validation"} < kept


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ten keywords and three other words by 8, 3 and 2 speakers; noise recordings whose values tell where."""
    root = tmp_path_factory.mktemp("commands")
    value = 0
    for split, count in {"training": 8, "validation": 3, "testing": 2}.items():
        for speaker in speakers_of(split, count):
            for word in (*KEYWORDS, "bed", "cat", "tree"):
                value += 1
                put(root / word / f"{speaker}_nohash_0.wav", np.full(200, value))
    ramp = np.arange(20 * RATE) // 20  # sample value: position / 20, so a piece's content tells where it was cut
    put(root / "_background_noise_" / "hum.wav", ramp)
    put(root / "_background_noise_" / "hiss.wav", -ramp)
    (root / "_background_noise_" / "README.md").write_text("not a sound")
    (root / "README.md").write_text("not a word")
    return root


# --- the split --------------------------------------------------------------------------------------------------------


def test_hash_rule_agrees_with_the_official_lists():
    """Speakers of the first lines of validation_list.txt and testing_list.txt of v0.02."""
    listed = {
        "validation": "8b775397 2643992f 060cd039 f5e5e8b0 dbb40d24 d57febf0 16db1582 171b56dc 66cff190 22aa3665",
        "testing": "2aa787cf ffa76c4a 24ad3ebe d7467392 5828dfa2 91223b83 f0ae7203 95ba4996 94de6a6a caf9fceb",
    }
    for split, speakers in listed.items():
        assert {hash_split(f"cat/{s}_nohash_0.wav") for s in speakers.split()} == {split}
    assert hash_split("yes/004ae714_nohash_0.wav") == "training"  # in neither list


def test_hash_rule_depends_on_the_speaker_alone():
    splits = {hash_split(f"{w}/0a7c2a8d_nohash_{n}{s}") for w in "ab" for n in "01" for s in (".wav", ".flac")}
    assert len(splits) == 1
    shares = [hash_split(f"{i:08x}") for i in range(5000)]
    assert abs(shares.count("validation") / 5000 - 0.1) < 0.02 and abs(shares.count("testing") / 5000 - 0.1) < 0.02


def test_splits_are_disjoint_and_complete(folder):
    names = {s: [n for n in datasets.load_task(folder, s).names if not n.startswith("_")] for s in SPLITS}
    keywords = {s: {n for n in v if n.split("/")[0] in KEYWORDS} for s, v in names.items()}
    assert [len(keywords[s]) for s in SPLITS] == [80, 30, 20, 130]
    assert keywords["training"] | keywords["validation"] | keywords["testing"] == keywords["all"]
    speakers = {s: {n.split("/")[1] for n in v} for s, v in keywords.items()}
    assert not speakers["training"] & speakers["validation"] and not speakers["testing"] & speakers["validation"]


def test_lists_overrule_the_hash(folder, tmp_path):
    clips = [f"{w}/{s}_nohash_0.flac" for w in ("yes", "no") for s in speakers_of("training", 4)]
    for i, clip in enumerate(clips):
        put(tmp_path / clip, [i])
    # lists name wav files, as the official ones do, though the clips were converted
    (tmp_path / "validation_list.txt").write_text(clips[0].replace("flac", "wav") + "\n\n")
    (tmp_path / "testing_list.txt").write_text(clips[5].replace("flac", "wav") + "\n")

    def keywords(s):
        return [n for n in datasets.load_task(tmp_path, s).names if n[0] != "_"]

    assert keywords("validation") == [clips[0]] and keywords("testing") == [clips[5]]
    assert len(keywords("training")) == 6


# --- unknown and silence ----------------------------------------------------------------------------------------------


def test_unknown_and_silence_are_a_tenth_rounded_up(folder):
    for split, keywords in {"training": 80, "validation": 30, "testing": 20}.items():
        task = datasets.load_task(folder, split)
        count = np.bincount(task.labels, minlength=12)
        assert count[2:].tolist() == [keywords // 10] * 10
        assert count[0] == count[1] == -(-keywords // 10)
        assert len(set(task.names)) == len(task.names) == count.sum()


def test_label_sound_and_name_belong_together(folder):
    for name, label, samples in datasets.load_task(folder, "validation"):
        assert samples.shape == (RATE,) and samples.dtype == np.int16
        word = name.split("/")[0]
        assert CLASSES[label] == (word if word in CLASSES else "_unknown_")
        if word != "_silence_":
            assert samples[0] == soundfile.read(folder / name, dtype="int16")[0][0] and not samples[200:].any()


def test_silence_is_the_named_piece_times_the_named_gain_from_its_splits_part(folder):
    spans = {"training": (0, 0.8), "validation": (0.8, 0.9), "testing": (0.9, 1)}
    for split, (begin, end) in spans.items():
        for seed in range(5):
            task = datasets.load_task(folder, split, seed)
            for name, label, samples in task:
                if label:
                    continue
                stem, start, gain = re.fullmatch(r"_silence_/(\w+)_(\d+)_(\d\.\d+)", name).groups()
                start, gain, sign = int(start), float(gain), 1 if stem == "hum" else -1
                assert begin * 20 * RATE <= start and start + RATE <= end * 20 * RATE
                assert np.array_equal(samples, np.rint(sign * (np.arange(start, start + RATE) // 20) * gain))


def test_seed_chooses_and_repeats(folder):
    assert datasets.load_task(folder, "training", 3).names == datasets.load_task(folder, "training", 3).names
    assert datasets.load_task(folder, "training", 3).names != datasets.load_task(folder, "training", 4).names


def test_order_of_the_file_system_changes_nothing(folder, monkeypatch):
    before = datasets.load_task(folder, "training", limit=50).names
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: reversed(list(listed(self))))
    assert datasets.load_task(folder, "training", limit=50).names == before


def test_without_recordings_silence_is_zeros(tmp_path):
    for speaker in speakers_of("training", 10):
        put(tmp_path / "yes" / f"{speaker}_nohash_0.wav", [1])
    x, y = datasets.load_task(tmp_path, "training").arrays()
    assert y.tolist() == [0] + [2] * 10 and not x[0].any() and x[1].any()


def test_recordings_too_short_for_a_split_are_not_cut(tmp_path):
    put(tmp_path / "yes" / f"{speakers_of('validation', 1)[0]}_nohash_0.wav", [1])
    put(tmp_path / "_background_noise_" / "short.wav", np.ones(RATE * 9))  # a tenth of it is less than a second
    put(tmp_path / "_background_noise_" / "long.wav", np.ones(RATE * 11))
    assert datasets.load_task(tmp_path, "validation").names[0].startswith("_silence_/long_")


# --- limit, layouts, errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 12, 13, 30, 46, 10_000])
def test_limit_takes_from_the_classes_in_turn(folder, limit):
    whole, task = datasets.load_task(folder, "training"), datasets.load_task(folder, "training", limit=limit)
    assert len(task) == min(limit, len(whole)) and set(task.names) <= set(whole.names)
    assert np.all(np.diff(task.labels) >= 0)
    count = np.bincount(task.labels, minlength=12)
    if limit <= 12 * 8:
        assert count.max() - count.min() <= 1
    assert len(task.arrays()[0]) == len(task)


def test_official_test_set_uses_every_file_and_its_folder(tmp_path):
    for word in ("_silence_", "_unknown_", "yes", "go"):
        for i in range(3):
            put(tmp_path / word / f"{i}_nohash_0.wav.wav", [i])
    for split in SPLITS:
        task = datasets.load_task(tmp_path, split)
        assert np.bincount(task.labels, minlength=12).tolist() == [3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert all((tmp_path / name).is_file() for name in task.names)
    assert datasets.info(tmp_path)["splits"] == {"all": 12}


def test_only_other_words_are_all_unknown(tmp_path):
    put(tmp_path / "bed" / f"{speakers_of('testing', 1)[0]}_nohash_0.wav", [1])
    assert datasets.load_task(tmp_path, "testing").labels.tolist() == [1]


def test_bad_requests_are_one_clear_line(folder, tmp_path):
    put(tmp_path / "train_only" / "yes" / f"{speakers_of('training', 1)[0]}_nohash_0.wav", [1])
    (tmp_path / "void").mkdir()
    for match, where, arguments in [
        ("does not exist", tmp_path / "none", {}),
        ("is a file", folder / "README.md", {}),
        ("no word folder", tmp_path / "void", {}),
        ("'test'", folder, {"split": "test"}),
        ("1 in training, 0 in validation", tmp_path / "train_only", {"split": "validation"}),
        ("limit of 0", folder, {"limit": 0}),
    ]:
        with pytest.raises(UserError, match=match) as caught:
            datasets.load_task(where, **arguments)
        assert "\n" not in str(caught.value)


def test_a_damaged_clip_is_named(tmp_path):
    name = f"yes/{speakers_of('training', 1)[0]}_nohash_0.wav"
    put(tmp_path / name, [1])
    (tmp_path / name).write_bytes(b"RIFF")
    with pytest.raises(UserError, match=name):
        datasets.load_task(tmp_path, "training").arrays()


def test_info_counts(folder):
    info = datasets.info(folder)
    assert info["clips"] == 13 * 13 and info["splits"] == {"training": 104, "validation": 39, "testing": 26}
    assert info["speakers"] == {"training": 8, "validation": 3, "testing": 2}
    assert info["per_word"]["bed"] == {"training": 8, "validation": 3, "testing": 2}
    assert info["background_noise_seconds"] == {"hiss": 20.0, "hum": 20.0}


# --- log-mel ----------------------------------------------------------------------------------------------------------


def logmel_archive(path: Path) -> dict[str, np.ndarray]:
    pictures = {}
    with tarfile.open(path, "w:gz") as tar:
        speakers = speakers_of("training", 2) + speakers_of("validation", 1)
        for i, name in enumerate([*(f"yes/{s}_nohash_0" for s in speakers), "_background_noise_/0"]):
            rows, columns = np.mgrid[:98, :40]
            pictures[name] = (rows + columns + 10 * i).astype(np.uint8)
            jpeg = io.BytesIO()
            Image.fromarray(pictures[name]).save(jpeg, "JPEG", quality=95)
            member = tarfile.TarInfo(f"{name}.jpg")
            member.size = len(jpeg.getvalue())
            tar.addfile(member, io.BytesIO(jpeg.getvalue()))
    return pictures


def test_logmel_from_archive_then_from_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))
    pictures = logmel_archive(tmp_path / "set.tar.gz")
    first = logmel.load_logmel(tmp_path / "set.tar.gz")
    assert first.x.shape == (3, 98, 40) and first.x.dtype == np.uint8 and first.noise.shape == (1, 98, 40)
    for word, name, split, x in zip(first.words, first.names, first.splits, first.x, strict=True):
        assert np.abs(x.astype(int) - pictures[f"{word}/{name}"]).max() <= 3  # a JPEG is not exact
        assert split == hash_split(name)
    assert first.splits.tolist().count("validation") == 1
    assert np.abs(first.noise[0].astype(int) - pictures["_background_noise_/0"]).max() <= 3

    cached = list((tmp_path / "cache").iterdir())
    assert len(cached) == 1
    monkeypatch.setattr(logmel, "_decode_logmel", lambda path: pytest.fail("decoded again"))
    for path in (tmp_path / "set.tar.gz", cached[0]):
        again = logmel.load_logmel(path)
        for name in ("x", "words", "names", "splits", "noise"):
            assert np.array_equal(getattr(first, name), getattr(again, name))


def test_a_damaged_cache_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))
    logmel_archive(tmp_path / "set.tar.gz")
    first = logmel.load_logmel(tmp_path / "set.tar.gz")
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:100])
    assert np.array_equal(logmel.load_logmel(tmp_path / "set.tar.gz").x, first.x)


def test_bad_logmel_sets_are_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))
    np.savez(tmp_path / "keys.npz", x=np.zeros((1, 98, 40), np.uint8))
    one, pictures = np.array(["a"]), np.zeros((1, 98, 40))
    np.savez(tmp_path / "type.npz", x=pictures, noise=pictures, word=one, name=one, split=one)
    (tmp_path / "text.npz").write_text("no")
    (tmp_path / "text.tar.gz").write_text("no")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("x.txt"))
    logmel_archive(tmp_path / "whole.tar.gz")
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    for name in ("none.npz", "", "keys.npz", "type.npz", "text.npz", "text.tar.gz", "other.tar.gz", "cut.tar.gz"):
        with pytest.raises(UserError) as caught:
            logmel.load_logmel(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


# --- download ---------------------------------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` on the loopback; may ignore ranges or break off, as real servers do."""

    def __init__(self, content: bytes):
        self.content, self.ranges, self.stop_after, self.asked = content, True, None, []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/set.tar.gz"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted, content = self.headers.get("Range"), self.server.content
        self.server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.server.stop_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in ("./yes/0a_nohash_0.wav", "./_background_noise_/hum.wav"):
            member = tarfile.TarInfo(name)
            member.size = 50_000
            tar.addfile(member, io.BytesIO(np.random.default_rng(0).bytes(50_000)))
    server = Server(archive.getvalue())
    yield server
    server.shutdown()
    server.server_close()


def fetch(server, out):
    return download.download(out, server.url, hashlib.sha256(server.content).hexdigest(), timeout_s=5)


def test_download_unpacks_and_leaves_nothing_else(server, tmp_path):
    assert fetch(server, tmp_path / "deep" / "set") == tmp_path / "deep" / "set"
    assert (tmp_path / "deep" / "set" / "yes" / "0a_nohash_0.wav").stat().st_size == 50_000
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["set"]
    fetch(server, tmp_path / "deep" / "set")
    assert server.asked == [None]  # there already: nothing was asked


@pytest.mark.parametrize("ranges", [True, False])
def test_download_goes_on_after_an_interruption(server, tmp_path, ranges):
    server.stop_after, server.ranges = 30_000, ranges
    with pytest.raises(UserError, match=r"run the command again to go on"):
        fetch(server, tmp_path / "set")
    assert not (tmp_path / "set").exists() and (tmp_path / "set.tar.gz.part").stat().st_size == 30_000
    server.stop_after = None
    fetch(server, tmp_path / "set")
    assert (tmp_path / "set" / "yes" / "0a_nohash_0.wav").stat().st_size == 50_000
    assert server.asked == [None, "bytes=30000-"]


def test_download_interrupted_before_unpacking_asks_for_nothing_more(server, tmp_path):
    (tmp_path / "set.tar.gz.part").write_bytes(server.content)
    fetch(server, tmp_path / "set")
    assert (tmp_path / "set" / "yes").is_dir()


def test_wrong_checksum_is_thrown_away(server, tmp_path):
    with pytest.raises(UserError, match="thrown away"):
        download.download(tmp_path / "set", server.url, "0" * 64)
    assert not list(tmp_path.iterdir())


def test_offline_unknown_and_in_the_way_are_one_clear_line(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="cannot be reached") as caught:
        fetch(server, tmp_path / "set")
    assert "\n" not in str(caught.value)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="in the way"):
        download.download(tmp_path / "full", server.url)
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"


def test_not_found_is_one_clear_line(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.send_error(404))
    with pytest.raises(UserError, match="404"):
        fetch(server, tmp_path / "set")


# --- the bundled clips ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest():
    return [row for row in synthesis.read_manifest() if row["word"]]


def test_bundled_clips_are_those_of_the_manifest():
    assert synthesis.verify() == []
    files = {str(p.relative_to(paths.BUNDLED)) for p in paths.BUNDLED.rglob("*.flac")}
    assert files == {row["file"] for row in synthesis.read_manifest()}
    assert sum(p.stat().st_size for p in paths.BUNDLED.rglob("*")) <= 12_000_000


def test_verify_notices_a_changed_and_a_missing_clip(tmp_path):
    rows = synthesis.read_manifest()
    keep = [row["file"] for row in rows if row["word"] == "yes"][:3]
    lines = (paths.BUNDLED / "manifest.csv").read_text().splitlines()
    (tmp_path / "yes").mkdir()
    (tmp_path / "manifest.csv").write_text("\n".join([lines[0], *(x for x in lines if x.split(",")[0] in keep)]))
    for file in keep[:2]:
        (tmp_path / file).write_bytes((paths.BUNDLED / file).read_bytes())
    samples, _ = audio.read(tmp_path / keep[1])
    samples[100] += 1
    audio.write(tmp_path / keep[1], samples)
    assert synthesis.verify(tmp_path) == keep[1:]


def test_no_bundled_voice_is_in_two_splits_by_either_rule(manifest):
    splits = {}
    for row in manifest:
        splits.setdefault(row["voice"], set()).add(row["split"])
        assert hash_split(row["file"]) == row["split"]
    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) >= 10 and len({row["engine"] for row in manifest}) == 6
    for split in SPLITS[:3]:
        listed = {n for n in datasets.load_task(paths.BUNDLED, split).names if n[0] != "_"}
        assert listed <= {row["file"] for row in manifest if row["split"] == split}


@pytest.mark.parametrize(("split", "least"), [("training", 100), ("validation", 20), ("testing", 20)])
def test_bundled_task_is_balanced(split, least):
    count = np.bincount(datasets.load_task(paths.BUNDLED, split).labels, minlength=12)
    assert len(set(count[2:])) == 1 and count[2] >= least
    assert count[0] == count[1] == -(-count[2:].sum() // 10)


def test_bundled_clips_sound_right(manifest):
    """A tenth of them: 16-bit seconds, audible, not clipped, with a word of credible length at varied places."""
    starts = []
    for row in manifest[::10]:
        samples, rate = audio.read(paths.BUNDLED / row["file"])
        assert samples.dtype == np.int16 and len(samples) == rate == RATE
        x = samples.astype(float)
        assert 0.05 < np.abs(x).max() / 32768 < 0.95
        power = np.mean(x.reshape(100, 160) ** 2, axis=1)
        loud = np.flatnonzero(power > power.max() / 100)
        starts.append(loud[0])
        assert len(loud) >= 4, row["file"]
    assert np.std(starts) > 8  # in 10 ms: words do not all begin at the same moment


def test_bundled_snr_is_what_the_manifest_says(manifest):
    """Noise alone is heard outside the word; at a low ratio it must be that much below the word."""
    errors = []
    for row in manifest:
        if float(row["snr_db"]) < 20 and row["noise"] in ("white_noise", "pink_noise"):
            power = np.mean(
                audio.load_clip(paths.BUNDLED / row["file"]).reshape(100, 160).astype(float) ** 2, axis=1
            )
            noise = np.mean(np.sort(power)[:20])
            word = power[power > 2 * noise]
            if len(word) > 10:
                errors.append(10 * np.log10((word.mean() - noise) / noise) - float(row["snr_db"]))
    assert len(errors) > 20 and abs(np.median(errors)) < 4


def test_synthesis_without_engines_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"espeak-ng, flite, festival.*data/README.md"):
        synthesis.synthesize(tmp_path / "new")
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="in the way"):
        synthesis.synthesize(tmp_path)


def test_trim_keeps_the_word_and_little_else():
    x = np.zeros(RATE)
    x[5000:9000] = np.sin(np.arange(4000))
    assert 4000 <= len(synthesis.trim(x)) <= 4000 + 2 * 160 + 2 * 240
    assert len(synthesis.trim(np.zeros(RATE))) == 0


def test_the_plan_is_balanced_and_leaves_out_unclear_words():
    plan = synthesis._plan()
    assert len(set((s.voice, w, n) for s, w, n in plan)) == len(plan)
    assert not [1 for s, w, _ in plan if w in voices.UNCLEAR.get(s.model, ()) and w in KEYWORDS]
    assert {w for _, w, _ in plan} == set(voices.PHONEMES)

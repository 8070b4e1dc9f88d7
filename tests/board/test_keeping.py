"""Sounds that are kept: which, where they begin and end, and that nothing is ever lost or overwritten."""

import contextlib
import csv
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from support.played import clips_in_a_row

from tinyspeech import paths
from tinyspeech.board import keeping
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening, words
from tinyspeech.integer.network import IntegerModel

NOW = datetime(2026, 1, 2, 3, 4, 5)
REST = listening.BATCH_FRAMES * decision.REFRACTORY_STEPS


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def sound():
    """Half a minute of clips in a row, unknown words among them, int16 at 8 kHz."""
    return clips_in_a_row(30)


@pytest.mark.parametrize("settings", [{}, {"sensitivity": "low"}, {"sensitivity": "high", "first_word": 11}], ids=str)
def test_reports_are_those_of_the_definition_and_near_misses_are_not(model, sound, settings):
    found = list(keeping.events(model, sound, **settings))
    reports = [(event.frame, event.word) for event in found if event.kind == "report"]
    assert reports == listening.words(model, sound, **settings)
    near = [event for event in found if event.kind == "near"]
    least = decision.LEAST_LEADS[settings.get("sensitivity", "normal")]
    assert all(2 * event.lead >= least for event in near)
    assert all(later.frame - event.frame >= REST for event, later in pairwise(near))
    if "first_word" not in settings:
        assert all(event.lead < least for event in near)
    assert near or settings != {"sensitivity": "low"}


@pytest.mark.parametrize("settings", [{}, {"first_word": decision.TAUGHT}, {"first_word": 2}], ids=str)
def test_taught_words_are_reports_too(model, sound, settings):
    """Words of one take each, that is in the row."""
    features = frontend.FrontendStream().push(sound)
    said = [one for one in words.segments(*words.frames(model, features)) if np.count_nonzero(one.codes) > 5]
    taught = [words.teach(f"own{n}", [one]) for n, one in enumerate(said[:4])]
    found = [event for event in keeping.events(model, sound, taught, **settings) if event.kind == "report"]
    assert [(event.frame, event.word) for event in found] == words.reported(model, sound, taught, **settings)
    own = [event for event in found if event.word.startswith("own")]
    assert not {event.lead for event in own} - {0} and bool(own) == (settings != {"first_word": 2})


def test_a_stretch_gives_its_largest_lead_or_its_report(model, monkeypatch):
    """Leads by hand, as shares of the least lead, a step each."""
    def events(*shares):
        rows = [row for share in shares for row in (np.zeros(12, np.int64), np.eye(12, dtype=np.int64)[2] * share)]
        scores = [(2 * n + 1, row * decision.LEAST_LEAD // 100) for n, row in enumerate(rows)]
        monkeypatch.setattr(listening, "scored_frames", lambda model, samples: scores)
        return [(event.kind, round(event.lead * 100 / decision.LEAST_LEAD)) for event in keeping.events(model, None)]

    left = (1 - 2.0**-decision.LEAK_BITS) ** 2  # of a lead, a step later

    assert events(49, 0, 0) == []
    assert events(60) == [("near", 60)]  # the recording may end in it
    assert events(60, 20, 0, 0, 0) == [("near", round(60 * left + 20))]
    assert events(60, 90, 0, 0) == [("report", round(60 * left + 90))]
    assert events(60, 0, 0, 55, 0, 0) == [("near", 60)]  # too soon for another
    assert events(60, *[0] * 8, 60, 0, 0) == [("near", 60), ("near", round(60 * left**9 + 60))]


def test_two_seconds_are_kept_in_a_plain_folder(tmp_path):
    sound = np.arange(8000 * 10, dtype=np.int64).astype(np.int16)
    keeper = keeping.Keeper(tmp_path / "new" / "folder", NOW)
    early, late = keeping.Event(31, "go", 1, "near"), keeping.Event(250, "left", 99_000, "report")
    files = [keeper.keep(sound, event) for event in (early, late)]
    assert [file.name for file in files] == ["20260102-030405_0000.62s_go_near.wav",
                                             "20260102-030405_0005.00s_left_report.wav"]
    samples, rate_hz = soundfile.read(files[1], dtype="int16")
    assert rate_hz == 8000 and np.array_equal(samples, sound[28_000:44_000])
    assert len(soundfile.read(files[0])[0]) == 620 * 8 + 4000  # it began with the recording
    with (keeper.folder / "log.csv").open() as log:
        rows = list(csv.DictReader(log))
    assert rows[1] == {"file": files[1].name, "start": "3.500", "end": "5.500", "word": "left", "kind": "report",
                       "lead": "99000"}


def test_a_second_session_overwrites_nothing(tmp_path):
    event, sound = keeping.Event(100, "go", 1, "near"), np.zeros(80_000, np.int16)
    files = {keeping.Keeper(tmp_path, NOW).keep(sound, event) for _ in range(3)}
    assert len(files) == 3 and all(file.exists() for file in files)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4


@pytest.fixture
def session(model, sound, tmp_path):
    """A session in a folder of its own, and what it keeps of the whole: at least three sounds."""
    kept = list(keeping.events(model, sound))
    assert len(kept) > 2 and kept[1].end < kept[2].end < len(sound)
    return keeping.Session(keeping.Keeper(tmp_path / "kept", NOW), model, sound), kept


def files_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rows_in(folder) -> list[dict]:
    with (folder / "log.csv").open(newline="") as log:
        return list(csv.DictReader(log))


def test_a_sound_is_there_as_soon_as_all_of_it_was_sent(session, sound, tmp_path):
    session, kept = session
    folder = tmp_path / "kept"
    for n, event in enumerate(kept):
        session.sent(event.end - 1)
        assert len(rows_in(folder)) == n
        session.sent(event.end)
        row = rows_in(folder)[n]
        assert (row["word"], row["kind"], row["lead"]) == (event.word, event.kind, str(event.lead))
        assert np.array_equal(soundfile.read(folder / row["file"], dtype="int16")[0], sound[event.start : event.end])
    assert files_in(folder) == ["log.csv" if n < 0 else rows_in(folder)[n]["file"] for n in (*range(len(kept)), -1)]


def test_at_the_end_what_the_board_still_heard_is_kept_and_no_more(session, sound, tmp_path):
    """The board has heard 0.2 s more than the second event's decision, and the third one's is to come."""
    session, kept = session
    session.sent(kept[0].end)
    frames = kept[1].frame + 10
    assert kept[1].frame < frames < kept[2].frame
    reports = [(event.frame, event.word) for event in kept[:2] if event.kind == "report"]
    assert session.heard(frames) == reports
    first, second = rows_in(tmp_path / "kept")
    heard = 256 + 160 * (frames - 1)
    assert heard < kept[1].end and second["end"] == f"{heard / 8000:.3f}"
    assert len(soundfile.read(tmp_path / "kept" / second["file"])[0]) == heard - kept[1].start
    assert first["end"] == f"{kept[0].end / 8000:.3f}"


@contextlib.contextmanager
def limit_on_files(size: int):
    """A limit on how long files may get, in bytes: what does not fit fails as on a full disk, in the middle. It holds
    for pytest's own output, too, where that goes to a file: so for no longer than what is tried."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("beyond", ["sound", "row"])
def test_on_a_full_disk_nothing_is_half_written_and_nothing_lost(tmp_path, beyond):
    """The disk is full in the middle of the second sound, or of its row in the log."""
    keeper = keeping.Keeper(tmp_path, NOW)
    first = keeper.keep(np.zeros(80_000, np.int16), keeping.Event(100, "go", 1, "near"))
    whole, log = first.read_bytes(), (tmp_path / "log.csv").read_bytes()
    later = np.zeros(80_000 if beyond == "sound" else 10, np.int16)
    with limit_on_files(10_000 if beyond == "sound" else len(log) + 7), \
            pytest.raises(UserError, match="on a disk with room"):
        keeper.keep(later, keeping.Event(300 if beyond == "sound" else 0, "stop", 1, "near"))
    assert first.read_bytes() == whole and (tmp_path / "log.csv").read_bytes() == log
    assert not list(tmp_path.glob("*.part"))
    for path in tmp_path.glob("*.wav"):
        soundfile.read(path)


def test_folders_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot keep sounds"):
        keeping.Keeper(tmp_path / "file")
    keeper = keeping.Keeper(tmp_path / "folder")
    (keeper.folder / "log.csv").unlink()
    keeper.folder.rmdir()
    with pytest.raises(UserError):
        keeper.keep(np.zeros(80_000, np.int16), keeping.Event(100, "go", 1, "near"))

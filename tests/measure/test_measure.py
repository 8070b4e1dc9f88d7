"""Figures of data/results.json: kept whole by programs side by side, each of one group, made again by its command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinyspeech import paths
from tinyspeech.__main__ import main
from tinyspeech.errors import UserError
from tinyspeech.measure import registry, store
from tinyspeech.measure.store import figure

RECORDED = store.load()


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """A file of its own in the place of data/results.json; at first not there."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


# --- the store --------------------------------------------------------------------------------------------------------

SIDE_BY_SIDE = """
import sys
from pathlib import Path
from tinyspeech import paths
from tinyspeech.measure import store
paths.RESULTS = Path(sys.argv[1])
sys.stdin.readline()
for i in range(20):
    store.record(f"process{sys.argv[2]}.{i:02}", i, "1")
"""


def test_processes_side_by_side_lose_nothing(results):
    """Four at once, twenty figures each; they start together."""
    workers = [subprocess.Popen([sys.executable, "-c", SIDE_BY_SIDE, results, str(i)], stdin=subprocess.PIPE)
               for i in range(4)]
    for worker in workers:
        worker.stdin.write(b"\n")
        worker.stdin.flush()
    assert [worker.wait() for worker in workers] == [0] * 4
    assert list(store.load()) == sorted(f"process{i}.{n:02}" for i in range(4) for n in range(20))


def test_whoever_reads_meanwhile_finds_a_whole_file(results, monkeypatch):
    """The new text stands in a file of its own until it is complete; a write that fails leaves the old one."""
    store.record("a", 1, "1")
    before, real = results.read_bytes(), Path.write_text

    def half(self, text, **options):
        real(self, text[: len(text) // 2], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        store.record("b", 2, "1")
    assert results.read_bytes() == before


def test_a_figure_that_is_there_already_leaves_the_file_as_it_is(results):
    """To the byte, and with the time of its last change: in whatever order the keys of the entry stand."""
    text = paths.DATA.joinpath("results.json").read_bytes()
    results.write_bytes(text)
    entry = RECORDED["tinyspeech_s.macs"]
    about = {key: value for key, value in reversed(entry.items()) if key not in ("value", "unit", "version")}
    then = results.stat().st_mtime_ns
    store.record("tinyspeech_s.macs", entry["value"], entry["unit"], **about)
    assert results.read_bytes() == text and results.stat().st_mtime_ns == then
    store.record("tinyspeech_s.macs", entry["value"] + 1, entry["unit"], **about)
    store.record("tinyspeech_s.macs", entry["value"], entry["unit"], **about)
    assert json.loads(results.read_bytes()) == RECORDED and len(results.read_bytes()) == len(text)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "file" / "results.json")
    with pytest.raises(UserError, match="cannot write"):
        store.record("a", 1, "1")


# --- the registry -----------------------------------------------------------------------------------------------------


def test_every_recorded_figure_is_of_one_group_and_names_its_command():
    keys = {*registry.by_key(), *registry.BY_HAND}
    of_the_set = {f"{model}.official_test" for model in registry.TESTED}  # whoever keeps it takes them
    assert RECORDED.keys() <= keys and keys - RECORDED.keys() <= of_the_set
    assert {key: entry["command"] for key, entry in RECORDED.items()} == {
        key: registry.command_of(key) for key in RECORDED}


def test_commands_are_understood_by_the_command_line():
    from tinyspeech.__main__ import build_parser

    for key in registry.names(long=True):
        words = registry.command_of(key).split()
        assert words[:3] == ["python", "-m", "tinyspeech"]
        args = build_parser().parse_args(words[3:])
        assert args.only == [key], key
        assert {need for need in registry.FLAGS if getattr(args, need)} == set(registry.group_of(key).needs)


@pytest.mark.parametrize("group", [group for group in registry.groups() if group.cheap], ids=lambda g: g.keys[0])
def test_cheap_figures_are_made_again_with_the_same_value(group, results):
    """All of a group's, in a file of their own; `reproduce.minutes` reads others."""
    results.write_text(json.dumps(RECORDED))
    made = dict(registry.make(group.keys))
    assert tuple(made) == group.keys
    assert made == {key: RECORDED[key] for key in group.keys}


def test_only_what_is_asked_for_is_recorded(results, capsys):
    """Of a group of six, one: by the command that its entry names."""
    key = "tinyspeech_s.macs"
    assert main(RECORDED[key]["command"].split()[3:]) == 0
    assert store.load() == {key: RECORDED[key]}
    assert capsys.readouterr().out == f"{key}: {RECORDED[key]['value']} multiply-accumulates a clip\n"
    assert main(["measure", "--only", "printed_m.parameters", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"printed_m.parameters": RECORDED["printed_m.parameters"]}
    assert store.load().keys() == {key, "printed_m.parameters"}


def test_what_a_group_does_not_make_is_told(results, monkeypatch, tmp_path, capsys):
    """The log-mel set's pictures are compared only where it is given itself: asked for alone, that is an error."""
    arguments = ["measure", "--only", "frontend.rmse_to_logmel_set", "--speech", str(tmp_path), "--logmel",
                 str(tmp_path)]
    assert main(arguments) == 2
    assert "left out, for want of the log-mel set itself" in capsys.readouterr().err and not results.exists()


@pytest.mark.parametrize("words, match", [
    ([], "give --only NAME, or one of the actions"),
    (["--only", "tinyspeech_s.mac"], "no figure tinyspeech_s.mac; do you mean tinyspeech_s.macs"),
    (["--only", "zzz"], "no figure zzz: their names are the keys of data/results.json"),
    (["--only", "frontend.attempts"], "frontend.attempts is history"),
    (["--only", "pruning.one_shot"], "pruning.one_shot is measured on data: give --speech FOLDER and --logmel FILE"),
    (["--only", "pruning.one_shot", "--logmel", "."], "give --speech FOLDER"),
    (["experiments", "--logmel", ".", "--workers", "0"], "--workers must be 1 or more"),
    (["bits", "--logmel", ".", "--speech", ".", "--only", "Q"], "no network Q; there are S, XS, M"),
])
def test_what_cannot_be_measured_is_one_line(words, match, results, capsys):
    assert main(["measure", *words]) == 2
    error = capsys.readouterr().err
    assert match in error and error.count("\n") == 1 and not results.exists()


def test_all_leaves_trainings_out():
    assert not [key for key in registry.names() if key.startswith("experiments.")]
    assert {"chip.mips", "hours.choice", "reproduce.minutes"} <= set(registry.names())


def test_figures_keep_their_own_about(results):
    """What a figure says of itself, and the registry's command."""
    made = dict(registry.record([figure("chip.mips", 1, "1", n=3), figure("live.duty", 2, "%")], ["chip.mips"]))
    assert made == {"chip.mips": {"value": 1, "unit": "1", "version": RECORDED["chip.mips"]["version"], "n": 3,
                                  "command": registry.command_of("chip.mips")}}

"""data/results.json with several programs at it, and as an editor or a full disk leaves it."""

import json
import subprocess
import sys

import pytest

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.measure import store

WRITER = """
import sys
from pathlib import Path
from tinyspeech import paths
from tinyspeech.measure import store
paths.RESULTS = Path(sys.argv[1])
for i in range(30):
    store.record(f"{sys.argv[2]}.{i}", i, "steps")
    assert store.load()[f"{sys.argv[2]}.{i}"]["value"] == i
"""


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


def test_two_programs_lose_nothing(results):
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(results), name], cwd=paths.ROOT) for name in "ab"]
    assert [program.wait(120) for program in running] == [0, 0]
    assert sorted(store.load()) == sorted(f"{name}.{i}" for name in "ab" for i in range(30))
    assert not [*results.parent.glob("*.new")]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"5", b'{"a": 5}', b'{"a": {}}', b"\xff\xfe", b"\xff\x00\xff",
                                  b'{"a": ' + b"[" * 100_000, b"1" * 5000, b"null", bytes(1000), b"NaN"])
def test_a_broken_file_is_a_line(results, text):
    results.write_bytes(text)
    for work in (store.load, lambda: store.record("x", 1, "steps")):
        with pytest.raises(UserError, match=r"results\.json"):
            work()
    assert results.read_bytes() == text


def test_a_file_with_a_mark_is_read(results):
    results.write_text(json.dumps({"a": {"value": 1, "unit": "steps"}}), "utf-8-sig")
    assert store.load()["a"]["value"] == 1


def test_a_lock_that_nobody_lets_go_is_a_line(results, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE_S", 0.1)
    with store.FileLock(results.parent / "results.json.lock"), pytest.raises(UserError, match=r"holds results\.json"):
        store.record("x", 1, "steps")


def test_a_disk_that_is_full_leaves_the_old_file(results, monkeypatch):
    store.record("x", 1, "steps")
    before = results.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        store.record("y", 2, "steps")
    assert results.read_bytes() == before and not [*results.parent.glob("*.new")]
